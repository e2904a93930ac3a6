"""Trouble: whatever goes wrong on the way, nobody is told twice and nothing is claimed that is not true."""

# ruff: noqa: D401  (the docstring of a case is a sentence of expected behaviour, as that of a test)

from __future__ import annotations

from dataclasses import replace

from syncd.sdk.channel import OutcomeKind
from syncd.sdk.desk import TicketChange, TicketId, TicketOutcome, TicketState
from syncd.sdk.errors import AuthError, ChannelError, RateLimited, TransientError
from syncd.testing.desk_casebook import DeskGroup
from syncd.testing.desk_cases.changing import new_ticket, restock
from syncd.testing.desk_stage import DeskStage
from syncd.testing.stage import NotApplicable, hold, secret_names, settings_of

TROUBLE = DeskGroup("trouble")
ACCESS = DeskGroup("access")

OPEN_ENDS = (OutcomeKind.INDETERMINATE, OutcomeKind.ACCEPTED)
ROUNDS = 12
WRONG = "wrong-credential-0123456789abcdef"


async def _update(stage: DeskStage, changes: list[TicketChange]) -> list[TicketOutcome]:
    """Send changes; the answer to an error is one UNSENT each, and only where nothing can have been sent."""
    told = await stage.attempt(stage.desk.update(changes))
    if isinstance(told, ChannelError):
        hold(not (isinstance(told, TransientError) and told.sent), "a call that may have worked is raised as an error")
        return [
            TicketOutcome(ticket_id=change.ticket_id, event=change.event, kind=OutcomeKind.UNSENT) for change in changes
        ]
    return told


async def _looked_up(stage: DeskStage, changes: list[TicketChange]) -> None:
    """Do as the engine does: make again what a look does not find, until all of it is there.

    Where an end cannot be looked up a person decides, and nothing is made again.
    """
    if not stage.profile.certain:
        return
    left = changes
    for _ in range(ROUNDS):
        found = await stage.attempt(stage.desk.find([change.ticket_id for change in left]))
        if not isinstance(found, ChannelError):
            there = {ticket.ticket_id: ticket.markers for ticket in found}
            left = [change for change in left if change.event not in there.get(change.ticket_id, frozenset())]
            if not left:
                return
            ends = await _update(stage, left)
            accepted = {(end.ticket_id, end.event) for end in ends if end.kind is OutcomeKind.ACCEPTED}
            if accepted:
                await stage.attempt(stage.late(accepted))
        await stage.wait(stage.profile.resend_after_s + 60.0)
    raise AssertionError("a change is not made, however often it is sent")


def _told_once(stage: DeskStage, ids: list[TicketId]) -> None:
    counts = {len(stage.held(ticket_id).letters) for ticket_id in ids}
    allowed = {1} if stage.profile.certain else {0, 1}
    hold(counts <= allowed, f"customers were told {sorted(counts)} times")


def _reads_are_asked(stage: DeskStage) -> None:
    if not stage.simulator.answers_reads:
        raise NotApplicable("the desk keeps its tickets here: reading asks nobody")


@TROUBLE.case
async def a_cut_after_effect_is_not_denied(stage: DeskStage) -> None:
    """A change whose answer is lost is neither claimed nor denied, and looked up it is made exactly once."""
    ids = await stage.waiting(5, state=TicketState.PENDING)
    changes = [restock(ticket_id, stage.event()) for ticket_id in ids]
    await stage.desk.find(ids)  # what is read once, such as a token, is known
    stage.trouble(cut_writes=1.0)
    ends = await _update(stage, changes)
    told = {end.kind for end in ends}
    hold(told <= {*OPEN_ENDS, OutcomeKind.UNSENT}, f"of a change whose answer is lost is claimed: {sorted(told)}")
    await stage.calm()
    await _looked_up(stage, changes)
    _told_once(stage, ids)


@TROUBLE.case
async def a_lost_look_is_no_change(stage: DeskStage) -> None:
    """Where even reading gets no answer nothing was changed, and that is what the error says."""
    (ticket_id,) = await stage.waiting(state=TicketState.PENDING)
    change = restock(ticket_id, stage.event())
    await stage.desk.find([ticket_id])
    stage.trouble(cut_after_effect=1.0)
    await _update(stage, [change])
    await stage.calm()
    await _looked_up(stage, [change])
    _told_once(stage, [ticket_id])


@TROUBLE.case
async def any_mixture_tells_once(stage: DeskStage) -> None:
    """Under lost answers, errors, limits and web pages at once every customer is told exactly once in the end."""
    ids = await stage.waiting(24, state=TicketState.PENDING)
    changes = [restock(ticket_id, stage.event()) for ticket_id in ids]
    for number in range(8):
        stage.trouble(cut_after_effect=0.2, cut_writes=0.3, error_5xx=0.1, too_many=0.1, html=0.05, refuse=0.1)
        batch = changes[number * 3 : number * 3 + 3]
        ends = await _update(stage, batch)
        accepted = {(end.ticket_id, end.event) for end in ends if end.kind is OutcomeKind.ACCEPTED}
        if accepted:
            await stage.attempt(stage.late(accepted))
        claimed = [end for end in ends if end.kind is OutcomeKind.APPLIED]
        hold(all(stage.held(end.ticket_id).letters for end in claimed), "a change that was not made is claimed")
        await stage.calm()
    await _looked_up(stage, changes)
    _told_once(stage, ids)


@TROUBLE.case
async def rows_that_fail_are_not_claimed(stage: DeskStage) -> None:
    """Of a bulk in which rows fail alone, those are told as made that were, and no others."""
    if not hasattr(stage.simulator.faults, "failed_rows"):
        raise NotApplicable("rows of this desk do not fail alone")
    ids = await stage.waiting(20, state=TicketState.PENDING)
    stage.trouble(failed_rows=0.4)
    ends = await _update(stage, [restock(ticket_id, stage.event()) for ticket_id in ids])
    accepted = {(end.ticket_id, end.event) for end in ends if end.kind is OutcomeKind.ACCEPTED}
    ends = [end for end in [*ends, *(await stage.late(accepted))] if end.kind is not OutcomeKind.ACCEPTED]
    hold(len(ends) == len(ids), "an end is missing")
    made = {end.ticket_id for end in ends if end.kind is OutcomeKind.APPLIED}
    told = {ticket_id for ticket_id in ids if stage.held(ticket_id).letters}
    hold(made == told, f"{len(made - told)} rows are claimed and {len(told - made)} are denied")


@TROUBLE.case
async def sent_twice_from_one_look_is_one(stage: DeskStage) -> None:
    """Two openings of the same event, the first of which nobody heard the end of, tell the customer once."""
    (ticket_id,) = await stage.waiting(state=TicketState.PENDING)
    change = restock(ticket_id, stage.event())
    await stage.desk.find([ticket_id])
    stage.trouble(cut_writes=1.0)
    await _update(stage, [change])
    stage.trouble()
    await stage.wait(stage.profile.resend_after_s)
    for _ in range(3):
        ends = await _update(stage, [change])
        accepted = {(end.ticket_id, end.event) for end in ends if end.kind is OutcomeKind.ACCEPTED}
        if accepted:
            await stage.late(accepted)
        await stage.settled()
    _told_once(stage, [ticket_id])


@TROUBLE.case
async def a_limit_has_no_effect(stage: DeskStage) -> None:
    """A refused call is a limit that passes: nothing was done, and afterwards all of it works."""
    _reads_are_asked(stage)
    (ticket_id,) = await stage.waiting(state=TicketState.PENDING)
    change = restock(ticket_id, stage.event())
    await stage.desk.find([ticket_id])
    stage.trouble(too_many=1.0)
    told = await stage.attempt(stage.desk.find([ticket_id]))
    hold(isinstance(told, RateLimited), f"a limit is told as {type(told).__name__}")
    ends = await _update(stage, [change])
    hold({end.kind for end in ends} <= {OutcomeKind.UNSENT}, "a change that was refused by a limit is not unsent")
    hold(not stage.held(ticket_id).letters, "a refused change had an effect")
    await stage.calm()
    await _looked_up(stage, [change])
    _told_once(stage, [ticket_id])


@TROUBLE.case
async def an_opening_that_is_lost_opens_once(stage: DeskStage) -> None:
    """A ticket whose opening got no answer is opened once, and its customer told once, when it is sent again."""
    wanted = new_ticket(stage, "order-7")
    await stage.desk.find([TicketId("1")])
    stage.trouble(cut_writes=1.0)
    told = await stage.attempt(stage.desk.create([wanted]))
    kinds = set() if isinstance(told, ChannelError) else {end.kind for end in told}
    hold(kinds <= {OutcomeKind.INDETERMINATE, OutcomeKind.UNSENT}, "an opening whose answer is lost is claimed")
    await stage.calm()
    (end,) = await stage.desk.create([wanted])
    if stage.profile.certain:
        hold(end.kind is OutcomeKind.APPLIED, "an opening that is sent again is not applied")
    else:
        hold(end.kind is OutcomeKind.INDETERMINATE, "an opening whose end nobody can look up is claimed or repeated")
    held = stage.simulator.tickets()
    hold(len(held) == 1, f"one key opened {len(held)} tickets")
    hold(len(held[0].letters) == 1, "the customer was not told exactly once")


@TROUBLE.case
async def servers_errors_pass_over(stage: DeskStage) -> None:
    """An error of the server is one that passes, and what changed meanwhile is told afterwards from the same cursor."""
    _reads_are_asked(stage)
    (ticket_id,) = await stage.waiting(state=TicketState.PENDING)
    await stage.wait(3_600.0)
    _, cursor = await stage.scan(None)
    stage.simulator.reply(ticket_id, "Any news?")
    await stage.wait(3_600.0)
    stage.trouble(error_5xx=1.0)
    for call in (stage.desk.changed(cursor), stage.desk.find([ticket_id])):
        told = await stage.attempt(call)
        hold(isinstance(told, TransientError), f"a server's error is told as {type(told).__name__}")
    await stage.calm()
    tickets, _ = await stage.scan(cursor)
    hold(ticket_id in {ticket.ticket_id for ticket in tickets}, "a change is lost by an error")


@ACCESS.case
async def wrong_credentials_are_an_auth_error(stage: DeskStage) -> None:
    """Wrong credentials are an `AuthError`, whose text does not hold them."""
    _reads_are_asked(stage)
    wrong = {name: WRONG for name in secret_names(stage.kit.adapter) if stage.given.get(name)}
    settings = settings_of(stage.kit.adapter, {**stage.given, **wrong})
    async with stage.kit.adapter.open(settings, stage.context) as desk:
        told = await stage.attempt(desk.find([TicketId("1")]))
    hold(isinstance(told, AuthError), f"wrong credentials are told as {type(told).__name__}")
    hold(not [text for text in stage.said if WRONG in text], "an error holds the credentials")


@ACCESS.case
async def settings_hide_their_secrets(stage: DeskStage) -> None:
    """Settings can be printed without showing a secret."""
    settings = settings_of(stage.kit.adapter, stage.given)
    stage.tells_nothing([repr(settings), str(settings)], "the settings as a text")


@ACCESS.case
async def it_comes_back_after_a_restart(stage: DeskStage) -> None:
    """What a desk that was closed had accepted is found on its tickets by the next one, and not made twice."""
    ids = await stage.waiting(3, state=TicketState.PENDING)
    changes = [restock(ticket_id, stage.event()) for ticket_id in ids]
    async with stage.kit.adapter.open(settings_of(stage.kit.adapter, stage.given), stage.context) as first:
        await first.update(changes)
    await stage.wait(stage.profile.resend_after_s)
    await _looked_up(stage, [replace(change) for change in changes])
    _told_once(stage, ids)

"""Setting up: a plan first, repeatable, and nothing of the shop's own touched."""

# ruff: noqa: D401  (the docstring of a case is a sentence of expected behaviour, as that of a test)

from __future__ import annotations

from syncd.sdk.desk import Language, Provisionable, Step, StepKind, TicketChange, TicketState
from syncd.testing.desk_casebook import DeskGroup
from syncd.testing.desk_stage import DeskStage, PlainTexts
from syncd.testing.stage import NotApplicable, hold

PROVISION = DeskGroup("provision")

HOOK = "https://hooks.example/webhooks/desk"


def _desk(stage: DeskStage) -> Provisionable:
    if not isinstance(stage.desk, Provisionable):
        raise NotApplicable("there is nothing to set up")
    return stage.desk


async def _plan(stage: DeskStage, language: Language = Language.JA) -> list[Step]:
    return await _desk(stage).plan(language=language, texts=PlainTexts(), webhook_url=HOOK)


async def _act(stage: DeskStage, edition: str = "") -> list[Step]:
    return await _desk(stage).provision(language=Language.JA, texts=PlainTexts(edition), webhook_url=HOOK)


@PROVISION.bare
async def a_plan_changes_nothing(stage: DeskStage) -> None:
    """A plan says what would be made and makes none of it, and the set-up then does what the plan said."""
    before = dict(stage.simulator.own_setup())
    planned = await _plan(stage)
    hold(planned and {step.kind for step in planned} == {StepKind.CREATE}, "an empty desk has more than things to make")
    hold(dict(stage.simulator.own_setup()) == before, "a plan changed something")
    done = await _act(stage)
    hold([(step.what, step.title) for step in done] == [(step.what, step.title) for step in planned], "not as planned")
    made = set(stage.simulator.own_setup()) - set(before)
    hold(len(made) == len(done), f"{len(done)} things are told and {len(made)} were made")


@PROVISION.bare
async def twice_is_once(stage: DeskStage) -> None:
    """A second set-up keeps everything and changes nothing, in the other language's plan too nothing is made anew."""
    await _act(stage)
    before = dict(stage.simulator.own_setup())
    again = await _act(stage)
    hold({step.kind for step in again} == {StepKind.KEEP}, "a second set-up does something")
    hold(dict(stage.simulator.own_setup()) == before, "a second set-up changed something")
    other = {step.kind for step in await _plan(stage, Language.EN)}
    hold(StepKind.CREATE not in other, "in another language things would be made a second time")


@PROVISION.bare
async def the_shops_own_is_left_alone(stage: DeskStage) -> None:
    """What the shop has in the place of something is named as foreign and stays as it is."""
    _desk(stage)
    foreign = stage.simulator.stand_in_the_way()
    before = dict(stage.simulator.own_setup())
    done = await _act(stage)
    hold(any(step.kind is StepKind.FOREIGN for step in done), "the shop's own is not named")
    after = stage.simulator.own_setup()
    hold(all(after.get(key) == text for key, text in before.items()), "something of the shop's own was touched")
    hold(foreign <= set(after), "something of the shop's own is gone")


@PROVISION.bare
async def new_texts_are_brought_up_to_date(stage: DeskStage) -> None:
    """Texts that are new in syncd replace its own old ones, and nothing is made a second time."""
    await _act(stage)
    before = dict(stage.simulator.own_setup())
    done = await _act(stage, " (new)")
    hold(StepKind.UPDATE in {step.kind for step in done}, "new texts are not brought there")
    after = stage.simulator.own_setup()
    hold(set(after) == set(before), "something was made a second time")
    hold(any("(new)" in text for text in after.values()), "new texts are not there")


@PROVISION.bare
async def afterwards_changes_work(stage: DeskStage) -> None:
    """After the set-up a ticket can be moved, and before it a change is refused with what to do."""
    _desk(stage)
    await _act(stage)
    (ticket_id,) = await stage.waiting()
    change = TicketChange(ticket_id=ticket_id, event=stage.event(), state=TicketState.RESTOCKED)
    await stage.make(change)
    hold(stage.held(ticket_id).state is TicketState.RESTOCKED, "after the set-up a ticket cannot be moved")

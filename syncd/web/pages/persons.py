"""Releasing a ticket that is for a person: letters go to its customer by themselves again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from syncd.core.facts import Fact
from syncd.core.waitlist import ReleaseFact
from syncd.store.views_tickets import one_escalation
from syncd.web.api_facts import Word
from syncd.web.api_wire import Fault
from syncd.web.pages.deed import Deed, Subject, number_of, word_of
from syncd.web.pages.frame import Ask, Frame


async def _find(frame: Frame, ask: Ask) -> Subject:
    wanted, speech = number_of(ask.query("id"), "id"), ask.speech
    found = await frame.plant.store.read(lambda conn: one_escalation(conn, wanted))
    if found is None or found.released_at is not None:
        raise Fault(404, speech.say("do.gone"))
    rows = [
        ("do.ticket-release.reasons", ", ".join(speech.word("escalation", reason) for reason in found.reasons)),
        ("do.ticket-release.priority", speech.word("priority", found.priority)),
        ("do.ticket-release.sku", found.sku or "–"),
        ("do.held.at", speech.full(found.since)),
    ]
    return Subject(name=f"{found.desk} {found.ticket_id or found.order_number or found.entry_id}".strip(), rows=rows)


def _fact(_frame: Frame, ask: Ask, fields: Mapping[str, str]) -> Fact:
    reason = word_of(fields.get("reason", ""), Word)
    return ReleaseFact(ids=(number_of(ask.query("id"), "id"),), reason=reason, actor=ask.visitor.name)


RELEASING: Final = Deed(
    verb="ticket-release",
    api=("POST", "/escalations/release"),
    find=_find,
    fact=_fact,
    back=lambda _: "/waiting",
    reason=True,
)

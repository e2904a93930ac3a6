"""How the simulated account states tickets and users."""

from __future__ import annotations

from typing import Any, Final

from adapters.zendesk.simulated.setup import SetUp
from adapters.zendesk.simulated.tickets import API, Ticket
from adapters.zendesk.simulated.world import World, stamp

DELETED: Final = "deleted"
CUSTOMER_ID: Final = 20_978_392


def ticket(row: Ticket, world: World, setup: SetUp, *, agent_id: int, metrics: bool = False) -> dict[str, Any]:
    """Return a ticket as the API states it: every field of the account is named, the empty ones as null."""
    values = [{"id": field_id, "value": row.fields.get(field_id)} for field_id in setup.field_ids()]
    made: dict[str, Any] = {
        "url": f"{world.url}/api/v2/tickets/{row.ticket_id}.json",
        "id": row.ticket_id,
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
        "subject": row.subject,
        "raw_subject": row.subject,
        "description": row.comments[0].body if row.comments else "",
        "status": DELETED if row.deleted else row.status,
        "requester_id": CUSTOMER_ID + row.ticket_id if row.has_customer else agent_id,
        "submitter_id": agent_id,
        "tags": list(row.tags),
        "custom_fields": values,
        "fields": values,
        "via": _via(row),
        "followup_ids": [],
        "is_public": any(comment.public for comment in row.comments),
        "has_incidents": False,
        "allow_attachments": True,
    }
    if metrics:
        made["metric_set"] = {
            "ticket_id": row.ticket_id,
            "created_at": stamp(row.created_at),
            "solved_at": None if row.solved_at is None else stamp(row.solved_at),
            "requester_updated_at": stamp(row.replied_at),
        }
    if row.rating != "unoffered":
        made["satisfaction_rating"] = {"id": row.ticket_id, "score": row.rating, "comment": ""}
    optional = {
        "priority": row.priority, "external_id": row.external_id, "ticket_form_id": row.form_id,
        "group_id": row.group_id,
    }  # fmt: skip
    return made | {name: value for name, value in optional.items() if value is not None}


def _via(row: Ticket) -> dict[str, Any]:
    channel = "api" if row.comments and row.comments[0].author == API else "email"
    if row.followup_of is None:
        return {"channel": channel, "source": {"from": {}, "to": {}, "rel": None}}
    origin = {"ticket_id": row.followup_of, "subject": row.subject}
    return {"channel": channel, "source": {"from": origin, "to": {}, "rel": "follow_up"}}


def comments(row: Ticket, *, agent_id: int) -> list[dict[str, Any]]:
    """Return the comments of a ticket, oldest first."""
    return [
        {
            "id": each.comment_id,
            "type": "Comment",
            "body": each.body,
            "plain_body": each.body,
            "public": each.public,
            "author_id": CUSTOMER_ID + row.ticket_id if each.author == "customer" else agent_id,
            "created_at": stamp(each.at),
        }
        for each in row.comments
    ]

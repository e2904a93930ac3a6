"""What a person should mend at an account, as sentences."""

from __future__ import annotations

import msgspec

from adapters.zendesk.api import Api, decode
from adapters.zendesk.rules_there import RulesThere
from adapters.zendesk.settings import TOKEN_END, ZendeskSettings
from adapters.zendesk.wire import FieldMap

AGENTS = frozenset({"agent", "admin"})


class Me(msgspec.Struct, frozen=True):
    """Who we are at Zendesk: only the role is read."""

    role: str = ""


class _MeAnswer(msgspec.Struct, frozen=True):
    user: Me = Me()


async def whoami(api: Api) -> Me:
    """Ask who we are; raises `AuthError` where the credentials are not accepted."""
    return decode(await api.call("GET", "/users/me"), _MeAnswer).user


def advice(*, settings: ZendeskSettings, role: str, is_admin: bool, fields: FieldMap, rules: RulesThere) -> list[str]:
    """Return what to mend; empty when all is well."""
    told = []
    if settings.by_token:
        told.append(f"API tokens end on {TOKEN_END}: make an OAuth client (README, step 2) and set client_id")
    if role not in AGENTS:
        told.append(f"the OAuth client belongs to a user of the role {role or 'unknown'}: tickets need an agent")
    if not is_admin:
        told.append(
            "no client of an admin: changes are found by search, some minutes late, and deleted tickets are not seen; "
            "set admin_client_id (README, step 3)"
        )
    if fields.missing:
        told.append(f"fields are missing ({', '.join(fields.missing)}): run syncd desk provision")
    if rules.webhook_there is False:
        told.append("there is no webhook: changes are heard of by polling; run syncd desk provision")
    if rules.closes_early:
        told.append(
            f'the automation "{rules.closes_early}" closes cancelled tickets within a week: let it leave out the tag '
            "bo_cancelled, so that Zendesk can write a week after a cancel; until then syncd does"
        )
    return told

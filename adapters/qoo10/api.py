"""Calls of the QAPI: one address, one key, one budget.

Facts (QAPI guide for Japan, 2026): each method is a POST of a form to `.../ebayjapan.qapi/Class.Method`; key and
version stand in headers, so that the key is in no address. No call rate is published; two calls a second are held to
be safe.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.qoo10 import wire
from adapters.qoo10.settings import Qoo10Settings
from syncd.sdk.channel import Context, Instant
from syncd.sdk.errors import AuthError, ChannelError, ProtocolError, TransientError
from syncd.sdk.http import Answer, Client, Timeouts
from syncd.sdk.limits import Budget
from syncd.sdk.secret import Secret

ROOT = "/GMKT.INC.Front.QAPIService/ebayjapan.qapi/"
USER_AGENT = "syncd"
BURST_S = 2.0
"""The bucket holds the calls of so many seconds."""
RESERVE = 0.3
"""The share of the bucket that reads leave to writes."""
MOST_READS = 4
"""Reads in flight at a time."""
NO_KEY = "Qoo10: there is no seller authorisation key yet; have one made by `syncd key issue`"
TRIES = 3
READ_TIMEOUTS = Timeouts(connect_s=5.0, total_s=20.0, budget_s=30.0)
WRITE_TIMEOUTS = Timeouts(connect_s=3.0, total_s=10.0, budget_s=10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A method of the API and the version of it that is used."""

    name: str
    version: str = "1.0"


ALL_GOODS = Method(name="ItemsLookup.GetAllGoodsInfo")
ITEM_DETAIL = Method(name="ItemsLookup.GetItemDetailInfo", version="1.2")
OPTION_ROWS = Method(name="ItemsLookup.GetGoodsInventoryInfo")
EDIT_STATUS = Method(name="ItemsBasic.EditGoodsStatus")
SET_ITEM = Method(name="ItemsOrder.SetGoodsPriceQty", version="1.1")
SET_ITEMS = Method(name="ItemsOrder.SetGoodsPriceQtyBulk", version="1.1")
SET_OPTION = Method(name="ItemsOptions.UpdateInventoryQtyUnit")
SHIPPING = Method(name="ShippingBasic.GetShippingInfo_v3")
CLAIMS = Method(name="ShippingBasic.GetClaimInfo_V3")
ORDER_LINE = Method(name="ShippingBasic.GetShippingAndClaimInfoByOrderNo_V2")
CONFIRM = Method(name="ShippingBasic.SetSellerCheckYN_V2")
CANCEL = Method(name="Claim.SetCancelProcess")
CREATE_KEY = Method(name="CertificationAPI.CreateCertificationKey")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a read brought, and when it was asked and answered."""

    content: Any
    asked_at: Instant
    answered_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """How a call that changes something ended: `fault` None for success.

    `doubtful` says that it, or an earlier try of it, may have had an effect although this is not what came back.
    """

    fault: ChannelError | None = None
    doubtful: bool = False


class Api:
    """The API of one shop."""

    def __init__(self, settings: Qoo10Settings, context: Context) -> None:
        self._key = settings.key
        self._reads = _client(settings, context, READ_TIMEOUTS)
        self._writes = _client(settings, context, WRITE_TIMEOUTS)
        self._budget = Budget(
            f"qoo10 {context.account}",
            capacity=max(2.0, BURST_S * settings.calls_per_s),
            rate_per_s=settings.calls_per_s,
            clock=context.clock,
            reserve=RESERVE,
        )
        self._reading = asyncio.Semaphore(MOST_READS)

    def delay_s(self) -> float:
        """Return seconds until a write would be sent at once."""
        return self._budget.delay_s(1.0, urgent=True)

    async def read(self, method: Method, fields: Mapping[str, str], *, urgent: bool = False) -> Answered:
        """Call a method that changes nothing; raises what any error in its answer means."""
        async with self._reading:
            return await self._ask(self._reads, method, fields, key=self._key, urgent=urgent)

    async def ask_key(self, api_key: Secret, fields: Mapping[str, str]) -> Answered:
        """Have a seller authorisation key made: the one call that another key opens."""
        return await self._ask(self._writes, CREATE_KEY, fields, key=api_key, urgent=True, idempotent=False)

    async def write(self, method: Method, fields: Mapping[str, str], *, idempotent: bool = True) -> Written:
        """Call a method that changes something; never raises an error of the channel."""
        if not self._key:
            return Written(fault=AuthError(NO_KEY))
        try:
            answer = await self._post(self._writes, method, fields, key=self._key, urgent=True, idempotent=idempotent)
        except TransientError as fault:
            return Written(fault=fault, doubtful=fault.sent)
        except ChannelError as fault:  # by an HTTP status that Qoo10 does not use: nobody knows who answered
            return Written(fault=fault, doubtful=True)
        try:
            fault_in_it = wire.failure(wire.reply(answer.body, place=method.name), place=method.name)
        except (ProtocolError, TransientError) as unclear:
            return Written(fault=unclear, doubtful=True)
        unsure = isinstance(fault_in_it, wire.ProcessingFault)
        return Written(fault=fault_in_it, doubtful=unsure or (answer.doubtful and fault_in_it is not None))

    async def _ask(
        self,
        client: Client,
        method: Method,
        fields: Mapping[str, str],
        *,
        key: Secret,
        urgent: bool,
        idempotent: bool = True,
    ) -> Answered:
        if not key:
            raise AuthError(NO_KEY)
        answer = await self._post(client, method, fields, key=key, urgent=urgent, idempotent=idempotent)
        found = wire.reply(answer.body, place=method.name)
        fault = wire.failure(found, place=method.name)
        if fault is not None:
            raise fault
        return Answered(content=found.content, asked_at=answer.asked_at, answered_at=answer.answered_at)

    async def _post(
        self,
        client: Client,
        method: Method,
        fields: Mapping[str, str],
        *,
        key: Secret,
        urgent: bool,
        idempotent: bool,
    ) -> Answer:
        return await client.request(
            "POST",
            ROOT + method.name,
            headers={
                "Accept": "application/json",
                "GiosisCertificationKey": key.reveal(),
                "QAPIVersion": method.version,
            },
            form={"returnType": "application/json", **fields},
            idempotent=idempotent,
            budget=self._budget,
            urgent=urgent,
            content="text",
        )


def _client(settings: Qoo10Settings, context: Context, timeout: Timeouts) -> Client:
    return Client(
        context.session,
        base_url=settings.url,
        clock=context.clock,
        random=context.random,
        timeout=timeout,
        tries=TRIES,
        user_agent=USER_AGENT,
    )

"""Webhooks: only genuine ones are taken, and they lead to the truth."""

# ruff: noqa: D401  (the docstring of a case is a sentence of expected behaviour, as that of a test)

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from aiohttp import web

from syncd.sdk.channel import Forged, Notice, RawRequest, Webhooks
from syncd.sdk.errors import ProtocolError
from syncd.testing.casebook import Group
from syncd.testing.simulators import Receipt
from syncd.testing.stage import STEP_S, NotApplicable, Stage, hold, plain

WEBHOOKS = Group("webhooks")

LOOKS = 100
LONGEST_DELAY_S = 2.0
BAD_REQUEST, UNAUTHORIZED = 400, 401


@dataclass(slots=True)
class Mailbox:
    """Takes whatever is posted to it, as an edge would."""

    requests: list[RawRequest] = field(default_factory=list)
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        """Keep a request and answer 200."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(RawRequest(headers=headers, body=await request.read(), query=dict(request.query)))
        return web.Response()

    async def emptied(self, quiet_s: float) -> list[RawRequest]:
        """Wait until something came and nothing more comes for a while; return all of it."""
        for _ in range(LOOKS):
            before = len(self.requests)
            await asyncio.sleep(quiet_s)
            if 0 < before == len(self.requests):
                break
        taken, self.requests = self.requests, []
        return taken


@asynccontextmanager
async def mailbox() -> AsyncIterator[Mailbox]:
    """Take what is posted to an address of this machine."""
    box = Mailbox()
    app = web.Application()
    app.router.add_post("/hooks", box.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        box.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
        yield box
    finally:
        await runner.cleanup()


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What came after a shopper bought."""

    hooks: Webhooks
    requests: list[RawRequest]
    receipt: Receipt

    def notices(self) -> list[Notice]:
        """Return what they say; holds that they are genuine."""
        for request in self.requests:
            try:
                self.hooks.verify(request)
            except Forged as verdict:
                raise AssertionError(f"a genuine webhook is refused: {verdict}") from verdict
        return [self.hooks.parse(request) for request in self.requests]


def _hooks(stage: Stage) -> Webhooks:
    if not isinstance(stage.channel, Webhooks):
        raise NotApplicable("the channel sends no webhooks")
    return stage.channel


def _signed(stage: Stage) -> None:
    if not stage.simulator.signs:
        raise NotApplicable("the channel's webhooks hold a key and have no signature")


def _quiet_s(stage: Stage) -> float:
    """Return how long nothing comes once everything came: webhooks are delayed by some seconds of the simulator's."""
    return STEP_S + LONGEST_DELAY_S * stage.kit.time_scale


async def _bought(stage: Stage) -> Post:
    """Subscribe, let a shopper buy, and return what was sent."""
    hooks = _hooks(stage)
    await stage.catalogue()
    async with mailbox() as box:
        stage.simulator.notify_url = box.url
        report = await hooks.subscribe(box.url)
        hold(not report.failed, f"a subscription failed: {report.failed[:1]}")
        receipt = stage.simulator.buy([(stage.goods(1)[0].sku, 1)])
        requests = await box.emptied(_quiet_s(stage))
    hold(requests, "no webhook came after a sale")
    return Post(hooks=hooks, requests=requests, receipt=receipt)


@WEBHOOKS.case
async def genuine_ones_are_accepted(stage: Stage) -> None:
    """What the channel itself sends is verified and understood."""
    post = await _bought(stage)
    hold(len(post.notices()) == len(post.requests), "a genuine webhook was not understood")


@WEBHOOKS.case
async def they_lead_to_the_truth(stage: Stage) -> None:
    """After a sale some webhook names the order, whole or by an id that can be read."""
    post = await _bought(stage)
    notices = post.notices()
    numbers = {order.number for notice in notices for order in notice.orders}
    ids = sorted({order_id for notice in notices for order_id in notice.order_ids})[: stage.profile.max_fetch]
    numbers |= {order.number for order in await stage.channel.fetch(ids)}
    hold(post.receipt.number in numbers, "no webhook leads to the order")


@WEBHOOKS.case
async def forged_ones_are_refused(stage: Stage) -> None:
    """One changed byte makes it forged: 401."""
    _signed(stage)
    post = await _bought(stage)
    for request in post.requests:
        middle = len(request.body) // 2
        changed = request.body[:middle] + bytes([request.body[middle] ^ 1]) + request.body[middle + 1 :]
        for body in (changed, b"", request.body + b" "):
            _is_refused(post.hooks, replace(request, body=body), UNAUTHORIZED)


@WEBHOOKS.case
async def unsigned_ones_are_refused(stage: Stage) -> None:
    """A request without a signature is refused with 400."""
    _signed(stage)
    post = await _bought(stage)
    _is_refused(post.hooks, replace(post.requests[0], headers={}), BAD_REQUEST)


@WEBHOOKS.case
async def nonsense_is_not_understood(stage: Stage) -> None:
    """A body that is no message raises `ProtocolError`, and nothing else."""
    post = await _bought(stage)
    for body in (b"{", b"[]", b"null", b"\xff", b'{"id": {}}'):
        try:
            notice = post.hooks.parse(replace(post.requests[0], body=body))
        except ProtocolError:
            continue
        hold(not notice.orders, "an order was read out of nonsense")


@WEBHOOKS.case
async def doubles_share_their_key(stage: Stage) -> None:
    """A webhook that is delivered twice has the same key both times."""
    stage.trouble(double_webhooks=1.0)
    post = await _bought(stage)
    keys = Counter(_keys(post))
    hold(max(keys.values()) > 1, "the two deliveries of one webhook have different keys")


@WEBHOOKS.case
async def subscribing_again_changes_nothing(stage: Stage) -> None:
    """Who subscribes again to the same address is not told more."""
    hooks = _hooks(stage)
    counts: list[int] = []
    async with mailbox() as box:
        stage.simulator.notify_url = box.url
        for _ in range(3):
            report = await hooks.subscribe(box.url)
            hold(not report.failed, f"a subscription failed: {report.failed[:1]}")
            stage.simulator.buy([(stage.goods(1)[0].sku, 1)])
            counts.append(len(await box.emptied(_quiet_s(stage))))
    hold(counts[0] >= counts[-1], "subscribing again brings everything again")


@WEBHOOKS.case
async def no_personal_data_comes_along(stage: Stage) -> None:
    """A notice holds nothing of the buyer."""
    post = await _bought(stage)
    stage.tells_nothing([plain(notice) for notice in post.notices()], "a notice of a webhook")


def _is_refused(hooks: Webhooks, request: RawRequest, status: int) -> None:
    try:
        hooks.verify(request)
    except Forged as verdict:
        hold(verdict.status == status, f"a forged webhook is answered by {verdict.status} instead of {status}")
    else:
        raise AssertionError("a forged webhook is taken for genuine")


def _keys(post: Post) -> list[str]:
    keys = [notice.dedupe_key for notice in post.notices()]
    if None in keys:
        raise NotApplicable("the channel's webhooks have no delivery id")
    return [key for key in keys if key is not None]

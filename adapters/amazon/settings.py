"""The settings of one Amazon seller account in one marketplace."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from syncd.sdk.address import address_problems
from syncd.sdk.errors import Problem
from syncd.sdk.secret import Secret

JAPAN = "A1VC38T7YXB528"
"""Amazon.co.jp (the vendor's Orders model, case of searchOrders, 2026-08)."""
LWA_URL = "https://api.amazon.com/auth/o2/token"
"""Login with Amazon: one address for all regions (SP-API docs, connect to the SP-API, 2026)."""
HOSTS = {region: f"https://sellingpartnerapi-{region}.amazon.com" for region in ("fe", "na", "eu")}
"""SP-API docs, endpoints, 2026: FE is Japan, Australia, Singapore."""
LEAST_CONFIRM_S, MOST_CONFIRM_S = 1.0, 14_400.0
MOST_SWEEP_S = 3_600.0

_SELLER = re.compile(r"[A-Z0-9]{6,20}")
_MARKETPLACE = re.compile(r"[A-Z0-9]{10,20}")
_QUEUE = re.compile(r"https://sqs\.[a-z0-9-]+\.amazonaws\.com/\d{12}/[A-Za-z0-9_-]{1,80}")
_AWS_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_UNSET = Secret("")


@dataclass(frozen=True, slots=True, kw_only=True)
class AmazonSettings:
    """What `[channels.NAME.settings]` says of a seller account.

    `seller_id` is the merchant token, `client_id` and `client_secret` are those of the private app, `refresh_token` is
    what authorising it in Seller Central gave. `region` names the host. `queue_url` with `queue_region` is the SQS
    queue that notifications come by, empty without one; `aws_access_key_id` and `aws_secret_access_key` read it, empty
    means what the machine itself has. `confirm_s` is how long a patch may take until it is in effect. `feed_from` is
    from how many waiting rows on a feed is considered, 0 never. `sweep_s` is the least time between two searches for
    orders. `base_url`, `lwa_url` and `queue_endpoint` are for simulators.
    """

    seller_id: str
    client_id: str
    client_secret: Secret = _UNSET
    refresh_token: Secret = _UNSET
    marketplace_id: str = JAPAN
    region: str = "fe"
    base_url: str = ""
    lwa_url: str = ""
    queue_url: str = ""
    queue_region: str = ""
    queue_endpoint: str = ""
    aws_access_key_id: str = ""
    aws_secret_access_key: Secret = _UNSET
    confirm_s: float = 900.0
    feed_from: int = 3_000
    sweep_s: float = 180.0

    @property
    def url(self) -> str:
        """Return where the API is, without a slash at the end."""
        return (self.base_url or HOSTS.get(self.region, "")).rstrip("/")

    @property
    def login_url(self) -> str:
        """Return where tokens are given."""
        return self.lwa_url or LWA_URL

    @property
    def queue_name(self) -> tuple[str, str]:
        """Return the AWS account number and the name of the queue, as its address ends with them."""
        account, _, name = urlsplit(self.queue_url).path.strip("/").rpartition("/")
        return account, name

    def problems(self) -> list[Problem]:
        """Return everything that keeps these settings from being used."""
        return [
            *self._account_problems(),
            *self._address_problems(),
            *self._queue_problems(),
            *self._value_problems(),
        ]

    def _account_problems(self) -> Iterator[Problem]:
        if not _SELLER.fullmatch(self.seller_id):
            yield Problem(
                place="settings.seller_id",
                message="is not a merchant token (capital letters and digits)",
                remedy="Seller Central, Settings, Account Info, Merchant Token",
            )
        if not _MARKETPLACE.fullmatch(self.marketplace_id):
            yield Problem(
                place="settings.marketplace_id",
                message="is not a marketplace id",
                remedy=f'"{JAPAN}" for Amazon.co.jp',
            )
        screen = "Seller Central, Apps and Services, Develop Apps, your app"
        missing = {
            "client_id": (self.client_id, f"{screen}, View LWA credentials"),
            "client_secret": (self.client_secret, f"{screen}, View LWA credentials"),
            "refresh_token": (self.refresh_token, f"{screen}, Authorize"),
        }
        for name, (value, remedy) in missing.items():
            if not value:
                yield Problem(place=f"settings.{name}", message="is missing", remedy=remedy)

    def _address_problems(self) -> Iterator[Problem]:
        for name in ("base_url", "lwa_url", "queue_endpoint"):
            yield from address_problems(name, getattr(self, name))
        if self.region not in HOSTS:
            yield Problem(place="settings.region", message="is not one of fe, na, eu", remedy='"fe" for Amazon.co.jp')

    def _queue_problems(self) -> Iterator[Problem]:
        if not self.queue_url:
            return
        if not self.queue_endpoint and not _QUEUE.fullmatch(self.queue_url):
            yield Problem(
                place="settings.queue_url",
                message="is not the address of a standard SQS queue",
                remedy="https://sqs.REGION.amazonaws.com/ACCOUNT/NAME, from the SQS console",
            )
        if not _AWS_REGION.fullmatch(self.queue_region):
            yield Problem(
                place="settings.queue_region",
                message="is not an AWS region",
                remedy='the region of the queue, for example "ap-northeast-1"',
            )
        if bool(self.aws_access_key_id) != bool(self.aws_secret_access_key):
            yield Problem(
                place="settings.aws_access_key_id",
                message="stands without aws_secret_access_key, or the other way round",
                remedy="give both, or neither where the machine has its own AWS identity",
            )

    def _value_problems(self) -> Iterator[Problem]:
        if not LEAST_CONFIRM_S <= self.confirm_s <= MOST_CONFIRM_S:
            yield Problem(
                place="settings.confirm_s",
                message=f"is not between {LEAST_CONFIRM_S:g} and {MOST_CONFIRM_S:g} seconds",
                remedy="900",
            )
        if not 0.0 <= self.sweep_s <= MOST_SWEEP_S:
            yield Problem(
                place="settings.sweep_s",
                message=f"is not between 0 and {MOST_SWEEP_S:g} seconds",
                remedy="180: Amazon allows one search in 179 seconds",
            )
        if self.feed_from < 0:
            yield Problem(place="settings.feed_from", message="is below 0", remedy="3000, or 0 for never")

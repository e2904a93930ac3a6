"""What a test may turn."""

from __future__ import annotations

from dataclasses import dataclass

Seconds = tuple[float, float]
"""A range of which one is drawn; multiplied with the simulator's scale of time."""

DATE_LAYOUTS = ("%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y-%m-%d", "%Y/%m/%d")
"""Nobody has published an answer with its dates, so a client has to take any of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """How this Qoo10 behaves where the guide does not say, and how badly. Shares are chances from 0 to 1.

    Numbers: `effect_s` from a write to when it sells by it, `shows_s` from then until it can be read (up to ten
    minutes: QAPI guide, 2026), `sale_shows_s` the same for sales and restores. `dropped_writes` are answered 0 and
    have no effect, `failed_rows` of a bulk fail for no reason, `processing_errors` are calls answered -10101 without
    effect. `blank_quantity` is what a blank Qty sets (the guide says both 9999 and unchanged: None).

    Orders: `feed_s` until a line is told, `late_line_s` is added for every line of a cart but the first. `unpaid`
    start as 入金待ち; of these `never_paid` are cancelled after `unpaid_s`, `self_cancels` by the shopper after
    `pay_s`, the rest pays after `pay_s`. `confirmed_by_person` are confirmed by hand before anybody reads them.
    `cancel_s` from a request to its completion, `restore_s` from there until the units sell again (None: never).
    `deliver_s` from shipping to delivery. `blank_status` are the statuses of a search that names none (guides say 1-2
    and 1-3). `date_layout` is that of answers. `latest_ship_days` is how far ahead a ship-by date may lie; with
    `extends` a confirmed line takes a new one that has a reason.

    Access: `calls_per_s` and `burst` before calls are turned away, `maintenance` answers pages of HTML, `key_days` is
    how long a key lives, `expired_code` how an ended one is answered, `reissue_voids` says whether a new one ends the
    former, `forbidden` are methods that the key may not use. `texts` is the share of numbers written as text.
    """

    effect_s: Seconds = (0.0, 0.0)
    shows_s: Seconds = (0.0, 600.0)
    sale_shows_s: Seconds = (0.0, 60.0)
    dropped_writes: float = 0.0
    failed_rows: float = 0.0
    processing_errors: float = 0.0
    blank_quantity: int | None = 9999

    feed_s: Seconds = (0.0, 60.0)
    late_line_s: Seconds = (0.0, 0.0)
    unpaid: float = 0.0
    never_paid: float = 0.25
    self_cancels: float = 0.25
    pay_s: Seconds = (60.0, 86_400.0)
    unpaid_s: float = 3 * 86_400.0
    confirmed_by_person: float = 0.0
    cancel_s: Seconds = (0.0, 0.0)
    restore_s: Seconds | None = (0.0, 60.0)
    deliver_s: Seconds = (86_400.0, 3 * 86_400.0)
    blank_status: tuple[int, ...] = (1, 2)
    date_layout: str = DATE_LAYOUTS[0]
    latest_ship_days: int = 30
    extends: bool = True

    calls_per_s: float = 12.0
    burst: float = 24.0
    maintenance: bool = False
    key_days: float = 365.0
    expired_code: int = -90001
    reissue_voids: bool = False
    forbidden: tuple[str, ...] = ()
    texts: float = 0.25

"""What a test may turn."""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]
"""Seconds from and to, of which one is drawn."""


@dataclass(slots=True, kw_only=True)
class Knobs:
    """How this Amazon behaves. Ranges are seconds and multiply with the simulator's scale of time.

    Writes: `effect_s` is from an accepted patch to its effect; `lost_writes` the share that is accepted and never
    applied; `unknown_accepted` lets a patch of an unknown SKU be accepted, and nothing come of it.
    Feeds: `feed_s` is from creating one to its end, `feed_end` how it ends (DONE, FATAL, CANCELLED), `feed_part` the
    share of messages that are applied when it ends otherwise than DONE; `stuck_feeds` keeps feeds IN_PROGRESS.
    Reports: `report_s` is until one ends, `report_end` how, `report_cache_s` how long its content is answered again;
    `report_charset` and `report_gzip` are how it is stored; `health_example` spells the account health report as the
    example in its schema does.
    Orders: `pending_share` of them begin PENDING and are paid after `pending_s`; `index_lag_s` is how far searchOrders
    lags behind, `late_s` how much more for single orders; `restore_s` is from a cancel until its units are for sale
    again; with `cancel_empties` a cancelled item's quantityOrdered falls to 0.
    Notifications: `notice_s` is how long one takes; `notify_pending` says whether a new order is told while Pending.
    Access: `rate_factor` is how much more than the published rates this seller is given, and told; `token_life_s` is
    how long new tokens live; `roles_missing` were not granted; with `maintenance` everything is answered 503.
    Inventory of FBA: `fba_errors` answers errors inside a 200.
    """

    effect_s: Range = (1.0, 60.0)
    lost_writes: float = 0.0
    unknown_accepted: bool = False
    feed_s: Range = (60.0, 300.0)
    feed_end: str = "DONE"
    feed_part: float = 0.5
    stuck_feeds: bool = False
    report_s: Range = (20.0, 90.0)
    report_end: str = "DONE"
    report_cache_s: float = 3600.0
    report_charset: str = "Shift_JIS"
    report_gzip: bool = True
    health_example: bool = False
    pending_share: float = 1.0
    pending_s: Range = (5.0, 60.0)
    index_lag_s: float = 120.0
    late_s: Range = (0.0, 0.0)
    restore_s: Range = (0.0, 60.0)
    cancel_empties: bool = False
    notice_s: Range = (0.5, 5.0)
    notify_pending: bool = False
    rate_factor: float = 1.0
    token_life_s: float = 3600.0
    roles_missing: tuple[str, ...] = ()
    maintenance: bool = False
    fba_errors: bool = False

"""How Amazon judges the shop: the account health report.

Facts (accountHealthReport-2020-11-18 of the vendor's models): its schema and its own example spell some fields
differently, and the example's rate is not its count by its total, so both spellings are read and rates are computed;
the limit is what the report says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from adapters.amazon.api import READ_S, Api, within
from adapters.amazon.reports import Reports, not_yet
from adapters.amazon.settings import AmazonSettings
from syncd.sdk.errors import ProtocolError, RejectedError
from syncd.sdk.features import HealthFigure
from syncd.sdk.strict import loads

REPORT: Final = "GET_V2_SELLER_PERFORMANCE_REPORT"
CANCEL_RATE: Final = "pre-fulfilment cancel rate"
LATE_RATE: Final = "late shipment rate"
DEFECT_RATE: Final = "order defect rate"
_CANCELS: Final = ("preFulfillmentCancellationRate", "prefulfillmentCancelRate", "preFulfillmentCancelRate")


class AccountHealthReader:
    """Reads the report; one that is still being made is gone on with by the next call."""

    def __init__(self, api: Api, *, settings: AmazonSettings) -> None:
        self._reports = Reports(api, settings=settings)
        self._marketplace_id = settings.marketplace_id
        self._ordered = ""

    async def read(self) -> list[HealthFigure]:
        """Return the rates of the latest report; raises `TransientError` while it is being made."""
        async with within(READ_S, "reading the account health"):
            if not self._ordered:
                self._ordered = await self._reports.order(REPORT)
            try:
                document_id = await self._reports.wait(self._ordered)
            except RejectedError:
                self._ordered = ""
                raise
            if document_id is None:
                raise not_yet("the account health report")
            file = await self._reports.read(document_id)
        self._ordered = ""
        return figures(loads(file.body), self._marketplace_id)


def figures(report: Any, marketplace_id: str) -> list[HealthFigure]:
    """Return the rates that must stay below a limit; raises `ProtocolError` where the report has another form."""
    if not isinstance(report, dict) or not isinstance(report.get("performanceMetrics"), list):
        raise ProtocolError("Amazon: the account health report was not understood")
    return [
        figure
        for metrics in report["performanceMetrics"]
        if isinstance(metrics, dict) and metrics.get("marketplaceId") == marketplace_id
        for figure in _figures(metrics)
    ]


def _figures(metrics: Mapping[str, Any]) -> Iterator[HealthFigure]:
    cancels = next((metrics[name] for name in _CANCELS if name in metrics), None)
    defects = _part(_part(metrics.get("orderDefectRate")).get("mfn"))
    rates = (
        (CANCEL_RATE, _part(cancels), _whole(_part(cancels).get("cancellationCount"))),
        (LATE_RATE, _part(metrics.get("lateShipmentRate")), _late(metrics)),
        (DEFECT_RATE, defects, _whole(_part(defects.get("orderWithDefects")).get("count"))),
    )
    for name, part, count in rates:
        if part:
            yield _figure(name, part, count=count)


def _late(metrics: Mapping[str, Any]) -> int:
    return _whole(_part(metrics.get("lateShipmentRate")).get("lateShipmentCount"))


def _figure(name: str, part: Mapping[str, Any], *, count: int) -> HealthFigure:
    total = _whole(part.get("orderCount"))
    limit = part.get("targetValue")
    below = part.get("targetCondition", "LESS_THAN") == "LESS_THAN"
    number = isinstance(limit, int | float) and not isinstance(limit, bool)
    return HealthFigure(
        name=name,
        count=count,
        total=total,
        rate=count / total if total else None,
        limit=float(limit) if number and below else None,  # type: ignore[arg-type]  # it is a number, as tested
        status=str(part.get("status", ""))[:20],
    )


def _part(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0

"""The adapters that are installed, by the entry points of the groups `syncd.channels` and `syncd.desks`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from syncd.sdk.channel import Adapter
from syncd.sdk.desk import DeskAdapter

GROUP = "syncd.channels"
DESKS = "syncd.desks"

K = TypeVar("K")


class _Points(Mapping[str, K], Generic[K]):
    """Adapters of one kind by name.

    One is imported when it is asked for: what nobody uses costs nothing and cannot fail.
    """

    def __init__(self, group: str, kind: type[K]) -> None:
        self._kind: type[K] = kind
        self._points: dict[str, EntryPoint] = {point.name: point for point in entry_points(group=group)}

    def __getitem__(self, name: str) -> K:
        """Return an adapter; raises KeyError for a name that is not installed, and whatever its import raises."""
        adapter: Any = self._points[name].load()
        if not isinstance(adapter, self._kind):
            raise TypeError(f"{self._points[name].value} is not a {self._kind.__module__}.{self._kind.__name__}")
        return adapter

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._points))

    def __len__(self) -> int:
        return len(self._points)

    def __contains__(self, name: object) -> bool:
        return name in self._points


class Installed(_Points[Adapter]):
    """Channel adapters by name."""

    def __init__(self) -> None:
        super().__init__(GROUP, Adapter)


class InstalledDesks(_Points[DeskAdapter]):
    """Desk adapters by name."""

    def __init__(self) -> None:
        super().__init__(DESKS, DeskAdapter)

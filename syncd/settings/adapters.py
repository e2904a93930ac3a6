"""The adapters that are installed, by the entry points of the group `syncd.channels`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points

from syncd.sdk.channel import Adapter

GROUP = "syncd.channels"


class Installed(Mapping[str, Adapter]):
    """Adapters by name. One is imported when it is asked for: what nobody uses costs nothing and cannot fail."""

    def __init__(self) -> None:
        self._points: dict[str, EntryPoint] = {point.name: point for point in entry_points(group=GROUP)}

    def __getitem__(self, name: str) -> Adapter:
        """Return an adapter; raises KeyError for a name that is not installed, and whatever its import raises."""
        adapter = self._points[name].load()
        if not isinstance(adapter, Adapter):
            raise TypeError(f"{self._points[name].value} is not a syncd.sdk.channel.Adapter")
        return adapter

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._points))

    def __len__(self) -> int:
        return len(self._points)

    def __contains__(self, name: object) -> bool:
        return name in self._points

"""Charts as pictures: small, quiet, for light and dark pages. Words stand beside them, not in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from typing import Any, Final, Literal, TypeAlias

Theme: TypeAlias = Literal["light", "dark"]
THEMES: Final[tuple[Theme, ...]] = ("light", "dark")
WIDTH_IN: Final = 6.4
HEIGHT_IN: Final = 2.7
DPI: Final = 200
LEAST_LAG_S: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Inks:
    """The colours of a theme: of the sheet, of words, of lines, and of one series after the other."""

    sheet: str
    word: str
    line: str
    series: tuple[str, ...]


INKS: Final[Mapping[Theme, Inks]] = {
    "light": Inks(
        sheet="#ffffff",
        word="#56635f",
        line="#dde4e1",
        series=("#0f7a75", "#e08a2e", "#4a6fb5", "#b5476b", "#7a9a3a", "#8a63b0", "#5b6b73", "#c9b037"),
    ),
    "dark": Inks(
        sheet="#18201e",
        word="#a3b2ae",
        line="#2a3532",
        series=("#4fc0b5", "#f0a95a", "#86a8ea", "#e583a4", "#b1d06c", "#bd9be3", "#9fb0b8", "#e6d36a"),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Columns in piles: a number of each series for each label. `inks` say which colour a series has on every chart."""

    labels: Sequence[str]
    series: Mapping[str, Sequence[float]]
    inks: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lags:
    """A span for each row, from the median to 99 %, with a mark at 95 %; in seconds, on a scale of powers."""

    rows: Mapping[str, tuple[float, float, float]]


Chart: TypeAlias = Bars | Lags


def can_draw() -> bool:
    """Say whether the library that draws is there; it belongs to the extra `figures`."""
    return find_spec("matplotlib") is not None


def picture(chart: Chart, theme: Theme) -> bytes:
    """Return a chart as PNG. Computes for long, and not twice at once."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  (an extra, and slow to load)
    from matplotlib.figure import Figure  # noqa: PLC0415  (the same)

    inks = INKS[theme]
    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), dpi=DPI, facecolor=inks.sheet, layout="constrained")
    axes = figure.add_subplot(facecolor=inks.sheet)
    _prepare(axes, inks)
    match chart:
        case Bars():
            _draw_bars(axes, chart, inks)
        case Lags():
            _draw_lags(axes, chart, inks)
    out = BytesIO()
    FigureCanvasAgg(figure).print_png(out)  # type: ignore[no-untyped-call]  # matplotlib has no types there
    return out.getvalue()


def _prepare(axes: Any, inks: Inks) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(inks.line)
    axes.tick_params(colors=inks.word, labelsize=8, length=0)
    axes.set_axisbelow(True)


def _draw_bars(axes: Any, chart: Bars, inks: Inks) -> None:
    places = range(len(chart.labels))
    floor = [0.0] * len(chart.labels)
    for name, values in chart.series.items():
        colour = inks.series[chart.inks[name] % len(inks.series)]
        axes.bar(places, values, bottom=floor, width=0.72, color=colour, label=name, linewidth=0)
        floor = [below + value for below, value in zip(floor, values, strict=True)]
    step = max(1, len(chart.labels) // 8)
    axes.set_xticks(list(places)[::-step][::-1], list(chart.labels)[::-step][::-1])
    axes.set_ylim(0, max(1.0, *floor) * 1.08 if floor else 1.0)
    axes.yaxis.get_major_locator().set_params(integer=True, nbins=5)
    axes.grid(axis="y", color=inks.line, linewidth=0.8)
    _name_series(axes, inks, len(chart.series))


def _draw_lags(axes: Any, chart: Lags, inks: Inks) -> None:
    for place, (p50, p95, p99) in enumerate(chart.rows.values()):
        low, mark, high = (max(LEAST_LAG_S, value) for value in (p50, p95, p99))
        axes.plot([low, high], [place, place], color=inks.series[0], linewidth=7, alpha=0.35, solid_capstyle="round")
        axes.plot([low], [place], "o", color=inks.series[0], markersize=7)
        axes.plot([mark], [place], "|", color=inks.series[1], markersize=15, markeredgewidth=3)
    axes.set_yticks(range(len(chart.rows)), list(chart.rows))
    axes.set_ylim(len(chart.rows) - 0.4, -0.6)
    axes.set_xscale("log")
    axes.set_xlim(left=LEAST_LAG_S / 1.5)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} s")
    axes.tick_params(which="both", length=0)
    axes.grid(axis="x", color=inks.line, linewidth=0.8)


def _name_series(axes: Any, inks: Inks, count: int) -> None:
    if count:
        named = axes.legend(
            loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=min(count, 6), frameon=False, fontsize=8,
            handlelength=0.9, handleheight=0.9, columnspacing=1.4,
        )  # fmt: skip
        for text in named.get_texts():
            text.set_color(inks.word)

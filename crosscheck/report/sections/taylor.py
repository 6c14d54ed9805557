"""The Taylor slope of a finding: a sentence, the remainders as a table, and a chart of them over the step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from crosscheck.report.sections import words
from crosscheck.spec.record import Number, Taylor

# Drawing units: the plot's box, and the room for the names of its ticks.
LEFT, TOP, WIDTH, HEIGHT, RIGHT, BOTTOM = 52, 10, 400, 210, 14, 40
# A chart is read at the decades named on its axes.
MOST_TICKS = 7
DOT = 2.5
THIS = "this gradient"

Point = tuple[float, float]


@dataclass(frozen=True)
class Tick:
    """A decade that is named: where it stands on its axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Line:
    """The remainders with one gradient; `kind` is claimed or reference, `path` breaks where none can be drawn."""

    kind: str
    name: str
    path: str
    dots: tuple[Point, ...]


@dataclass(frozen=True)
class Chart:
    """Remainder over step, both logarithmic."""

    lines: tuple[Line, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    left: int = LEFT
    top: int = TOP
    right: int = LEFT + WIDTH
    bottom: int = TOP + HEIGHT
    width: int = LEFT + WIDTH + RIGHT
    height: int = TOP + HEIGHT + BOTTOM
    middle: int = LEFT + WIDTH // 2
    dot: float = DOT


@dataclass(frozen=True)
class View:
    sentence: str
    names: tuple[str, str]
    steps: tuple[tuple[str, str, str], ...]
    chart: Chart | None


def view(item: Taylor, accused: str | None = None) -> View:
    """`accused` is the witness whose gradient is in question; the subject's is where there is none."""
    rows = zip(item.steps, item.claimed_remainders, item.reference_remainders, strict=False)
    steps = tuple((words.size(h), words.size(a), words.size(b)) for h, a, b in rows)
    return View(slopes(item, accused), (accused or THIS, item.reference_name), steps, chart(item, accused))


def slopes(item: Taylor, accused: str | None = None) -> str:
    """The slopes in a sentence. 2 is right and 1 is wrong, so each counts as the nearer of the two."""
    whose = f"the gradient of {accused}" if accused else THIS
    other = "the certified one" if item.reference_name == words.CERTIFIED else f"that of {item.reference_name}"
    if item.claimed is None:
        beside = "" if item.reference is None else f" with {whose}; {item.reference:.2f} with {other}"
        return f"no slope could be measured{beside}"
    own = f"slope {item.claimed:.2f} with {whose}"
    if item.reference is None:
        return own
    return f"{own}, {item.reference:.2f} with {other}: {_meaning(item.claimed, item.reference)}"


def _meaning(claimed: float, reference_slope: float) -> str:
    midway = (1 + 2) / 2
    if reference_slope < midway:
        return "the remainder does not settle it"
    if claimed < midway:
        return "no rounding noise"
    return "both look right at these steps"


def chart(item: Taylor, accused: str | None = None) -> Chart | None:
    """The two lines; None where there are not two points to draw a line through."""
    curves = [_logs(item.steps, remainders) for remainders in (item.claimed_remainders, item.reference_remainders)]
    drawn = [point for curve in curves for point in curve if point is not None]
    if len({x for x, _ in drawn}) < 2:
        return None
    across, up = _span(x for x, _ in drawn), _span(y for _, y in drawn)
    kinds = (("claimed", accused or THIS), ("reference", item.reference_name))
    return Chart(
        lines=tuple(_line(kind, name, curve, across, up) for (kind, name), curve in zip(kinds, curves, strict=True)),
        across=tuple(Tick(_across(decade, across), _power(decade)) for decade in _decades(across)),
        up=tuple(Tick(_up(decade, up), _power(decade)) for decade in _decades(up)),
    )


def _logs(steps: Sequence[float], remainders: Sequence[Number]) -> list[Point | None]:
    """Points in powers of ten; None where a remainder has no logarithm: it is 0, NaN or infinite."""
    pairs = [(words.as_float(h), words.as_float(r)) for h, r in zip(steps, remainders, strict=False)]
    return [(math.log10(h), math.log10(r)) if 0 < h < math.inf and 0 < r < math.inf else None for h, r in sorted(pairs)]


def _line(kind: str, name: str, curve: list[Point | None], across: Point, up: Point) -> Line:
    placed = [None if point is None else (_across(point[0], across), _up(point[1], up)) for point in curve]
    dots = tuple(point for point in placed if point is not None)
    before = [None, *placed]
    steps = zip(before, placed, strict=False)
    path = "".join(f"{'L' if last else 'M'}{at[0]} {at[1]}" for last, at in steps if at is not None)
    return Line(kind, name, path, dots)


def _span(values: Iterable[float]) -> Point:
    """Whole decades around the values, at least one."""
    found = list(values)
    low, high = math.floor(min(found)), math.ceil(max(found))
    return low, max(high, low + 1)


def _decades(span: Point) -> range:
    low, high = int(span[0]), int(span[1])
    every = -(-(high - low) // (MOST_TICKS - 1))
    return range(-(-low // every) * every, high + 1, every)


def _across(value: float, span: Point) -> float:
    return round(LEFT + WIDTH * (value - span[0]) / (span[1] - span[0]), 1)


def _up(value: float, span: Point) -> float:
    return round(TOP + HEIGHT * (1 - (value - span[0]) / (span[1] - span[0])), 1)


def _power(decade: int) -> str:
    return "1" if decade == 0 else f"1e{decade}"

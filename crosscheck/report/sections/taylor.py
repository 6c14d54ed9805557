"""The Taylor slopes of a finding: a sentence, the remainders as tables, and charts of them over the step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest

from crosscheck.judge.forward import in_words
from crosscheck.report.sections import words
from crosscheck.spec.record import Finding, Number, Taylor

# Drawing units: the plot's box, and the room for the names of its ticks.
LEFT, TOP, WIDTH, HEIGHT, RIGHT, BOTTOM = 52, 10, 400, 210, 14, 40
# A chart is read at the decades named on its axes.
MOST_TICKS = 7
DOT = 2.5
THIS, THESE = "this gradient", "these gradients"
KINDS = ("claimed", "reference")
# How a record says that the loss is the subject's own.
OWN = "own"
# A slope counts as the nearest of 2 (right), 1 (wrong) and 0 (rounding noise).
RIGHT_FROM, WRONG_FROM = (1 + 2) / 2, (0 + 1) / 2
# A line names so many tensors, and counts more of them.
MOST_TENSORS = 4
# So many steps in a row make a slope.
FEWEST = 3
# What the slopes of the loss asked for and of the subject's own say together, each of them right or wrong.
TOGETHER = {
    (False, True): "the backward belongs to its own forward, which is another",
    (True, False): "the backward belongs to the loss asked for: the loss that is returned is another",
    (False, False): "the backward belongs to neither",
    (True, True): "the backward is right for both, which differ by a constant along this direction",
}

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
    """The remainders of one slope by step, a column for each gradient; `of` names the loss where there are two."""

    of: str
    names: tuple[str, ...]
    steps: tuple[tuple[str, tuple[str, ...]], ...]
    chart: Chart | None
    how: str


def views(finding: Finding, accused: str | None = None) -> tuple[View, ...]:
    """`accused` is whose gradient is in question; the subject's is where there is none."""
    both = finding.taylor is not None and finding.own_taylor is not None
    found = (finding.taylor, finding.own_taylor)
    return tuple(view(item, accused, f", {_of(item)}" if both else "") for item in found if item is not None)


def view(item: Taylor, accused: str | None = None, of: str = "") -> View:
    columns = dict(_columns(item, accused))
    rows = zip_longest(item.steps, *columns.values())
    steps = tuple((words.size(h), tuple(map(words.size, values))) for h, *values in rows if h is not None)
    how = "exact, by ball arithmetic" if item.exact else "in float64"
    # A record that does not say what moved does not say how either.
    return View(of, tuple(columns), steps, chart(item, accused), f", {how}" if item.tensors else "")


def _columns(item: Taylor, accused: str | None) -> Iterator[tuple[str, Sequence[Number]]]:
    yield accused or (THIS if len(item.tensors) < 2 else THESE), item.claimed_remainders
    if item.reference_name is not None:
        yield item.reference_name, item.reference_remainders


def sentence(item: Taylor | None, own: Taylor | None, missing: str | None, accused: str | None = None) -> str:
    """All that is told of the slopes of a finding; empty where its record knows nothing of them.

    `own` is of the subject's own loss, where `item` is of another; `missing` says why one of them is not there.
    """
    if item is None:
        return f"no slope: {missing}" if missing else ""
    if own is not None:
        said = f"{slopes(item, accused, named=True, judged=False)}; {_of(own)}: {_same(own)}"
        meaning = _together(item, own)
        return f"{said}: {meaning}" if meaning else said
    if missing:
        return f"{slopes(item, accused, named=True)}; of its own loss no slope: {missing}"
    return slopes(item, accused)


def _same(item: Taylor) -> str:
    """The slope with the gradients that were named already."""
    claimed = _measured(item, item.claimed, item.claimed_vanishes) + _bent(item)
    return f"{claimed} with the same" if claimed else "no slope could be measured"


def slopes(item: Taylor, accused: str | None = None, *, named: bool = False, judged: bool = True) -> str:
    """The slopes in a sentence: which loss they are of, where it is `named` or another than the one asked for.

    `judged`: with what they say.
    """
    of = f"{_of(item)}: " if named or item.loss == OWN else ""
    claimed, reference = _measured(item, item.claimed, item.claimed_vanishes), ""
    if item.reference_name is not None:
        reference = _measured(item, item.reference, item.reference_vanishes).removeprefix("slope ")
    if not claimed:
        beside = f" with {_whose(item, accused)}; {reference} with {_other(item)}" if reference else ""
        return f"{of}no slope could be measured{beside}"
    first = f"{of}{claimed}{_bent(item)} with {_whose(item, accused)}"
    if not reference:
        return first
    meaning = _meaning(item) if judged else ""
    return f"{first}, {reference} with {_other(item)}{f': {meaning}' if meaning else ''}"


def _of(item: Taylor) -> str:
    if item.loss != OWN:
        return "of the loss asked for"
    if item.factor is not None:
        return f"of its own loss, {in_words(item.factor)} × the one asked for"
    return "of its own loss" if item.exact else "of its own loss, in float64"


def _measured(item: Taylor, slope: float | None, vanishes: bool) -> str:
    """Empty where nothing could be measured."""
    if slope is not None:
        return f"slope {slope:.2f}"
    if not vanishes:
        return ""
    return "no remainder" if item.exact else "no remainder beyond rounding"


def _bent(item: Taylor) -> str:
    """From where on a small error shows: above that step what the loss is curved by is larger, with a slope of 2."""
    if not item.exact or item.claimed is None or item.claimed >= RIGHT_FROM:
        return ""
    points = [point for point in _logs(item.steps, item.claimed_remainders)[::-1] if point is not None]
    local = [(y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in pairwise(points)]
    first = next((i for i in range(len(local)) if all(s < RIGHT_FROM for s in local[i:])), 0)
    before = local[max(first - FEWEST, 0) : first]
    bent = len(before) == FEWEST and all(s >= RIGHT_FROM for s in before)
    return f" (2 down to h = {words.magnitude(10 ** points[first][0])})" if bent else ""


def _whose(item: Taylor, accused: str | None) -> str:
    if len(item.tensors) < 2:
        return f"the gradient of {accused}" if accused else THIS
    few = len(item.tensors) <= MOST_TENSORS
    which = words.joined(item.tensors) if few else f"all {len(item.tensors)}"
    return f"the gradients{f' of {accused}' if accused else ''} ({which} together)"


def _other(item: Taylor) -> str:
    """The gradient that is trusted."""
    several = len(item.tensors) > 1
    if item.reference_name == words.CERTIFIED:
        return f"the certified one{'s' * several}"
    return f"{'those' if several else 'that'} of {item.reference_name}"


def _meaning(item: Taylor) -> str:
    claimed = _is_right(item.claimed, item.exact and item.claimed_vanishes)
    reference = _is_right(item.reference, item.exact and item.reference_vanishes)
    if reference is None:
        return ""
    if not reference:
        return "the remainder speaks for this one" if claimed else "the remainder does not settle it"
    if claimed is None:
        return "rounding noise hides the rest"
    if not claimed:
        return "no rounding noise" if item.reference is not None else "the loss is linear there"
    return "the gradients are right" if len(item.tensors) > 1 else "both look right at these steps"


def _is_right(slope: float | None, vanishes: bool) -> bool | None:
    """2 is right and 1 is wrong, so each slope counts as the nearer; None for rounding noise, whose slope is near 0."""
    if slope is None or slope < WRONG_FROM:
        return True if vanishes else None
    return slope >= RIGHT_FROM


def _together(asked: Taylor, own: Taylor) -> str:
    """What the slopes of the two losses say of the backward; nothing at a kink, where no gradient has a slope of 2."""
    if _is_right(asked.reference, asked.exact and asked.reference_vanishes) is False:
        return ""
    by_asked = _is_right(asked.claimed, asked.exact and asked.claimed_vanishes)
    by_own = _is_right(own.claimed, own.exact and own.claimed_vanishes)
    return "" if by_asked is None or by_own is None else TOGETHER[by_asked, by_own]


def chart(item: Taylor, accused: str | None = None) -> Chart | None:
    """A line for each gradient; None where there are not two points to draw one through."""
    columns = dict(_columns(item, accused))
    curves = [_logs(item.steps, remainders) for remainders in columns.values()]
    drawn = [point for curve in curves for point in curve if point is not None]
    if len({x for x, _ in drawn}) < 2:
        return None
    across, up = _span(x for x, _ in drawn), _span(y for _, y in drawn)
    named = zip(KINDS, columns, curves, strict=False)
    return Chart(
        lines=tuple(_line(kind, name, curve, across, up) for kind, name, curve in named),
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

"""How small a bug would have been seen, and how many entries say anything."""

from __future__ import annotations

from dataclasses import dataclass

from crosscheck.report.sections import words
from crosscheck.spec.record import Entries, Resolution, Run

# Drawing units of the histogram.
BAR, GAP, HEIGHT, TOP, BOTTOM, LEFT, LEAST = 26, 6, 120, 18, 34, 8, 2


@dataclass(frozen=True)
class Kind:
    """One kind of entry: how many, what share, what that means."""

    name: str
    number: int
    share: str
    meaning: str


@dataclass(frozen=True)
class Bar:
    x: int
    y: int
    height: int
    middle: int
    label: str
    entries: int
    words: str


@dataclass(frozen=True)
class Histogram:
    """Entries by decade of their resolution; empty decades between the outermost are drawn too."""

    dtype: str
    median: str
    p95: str
    width: int
    height: int
    baseline: int
    label_y: int
    bar_width: int
    bars: tuple[Bar, ...]
    others: tuple[tuple[str, int], ...]


MEANINGS = {
    "informative": "a bug of the size of the resolution would certainly have been seen, and none was",
    "uninformative": "agrees, but the bound is too wide for that to mean anything",
    "undecidable": "hangs on a kink or a tie",
    "disagreeing": "differs by more than its bound: the subject's fault, a witness's, or that of the bound",
    "not_compared": "the subject returned no gradient of them, or no witness was asked",
}
# Whoever differs informs too: elsewhere the report calls both of these informative (Entries.resolved).
NAMES = {
    "informative": "informative, agree",
    "disagreeing": "informative, differ",
    "not_compared": "not compared",
}


def kinds(entries: Entries) -> tuple[Kind, ...]:
    """The parts of the compared entries, and what was not compared beside them (no share of them)."""
    return tuple(
        Kind(NAMES.get(name, name), getattr(entries, name), _share(entries, name), _meaning(entries, name))
        for name in MEANINGS
    )


def _meaning(entries: Entries, name: str) -> str:
    if name != "undecidable" or not entries.overflowed:
        return MEANINGS[name]
    stand = words.count(entries.undecidable - entries.overflowed, "hangs", "hang")
    over = words.count(entries.overflowed, "overflows", "overflow")
    return f"{stand} on a kink or a tie; {over}: the value, or one on its way, is beyond the dtype"


def _share(entries: Entries, name: str) -> str:
    return words.MISSING if name == "not_compared" else words.percent(getattr(entries, name), entries.compared)


def of_subject(run: Run) -> tuple[Resolution, ...]:
    return tuple(item for item in run.resolution if item.party == words.SUBJECT)


def histograms(run: Run) -> tuple[Histogram, ...]:
    return tuple(histogram(item) for item in sorted(of_subject(run), key=lambda r: r.dtype, reverse=True))


def histogram(item: Resolution) -> Histogram:
    decades = {int(k): n for k, n in item.histogram.items() if _is_decade(k)}
    others = tuple(sorted((k, n) for k, n in item.histogram.items() if not _is_decade(k)))
    span = range(min(decades), max(decades) + 1) if decades else range(0)
    most = max(decades.values(), default=0) or 1
    bars = tuple(_bar(place, decade, decades.get(decade, 0), most) for place, decade in enumerate(span))
    return Histogram(
        dtype=item.dtype,
        median=words.magnitude(item.median),
        p95=words.magnitude(item.p95),
        width=2 * LEFT + max(len(bars), 1) * (BAR + GAP),
        height=TOP + HEIGHT + BOTTOM,
        baseline=TOP + HEIGHT,
        label_y=TOP + HEIGHT + 16,
        bar_width=BAR,
        bars=bars,
        others=others,
    )


def _bar(place: int, decade: int, entries: int, most: int) -> Bar:
    # A count that is not zero is never drawn as nothing.
    height = max(LEAST, round(HEIGHT * entries / most)) if entries else 0
    x = LEFT + place * (BAR + GAP)
    return Bar(
        x=x,
        y=TOP + HEIGHT - height,
        height=height,
        middle=x + BAR // 2,
        label=str(decade),
        entries=entries,
        words=f"1e{decade} to 1e{decade + 1}",
    )


def _is_decade(key: str) -> bool:
    return key.removeprefix("-").isdecimal() and len(key) < 6

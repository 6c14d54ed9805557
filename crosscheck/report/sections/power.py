"""Detection power: how small a planted error each method finds, as a table, a chart and lines of text."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from crosscheck.report.sections import words
from crosscheck.spec.power import Method, Power, PowerFile, Promise, Rate, Scene

# Drawing units of one method's strip of bars.
BAR, GAP, HEIGHT, TICKS, LEAST, LEFT = 14, 2, 30, 18, 2, 12
# Every third decade is named below the strips.
NAMED = 3
NAME, CELL = 24, 6  # widths of the columns of the text


@dataclass(frozen=True)
class Bar:
    """The share of errors of one size that was found; a share that is not zero is never drawn as nothing."""

    x: int
    y: int
    height: int
    words: str


@dataclass(frozen=True)
class Row:
    """One method: its bars, the same in words, and the smallest size that it found every time, larger ones too."""

    name: str
    settings: str
    own: bool
    bars: tuple[Bar, ...]
    shares: tuple[str, ...]
    always: str
    alarms: str
    spoken: str


@dataclass(frozen=True)
class Tick:
    x: int
    label: str


@dataclass(frozen=True)
class Table:
    """The methods on one kind of network."""

    title: str
    sizes: tuple[str, ...]
    ticks: tuple[Tick, ...]
    rows: tuple[Row, ...]
    width: int
    note: str


@dataclass(frozen=True)
class Section:
    """All that the template reads."""

    lead: str
    tables: tuple[Table, ...]
    promise: str
    alarms: str
    kept: bool
    missed: tuple[str, ...]
    provenance: str
    height: int = HEIGHT
    ticks_height: int = TICKS
    bar_width: int = BAR


def section(file: PowerFile) -> Section:
    power = file.power
    return Section(
        lead=_lead(power),
        tables=tuple(table(scene) for scene in (power.peers, power.random)),
        promise=promise(power.promise),
        alarms=alarms(power),
        kept=power.promise.kept and not power.alarms,
        missed=tuple(words.printable(text) for text in power.promise.missed),
        provenance=_provenance(file),
    )


def _lead(power: Power) -> str:
    planted = words.printable(power.planting)
    return (
        f"{planted[:1].upper()}{planted[1:]}. The bars say how often an error of each relative size ε was found, "
        "from 1 at the left down; full height is every time."
    )


def _provenance(file: PowerFile) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in sorted(file.measured.versions.items()))
    power = file.power
    asked = words.count(power.trials, "trial")
    said = f"crosscheck {power.version}, seed {power.seed}, {asked} a network, {file.measured.started}; {versions}"
    return words.printable(said)


def promise(made: Promise) -> str:
    """The judge taken at his word, in a sentence."""
    return (
        f"Of {words.count(made.planted, 'planted error')}, {made.promised:,} were more than {made.margin:g} times the "
        f"resolution reported for their entry, and so had to be found: {_found(made)}."
    )


def _found(made: Promise) -> str:
    if not made.promised:
        return "nothing was put to the test"
    left = made.promised - made.found
    return f"{left:,} {'was' if left == 1 else 'were'} not" if left else "every one was"


def alarms(power: Power) -> str:
    """What crosscheck said of gradients that are sound."""
    asked = sum(method.sound for scene in (power.peers, power.random) for method in scene.methods if method.own)
    raised = f"{power.alarms:,} of them" if power.alarms else "none of them"
    return f"{words.count(asked, 'sound gradient')} stood among the wrong ones: crosscheck accused {raised}."


def table(scene: Scene) -> Table:
    rates = scene.methods[0].rates if scene.methods else ()
    return Table(
        title=words.printable(scene.networks),
        sizes=tuple(size(rate.size) for rate in rates),
        ticks=tuple(Tick(_x(i) + BAR // 2, size(rates[i].size)) for i in range(0, len(rates), NAMED)),
        rows=tuple(row(method) for method in scene.methods),
        width=2 * LEFT + len(rates) * (BAR + GAP),
        note=words.printable(scene.note),
    )


def row(method: Method) -> Row:
    always = smallest_always(method)
    name = words.printable(f"{method.name}, {method.dtype}")
    return Row(
        name=name,
        settings=words.printable(method.settings),
        own=method.own,
        bars=tuple(_bar(i, rate) for i, rate in enumerate(method.rates) if rate.found),
        shares=tuple(words.percent(rate.found, rate.trials) for rate in method.rates),
        always=words.MISSING if always is None else size(always),
        alarms=f"{method.alarms:,} of {method.sound:,}",
        spoken=f"{name}: {_spoken(always)}; the numbers are in the table below",
    )


def _spoken(always: float | None) -> str:
    return "finds no size every time" if always is None else f"finds every error down to {size(always)}"


def smallest_always(method: Method) -> float | None:
    """The smallest size that was found in every trial, as were all the larger ones."""
    smallest = None
    for rate in sorted(method.rates, key=lambda rate: -rate.size):
        if not rate.trials or rate.found < rate.trials:
            break
        smallest = rate.size
    return smallest


def _x(place: int) -> int:
    return LEFT + place * (BAR + GAP)


def _bar(place: int, rate: Rate) -> Bar:
    height = max(LEAST, round(HEIGHT * rate.found / rate.trials))
    told = f"{size(rate.size)}: {rate.found:,} of {rate.trials:,} found"
    return Bar(x=_x(place), y=HEIGHT - height, height=height, words=told)


def size(value: float) -> str:
    """A size as a power of ten: 1, 0.1, 0.01, 1e-3."""
    if not math.isfinite(value) or value <= 0:
        return words.MISSING
    return f"{value:g}" if value >= 0.01 else f"{value:.0e}".replace("e-0", "e-")


def lines(file: PowerFile) -> Iterator[str]:
    """The same as text: a table for each kind of network, in per cent, and the promise."""
    for scene in (file.power.peers, file.power.random):
        found = table(scene)
        yield f"errors found, in per cent, by relative size; {found.title}"
        heads = "".join(f"{head:>{CELL}}" for head in found.sizes)
        yield f"{'':{NAME}}{heads}   false alarms"
        for item, method in zip(found.rows, scene.methods, strict=True):
            shares = "".join(f"{_per_cent(rate):>{CELL}}" for rate in method.rates)
            yield f"{item.name:{NAME}}{shares}   {item.alarms}"
        yield from (found.note, "") if found.note else ("",)
    yield promise(file.power.promise)
    yield alarms(file.power)


def _per_cent(rate: Rate) -> str:
    """A whole number that is 0 or 100 only where it is exactly that."""
    if not rate.trials:
        return words.MISSING
    share = round(100 * rate.found / rate.trials)
    return str(share if rate.found in (0, rate.trials) else min(max(share, 1), 99))

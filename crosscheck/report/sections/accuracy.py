"""The atlas of accuracy: errors in ulps by operation and implementation, as tables and charts over z."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from crosscheck.report.sections import accuracy_chart, words
from crosscheck.spec.atlas import Atlas, AtlasFile, Column, Errors, Lost, Worst
from crosscheck.spec.record import Number

OWN = "hand-written"
# The look of each line, in the order of the implementations.
KINDS = ("own", "second", "third")


@dataclass(frozen=True)
class Line:
    kind: str
    name: str
    path: str


@dataclass(frozen=True)
class Chart:
    """Error of the derivative over z in one dtype."""

    dtype: str
    lines: tuple[Line, ...]
    spoken: str


@dataclass(frozen=True)
class Figure:
    """An error, and where it is."""

    text: str
    where: str
    tone: str = ""


@dataclass(frozen=True)
class Row:
    """One implementation in one dtype; `missing` says why there is nothing."""

    implementation: str
    dtype: str
    value: Figure
    slope: Figure
    by_term: Figure
    value_median: str
    slope_median: str
    absolute: Figure
    lost: tuple[str, ...]
    missing: str


@dataclass(frozen=True)
class Entry:
    """One operation."""

    name: str
    anchor: str
    charts: tuple[Chart, ...]
    rows: tuple[Row, ...]
    sums: bool


@dataclass(frozen=True)
class Glance:
    """The largest errors of an operation in one dtype, value and derivative for each implementation."""

    name: str
    anchor: str
    cells: tuple[tuple[Figure, Figure], ...]


@dataclass(frozen=True)
class Overview:
    dtype: str
    glances: tuple[Glance, ...]


@dataclass(frozen=True)
class Section:
    """All that the template reads."""

    lead: str
    summary: tuple[str, ...]
    missing: tuple[str, ...]
    implementations: tuple[str, ...]
    overviews: tuple[Overview, ...]
    frame: accuracy_chart.Frame
    legend: tuple[tuple[str, str], ...]
    promise: str
    entries: tuple[Entry, ...]
    provenance: str


def atlas(file: AtlasFile) -> Section:
    found = file.atlas
    names = found.implementations
    return Section(
        lead=(
            "How far values and derivatives are off the certified ones, in units in the last place of those, over the "
            "whole range of each dtype."
        ),
        summary=tuple(own(found)),
        missing=tuple(missing(found)),
        implementations=tuple(map(words.printable, names)),
        overviews=tuple(_overview(found, dtype) for dtype in found.dtypes),
        frame=accuracy_chart.frame(found.edges),
        legend=tuple((_kind(i), words.printable(name)) for i, name in enumerate(names)),
        promise=f"{accuracy_chart.PROMISE:g} ulps",
        entries=tuple(_entry(found, op) for op in found.ops),
        provenance=_provenance(file),
    )


def _provenance(file: AtlasFile) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in sorted(file.measured.versions.items()))
    asked = f"{file.atlas.asked:,} points an activation, seed {file.atlas.seed}"
    took = words.duration(file.measured.seconds)
    return words.printable(
        f"crosscheck {file.atlas.version}, {asked}, {file.measured.started}, {took}; {versions}; "
        f"{', '.join(file.measured.environment.values())}"
    )


def columns(found: Atlas, op: str, dtype: str) -> list[Column]:
    return [column for column in found.columns if (column.op, column.dtype) == (op, dtype)]


def own(found: Atlas) -> Iterator[str]:
    """How good the hand-written rules are at worst: over all results, subnormal ones included."""
    for dtype in found.dtypes:
        columns = [c for c in found.columns if (c.implementation, c.dtype) == (OWN, dtype)]
        values = [(c.value.worst, c.op) for c in columns if c.value]
        slopes = [(e.worst, c.op) for c in columns if (e := c.by_term or c.slope)]
        if values and slopes:
            (value, of), (slope, by) = (max(pairs, key=lambda pair: size(pair[0].error)) for pairs in (values, slopes))
            yield (
                f"Hand-written, {dtype}: values within {ulps(value.error)} ulps ({words.printable(of)}), derivatives "
                f"within {ulps(slope.error)} of the larger of their terms ({words.printable(by)}), subnormal results "
                "included."
            )


def missing(found: Atlas) -> Iterator[str]:
    """Why an implementation has no figures, once for each reason."""
    reasons = dict.fromkeys((c.implementation, c.missing) for c in found.columns if c.missing)
    yield from (words.printable(f"{name}: {reason}") for name, reason in reasons)


def size(value: Number) -> float:
    """For comparing: what is no number is worse than any."""
    found = words.as_float(value)
    return math.inf if math.isnan(found) else found


def ulps(value: Number) -> str:
    found = words.as_float(value)
    if not math.isfinite(found):
        return words.number(value)
    return f"{found:.1f}" if found < 100 else f"{found:,.0f}" if found < 1e4 else _short(f"{found:.1e}")


def place(value: Number, digits: int = 5) -> str:
    return _short(f"{words.as_float(value):.{digits}g}")


def _short(text: str) -> str:
    """1e7 and 1e-7 for 1e+07 and 1e-07."""
    mantissa, e, power = text.partition("e")
    return f"{mantissa}e{int(power)}" if e else text


def figure(worst: Worst | None, digits: int = 5) -> Figure:
    """An error that is zero has no place."""
    if worst is None:
        return Figure(words.MISSING, "")
    target = "" if worst.target is None else f", y = {place(worst.target, digits)}"
    return Figure(
        text=ulps(worst.error),
        where=f"{place(worst.at, digits)}{target}" if worst.error else "",
        tone="bad" if size(worst.error) > accuracy_chart.PROMISE else "",
    )


def shown(errors: Errors | None) -> Worst | None:
    """The largest error where z and the result are normal numbers, of all where there is none such."""
    return None if errors is None else errors.normal or errors.worst


def median(errors: Errors | None) -> str:
    return words.MISSING if errors is None else ulps(errors.median)


def _overview(found: Atlas, dtype: str) -> Overview:
    return Overview(
        dtype,
        tuple(
            Glance(
                words.printable(op),
                _anchor(found, op),
                tuple((figure(shown(c.value)), figure(shown(c.by_term or c.slope))) for c in columns(found, op, dtype)),
            )
            for op in found.ops
        ),
    )


def _anchor(found: Atlas, op: str) -> str:
    return f"accuracy-{found.ops.index(op)}"


def _entry(found: Atlas, op: str) -> Entry:
    asked = [column for dtype in found.dtypes for column in columns(found, op, dtype)]
    return Entry(
        name=words.printable(op),
        anchor=_anchor(found, op),
        charts=tuple(_chart(found, op, dtype) for dtype in found.dtypes),
        rows=tuple(_row(column) for column in asked),
        sums=any(column.by_term for column in asked),
    )


def _row(column: Column) -> Row:
    said = [f"value {stretch(item)}" for item in column.lost_values]
    said += [f"derivative {stretch(item)}" for item in column.lost_slopes]
    return Row(
        implementation=words.printable(column.implementation),
        dtype=column.dtype,
        value=figure(shown(column.value)),
        slope=figure(shown(column.slope)),
        by_term=figure(shown(column.by_term)),
        value_median=median(column.value),
        slope_median=median(column.slope),
        absolute=figure(column.absolute),
        lost=tuple(said),
        missing=words.printable(column.missing),
    )


def stretch(item: Lost) -> str:
    low, high = place(item.low), place(item.high)
    where = f"at {low}" if low == high else f"from {low} to {high}"
    return f"{where} (up to {words.size(item.largest)})"


def _kind(index: int) -> str:
    return KINDS[min(index, len(KINDS) - 1)]


def _chart(found: Atlas, op: str, dtype: str) -> Chart:
    said_by = columns(found, op, dtype)
    names = found.implementations
    lines = tuple(
        Line(
            _kind(names.index(c.implementation)),
            words.printable(c.implementation),
            accuracy_chart.path(found.edges, c.curve),
        )
        for c in said_by
        if c.curve
    )
    said = [f"{c.implementation} at most {ulps(w.error)} ulps" for c in said_by if (w := shown(c.slope))]
    return Chart(dtype, lines, words.printable(f"{words.joined(said) or 'nothing was measured'}; the table has more"))

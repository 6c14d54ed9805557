"""The record of the atlas of accuracy: how far each implementation's values and derivatives are off, and where.

`Atlas` is what was found, `Measured` with what: errors belong to a library's version, and to the processor's features
that its exponentials use, so that the same versions elsewhere may differ in the last digit of an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from crosscheck.spec.errors import SpecError
from crosscheck.spec.record import Measured, Number, Record

SCHEMA = "crosscheck-accuracy-1"
FILE = "accuracy.json"
NOT_FINITE = ("nan", "inf", "-inf")


class Worst(Record, frozen=True):
    """The largest error, in the units of whoever holds it, the z where it is, and the target there of a loss."""

    error: Number
    at: Number
    target: Number | None = None


class Errors(Record, frozen=True):
    """Over the points that were used: the largest error and the median; and the largest where z and the true
    number are normal ones of the dtype, because many flush what is smaller to zero."""

    points: int
    worst: Worst
    normal: Worst | None
    median: Number


class Lost(Record, frozen=True):
    """From `low` to `high` every point has 0, where the true number, at most `largest`, is not."""

    low: Number
    high: Number
    largest: Number


class Column(Record, frozen=True):
    """One operation by one implementation in one dtype.

    `value` and `slope` are in ulps of the certified number; `by_term`, where the slope is a sum, is its error in ulps
    of the larger term (S and z S' of g = z S(z), s and -y of s - y), which does not grow without limit at a zero of
    it; `absolute` is the slope's in units of u·sup|g'|, for activations. `curve` has the largest error of the slope,
    in ulps, between each two of the atlas's edges. `missing` says why there is nothing.
    """

    op: str
    implementation: str
    dtype: str
    missing: str = ""
    value: Errors | None = None
    slope: Errors | None = None
    by_term: Errors | None = None
    absolute: Worst | None = None
    lost_values: tuple[Lost, ...] = ()
    lost_slopes: tuple[Lost, ...] = ()
    curve: tuple[Number | None, ...] = ()


class Atlas(Record, frozen=True):
    """`asked` points an activation before refinement. `edges` of the curves, ascending; what is beyond counts as at
    the end."""

    schema: str
    version: str
    truth: str
    seed: int
    asked: int
    edges: tuple[float, ...]
    columns: tuple[Column, ...]

    @property
    def ops(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(column.op for column in self.columns))

    @property
    def dtypes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(column.dtype for column in self.columns))

    @property
    def implementations(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(column.implementation for column in self.columns))


class AtlasFile(Record, frozen=True):
    """The whole of accuracy.json."""

    atlas: Atlas
    measured: Measured

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self, order="deterministic"), indent=1) + b"\n"

    @classmethod
    def from_json(cls, data: bytes, place: str = FILE) -> AtlasFile:
        """Raises SpecError for anything malformed or unknown, and for a number that is none."""
        try:
            found = msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SpecError(f"{place}: this is no atlas of accuracy: {error}") from None
        if found.atlas.schema != SCHEMA:
            raise SpecError(f"{place}: schema is {found.atlas.schema!r}; this crosscheck reads {SCHEMA!r}")
        _check(found.atlas, place)
        return found

    @classmethod
    def load(cls, path: Path) -> AtlasFile:
        """Raises SpecError naming the file and what is wrong with it."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise SpecError(f"{path}: cannot be read: {error.strerror}") from None
        return cls.from_json(data, str(path))


def _check(atlas: Atlas, place: str) -> None:
    if list(atlas.edges) != sorted(set(atlas.edges)):
        raise SpecError(f"{place}: atlas.edges must ascend")
    if sum(edge > 0 for edge in atlas.edges) < 2:
        raise SpecError(f"{place}: atlas.edges must hold two positive numbers, between which errors are drawn")
    for i, column in enumerate(atlas.columns):
        if column.curve and len(column.curve) != len(atlas.edges) - 1:
            raise SpecError(
                f"{place}: atlas.columns[{i}].curve has {len(column.curve)} numbers for {len(atlas.edges)} edges"
            )
        for what, value in _numbers(column):
            if isinstance(value, str) and value not in NOT_FINITE:
                names = ", ".join(map(repr, NOT_FINITE))
                raise SpecError(f"{place}: atlas.columns[{i}].{what} is {value!r}, must be a number or one of {names}")


def _numbers(column: Column) -> Iterator[tuple[str, Any]]:
    """The numbers that may be texts, with their places."""
    for name in ("value", "slope", "by_term"):
        errors: Errors | None = getattr(column, name)
        if errors is not None:
            yield f"{name}.median", errors.median
            for which in (errors.worst, errors.normal):
                yield from ((f"{name}.worst", number) for number in (msgspec.structs.astuple(which) if which else ()))
    if column.absolute is not None:
        yield from (("absolute", number) for number in msgspec.structs.astuple(column.absolute))
    for lost in (*column.lost_values, *column.lost_slopes):
        yield from (("lost", number) for number in msgspec.structs.astuple(lost))
    yield from (("curve", number) for number in column.curve)

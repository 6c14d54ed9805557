"""Numbers, names and lists as people read them."""

from __future__ import annotations

import math
import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from crosscheck.spec.digits import FEWEST as FEWEST_DIGITS
from crosscheck.spec.digits import apart
from crosscheck.spec.record import Number, RunFile
from crosscheck.store.runs import NOT_FINITE

T = TypeVar("T")
# The subject's name among the parties, whatever it calls itself: a subject named torch is not the oracle torch.
SUBJECT = "subject"
# The order in which parties are named: the subject first, then by rigour.
PARTIES = (SUBJECT, "ball", "torch", "jax", "differences")
# The witness whose answers are proven.
CERTIFIED = "ball"
# What stands as the odd one out where the derived bound itself is off the truth.
TOLERANCE = "tolerance"
# Names that take a verb in the plural.
PLURAL = ("differences",)
MISSING = "–"


def cleaned(run_file: RunFile, *, longest: int | None = None) -> RunFile:
    """The same record with every unprintable character written as its escape, and texts cut at `longest`.

    A newline, a terminal's control sequence or a right-to-left mark in a name must not redraw the page.
    """
    return cleaned_record(run_file, longest=longest)


def cleaned_record(record: T, *, longest: int | None = None) -> T:
    """Any record, in the same way."""
    plain = _map_strings(msgspec.to_builtins(record), lambda text: cut(printable(text), longest))
    return msgspec.convert(plain, type(record))


def cut(text: str, longest: int | None) -> str:
    """A text that is too long, with its length instead of its end."""
    return text if longest is None or len(text) <= longest else f"{text[:longest]}… ({len(text):,} characters)"


def printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _map_strings(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {_map_strings(key, change): _map_strings(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_map_strings(item, change) for item in value]
    return value


def count(number: int, noun: str, plural: str | None = None) -> str:
    """1 case, 2 cases, 1,204,331 entries."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def percent(part: int, whole: int) -> str:
    """A share that is 0 % or 100 % only when it is exactly that."""
    if not whole:
        return MISSING
    share = 100 * part / whole
    if 0 < share < 1:
        return "under 1 %"
    if 99 < share < 100:
        return "over 99 %"
    return f"{share:.0f} %"


def joined(items: Sequence[str], last: str = "and") -> str:
    """a, b and c."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def as_float(value: Number) -> float:
    """A record's number to calculate with. A text that is no number is NaN, which nothing takes for harmless."""
    return math.nan if isinstance(value, str) and value not in NOT_FINITE else float(value)


def finite(value: Number) -> bool:
    return math.isfinite(as_float(value))


def number(value: Number | None, digits: int = FEWEST_DIGITS) -> str:
    """A value: what is not finite reads nan, inf or -inf, as in the record."""
    if value is None or isinstance(value, str):
        return MISSING if value is None else value
    return f"{value:.{digits}g}"


def size(value: Number | None) -> str:
    """An error, bound or resolution: two digits say enough."""
    if value is None or isinstance(value, str):
        return MISSING if value is None else value
    return f"{value:.1e}"


def magnitude(value: float | None) -> str:
    """A resolution or a radius, of which the power of ten matters."""
    return MISSING if value is None else f"{value:.0e}" if value else "0"


def times(multiple: Number) -> str:
    """A multiple: of a bound, of an ulp."""
    value = as_float(multiple)
    if not math.isfinite(value) or value >= 1e4 or 0 < value < 1e-2:
        return f"{value:.1e}"
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def digits_apart(values: Iterable[Number | None]) -> int:
    """The fewest digits at which values that differ are also printed differently."""
    return apart(as_float(v) for v in values if v is not None and finite(v))


def duration(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def entry_name(tensor: str, index: Sequence[int]) -> str:
    """0.weight[1,2]; a scalar has no index."""
    return f"{tensor}[{','.join(map(str, index))}]" if index else tensor


def in_folder(folder: str, name: str | None) -> str | None:
    """A record names files from its own folder; a reader stands elsewhere."""
    return posixpath.join(folder, name) if name else None


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Parties with the subject first, then the known witnesses by rigour, then the others by name."""
    return tuple(sorted(set(names), key=lambda name: (_place(name), name)))


def _place(name: str) -> int:
    return PARTIES.index(name) if name in PARTIES else len(PARTIES)


def by_count(counts: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """Largest first, then by name."""
    return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))

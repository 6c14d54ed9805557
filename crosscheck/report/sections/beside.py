"""What stands beside a run, made by other commands: shown where its record is there, told of where it is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from crosscheck.report.sections import accuracy, power, words
from crosscheck.spec import atlas as atlas_record
from crosscheck.spec import power as power_record
from crosscheck.spec.atlas import AtlasFile
from crosscheck.spec.power import PowerFile

T = TypeVar("T")
S = TypeVar("S")
# Title, and the command that makes it, by the name of its file; in the order in which they are shown.
MADE_BY = {
    atlas_record.FILE: ("the accuracy atlas", "crosscheck accuracy"),
    power_record.FILE: ("detection power", "nox -s power"),
}
# A reason names a file and what is wrong with it.
LONGEST = 500


@dataclass(frozen=True)
class Missing:
    """A section without its record, and the command that makes it."""

    title: str
    command: str


@dataclass(frozen=True)
class Beside:
    """`files` are those shown; `broken` says why others could not be read."""

    accuracy: accuracy.Section | None
    power: power.Section | None
    files: tuple[str, ...]
    broken: tuple[str, ...]
    missing: tuple[Missing, ...]


def beside(*, accuracy_file: AtlasFile | str | None, power_file: PowerFile | str | None) -> Beside:
    """Of each a record, a text that says why it cannot be read, or None where there is none."""
    found: Mapping[str, object] = dict(zip(MADE_BY, (accuracy_file, power_file), strict=True))
    return Beside(
        accuracy=_made(accuracy_file, accuracy.atlas),
        power=_made(power_file, power.section),
        files=tuple(name for name, item in found.items() if item is not None and not isinstance(item, str)),
        broken=broken(accuracy_file=accuracy_file, power_file=power_file),
        missing=tuple(Missing(*MADE_BY[name]) for name, item in found.items() if item is None),
    )


def broken(*, accuracy_file: AtlasFile | str | None, power_file: PowerFile | str | None) -> tuple[str, ...]:
    """A sentence for each of them that is there and cannot be shown."""
    found: Mapping[str, object] = dict(zip(MADE_BY, (accuracy_file, power_file), strict=True))
    return tuple(_broken(name, why) for name, why in found.items() if isinstance(why, str))


def _made(record: T | str | None, section: Callable[[T], S]) -> S | None:
    return None if record is None or isinstance(record, str) else section(record)


def _broken(name: str, why: str) -> str:
    title, command = MADE_BY[name]
    reason = words.cut(words.printable(why), LONGEST)
    return f"A record of {title} is there, and cannot be shown: {reason}. {command} makes it anew."

"""What stands beside a run, made by other commands: shown where its record is there, told of where it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from crosscheck.report.sections import accuracy, power, selftest, words
from crosscheck.spec import atlas as atlas_record
from crosscheck.spec import kills as kills_record
from crosscheck.spec import power as power_record
from crosscheck.spec.atlas import AtlasFile
from crosscheck.spec.kills import SelftestFile
from crosscheck.spec.power import PowerFile

T = TypeVar("T")
S = TypeVar("S")
# Title, and the command that makes it, by the name of its file; in the order in which they are shown.
MADE_BY = {
    atlas_record.FILE: ("the accuracy atlas", "crosscheck accuracy"),
    power_record.FILE: ("detection power", "nox -s power"),
    kills_record.FILE: ("the self-test", "crosscheck selftest --profile ci"),
}
# A reason names a file and what is wrong with it.
LONGEST = 500


@dataclass(frozen=True)
class Records:
    """Of each a record, a text that says why it cannot be read, or None where there is none."""

    accuracy: AtlasFile | str | None = None
    power: PowerFile | str | None = None
    selftest: SelftestFile | str | None = None

    @property
    def by_file(self) -> dict[str, object]:
        return dict(zip(MADE_BY, (self.accuracy, self.power, self.selftest), strict=True))


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
    selftest: selftest.Section | None
    files: tuple[str, ...]
    broken: tuple[str, ...]
    missing: tuple[Missing, ...]


def beside(records: Records) -> Beside:
    found = records.by_file
    return Beside(
        accuracy=_made(records.accuracy, accuracy.atlas),
        power=_made(records.power, power.section),
        selftest=_made(records.selftest, selftest.section),
        files=tuple(name for name, item in found.items() if item is not None and not isinstance(item, str)),
        broken=broken(records),
        missing=tuple(Missing(*MADE_BY[name]) for name, item in found.items() if item is None),
    )


def broken(records: Records) -> tuple[str, ...]:
    """A sentence for each of them that is there and cannot be shown."""
    return tuple(_broken(name, why) for name, why in records.by_file.items() if isinstance(why, str))


def _made(record: T | str | None, section: Callable[[T], S]) -> S | None:
    return None if record is None or isinstance(record, str) else section(record)


def _broken(name: str, why: str) -> str:
    title, command = MADE_BY[name]
    reason = words.cut(words.printable(why), LONGEST)
    return f"A record of {title} is there, and cannot be shown: {reason}. {command} makes it anew."

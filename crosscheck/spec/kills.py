"""The record of a self-test: which planted bugs were caught, located and named. `selftest.json` holds it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from crosscheck.spec.errors import SpecError
from crosscheck.spec.record import Measured, Record

SCHEMA = "crosscheck-selftest-1"
FILE = "selftest.json"


class Kill(Record, frozen=True):
    """One planted bug: after how many networks it was caught, and what was said of it.

    `networks` is None where it got through all of them. `place` is where the first wrong factor was seen, `mute_place`
    where the same bug keeps its intermediates to itself; `located` and `mute_located` whether that is where it is.
    `likely` is the first sentence of the diagnosis; `named` whether that names this bug, or what it looks like.
    `smallest` is what it was shrunk to, of `layers` nodes, in `evaluations`.
    """

    name: str
    family: str
    source: str
    op: str | None
    symptom: str
    networks: int | None
    verdict: str | None = None
    place: str | None = None
    located: bool = False
    mute_place: str | None = None
    mute_located: bool = False
    likely: str | None = None
    named: bool = False
    condition: str | None = None
    smallest: str | None = None
    layers: int | None = None
    evaluations: int | None = None

    @property
    def caught(self) -> bool:
        return self.networks is not None


class Sound(Record, frozen=True):
    """A control that looks wrong and is right: how many networks passed, and what it was accused of, if it was."""

    name: str
    why: str
    source: str
    networks: int
    entries: int
    accused: str | None = None


class Peer(Record, frozen=True):
    """Another checker on the same planted bugs: how many it accused, how many sound gradients it accused too."""

    name: str
    settings: str
    caught: int
    asked: int
    alarms: int
    sound: int
    by_family: dict[str, tuple[int, int]]


class Selftest(Record, frozen=True):
    """What was planted and what became of it. `equivalent` counts changes that give the right gradient everywhere."""

    schema: str
    version: str
    seed: int
    profile: str
    most_networks: int
    points: int
    dtype: str
    kills: tuple[Kill, ...]
    controls: tuple[Sound, ...]
    equivalent: int
    left_out: tuple[tuple[str, str], ...] = ()
    peers: tuple[Peer, ...] = ()

    @property
    def families(self) -> dict[str, tuple[Kill, ...]]:
        """The bugs by family, in the order in which families were met."""
        found: dict[str, list[Kill]] = {}
        for kill in self.kills:
            found.setdefault(kill.family, []).append(kill)
        return {family: tuple(kills) for family, kills in found.items()}

    @property
    def survivors(self) -> tuple[Kill, ...]:
        return tuple(kill for kill in self.kills if not kill.caught)

    @property
    def flagged(self) -> tuple[Sound, ...]:
        return tuple(control for control in self.controls if control.accused is not None)

    @property
    def passed(self) -> bool:
        """All bugs caught, no control accused, and something was planted at all."""
        return bool(self.kills) and not self.survivors and not self.flagged


class SelftestFile(Record, frozen=True):
    """The whole of selftest.json. `seconds` by bug: of the hunt, and of the shrinking."""

    selftest: Selftest
    measured: Measured
    seconds: dict[str, tuple[float, float]]

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self, order="deterministic"), indent=1) + b"\n"

    @classmethod
    def from_json(cls, data: bytes, place: str = FILE) -> SelftestFile:
        """Raises SpecError for anything malformed or unknown."""
        try:
            found = msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SpecError(f"{place}: this is no record of a self-test: {error}") from None
        if found.selftest.schema != SCHEMA:
            raise SpecError(f"{place}: schema is {found.selftest.schema!r}; this crosscheck reads {SCHEMA!r}")
        _check_counts(found.selftest, place)
        return found

    @classmethod
    def load(cls, path: Path) -> SelftestFile:
        """Raises SpecError naming the file and what is wrong with it."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise SpecError(f"{path}: cannot be read: {error.strerror}") from None
        return cls.from_json(data, str(path))


def _check_counts(selftest: Selftest, place: str) -> None:
    """No bug is caught before the first network or after the last, and a part is no larger than its whole."""
    for kill in selftest.kills:
        if kill.networks is not None and not 1 <= kill.networks <= selftest.most_networks:
            raise SpecError(
                f"{place}: {kill.name!r} was caught after {kill.networks} networks, must be from 1 to "
                f"{selftest.most_networks}"
            )
    for peer in selftest.peers:
        counts = [(peer.caught, peer.asked), (peer.alarms, peer.sound), *peer.by_family.values()]
        wrong = [(part, whole) for part, whole in counts if not 0 <= part <= whole]
        if wrong:
            raise SpecError(f"{place}: {peer.name} has {wrong[0][0]} of {wrong[0][1]}; a part is from 0 to all")

"""The record of detection power: how small a planted error each method finds. `power.json` holds it.

`Power` is what was counted, `Measured` where and with what: detection rates of a method belong to its version and to
the numbers drawn, not to the machine's speed.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from crosscheck.spec.errors import SpecError
from crosscheck.spec.record import Measured, Record

SCHEMA = "crosscheck-power-1"
FILE = "power.json"


class Rate(Record, frozen=True):
    """How often an error of this relative size was found; `trials` counts where there was something to plant it in."""

    size: float
    found: int
    trials: int


class Method(Record, frozen=True):
    """A method on one kind of network: rates from the largest error down, and what it said of sound gradients.

    `sound` counts gradients shown to it as they are, `alarms` those of them that it accused.
    """

    name: str
    settings: str
    dtype: str
    rates: tuple[Rate, ...]
    sound: int
    alarms: int
    own: bool = False


class Scene(Record, frozen=True):
    """The networks that methods were compared on, in words or in the text notation, and what to know of them."""

    networks: str
    methods: tuple[Method, ...]
    note: str = ""


class Promise(Record, frozen=True):
    """Planted errors above `margin` times the resolution that was reported for their entry: all must be found."""

    margin: float
    planted: int
    promised: int
    found: int
    missed: tuple[str, ...] = ()

    @property
    def kept(self) -> bool:
        return self.promised > 0 and self.found == self.promised


class Power(Record, frozen=True):
    """What was counted: `peers` on one network, `random` on networks of every family, and the promise kept or not."""

    schema: str
    version: str
    seed: int
    trials: int
    planting: str
    peers: Scene
    random: Scene
    promise: Promise

    @property
    def alarms(self) -> int:
        """Sound gradients that crosscheck accused."""
        return sum(method.alarms for scene in (self.peers, self.random) for method in scene.methods if method.own)


class PowerFile(Record, frozen=True):
    """The whole of power.json."""

    power: Power
    measured: Measured

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self, order="deterministic"), indent=1) + b"\n"

    @classmethod
    def from_json(cls, data: bytes, place: str = FILE) -> PowerFile:
        """Raises SpecError for anything malformed or unknown, counts that cannot be among it."""
        try:
            found = msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SpecError(f"{place}: this is no record of detection power: {error}") from None
        if found.power.schema != SCHEMA:
            raise SpecError(f"{place}: schema is {found.power.schema!r}; this crosscheck reads {SCHEMA!r}")
        _check_counts(found.power, place)
        return found

    @classmethod
    def load(cls, path: Path) -> PowerFile:
        """Read what the benchmark wrote; raises SpecError naming the file and what is wrong with it."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise SpecError(f"{path}: cannot be read: {error.strerror}") from None
        return cls.from_json(data, str(path))


def _check_counts(power: Power, place: str) -> None:
    """A rate is a part of a whole, and all methods of a scene are asked about the same sizes."""
    for scene in (power.peers, power.random):
        sizes = {tuple(rate.size for rate in method.rates) for method in scene.methods}
        if len(sizes) > 1:
            raise SpecError(f"{place}: the methods on {scene.networks} were shown errors of different sizes")
        for method in scene.methods:
            counts = [(rate.found, rate.trials) for rate in method.rates] + [(method.alarms, method.sound)]
            wrong = [(part, whole) for part, whole in counts if not 0 <= part <= whole]
            if wrong:
                raise SpecError(f"{place}: {method.name} has {wrong[0][0]} of {wrong[0][1]}; a part is from 0 to all")
    promise = power.promise
    if not 0 <= promise.found <= promise.promised <= promise.planted:
        raise SpecError(
            f"{place}: of {promise.planted} planted errors {promise.promised} were promised and {promise.found} "
            "found; each is a part of the one before"
        )

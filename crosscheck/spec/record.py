"""The record of a run: what `run.json` holds, and the schema that is published for it.

`Run` is canonical: the same seed gives the same bytes. Whatever was measured (times, versions, the
machine) stands in `Measured`, beside it.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec

SCHEMA = "crosscheck-run-1"


# JSON has no NaN and no infinity: they travel as "nan", "inf" and "-inf".
Number = float | str


def number(value: float) -> Number:
    """A number as the record holds it."""
    value = float(value)
    if math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the parts of a record."""


class OracleRecord(Record, frozen=True):
    """An oracle, the cases that it answered, and its gaps as (op, reason, cases it left out for it)."""

    name: str
    answered: int
    gaps: tuple[tuple[str, str, int], ...] = ()


class Entries(Record, frozen=True):
    """Counts of gradient entries. compared = informative + uninformative + undecidable + disagreeing.

    `not_compared` were claimed by nobody, or no witness was asked for them. `undecidable_by_design` is the
    part of `undecidable` in cases whose values were drawn to hit kinks, `overflowed` the part whose value, or one on
    its way, is beyond the dtype. `certified` of all were judged against proved truth, the rest pairwise. `void`
    is the part of `disagreeing` in which the derived bound is itself off the truth: nothing is known of the subject.
    """

    compared: int
    informative: int
    uninformative: int
    undecidable: int
    disagreeing: int
    not_compared: int
    undecidable_by_design: int
    overflowed: int = 0
    certified: int = 0
    void: int = 0

    @property
    def resolved(self) -> int:
        """Entries whose comparison said something: they agree informatively, or they differ."""
        return self.informative + self.disagreeing - self.void


class Resolution(Record, frozen=True):
    """Relative size of the smallest bug that would certainly have been seen, over entries, by party and dtype.

    `histogram` counts entries by decade: the key "-14" counts resolutions in [1e-14, 1e-13); the first and the
    last one, "-17" and "0", take in what lies beyond.
    """

    dtype: str
    median: float | None
    p95: float | None
    histogram: dict[str, int]
    party: str = "subject"


class Agreement(Record, frozen=True):
    """A pair of parties: comparisons, how many differed, and the worst error.

    In units of its bound, and in units in the last place of the largest entry of its tensor and point.
    """

    a: str
    b: str
    comparisons: int
    disagreements: int
    worst_bounds: Number
    worst_ulps: Number


class EntryRecord(Record, frozen=True):
    """One gradient entry: values by party (None where it was not asked), error and bound where it is worst.

    `radius` is the proof's own, where the value is certified.
    """

    tensor: str
    index: tuple[int, ...]
    point: int
    values: dict[str, Number | None]
    error: Number
    bound: Number
    resolution: float | None
    radius: float | None = None


class Taylor(Record, frozen=True):
    """Slope of log|f(θ+hv) - f(θ) - h g·v| over log h: 2 for a right gradient, 1 for a wrong one.

    f is the loss that was asked for, or, where `loss` is "own", the subject's: `factor` times the one asked for where
    that is a constant. θ are the `tensors`, moved together along one random v. `exact` remainders are without rounding,
    others in float64. The `claimed` gradient is the one in question, beside it stands that of `reference_name`, where
    there is one. One that `vanishes` leaves nothing beyond rounding, and so has no slope.
    """

    claimed: float | None
    reference: float | None
    reference_name: str | None
    steps: tuple[float, ...]
    claimed_remainders: tuple[Number, ...]
    reference_remainders: tuple[Number, ...]
    claimed_vanishes: bool = False
    reference_vanishes: bool = False
    loss: str = "asked"
    factor: float | None = None
    tensors: tuple[str, ...] = ()
    exact: bool = False


class Place(Record, frozen=True):
    """The first wrong factor of the chain rule: of node `node` (-1: the loss, None: the whole walk) and its op.

    `factor` is in the textbook's symbols; `part` the role of a parameter or the number of an input. `how` it was found.
    """

    node: int | None
    op: str | None
    factor: str
    part: str
    how: str


class Finding(Record, frozen=True):
    """One distinct cause: the smallest case that shows it, its worst entries, and what it looks like.

    `terms` are the factors of the chain rule from the loss on, each (symbol, state, detail); `symptoms` and `bugs` the
    names of what it looks like, likeliest first, and of known bugs that give exactly these gradients. Where the loss is
    another than the one asked for, `own_taylor` is of the subject's, beside `taylor` of that one.
    `no_taylor` says why one of them is not there.
    """

    id: str
    verdict: str
    count: int
    first_index: int
    architecture: str
    minimal: bool
    dtype: str
    tensor: str | None
    node: int | None
    op: str | None
    odd_one_out: str | None
    sides: dict[str, tuple[str, ...]]
    message: str
    entries: tuple[EntryRecord, ...]
    diagnosis: tuple[str, ...]
    terms: tuple[tuple[str, str, str], ...]
    deviation: str | None
    taylor: Taylor | None
    case_file: str | None
    worst_case_file: str | None
    worst_architecture: str | None
    replay: str
    own_taylor: Taylor | None = None
    no_taylor: str | None = None
    test_file: str | None = None
    located: Place | None = None
    symptoms: tuple[str, ...] = ()
    bugs: tuple[str, ...] = ()


class Deviation(Record, frozen=True):
    """A known systematic deviation of a framework that was met: reported as its own, never the subject's."""

    witness: str
    op: str
    region: str
    size: str
    source: str
    cases: int


class Certification(Record, frozen=True):
    """What the arbiter proved: points, the largest precision in bits, points with a hull of one-sided derivatives.

    `at_limit` counts points at which the precision would have had to exceed its limit: their radius is wider than was
    asked for, and counts as such. `left_out` counts points it was not asked about, or has a gap for.
    """

    arbiter: str
    mode: str
    points: int
    left_out: int
    most_bits: int
    hulls: int
    at_limit: int


class Convention(Record, frozen=True):
    """What each party takes for the derivative of an op exactly at a kink, and the hull of the one-sided ones."""

    op: str
    at: float
    low: float
    high: float
    values: dict[str, Number]


class KinkMet(Record, frozen=True):
    """A kink or a knot of an op, at a value of its input (of a loss: of output minus target), and who stood there.

    Without a value it is a tie, as a maximum has them. `exactly` counts elements whose value is that one, `near` those
    too near for the dtype to tell the side.
    """

    op: str
    at: float | None
    exactly: int
    near: int


class Combinations(Record, frozen=True):
    """Of all pairs (or triples) of values of the factors: how many can be had, how many cases have held.

    `infeasible` counts the others by reason, `listed` names them, of pairs; `empty` names those that could be had and
    were not, the first of them.
    """

    strength: int
    covered: int
    feasible: int
    infeasible: dict[str, int]
    empty: tuple[str, ...]
    listed: dict[str, tuple[str, ...]] = {}


class Edges(Record, frozen=True):
    """Of all legal edges from operation to operation, those met; `empty` names others, the first of them.

    `infeasible` counts those that no network has by reason, `listed` names them.
    """

    covered: int
    legal: int
    empty: tuple[str, ...]
    infeasible: dict[str, int] = {}
    listed: dict[str, tuple[str, ...]] = {}


class Coverage(Record, frozen=True):
    """What was compared: entries with a decided comparison for each op and role, cases by property, kinks met.

    `combinations` and `edges` are of the space that was drawn from; a fixed network has none.
    """

    roles: dict[str, dict[str, int]]
    losses: dict[str, int]
    families: dict[str, int]
    dtypes: dict[str, int]
    depths: dict[str, int]
    never_compared: tuple[str, ...]
    kinks: tuple[KinkMet, ...] = ()
    combinations: tuple[Combinations, ...] = ()
    edges: Edges | None = None


class Exit(Record, frozen=True):
    code: int
    reason: str


class Run(Record, frozen=True):
    """The canonical part of a run."""

    schema: str
    version: str
    subject: str
    seed: int
    profile: str
    settings: dict[str, Any]
    oracles: tuple[OracleRecord, ...]
    cases: int
    points: int
    entries: Entries
    resolution: tuple[Resolution, ...]
    verdicts: dict[str, int]
    agreement: tuple[Agreement, ...]
    findings: tuple[Finding, ...]
    deviations: tuple[Deviation, ...]
    coverage: Coverage
    warnings: tuple[str, ...]
    exit: Exit
    certification: Certification | None = None
    conventions: tuple[Convention, ...] = ()


class Measured(Record, frozen=True):
    """What differs from machine to machine: times in seconds, versions, environment."""

    started: str
    seconds: float
    seconds_by_part: dict[str, float]
    versions: dict[str, str]
    environment: dict[str, str]


class RunFile(Record, frozen=True):
    """The whole of run.json."""

    run: Run
    measured: Measured

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self, order="deterministic"), indent=1) + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> RunFile:
        """Raises msgspec.DecodeError for anything malformed or unknown."""
        try:
            return msgspec.json.decode(data, type=cls)
        except UnicodeDecodeError as error:
            raise msgspec.DecodeError(str(error)) from None


def schema() -> dict[str, Any]:
    """The JSON Schema of run.json (draft 2020-12)."""
    result = msgspec.json.schema(RunFile)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": SCHEMA, **result}


def schema_text() -> str:
    """The text of run.schema.json."""
    return json.dumps(schema(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("run.schema.json").write_text(schema_text(), encoding="utf-8")

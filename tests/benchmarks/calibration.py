"""Are the bounds honest: the error of every party against certified truth, in units of the σ that was derived for it.

    python tests/benchmarks/calibration.py [--networks 200] [--seed 7]

An entry is accused beyond 16 σ. This measures how far right code strays: the hand-written backprop, PyTorch and JAX as
subjects, in float64 and in float32, each against the ball oracle and each by the σ of its own error model, which is
(its bound - the floor) / 16. On every operation alone, over a wide range of exact values; on drawn networks of every
family of values, on ones with merges, on plain ones of 5 to 16 layers of 16, and on 20 residual blocks. Asked for:
nothing beyond 8 σ, half of what accuses, and on the networks a median above 0.05, so that the bounds are not wide for
nothing. Exit 1 otherwise; of what is beyond, the worst entry for each set of operations is shown.

Left out, and counted: points whose branches parted (a bound there covers both sides), points in a known deviation of
the framework (float64; it is reported as its own), entries whose σ is 0 (their error must be within the floor, or it
counts as infinite), entries beyond the dtype, and those at which a framework, not the built-in, gives infinity or NaN
for a true value within it: it overflowed on the way, which no σ speaks of. Truth is rounded to float64 here, which
adds up to half a unit in the last place to a float64 error.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # read when NumPy, PyTorch or JAX are first imported

import numpy as np  # noqa: E402
from networks import KINDS  # noqa: E402

from crosscheck.oracles.ball import Ball  # noqa: E402
from crosscheck.spec.case import Case  # noqa: E402
from crosscheck.spec.protocols import Subject  # noqa: E402
from crosscheck.spec.result import Array, Bools, Bound, Floats, Gradients  # noqa: E402
from crosscheck.subjects import frameworks  # noqa: E402
from crosscheck.subjects.builtin import Builtin  # noqa: E402
from crosscheck.tolerance import bounds  # noqa: E402
from crosscheck.tolerance.rounding import MULTIPLE  # noqa: E402

MOST, LEAST_MEDIAN = 8.0, 0.05
DTYPES = ("float64", "float32")
NETWORKS = tuple(kind for kind in KINDS if kind != "alone")
QUANTILES = (("median", 50.0), ("95 %", 95.0), ("99.9 %", 99.9), ("largest", 100.0))


# --- what is measured -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Beyond:
    """The worst entry that strays further than it should, of those with the same operations, and how many there are."""

    ratio: float
    said: str
    count: int


@dataclass
class Found:
    """Errors in units of σ, by kind of network, what was left out, and what is beyond, by operations."""

    ratios: dict[str, list[Floats]] = field(default_factory=lambda: defaultdict(list))
    left_out: Counter[str] = field(default_factory=Counter)
    beyond: dict[tuple[str, ...], Beyond] = field(default_factory=dict)

    def of(self, *kinds: str) -> Floats:
        """The ratios of these kinds; of all where none is named."""
        chosen = [r for kind, many in self.ratios.items() for r in many if not kinds or kind in kinds]
        return np.concatenate(chosen) if chosen else np.zeros(0)

    def strays(self, case: Case, ratio: float, said: str) -> None:
        ops = tuple(sorted(case.architecture.ops))
        before = self.beyond.get(ops, Beyond(0.0, "", 0))
        worse = Beyond(ratio, said, 0) if not ratio <= before.ratio else before
        self.beyond[ops] = Beyond(worse.ratio, worse.said, before.count + 1)


def measure(networks: int, seed: int) -> dict[tuple[str, str], Found]:
    subjects: tuple[Subject, ...] = (Builtin(), frameworks.torch(), frameworks.jax())
    oracle = Ball()
    result = {(subject.name, dtype): Found() for dtype in DTYPES for subject in subjects}
    for dtype in DTYPES:
        for kind, make in KINDS.items():
            for case in make(networks, seed, dtype):
                with np.errstate(all="ignore"):
                    _case(case, kind, subjects, oracle, result)
    return result


def _case(
    case: Case, kind: str, subjects: tuple[Subject, ...], oracle: Ball, result: dict[tuple[str, str], Found]
) -> None:
    own = {s.name: bounds.bound(case, case.dtype, s.error_model) for s in subjects}
    decided = ~np.logical_and.reduce([b.parted for b in own.values()])
    proof = oracle.certify(case, points=np.flatnonzero(decided).tolist())
    truth, radius = proof.reference.gradients, proof.reference.radius
    assert radius is not None
    for subject in subjects:
        asked = decided & ~own[subject.name].parted & ~proof.hull & ~proof.at_limit
        regular = asked & ~_deviating(case, subject)
        found = result[subject.name, case.dtype]
        found.left_out["points on a branch"] += int(np.count_nonzero(~asked))
        found.left_out["points in a known deviation"] += int(np.count_nonzero(asked & ~regular))
        if regular.any():
            _tensors(case, kind, subject, own[subject.name], regular, (truth, radius), found)


def _deviating(case: Case, subject: Subject) -> Bools:
    """The points at which the subject deviates beyond rounding, as is known of it in this dtype."""
    result = np.zeros(case.n_points, np.bool_)
    if subject.error_model is None:
        return result
    for known, points in bounds.deviations_met(case, (), subject.error_model):
        result |= points & known.beyond_rounding
    return result


def _tensors(
    case: Case,
    kind: str,
    subject: Subject,
    own: Bound,
    points: Bools,
    proof: tuple[Gradients, Gradients],
    found: Found,
) -> None:
    claimed = subject.gradients(case)
    truth, radius = proof
    floor = bounds.SMALLEST * bounds._smallest(case, case.dtype, subject.error_model)
    for name, values in claimed.tensors():
        error = np.abs(values[points].astype(np.float64) - truth[name][points])
        sigma = (own.gradients[name][points] - floor) / MULTIPLE
        within = (np.abs(truth[name][points]) <= np.finfo(case.dtype).max) & np.isfinite(radius[name][points])
        if subject.error_model is not None:
            overflowed = within & np.isfinite(sigma) & ~np.isfinite(values[points])
            found.left_out["entries at which it overflowed on the way"] += int(np.count_nonzero(overflowed))
            within &= ~overflowed
        ratio, kept = ratios(error, sigma, floor, within)
        found.ratios[kind].append(ratio[kept].ravel())
        found.left_out["entries without a spread"] += int(np.count_nonzero(~kept & (sigma == 0)))
        found.left_out["entries beyond the dtype"] += int(np.count_nonzero(~kept & (sigma != 0)))
        for place in np.argwhere(kept & ~(ratio <= MOST)):
            at = tuple(place)
            index = [int(k) for k in place[1:]]
            said = f"{name}{index} = {values[points][at]:.17g}, true {truth[name][points][at]:.17g}, σ {sigma[at]:.1e}"
            found.strays(case, float(ratio[at]), f"{kind}, {case.family}: {said}; {case.architecture}")


def ratios(error: Floats, sigma: Floats, floor: float, answered: Bools) -> tuple[Floats, Bools]:
    """Error beyond the floor in units of σ, and which entries count; infinite where an error has no σ to be in."""
    excess = np.where(error <= floor, 0.0, error - floor)  # NaN stays NaN
    kept = answered & np.isfinite(sigma) & ((sigma > 0) | ~(excess == 0))
    return np.where(sigma > 0, excess / sigma, np.inf), kept


# --- the page ---------------------------------------------------------------------------------------------------


def page(result: dict[tuple[str, str], Found]) -> Iterator[str]:
    yield "error / σ of right code against certified truth; accused beyond 16"
    yield f"{'':20}{'networks':10}{'entries':>12}" + "".join(f"{name:>10}" for name, _ in QUANTILES)
    for (party, dtype), found in result.items():
        for kind in found.ratios:
            yield f"{f'{party}, {dtype}':20}{kind:10}{_line(found.of(kind))}"
        yield f"{f'{party}, {dtype}':20}{'networks':10}{_line(found.of(*NETWORKS))}"
    yield ""
    for (party, dtype), found in result.items():
        left = ", ".join(f"{count:,} {what}" for what, count in found.left_out.items())
        yield f"{f'{party}, {dtype}':20}left out: {left}"
    for (party, dtype), found in result.items():
        for beyond in sorted(found.beyond.values(), key=lambda b: -b.ratio):
            yield f"BEYOND {MOST:g} σ, {party}, {dtype}: {beyond.ratio:.3g} σ, {beyond.count:,} entries; {beyond.said}"


def _line(ratio: Floats) -> str:
    if not ratio.size:
        return f"{0:12}"
    return f"{ratio.size:12,}" + "".join(f"{quantile(ratio, q):10.3g}" for _, q in QUANTILES)


def quantile(ratio: Array, percent: float) -> float:
    """The smallest value that so many per cent do not exceed; NaN counts as infinite."""
    known = np.where(np.isnan(ratio), np.inf, ratio)
    return float(np.percentile(known, percent, method="inverted_cdf"))


def honest(found: Found) -> bool:
    every, networks = found.of(), found.of(*NETWORKS)
    return networks.size > 0 and quantile(every, 100.0) <= MOST and quantile(networks, 50.0) > LEAST_MEDIAN


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=200, help="drawn ones in each dtype; fewer of the others")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    result = measure(options.networks, options.seed)
    print("\n".join(page(result)))
    raise SystemExit(0 if all(honest(found) for found in result.values()) else 1)


if __name__ == "__main__":
    main()

"""Bugs of what the loss adds for the weights: l1 Σ|w| + ½ l2 Σw²."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crosscheck.backprop import reduction
from crosscheck.backprop.network import Slopes, Walk
from crosscheck.backprop.rows import Array
from crosscheck.mutants.mutant import Mutant
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.fault import Factor, Fault, Symptom
from crosscheck.spec.op import Value

FAMILY = "penalties"
SQUARES: Mapping[str, Mapping[str, Value]] = {"sse": {"l2": 0.25}}
SIZES: Mapping[str, Mapping[str, Value]] = {"sse": {"l1": 0.125}}


def _left_out(_architecture: Architecture, _params: Mapping[str, Array]) -> Iterable[tuple[str, Array]]:
    return ()


def _doubled(architecture: Architecture, params: Mapping[str, Array]) -> Iterable[tuple[str, Array]]:
    return ((key, d + d) for key, d in reduction.penalty_slopes(architecture, params))


def _without_signs(architecture: Architecture, params: Mapping[str, Array]) -> Iterable[tuple[str, Array]]:
    return ((key, abs(d)) for key, d in reduction.penalty_slopes(architecture, params))


def _of_biases_too(architecture: Architecture, params: Mapping[str, Array]) -> Iterable[tuple[str, Array]]:
    yield from reduction.penalty_slopes(architecture, params)
    l2 = float(architecture.loss.attributes["l2"])
    yield from ((key, reduction.scaled(w, l2)) for key, w in params.items() if key not in architecture.penalised)


def _planted(name: str, what: str, slopes: Slopes, fixed: Mapping[str, Mapping[str, Value]], attribute: str) -> Mutant:
    return Mutant(
        name=name,
        family=FAMILY,
        what=what,
        faults=(Fault(None, Factor.PENALTY),),
        symptom=Symptom.PENALTY,
        smallest=f"x[1,1] -> dense(1) -> sse({attribute})",
        source="classic",
        walk=Walk(penalty_slopes=slopes),
        fixed=fixed,
    )


# fmt: off
MUTANTS = (
    _planted("penalty: left out", "the gradient lacks what the penalty adds, l2 times the weights",
             _left_out, SQUARES, "l2=0.25"),
    _planted("penalty: factor ½ forgotten", "the gradient has 2 l2 w of a penalty ½ l2 w²",
             _doubled, SQUARES, "l2=0.25"),
    _planted("penalty: sign missing", "the gradient has l1 of a penalty l1 |w|, whatever the sign of the weight",
             _without_signs, SIZES, "l1=0.125"),
    _planted("penalty: biases counted", "the biases are penalised in the gradient, and not in the loss",
             _of_biases_too, SQUARES, "l2=0.25"),
)
# fmt: on

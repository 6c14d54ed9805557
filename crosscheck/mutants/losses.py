"""Bugs of losses, and the forwards that are wrong while their gradients are right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crosscheck.backprop.gates import gelu
from crosscheck.backprop.network import ROWS
from crosscheck.backprop.rows import Activation, Array, Loss
from crosscheck.mutants.changes import loss
from crosscheck.mutants.mutant import Mutant
from crosscheck.mutants.parts import averaged_over_all, uncounted
from crosscheck.spec.fault import Factor, Fault, Symptom
from crosscheck.spec.op import Value

FAMILY = "losses"


def half_the_square(a: Array, y: Array) -> Array:
    return 0.5 * (a - y) ** 2


def sound(op: str) -> Any:
    return ROWS[op]


# What ignores a class has classes for its targets.
CLASSES: Mapping[str, Mapping[str, Value]] = {"nll": {}, "softmax_cross_entropy": {"targets": "classes"}}

# fmt: off
MUTANTS: tuple[Mutant, ...] = (
    Mutant("bce_with_logits: sigmoid missing", FAMILY,
           "the slope is z - y, the logit less the target, where it is sigmoid(z) - y",
           (Fault("bce_with_logits", Factor.LOSS),), Symptom.OTHER_FUNCTION, "x[1,1] -> bce_with_logits", "classic",
           rows={"bce_with_logits": loss("bce_with_logits", lambda _, z, y: (z - y,))}),
    Mutant("huber: not clipped", FAMILY,
           "the slope of the Huber loss is a - y outside delta too, where it is delta with the sign of a - y",
           (Fault("huber", Factor.LOSS),), Symptom.OTHER_FUNCTION, "x[1,1] -> huber", "classic",
           rows={"huber": loss("huber", lambda _, a, y, delta: (a - y,))}),
    Mutant("sse: half the loss, whole gradient", FAMILY,
           "the loss is half the squared error, and its gradient that of the whole",
           (Fault("sse", Factor.FORWARD),), Symptom.FORWARD, "x[1,1] -> sse", "classic",
           rows={"sse": Loss(half_the_square, sound("sse").da)}),
    Mutant("gelu: tanh forward, erf backward", FAMILY,
           "the forward of gelu is its approximation by tanh, the backward belongs to the exact one",
           (Fault("gelu", Factor.FORWARD),), Symptom.FORWARD, "x[1,1] -> gelu -> sse", "classic",
           rows={"gelu": Activation(lambda z, approximate: gelu(z, "tanh"), sound("gelu").dz)},
           fixed={"gelu": {"approximate": "none"}}),
    *(bug for op, before in (("nll", "log_softmax -> nll"), ("softmax_cross_entropy", "softmax_cross_entropy"))
      for bug in (
        Mutant(f"{op}: the ignored class counts", FAMILY,
               "samples of the ignored class are left out of the loss, but get a gradient like the others",
               (Fault(op, Factor.LOSS),), Symptom.MASK, f"x[1,2] -> {before}(ignore_index=0)", "classic",
               walk=uncounted(op), fixed={op: {**CLASSES[op], "ignore_index": 0, "reduction": "sum"}},
               beside=(op, "log_softmax")),
        Mutant(f"{op}: mean over the ignored samples too", FAMILY,
               "the loss is a mean over the samples that count, its slope is divided by the number of all",
               (Fault(op, Factor.LOSS),), Symptom.REDUCTION,
               f"x[2,2] -> {before}(ignore_index=0, reduction=mean)", "classic",
               walk=averaged_over_all(op), fixed={op: {**CLASSES[op], "ignore_index": 0, "reduction": "mean"}},
               beside=(op, "log_softmax")),
      )),
)
# fmt: on

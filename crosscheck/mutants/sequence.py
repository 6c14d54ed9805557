"""Bugs of recurrent layers and of attention."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crosscheck.backprop.attention import scale_of
from crosscheck.backprop.rows import Array, Kept
from crosscheck.mutants.changes import Backward, Call, layer
from crosscheck.mutants.mutant import Mutant
from crosscheck.mutants.parts import inputs, params
from crosscheck.spec.fault import Factor, Fault, Symptom

FAMILY = "sequence and attention"
ROLES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def states_after(call: Call) -> Backward:
    """∂C/∂U = Σ_t dz_t h_tᵀ, the state after a step where it is the one before it."""
    h, z = call.kept.values if call.kept is not None else ()
    later = np.concatenate((h[..., 1:, :, :], h[..., -1:, :, :]), axis=-3)
    return replace(call, kept=Kept((later, z), z)).answer


def not_passed_back(call: Call) -> Backward:
    """Of what was kept, as if no state fed the next step."""
    return replace(call, params={**call.params, "weight_hh": np.zeros_like(call.params["weight_hh"])}).answer


def forget_gate_left_out(_call: Call, g: Array) -> Array:
    """The second of four gates."""
    size = g.shape[-1] // 4
    less = g.copy()
    less[..., size : 2 * size] = 0.0
    return less


# fmt: off
MUTANTS: tuple[Mutant, ...] = (
    Mutant("rnn: h_t for h_(t-1)", FAMILY,
           "back-propagation through time multiplies by the state after a step where it needs the one before it",
           (Fault("rnn", Factor.PARAM, "weight_hh"),), Symptom.STALE, "x[1,1,1] -> rnn(1) -> sse", "zero_to_gpt#9",
           rows={"rnn": layer("rnn", states_after)}),
    Mutant("rnn: hidden gradient not passed back", FAMILY,
           "the gradient of a state is not passed back to the step before: each step counts for itself",
           (*(Fault("rnn", Factor.PARAM, role) for role in ROLES), *(Fault("rnn", Factor.INPUT, n) for n in "01")),
           Symptom.TERM, "x[1,2,1] -> rnn(1) -> sse", "qixianbiao/RNN#2",
           rows={"rnn": layer("rnn", not_passed_back)}),
    Mutant("attention: 1/√d missing", FAMILY,
           "the scores are multiplied by 1/√d in the forward, and the gradients of queries and keys are not",
           (Fault("attention", Factor.INPUT, "0"), Fault("attention", Factor.INPUT, "1")), Symptom.FACTOR,
           "x[1,2]; k[2,2]; v[2,2]; x -> attention(k, v) -> sse", "classic",
           rows={"attention": inputs("attention", (0, 1), lambda call, d: d / d.dtype.type(scale_of(call.site)))},
           fixed={"attention": {"scale": 0.0}}),
    Mutant("attention: causal mask ignored", FAMILY,
           "the forward hides the keys behind each query, and the backward takes all of them for seen",
           tuple(Fault("attention", Factor.INPUT, number) for number in "012"), Symptom.MASK,
           "x[1,1]; k[2,1]; v[2,1]; x -> attention(k, v, mask=causal) -> sse", "triton#4541",
           rows={"attention": layer("attention", lambda call: call.again(attributes={"mask": "none"}))},
           fixed={"attention": {"mask": "causal"}}),
    Mutant("lstm: forget gate's bias left out", FAMILY,
           "the biases of the forget gate get no gradient",
           (Fault("lstm", Factor.PARAM, "bias_ih"), Fault("lstm", Factor.PARAM, "bias_hh")), Symptom.MISSING,
           "x[1,2,1] -> lstm(1) -> sse", "classic",
           rows={"lstm": params("lstm", ("bias_ih", "bias_hh"), forget_gate_left_out)}, fixed={"lstm": {"bias": True}}),
)
# fmt: on

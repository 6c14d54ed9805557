"""Bugs of the walk over the graph, and of what is remembered from call to call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from crosscheck.backprop.dense import as_rows
from crosscheck.backprop.network import Walk
from crosscheck.backprop.rows import Array
from crosscheck.mutants.changes import Backward, Call, layer, slope
from crosscheck.mutants.mutant import Mutant, Remembering
from crosscheck.mutants.parts import inputs
from crosscheck.spec.case import Case
from crosscheck.spec.fault import Factor, Fault, Symptom
from crosscheck.spec.result import Gradients

FAMILY = "graph and state"
TO_INPUT, TO_WEIGHT = Fault("dense", Factor.INPUT, "0"), Fault("dense", Factor.PARAM, "weight")
RATE = 0.125


def doubles() -> Remembering:
    """What was answered to the same question is never cleared, and added to."""
    key, held = "", Gradients(np.zeros(0), {})

    def remember(case: Case, gradients: Gradients) -> Gradients:
        nonlocal key, held
        if case.key == key:
            gradients = replace(
                gradients,
                by_param={name: g + held.by_param[name] for name, g in gradients.by_param.items()},
                by_input={name: g + held.by_input[name] for name, g in gradients.by_input.items()},
            )
        key, held = case.key, gradients
        return gradients

    return remember


def trains() -> Remembering:
    """w ← w - rate ∂C/∂w, in the arrays that it was given."""

    def remember(case: Case, gradients: Gradients) -> Gradients:
        for name, g in gradients.by_param.items():
            w = case.params[name]
            w[...] = w - w.dtype.type(RATE) * g
        return gradients

    return remember


def by_updated_weights(call: Call) -> Backward:
    """∂C/∂a = dz (W - rate ∂C/∂W)."""
    _, d_params = call.answer
    weight = call.params["weight"]
    updated = weight - weight.dtype.type(RATE) * d_params["weight"]
    return call.again(params={**call.params, "weight": updated})[0], d_params


def untransposed(call: Call, d: Array) -> Array:
    """dz Wᵀ where it is dz W: it fits where in = out."""
    if call.site.in_shapes[0][-1] != call.site.out_shape[-1]:
        return d
    da = np.matmul(as_rows(call.d_out, len(call.site.out_shape)), call.params["weight"].swapaxes(-1, -2))
    return da.reshape(d.shape)


def by_first_node_alone(call: Call) -> Array:
    dz = call.d_out.copy()
    dz[..., 1:] = 0.0
    return dz


def of_own_output(call: Call) -> Backward:
    """∂z/∂w is the layer's own output where it is its input: it fits where in = out."""
    d_inputs, d_params = call.answer
    if call.site.in_shapes[0] != call.site.out_shape:
        return d_inputs, d_params
    return d_inputs, {**d_params, "weight": call.again(inputs=(call.output,))[1]["weight"]}


def in_place(z: Array, a: Array, da: Array, sound: Any) -> Array:
    """da *= g'(z): whoever else is given the same array finds it changed."""
    found = sound(z, a, da)
    if not da.flags.writeable or da.shape != found.shape:
        return found
    da[...] = found
    return da


def others_for_all(call: Call) -> Backward:
    """Of each factor of a product itself, where it is the product of the others."""
    return tuple(call.d_out * a for a in call.inputs), {}


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="fork: = for +=",
        family=FAMILY,
        what="at a fork the gradient of one use overwrites that of the others",
        faults=(Fault(None, Factor.SUM),),
        symptom=Symptom.OVERWRITTEN,
        smallest="x[1,1] -> add(x) -> sse",
        source="nn-zero-to-hero#52",
        walk=Walk(at_fork=lambda found, more: more),
        beside=("add", "multiply", "tanh"),
    ),
    Mutant(
        name="node back-propagated once a path",
        family=FAMILY,
        what="a node that is used twice passes on what came by the first use once more with the second",
        faults=(Fault(None, Factor.SUM),),
        symptom=Symptom.TWICE,
        smallest="x[1,1] -> add(x) -> sse",
        source="micrograd#2",
        walk=Walk(at_fork=lambda found, more: found + (found + more)),
        beside=("add", "multiply", "tanh"),
    ),
    Mutant(
        name="shared parameter overwritten",
        family=FAMILY,
        what="the gradient of a parameter that two layers share is that of one of them",
        faults=(Fault(None, Factor.SUM),),
        symptom=Symptom.OVERWRITTEN,
        smallest="x[1,1] -> dense(1) -> dense(1, weight=@0.weight, bias=@0.bias) -> sse",
        source="caffe#3254",
        walk=Walk(of_shared=lambda found, more: more),
        beside=("dense", "tanh"),
    ),
    Mutant(
        name="second call doubles",
        family=FAMILY,
        what="gradients are never cleared: those of the second call are added to those of the first",
        faults=(Fault(None, Factor.STATE),),
        symptom=Symptom.STATE,
        smallest="x[1,1] -> sse",
        source="micrograd#53",
        remembers=doubles,
    ),
    Mutant(
        name="trains while it is asked",
        family=FAMILY,
        what="the weights that it was given are updated in place",
        faults=(Fault(None, Factor.STATE),),
        symptom=Symptom.STATE,
        smallest="x[1,1] -> dense(1) -> sse",
        source="joelgrus#31",
        remembers=trains,
    ),
    Mutant(
        name="dense: weights updated too early",
        family=FAMILY,
        what="the weights are updated before the gradient of the input is computed from them",
        faults=(TO_INPUT,),
        symptom=Symptom.STALE,
        smallest="x[1,1] -> dense(1) -> sse",
        source="joelgrus#31",
        rows={"dense": layer("dense", by_updated_weights)},
    ),
    Mutant(
        name="tanh: overwrites what comes from above",
        family=FAMILY,
        what="the backward of tanh is computed in place, in an array that another branch of a sum is given too",
        faults=(Fault("tanh", Factor.SLOPE), Fault("add", Factor.INPUT), Fault(None, Factor.SUM)),
        symptom=Symptom.OVERWRITTEN,
        smallest="x[1,1] -> tanh -> add(x) -> sse",
        source="apex#1430",
        rows={"tanh": slope("tanh", in_place)},
        beside=("add",),
    ),
    Mutant(
        name="dense: weight untransposed",
        family=FAMILY,
        what="the gradient of the input is dz Wᵀ where it is dz W, which shows where a layer is square alone",
        faults=(TO_INPUT,),
        symptom=Symptom.TRANSPOSED,
        smallest="x[1,2] -> dense(2) -> sse",
        source="classic",
        rows={"dense": inputs("dense", (0,), untransposed)},
    ),
    Mutant(
        name="dense: one path alone",
        family=FAMILY,
        what="the gradient of a node lacks the sum over the nodes of the next layer: the first alone counts",
        faults=(TO_INPUT,),
        symptom=Symptom.NOT_SUMMED,
        smallest="x[1,1] -> dense(2) -> sse",
        source="classic",
        rows={"dense": inputs("dense", (0,), lambda call, _: call.again(d_out=by_first_node_alone(call))[0][0])},
    ),
    Mutant(
        name="dense: layer index off by one",
        family=FAMILY,
        what="the gradient of the weights has the output of the layer where it has its input, a^(l) for a^(l-1)",
        faults=(TO_WEIGHT,),
        symptom=Symptom.STALE,
        smallest="x[1,1] -> dense(1) -> sse",
        source="classic",
        rows={"dense": layer("dense", of_own_output)},
    ),
    Mutant(
        name="add: identity path forgotten",
        family=FAMILY,
        what="in a residual block the branch gets its gradient, and the identity path beside it gets none",
        faults=(Fault("add", Factor.INPUT, "1"),),
        symptom=Symptom.MISSING,
        smallest="x[1,1] -> add(x) -> sse",
        source="classic",
        rows={"add": inputs("add", tuple(range(1, 8)), lambda _, d: np.zeros_like(d))},
        beside=("tanh",),
    ),
    Mutant(
        name="multiply: own for other",
        family=FAMILY,
        what="the slope of a product by one of its factors is that factor where it is the product of the others",
        faults=(Fault("multiply", Factor.INPUT),),
        symptom=Symptom.OTHER_FUNCTION,
        smallest="x[1,1] -> tanh -> multiply(x) -> sse",
        source="classic",
        rows={"multiply": layer("multiply", others_for_all)},
        beside=("tanh",),
    ),
)

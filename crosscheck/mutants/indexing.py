"""Bugs of indices and axes: where a number comes from, and where its gradient goes."""

from __future__ import annotations

import numpy as np

from crosscheck.backprop.activations import below_the_top, log_softmax_pulled_back, softmax, softmax_pulled_back
from crosscheck.backprop.rows import Array
from crosscheck.backprop.selection import flat
from crosscheck.mutants.changes import Backward, Call, layer, slope
from crosscheck.mutants.mutant import Mutant
from crosscheck.mutants.parts import params
from crosscheck.spec.fault import Factor, Fault, Symptom

FAMILY = "indexing"


def last_occurrence(call: Call, g: Array) -> Array:
    """weight[ids] = d where it is +=."""
    ids = flat(call.site, call.inputs[0])
    d = call.d_out.reshape((*call.d_out.shape[: call.lead], ids.shape[-1], call.site.out_shape[-1]))
    found = np.zeros_like(g)
    np.put_along_axis(found, np.broadcast_to(ids[..., np.newaxis], d.shape), d, axis=-2)
    return found


def split_off_by_one(call: Call) -> Backward:
    return call.again(d_out=np.roll(call.d_out, 1, axis=int(call.site.attributes["axis"])))


def axis_off_by_one(call: Call) -> Backward:
    """axis1 = -3 is taken for -2, and what comes out is read in the input's shape."""
    one, other = (int(call.site.attributes[name]) for name in ("axis1", "axis2"))
    swapped = call.d_out.swapaxes(one + 1 if one < -1 else one, other)
    return (swapped.reshape((*swapped.shape[: call.lead], *call.site.in_shapes[0])),), {}


def softmax_over_the_last(z: Array, _a: Array, da: Array, _sound: object, axis: int) -> Array:
    """The values, too, are made again over the last axis."""
    del axis
    return softmax_pulled_back(z, softmax(z, -1), da, -1)


def log_softmax_over_the_last(z: Array, _a: Array, da: Array, _sound: object, axis: int) -> Array:
    del axis
    return log_softmax_pulled_back(below_the_top(z, -1), da, -1)


# fmt: off
MUTANTS: tuple[Mutant, ...] = (
    Mutant("embedding: duplicates overwrite", FAMILY,
           "a row that is named several times gets the gradient of one of them, not their sum",
           (Fault("embedding", Factor.PARAM, "weight"),), Symptom.OVERWRITTEN,
           "ids[2]:int64 -> embedding(1, 1) -> sse", "pytorch#1631, mxnet#9172",
           rows={"embedding": params("embedding", ("weight",), last_occurrence)}, beside=("add",)),
    Mutant("transpose: negative axis off by one", FAMILY,
           "an axis that is counted from the end is taken for the one beside it in the backward",
           (Fault("transpose", Factor.INPUT, "0"),), Symptom.AXIS,
           "x[1,2,2] -> transpose(axis1=-3) -> sse", "HIPS/autograd#350",
           rows={"transpose": layer("transpose", axis_off_by_one)},
           fixed={"transpose": {"axis1": -3}}, beside=("conv1d",)),
    Mutant("softmax: axis counted from the wrong end", FAMILY,
           "the softmax is over the axis before the last, its backward over the last",
           (Fault("softmax", Factor.SLOPE),), Symptom.AXIS, "x[2,1] -> softmax(axis=-2) -> sse", "classic",
           rows={"softmax": slope("softmax", lambda z, a, da, sound, axis: softmax_pulled_back(z, a, da, -1))},
           fixed={"softmax": {"axis": -2}}),
    *(Mutant(f"{op}: the axis ignored", FAMILY,
             f"the backward is that of a {op} over the last axis, whichever it was taken over",
             (Fault(op, Factor.SLOPE),), Symptom.AXIS, f"x[2,1] -> {op}(axis=-2) -> sse", source,
             rows={op: slope(op, over_the_last)}, fixed={op: {"axis": -2}})
      for op, over_the_last, source in (("softmax", softmax_over_the_last, "numpy-ml 0.1.2, Softmax"),
                                        ("log_softmax", log_softmax_over_the_last, "classic"))),
    Mutant("concat: split off by one", FAMILY,
           "the gradient of a concatenation is cut one place before where the inputs meet",
           (Fault("concat", Factor.INPUT),), Symptom.AXIS, "x[1,2] -> concat(x) -> sse", "classic",
           rows={"concat": layer("concat", split_off_by_one)}),
)
# fmt: on

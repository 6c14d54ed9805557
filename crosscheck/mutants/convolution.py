"""Bugs of convolutions and pools: of where a window lies, and of what is summed over windows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from crosscheck.backprop.pooling import first_largest, windows_of
from crosscheck.backprop.rows import Array
from crosscheck.backprop.windows import entries
from crosscheck.mutants.changes import Backward, Call, layer
from crosscheck.mutants.mutant import Mutant
from crosscheck.mutants.parts import inputs, inputs_of, params
from crosscheck.spec.fault import Factor, Fault, Symptom
from crosscheck.spec.op import sizes_of

FAMILY = "pooling and convolution"


def of_input(op: str) -> tuple[Fault, ...]:
    return (Fault(op, Factor.INPUT, "0"),)


def of_weight(op: str) -> tuple[Fault, ...]:
    return (Fault(op, Factor.PARAM, "weight"),)


def last_window_alone(call: Call) -> Backward:
    """What a window gives is written where its largest number stands, over what another gave."""
    windows = windows_of(call.site)
    won = first_largest(entries(call.inputs[0], windows, -math.inf), any(windows.padding))
    reach = (n + 2 * p for n, p in zip(windows.size, windows.padding, strict=True))
    total = np.zeros_like(call.d_out, shape=(*call.d_out.shape[: call.d_out.ndim - windows.axes], *reach))
    for place, each in zip(windows.places, won, strict=True):
        total[place] = np.where(each, call.d_out, total[place])
    inside: tuple[Any, ...] = (..., *(slice(p, p + n) for p, n in zip(windows.padding, windows.size, strict=True)))
    return (total[inside],), {}


def other_divisor(call: Call) -> Backward:
    return call.again(attributes={"count_include_pad": not call.site.attributes["count_include_pad"]})


def uncropped(call: Call) -> Backward:
    """The gradient of the padded input, of which the first numbers are taken."""
    shape = call.site.in_shapes[0]
    padding = sizes_of(call.site.attributes["padding"], len(shape) - 2)
    around = [(0, 0)] * (call.lead + 2) + [(p, p) for p in padding]
    whole = np.pad(call.inputs[0], around)
    site = replace(
        call.site,
        attributes={**call.site.attributes, "padding": 0},
        in_shapes=(whole.shape[call.lead :],),
    )
    (d, *_), _ = replace(call, site=site, inputs=(whole,)).answer
    first: tuple[Any, ...] = (..., *(slice(n) for n in shape[2:]))
    return (np.asarray(d)[first],), {}


def groups_shifted(call: Call, g: Array) -> Array:
    """Each group has the gradient of the one before it."""
    groups, out = int(call.site.attributes["groups"]), int(call.site.attributes["out"])
    return np.roll(g, out // groups, axis=-len(call.site.out_shape))


# fmt: off
MUTANTS: tuple[Mutant, ...] = (
    Mutant("max_pool1d: overlapping windows overwrite", FAMILY,
           "a number that is the largest of several windows gets the gradient of one of them, not their sum",
           of_input("max_pool1d"), Symptom.OVERWRITTEN,
           "x[1,1,1] -> max_pool1d(stride=1, padding=1) -> sse", "NNlib.jl#205",
           rows={"max_pool1d": layer("max_pool1d", last_window_alone)},
           fixed={"max_pool1d": {"kernel": 2, "stride": 1}}),
    Mutant("avg_pool1d: other divisor", FAMILY,
           "forward and backward of a mean do not agree on whether the padding counts",
           of_input("avg_pool1d"), Symptom.BOUNDARY, "x[1,1,1] -> avg_pool1d(padding=1) -> sse", "burn#5604",
           rows={"avg_pool1d": layer("avg_pool1d", other_divisor)}, fixed={"avg_pool1d": {"padding": 1}}),
    Mutant("conv1d: input gradient shifted", FAMILY,
           "the gradient of the input of a convolution is written one place too far",
           of_input("conv1d"), Symptom.AXIS, "x[1,1,2] -> conv1d(1, 1) -> sse", "neon#111",
           rows={"conv1d": inputs("conv1d", (0,), lambda _, d: np.roll(d, 1, axis=-1))}),
    Mutant("conv2d: groups mixed up", FAMILY,
           "in a grouped convolution the weights of each group get the gradient of another",
           of_weight("conv2d"), Symptom.AXIS, "x[1,2,1,1] -> conv2d(2, 1, groups=2) -> sse", "pytorch#51430",
           rows={"conv2d": params("conv2d", ("weight",), groups_shifted)}, fixed={"conv2d": {"groups": 2}}),
    Mutant("conv1d: stride ignored", FAMILY,
           "the backward of a convolution moves its windows by one place, whatever the stride",
           of_input("conv1d") + of_weight("conv1d"), Symptom.AXIS, "x[1,1,3] -> conv1d(1, 1, stride=2) -> sse",
           "Kulbear#34",
           rows={"conv1d": layer("conv1d", lambda call: call.again(attributes={"stride": 1}))},
           fixed={"conv1d": {"stride": 2}}),
    Mutant("conv2d: kernel not flipped", FAMILY,
           "the gradient of the input is the convolution with the kernel as it lies, where it must be turned over",
           of_input("conv2d"), Symptom.AXIS, "x[1,1,1,2] -> conv2d(1, 1x2) -> sse", "classic",
           rows={"conv2d": inputs_of("conv2d", lambda call: call.again(
               params={**call.params, "weight": np.flip(call.params["weight"], axis=(-2, -1))}))},
           fixed={"conv2d": {"kernel": "1x2"}}),
    Mutant("conv1d: padding not cropped", FAMILY,
           "the gradient of the padded input is cut at its end alone: it begins with that of the padding",
           of_input("conv1d"), Symptom.AXIS, "x[1,1,1] -> conv1d(1, 1, padding=1) -> sse", "classic",
           rows={"conv1d": inputs_of("conv1d", uncropped)}, fixed={"conv1d": {"padding": 1}}),
)
# fmt: on

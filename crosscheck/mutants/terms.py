"""What can be wrong with one kind of layer alone: its terms, windows, steps, masks and indices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np

from crosscheck.backprop import attention, normalisation, recurrent
from crosscheck.backprop.rows import Array, Keeping
from crosscheck.mutants.alterations import (
    EXACT,
    Alteration,
    alone,
    along,
    both,
    by_input,
    by_param,
    has,
    square,
    where,
)
from crosscheck.mutants.asked import OfLayer, Part
from crosscheck.spec.fault import Symptom
from crosscheck.spec.normalisation import EVALUATION
from crosscheck.spec.op import Attribute, Value, sizes_of
from crosscheck.spec.pooling import steps
from crosscheck.spec.recurrent import GATES
from crosscheck.strategies.space import ATTRIBUTE_VALUES

Rule = Callable[[Part], bool]


def of(*ops: str) -> Rule:
    return lambda part: part.op.name in ops


def named(*names: str) -> Rule:
    return lambda part: part.name in names


# --- other operands -----------------------------------------------------------------------------------------------


def by_transposed(*roles: str) -> Callable[[OfLayer], Array]:
    """The backward by these weights transposed, where they are square."""

    def change(it: OfLayer) -> Array:
        given = it.call.params
        found = {r: given[r].swapaxes(-1, -2) for r in roles if r in given and square(given[r].shape[it.lead :])}
        return it.by(found)

    return change


def by_transposed_gates(it: OfLayer) -> Array:
    """The backward by the weights of the state with the square of each gate transposed."""
    weight = it.call.params["weight_hh"]
    size = weight.shape[-1]
    gates = weight.reshape((*weight.shape[:-2], -1, size, size)).swapaxes(-1, -2)
    return it.by({"weight_hh": gates.reshape(weight.shape)})


def by_flipped(it: OfLayer) -> Array:
    """The backward by the kernel the other way round."""
    weight, shape = it.call.params["weight"], it.call.site.in_shapes[0]
    spatial = tuple(range(-(len(shape) - 2), 0))
    return it.by({"weight": np.flip(weight, axis=spatial)})


def other_operand_untransposed(it: OfLayer) -> Array:
    inputs = [a.swapaxes(-1, -2) if square(a.shape[it.lead :]) else a for a in it.call.inputs]
    return it.again(inputs=tuple(inputs))


def by_itself(it: OfLayer) -> Array:
    return it.call.d_out * it.x


def by_all(it: OfLayer) -> Array:
    return it.call.d_out * it.call.output


# --- normalisations -----------------------------------------------------------------------------------------------


def statistics(keep: Callable[[Array, Array, Any], Array]) -> Callable[[OfLayer], Array]:
    """The gradient by the input as `keep`(g, x, axes)/σ; of given statistics the sound one. Formula: see backprop."""

    def change(it: OfLayer) -> Array:
        site, inputs = it.call.site, it.call.inputs
        if site.attributes.get("mode") == EVALUATION:
            return it.g
        groups = GROUPS[it.part.op.name](site)
        d = normalisation.seen(it.call.d_out, site.out_shape, groups.shape)
        r, q, s = normalisation.scaled(
            normalisation.seen(inputs[0], site.in_shapes[0], groups.shape), groups, float(site.attributes["eps"])
        )
        found = keep(normalisation.weighed(d, groups, it.call.params), r / q, groups.axes) / q / s
        return normalisation.seen(found, groups.shape, site.in_shapes[0])

    return change


GROUPS: Mapping[str, Callable[[Any], normalisation.Groups]] = {
    "batch_norm": normalisation.by_channel,
    "layer_norm": normalisation.by_last_axes,
    "rms_norm": normalisation.by_last_axis,
    "group_norm": normalisation.by_group,
}


def without_mean(g: Array, x: Array, axes: Any) -> Array:
    return g - x * normalisation.mean(g * x, axes)


def without_variance(g: Array, _x: Array, axes: Any) -> Array:
    return normalisation.around_mean(g, axes)


def without_both(g: Array, _x: Array, _axes: Any) -> Array:
    return g


# --- recurrent layers and attention -------------------------------------------------------------------------------


def by_rows(rows: Mapping[str, Keeping]) -> Callable[[OfLayer], Array]:
    """The backward of another table on what the sound forward has kept."""

    def change(it: OfLayer) -> Array:
        call = replace(it.call, row=rows[it.part.op.name])
        return it.part.of(call.answer)

    return change


def elementwise_softmax(p: Array, dp: Array, _d: Array, _out: Array) -> Array:
    return p * dp


SOFTMAX_ALONE = attention.rows(attention.Softmax(attention.weights, elementwise_softmax))
ONES = recurrent.rows(*(replace(gate, slope=lambda w, a: 1.0 + 0.0 * a) for gate in (
    recurrent.SIGMOID, recurrent.TANH, recurrent.RELU)))  # fmt: skip


def not_passed_back(it: OfLayer) -> Array:
    return it.by({"weight_hh": 0.0 * it.call.params["weight_hh"]})


def step_alone(place: int) -> Callable[[OfLayer], Array]:
    """With the gradient by the output of one step alone."""

    def change(it: OfLayer) -> Array:
        if it.call.site.attributes["output"] == "last":
            return it.g
        return it.again(d_out=alone(it.call.d_out, it.lead + 1, place))

    return change


def doubled_from_the_second_step_on(it: OfLayer) -> Array:
    return 2.0 * it.g if it.call.site.in_shapes[0][1] > 1 else it.g


def gate_forgotten(gate: int) -> Callable[[OfLayer], Array]:
    def change(it: OfLayer) -> Array:
        axis = it.lead
        size = it.g.shape[axis] // GATES[it.part.op.name]
        place = np.arange(it.g.shape[axis]) // size
        return np.where(along(place == gate, it.g, axis), 0.0 * it.g, it.g)

    return change


def unmasked(it: OfLayer) -> Array:
    """As if the mask kept everything."""
    inputs = tuple(np.ones_like(a) if a.dtype == np.bool_ else a for a in it.call.inputs)
    return it.again(
        inputs=inputs, attributes={"mask": "none"} if it.call.site.attributes.get("mask") == "causal" else {}
    )


# --- windows, places and indices ----------------------------------------------------------------------------------


def window_alone(place: int) -> Callable[[OfLayer], Array]:
    return lambda it: it.again(d_out=alone(it.call.d_out, -1, place))


def per_window(it: OfLayer) -> Array:
    """Times how many numbers a mean is over."""
    attributes, shape = it.call.site.attributes, it.call.site.in_shapes[0]
    sizes = sizes_of(attributes["kernel"], len(shape) - 2) if "kernel" in attributes else shape[2:]
    return it.g * float(np.prod(sizes))


def where_windows_overlap(it: OfLayer) -> Array:
    attributes, axes = it.call.site.attributes, len(it.call.site.in_shapes[0]) - 2
    overlap = any(s < k for s, k in zip(steps(attributes, axes), sizes_of(attributes["kernel"], axes), strict=True))
    return 0.5 * it.g if overlap else it.g


def with_padding_counted_otherwise(it: OfLayer) -> Array:
    return it.again(attributes={"count_include_pad": not it.call.site.attributes["count_include_pad"]})


def where_tied(it: OfLayer) -> Array:
    same = np.equal(it.x[..., :, np.newaxis], it.x[..., np.newaxis, :]).sum(axis=-1) > 1
    return where(it, same, 2.0 * it.g)


def last_use_alone(it: OfLayer) -> Array:
    """Of each row of an embedding the gradient by the last place that names it."""
    ids = it.call.inputs[0].reshape((*it.call.inputs[0].shape[: it.lead], -1))
    later = np.triu(np.equal(ids[..., :, np.newaxis], ids[..., np.newaxis, :]), 1).any(axis=-1)
    kept = ~later.reshape(it.call.d_out.shape[:-1])[..., np.newaxis]
    return it.again(d_out=np.where(kept, it.call.d_out, 0.0 * it.call.d_out))


def mean_over_uses(it: OfLayer) -> Array:
    ids = it.call.inputs[0].reshape((*it.call.inputs[0].shape[: it.lead], -1))
    uses = np.equal(ids[..., np.newaxis], np.arange(it.g.shape[it.lead])).sum(axis=-2)[..., np.newaxis]
    return it.g / np.maximum(uses, 1).astype(it.g.dtype)


def one_half_alone(it: OfLayer) -> Array:
    """Of a gated layer the first half of the axis, and 0 for the other."""
    axis = int(it.call.site.attributes["axis"])
    first = np.arange(it.g.shape[axis]) < it.g.shape[axis] // 2
    return np.where(along(first, it.g, axis), it.g, 0.0 * it.g)


def halves_swapped(it: OfLayer) -> Array:
    axis = int(it.call.site.attributes["axis"])
    return np.roll(it.g, it.g.shape[axis] // 2, axis=axis)


def along_the_other_axis(it: OfLayer) -> Array:
    """Asked with the last two axes swapped, where both input and output are square in them."""
    call = it.call
    if not (square(call.site.in_shapes[0]) and square(call.site.out_shape)):
        return it.g
    swapped = it.again(d_out=call.d_out.swapaxes(-1, -2), inputs=(call.inputs[0].swapaxes(-1, -2), *call.inputs[1:]))
    return swapped.swapaxes(-1, -2) if by_input(it.part) else swapped


_NORMS = tuple(GROUPS)
_CENTRED = ("batch_norm", "layer_norm", "group_norm")
_RECURRENT = tuple(GATES)
_FIRST = named("0")


def _once(alteration: Alteration) -> Alteration:
    return replace(alteration, always=True)


# fmt: off
TERMS: tuple[Alteration, ...] = tuple(map(_once, (
    Alteration("by the weight untransposed", "is computed by the weight transposed, where it is square",
               Symptom.TRANSPOSED, by_transposed("weight", "weight_ih", "weight_o"),
               both(by_input, _FIRST, of("dense", "multi_head_attention"))),
    Alteration("state by the weight untransposed", "is carried from step to step by the weight transposed",
               Symptom.TRANSPOSED, by_transposed_gates, both(by_param, named("weight_ih"), of(*_RECURRENT))),
    Alteration("kernel the wrong way round", "is computed by the kernel flipped", Symptom.AXIS, by_flipped,
               both(by_input, has("kernel"), has("groups"))),
    Alteration("other factor untransposed", "is computed by the other factor untransposed, where it is square",
               Symptom.TRANSPOSED, other_operand_untransposed, of("matmul")),
    Alteration("by its own factor", "is multiplied by its own factor instead of the others", Symptom.STALE,
               by_itself, both(of("multiply"), _FIRST)),
    Alteration("by all factors", "is multiplied by all factors, its own too", Symptom.TERM, by_all,
               both(of("multiply"), named("1"))),
    Alteration("not transposed back", "is passed on as it comes, where it is square", Symptom.TRANSPOSED,
               lambda it: it.call.d_out if it.call.d_out.shape == it.g.shape else it.g, of("transpose")),
    Alteration("mean term dropped", "lacks the term by which each number is in the mean", Symptom.TERM,
               statistics(without_mean), both(_FIRST, of(*_CENTRED)), families=("dyadic", "normal", "small")),
    Alteration("variance term dropped", "lacks the term by which each number is in the variance", Symptom.TERM,
               statistics(without_variance), both(_FIRST, of(*_NORMS))),
    Alteration("statistics as constants", "takes mean and variance for constants", Symptom.TERM,
               statistics(without_both), both(_FIRST, of(*_CENTRED))),
    Alteration("along the other axis", "is taken along another axis than the values, where both are alike",
               Symptom.AXIS, along_the_other_axis, both(_FIRST, of("layer_norm", "rms_norm"))),
    Alteration("softmax as if elementwise", "lacks the sum in the softmax's derivative", Symptom.DIAGONAL,
               by_rows(SOFTMAX_ALONE), both(of("attention", "multi_head_attention"), named("0", "1", "bias_k"))),
    Alteration("mask ignored", "is that of a layer whose mask keeps everything", Symptom.MASK, unmasked,
               both(by_input, of("attention", "multi_head_attention", "dropout"), _FIRST)),
    Alteration("slope of the gates missing", "lacks the derivatives of the gates", Symptom.NO_SLOPE, by_rows(ONES),
               both(of(*_RECURRENT), named("0"))),
    Alteration("not passed back in time", "is not carried from a step to the one before by the weights",
               Symptom.TERM, not_passed_back, both(of(*_RECURRENT), named("weight_ih"))),
    Alteration("last step alone", "counts the output of the last step alone", Symptom.NOT_SUMMED, step_alone(-1),
               both(of(*_RECURRENT), named("weight_hh")), fixed={"output": "sequence"}),
    Alteration("first step alone", "counts the output of the first step alone", Symptom.NOT_SUMMED, step_alone(0),
               both(of(*_RECURRENT), named("0")), fixed={"output": "sequence"}),
    Alteration("doubled with a second step", "is doubled as soon as there is more than one step", Symptom.BOUNDARY,
               doubled_from_the_second_step_on, both(of(*_RECURRENT), named("weight_hh"))),
    Alteration("first gate forgotten", "is zero for the first gate", Symptom.TERM, gate_forgotten(0),
               both(of("lstm", "gru"), named("weight_ih"))),
    Alteration("second gate forgotten", "is zero for the second gate", Symptom.TERM, gate_forgotten(1),
               both(of("lstm", "gru"), named("bias_ih", "bias_hh"))),
    Alteration("last window alone", "counts the last window alone, not the sum over all", Symptom.NOT_SUMMED,
               window_alone(-1), both(has("kernel"), lambda part: part.name == "weight" or not has("groups")(part))),
    Alteration("not divided", "is not divided by the number of what the mean is over", Symptom.FACTOR, per_window,
               of("avg_pool1d", "avg_pool2d", "global_avg_pool")),
    Alteration("halved where windows overlap", "is halved where windows overlap", Symptom.BOUNDARY,
               where_windows_overlap, of("max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d")),
    Alteration("padding counted otherwise", "divides by another count than the forward where there is padding",
               Symptom.BOUNDARY, with_padding_counted_otherwise, has("count_include_pad")),
    Alteration("doubled at a tie", "is doubled where two numbers are equal", Symptom.KINK, where_tied,
               both(lambda part: part.op.ties, by_input), families=EXACT),
    Alteration("repeated ids overwrite", "is that of the last place that names a row, not the sum over all",
               Symptom.OVERWRITTEN, last_use_alone, of("embedding")),
    Alteration("mean over repeated ids", "is the mean over the places that name a row, not the sum", Symptom.MEAN,
               mean_over_uses, of("embedding")),
    Alteration("gate alone", "is zero for the second half of the axis", Symptom.TERM, one_half_alone,
               of("glu", "swiglu")),
    Alteration("halves swapped", "has the halves of the axis swapped", Symptom.AXIS, halves_swapped,
               of("glu", "swiglu")),
)))
# fmt: on


# --- attributes -------------------------------------------------------------------------------------------------


def at_attributes(part: Part) -> Iterator[Alteration]:
    """For each attribute of a layer that may differ from its default: wrong only where it does.

    A number that no shape depends on is taken at its default; for any other the gradient is doubled.
    """
    for attribute in part.op.attributes:
        for other in ATTRIBUTE_VALUES.get((part.op.name, attribute.name), ())[1:2]:
            if attribute.name not in part.fixed:
                yield _ignoring(attribute, other) if attribute.type == "float" else _doubled(part, attribute, other)


def _ignoring(attribute: Attribute, other: Value) -> Alteration:
    return Alteration(
        f"{attribute.name} ignored",
        f"is taken with the default of {attribute.name}, whatever {attribute.name} is",
        Symptom.FACTOR if attribute.name == "p" else Symptom.TERM,
        lambda it: it.again(attributes={attribute.name: cast("Value", attribute.default)}),
        fixed={attribute.name: other},
    )


def _doubled(part: Part, attribute: Attribute, other: Value) -> Alteration:
    value = str(other).lower() if isinstance(other, bool) else str(other)
    there = "above 1" if attribute.name in ("stride", "dilation", "groups") and other != 1 else value
    return Alteration(
        f"doubled with {attribute.name}={value}",
        f"is doubled where {attribute.name} is {there}",
        Symptom.BOUNDARY,
        lambda it: 2.0 * it.g if it.call.site.attributes[attribute.name] == other else it.g,
        always=attribute.name == "stride" and other != 1 and part.name == "0",
        fixed={attribute.name: other},
    )

"""The bound of each entry: 16 σ of the stochastic run, plus a few of the smallest numbers of the format.

σ is the root mean square, around the plain run, of the sound backprop on textbook rows: never of the code
that is being judged. Which rows: those of the party's error model, None for the textbook or a framework's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import cast

import numpy as np

from crosscheck.backprop import network
from crosscheck.backprop.rows import Rows
from crosscheck.spec.case import Case
from crosscheck.spec.op import Shape
from crosscheck.spec.ops import op_named
from crosscheck.spec.result import Array, Bools, Bound, Floats, Gradients
from crosscheck.tolerance.frameworks import (
    BY_INVERSE_SQUARE,
    BY_RSQRT,
    DERIVATIVE_ERROR,
    DEVIATIONS,
    GATED,
    LOSES_EARLY,
    LOSES_LOGARITHMS,
    LOSES_MEANS,
    LOSS_ERROR,
    VALUE_ERROR,
    Constants,
    KnownDeviation,
)
from crosscheck.tolerance.loss_deviations import LOSS_DEVIATIONS, LossDeviation
from crosscheck.tolerance.memory import SAMPLES as SAMPLES
from crosscheck.tolerance.memory import SAMPLES_FOR_SUSPECTS as SAMPLES_FOR_SUSPECTS
from crosscheck.tolerance.memory import points_at_once
from crosscheck.tolerance.rounding import FORMATS, MULTIPLE, Rounded, Rounding
from crosscheck.tolerance.rows import ROWS, ROWS_WITH_DEVIATIONS, SOUND_LOSSES, hardsigmoid_line

# "A few": one for the result, one for each of the last operations that may have underflowed with it.
SMALLEST = 4.0

# The ops that some framework's model widens.
# fmt: off
WIDENED = {
    *DERIVATIVE_ERROR, *VALUE_ERROR, *GATED, *LOSS_ERROR, *LOSES_MEANS, *LOSES_LOGARITHMS,
    *BY_RSQRT, *BY_INVERSE_SQUARE,
}
# fmt: on


def applicable(case: Case, model: str | None) -> Constants | None:
    """The model where the architecture has an op that it widens; else None, which is then the same."""
    widened = any(op in WIDENED for op in case.architecture.ops)
    return cast("Constants", model) if widened and model in ROWS else None


def bound(
    case: Case,
    dtype: str,
    model: str | None = None,
    *,
    samples: int = SAMPLES,
    key: str | None = None,
    rows: Rows | None = None,
    alike: bool = True,
) -> Bound:
    """The bound for a party that computes in `dtype` from the case's exact numbers.

    `rows` replaces the error model's rows. `key` seeds the samples (default: the case's own key), so that a
    case asked again is asked alike. `samples` is even: they come in pairs that take the same branches.

    Without `alike` equal operations round each on its own: the bound of the neighbourhood. At a point of symmetry,
    all logits alike, equal roundings cancel; a step away they do not. Of a large network only some points are run at
    once: no bound depends on what other points there are.
    """
    at_once, points = points_at_once(case.architecture, samples), case.n_points
    if points <= at_once:
        return _bound(case, dtype, model, key or case.key, samples, rows, alike=alike)
    parts = [list(range(start, min(start + at_once, points))) for start in range(0, points, at_once)]
    return joined(
        [_bound(case.take(part), dtype, model, key or case.key, samples, rows, alike=alike) for part in parts]
    )


def joined(parts: Sequence[Bound]) -> Bound:
    """The bounds of one architecture's points, part after part."""

    def along(arrays: Iterable[Array]) -> Array:
        return np.concatenate(list(arrays))

    def gradients(of: Callable[[Bound], Gradients]) -> Gradients:
        found = [of(part) for part in parts]
        return Gradients(
            loss=along(g.loss for g in found),
            by_param={k: along(g.by_param[k] for g in found) for k in found[0].by_param},
            by_input={k: along(g.by_input[k] for g in found) for k in found[0].by_input},
            by_node={k: along(g.by_node[k] for g in found) for k in found[0].by_node},
            outputs=None if found[0].outputs is None else along(g.outputs for g in found if g.outputs is not None),
        )

    shapes = {link: near.shape[1:] for part in parts for link, near in part.near.items()}
    return Bound(
        gradients=gradients(lambda part: part.gradients),
        held=gradients(lambda part: part.held),
        centre=gradients(lambda part: part.centre),
        parted=along(part.parted for part in parts),
        near={
            link: along(part.near.get(link, np.zeros((len(part.parted), *shape))) for part in parts)
            for link, shape in shapes.items()
        },
        loss_spread=along(part.loss_spread for part in parts),
        signal=along(part.signal for part in parts),
        overflown=along(part.overflown for part in parts),
    )


def _bound(
    case: Case, dtype: str, model: str | None, key: str, samples: int, rows: Rows | None, *, alike: bool
) -> Bound:
    """The same for as many points as fit."""
    rows = ROWS[applicable(case, model)] if rows is None else rows
    rounding = Rounding.of(dtype, key, samples, case.n_points, alike=alike)
    unit = FORMATS[dtype].scale
    with np.errstate(all="ignore"):
        noisy, tape = _run(case, rows, rounding)
        centre = network.gradients(case.astype("float64"), rows, by_node=True)
        floor = SMALLEST * _smallest(case, dtype, model)
        parted = rounding.parted
        # What a parted branch does to an entry is no rounding, and is not scaled back like one.
        scale = np.where(parted, 1.0, unit)
        scale_held = np.where(rounding.lost, 1.0, unit)

        def sigma(samples_of: Array | None, middle: Array) -> Floats:
            if samples_of is None:  # the loss does not reach it: exactly zero
                return np.zeros(middle.shape)
            return spread(samples_of, middle) * _along(scale, middle)

        def widen(name: str, middle: Array) -> Floats:
            return MULTIPLE * sigma(noisy.get(name), middle) + floor

        def hold(name: str, wide: Floats) -> Floats:
            if name not in noisy or not parted.any():
                return wide
            held = np.array(wide)
            within = spread_in_pairs(noisy[name][:, parted])
            held[parted] = MULTIPLE * within * _along(scale_held[parted], within) + floor
            return held

        gradients = Gradients(
            loss=widen("loss", centre.loss),
            by_param={k: widen(k, v) for k, v in centre.by_param.items()},
            by_input={k: widen(k, v) for k, v in centre.by_input.items()},
        )
        return Bound(
            gradients=gradients,
            held=Gradients(
                loss=hold("loss", gradients.loss),
                by_param={k: hold(k, v) for k, v in gradients.by_param.items()},
                by_input={k: hold(k, v) for k, v in gradients.by_input.items()},
            ),
            centre=centre,
            parted=parted,
            near=_near(tape, rows, parted, unit, floor) if parted.any() else {},
            loss_spread=sigma(noisy["sound loss"], centre.loss),
            signal=_signal(centre),
            overflown=rounding.overflown | _beyond(case, centre, FORMATS[dtype].largest),
        )


def _beyond(case: Case, centre: Gradients, largest: float) -> Bools:
    """The points (P,) at which some value of the plain run, or some gradient, is beyond the largest number.

    The samples may be far from it: where rounding moves them off, they need not come near.
    """
    exact = case.astype("float64")
    tape = network.forward(exact.architecture, exact.params, exact.inputs, exact.targets, weights=exact.weights)
    values = (*tape.outputs, centre.loss, *centre.by_node.values(), *(v for _, v in centre.tensors()))
    within = [(np.abs(v) <= largest).reshape(case.n_points, -1).all(axis=1) for v in values]
    beyond: Bools = ~np.logical_and.reduce(within)
    return beyond


def _along(by_point: Array, like: Array) -> Array:
    return by_point.reshape((-1,) + (1,) * (like.ndim - 1))


def _near(tape: network.Tape, rows: Rows, parted: Bools, unit: float, floor: float) -> dict[int, Floats]:
    """How near a kink or tie the input of a node that has one (the loss: -1) may be taken to lie, at parted points."""
    architecture = tape.architecture
    found: dict[int, Floats] = {}

    def width(z: Array, shape: Shape) -> Floats:
        samples = np.broadcast_to(z, (len(z), len(parted), *shape))
        around = MULTIPLE * spread(samples, samples.mean(axis=0)) * unit + floor
        return np.where(_along(parted, around), around, 0.0)

    for i, node in enumerate(architecture.nodes):
        op = op_named(node.op, f"node {i}")
        if op.ties or op.kinks(node.attributes):
            z, back = _decided_by(node.op, tape.kinked(i))
            found[i] = back * width(_data(z), architecture.kinked_shape(i))
    if op_named(architecture.loss.op, "loss").kinks(architecture.loss.attributes):
        values = _data(network.loss_kinked(tape, rows))
        found[-1] = width(values, values.shape[2:])
    return found


def _decided_by(op: str, z: Rounded | Array) -> tuple[Rounded | Array, float]:
    """The number that says on which side of its kinks a node is, and what it is multiplied by to be a distance of z."""
    return (hardsigmoid_line(z), 6.0) if op == "hardsigmoid" else (z, 1.0)


def _signal(centre: Gradients) -> Floats:
    """The largest finite |∂C/∂(a node's output)| of each point."""
    result = np.zeros(len(centre.loss))
    for values in centre.by_node.values():
        size = np.abs(values.reshape(len(values), -1))
        result = np.maximum(result, np.where(np.isfinite(size), size, 0.0).max(axis=1, initial=0.0))
    return result


def _smallest(case: Case, dtype: str, model: str | None) -> float:
    """What underflow may take from an entry: JAX flushes subnormals, and both lose silu and mish early."""
    shape = FORMATS[dtype]
    if any(op in LOSES_EARLY.get(model or "", ()) for op in case.architecture.ops):
        return shape.held * shape.largest_exponent
    return shape.held if model == "jax" else shape.smallest


def deviations_met(
    case: Case, witnesses: Iterable[str], subject: str | None = None
) -> tuple[tuple[KnownDeviation | LossDeviation, Bools], ...]:
    """The known deviations whose region the case enters, with the points (P,) where.

    Those of these witnesses, who compute in float64, and of a framework that is the `subject`, in the case's dtype.
    """
    asked = dict.fromkeys(witnesses, "float64") | ({subject: case.dtype} if subject is not None else {})
    ops = case.architecture.ops
    rows_at_hand = [k for k in DEVIATIONS if k.op in ops and asked.get(k.witness) in k.dtypes]
    of_loss = [k for k in LOSS_DEVIATIONS if k.op == case.architecture.loss.op and asked.get(k.witness) in k.dtypes]
    if not rows_at_hand and not of_loss:
        return ()
    exact = case.astype("float64")
    with np.errstate(all="ignore"):
        tape = network.forward(exact.architecture, exact.params, exact.inputs, exact.targets, weights=exact.weights)
    met: list[tuple[KnownDeviation | LossDeviation, Bools]] = []
    for known in rows_at_hand:
        points = np.zeros(case.n_points, np.bool_)
        for node in case.architecture.nodes:
            if node.op == known.op and known.when(node.attributes):
                z = tape.value(node.inputs[0])
                inside = known.region(z)
                if known.whole:
                    inside = np.asarray(inside.all(axis=int(node.attributes["axis"])))
                points |= inside.reshape(case.n_points, -1).any(axis=1)
        if points.any():
            met.append((known, points))
    met += [(off, points) for off in of_loss if (points := _met_by_loss(off, tape, asked[off.witness])).any()]
    return tuple(met)


def _met_by_loss(known: LossDeviation, tape: network.Tape, dtype: str) -> Bools:
    """The points (P,) at which the loss, computed in this dtype, enters the region."""
    loss = tape.architecture.loss
    given = (*(tape.value(k) for k in loss.inputs), tape.targets)
    with np.errstate(all="ignore"):
        inside = known.region(tuple(a[np.newaxis] for a in given), loss.attributes, FORMATS[dtype])[0]
    return np.asarray(inside.reshape(len(inside), -1).any(axis=1))


def deviating_bounds(
    case: Case, met: Iterable[KnownDeviation | LossDeviation], *, samples: int = SAMPLES, key: str | None = None
) -> dict[str, Bound]:
    """For each witness with a deviation beyond rounding: its bound when that deviation is allowed for."""
    named = dict.fromkeys(k.witness for k in met if k.beyond_rounding)
    return {w: bound(case, "float64", w, samples=samples, key=key, rows=ROWS_WITH_DEVIATIONS[w]) for w in named}


def spread(samples: Array, centre: Array) -> Floats:
    """Root mean square over axis 0 of the deviation from the centre; infinite where either is not finite."""
    deviation = np.abs(samples - centre)
    largest = deviation.max(axis=0)
    unit = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
    # Samples last and contiguous: the order of this sum must not depend on how many points there are.
    squares = np.ascontiguousarray(np.moveaxis(np.square(deviation / unit), 0, -1))
    result = unit * np.sqrt(squares.mean(axis=-1))
    return np.where(np.isfinite(result), result, np.inf)


def spread_in_pairs(samples: Array) -> Floats:
    """The largest σ that any pair of samples on the same branches shows; infinite where one is not finite.

    The pairs took different branches, so the largest counts and not their mean.
    """
    largest = (np.abs(samples[::2] - samples[1::2]) / np.sqrt(2.0)).max(axis=0)
    return np.where(np.isfinite(largest), largest, np.inf)


def _run(case: Case, rows: Rows, rounding: Rounding) -> tuple[dict[str, Array], network.Tape]:
    """Samples of the loss and of every gradient, (K, P, …), by name; what the loss does not reach is absent.

    And the tape of the samples.
    """
    architecture = case.architecture
    tape = _forward(case, rows, rounding)
    by_param, by_link = network.backward(tape, rows)
    names = {-k - 1: item.name for k, item in enumerate(architecture.inputs) if item.dtype == "float"}
    found = by_param | {name: by_link[link] for link, name in names.items() if link in by_link}
    shapes: dict[str, Shape] = dict(architecture.param_shapes) | {i.name: i.shape for i in architecture.inputs}
    samples = len(rounding.keys)
    found_samples = {
        name: np.broadcast_to(_data(values), (samples, case.n_points, *shapes.get(name, ())))
        for name, values in {
            **found,
            "loss": tape.loss,
            "sound loss": network.loss(tape, {**rows, **SOUND_LOSSES}),
        }.items()
    }
    return found_samples, tape


def _forward(case: Case, rows: Rows, rounding: Rounding) -> network.Tape:
    architecture = case.architecture
    params = {k: rounding.array(v) for k, v in case.params.items()}
    # Integer and boolean inputs too: where they take part as numbers, what follows from them is rounded.
    inputs = {k: rounding.array(v) for k, v in case.inputs.items()}
    # Float targets too: a gradient that is nothing but a scaled target is still rounded.
    floating = architecture.target_dtype == "float"
    targets = rounding.array(case.targets) if floating else case.targets[np.newaxis]
    indices = {i.name: case.inputs[i.name][np.newaxis] for i in architecture.inputs if i.dtype != "float"}
    weights = None if case.weights is None else rounding.array(case.weights)
    return network.forward(architecture, params, inputs, targets, rows, weights=weights, indices=indices)


def _data(values: Rounded | Array) -> Array:
    return values.data if isinstance(values, Rounded) else values

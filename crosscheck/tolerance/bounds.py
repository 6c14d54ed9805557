"""The bound of each entry: 16 σ of the stochastic run, plus a few of the smallest numbers of the format.

σ is the root mean square, around the plain run, of the sound backprop on textbook rows: never of the code
that is being judged. Which rows: those of the party's error model, None for the textbook or a framework's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import numpy as np

from crosscheck.backprop import network
from crosscheck.backprop.rows import Rows
from crosscheck.spec.case import Case
from crosscheck.spec.op import Shape
from crosscheck.spec.ops import op_named
from crosscheck.spec.result import Array, Bools, Bound, Floats, Gradients
from crosscheck.tolerance.frameworks import (
    DERIVATIVE_ERROR,
    DEVIATIONS,
    LARGEST_EXPONENT,
    LOSES_EARLY,
    LOSS_ERROR,
    VALUE_ERROR,
    Constants,
    KnownDeviation,
)
from crosscheck.tolerance.rounding import FORMATS, MULTIPLE, Rounded, Rounding
from crosscheck.tolerance.rows import ROWS, ROWS_WITH_DEVIATIONS, SOUND_LOSSES

SAMPLES = 16
SAMPLES_FOR_SUSPECTS = 256
# "A few": one for the result, one for each of the last operations that may have underflowed with it.
SMALLEST = 4.0


def applicable(case: Case, model: str | None) -> Constants | None:
    """The model where the architecture has an op that it widens; else None, which is then the same."""
    named = {*DERIVATIVE_ERROR, *VALUE_ERROR, *LOSS_ERROR}
    widened = any(op in named for op in case.architecture.ops)
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
    all logits alike, equal roundings cancel; a step away they do not.
    """
    rows = ROWS[applicable(case, model)] if rows is None else rows
    rounding = Rounding.of(dtype, key or case.key, samples, case.n_points, alike=alike)
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
            near=_near(tape, parted, unit, floor) if parted.any() else {},
            loss_spread=sigma(noisy["sound loss"], centre.loss),
            signal=_signal(centre),
        )


def _along(by_point: Array, like: Array) -> Array:
    return by_point.reshape((-1,) + (1,) * (like.ndim - 1))


def _near(tape: network.Tape, parted: Bools, unit: float, floor: float) -> dict[int, Floats]:
    """How near a kink the input of each node that has one (the loss: -1) may be taken to lie, at parted points."""
    architecture = tape.architecture
    found: dict[int, Floats] = {}

    def width(z: Array, shape: Shape) -> Floats:
        samples = np.broadcast_to(z, (len(z), len(parted), *shape))
        around = MULTIPLE * spread(samples, samples.mean(axis=0)) * unit + floor
        return np.where(_along(parted, around), around, 0.0)

    for i, node in enumerate(architecture.nodes):
        if op_named(node.op, f"node {i}").kinks(node.attributes):
            found[i] = width(_data(tape.value(node.inputs[0])), architecture.shape_of(node.inputs[0]))
    (last,) = architecture.loss.inputs
    if op_named(architecture.loss.op, "loss").kinks(architecture.loss.attributes):
        found[-1] = width(_data(tape.value(last) - tape.targets), architecture.shape_of(last))
    return found


def _signal(centre: Gradients) -> Floats:
    """The largest finite |∂C/∂(a node's output)| of each point."""
    result = np.zeros(len(centre.loss))
    for values in centre.by_node.values():
        size = np.abs(values.reshape(len(values), -1))
        result = np.maximum(result, np.where(np.isfinite(size), size, 0.0).max(axis=1, initial=0.0))
    return result


def _smallest(case: Case, dtype: str, model: str | None) -> float:
    """What underflow may take from an entry: JAX flushes subnormals, and both lose silu and mish early."""
    if any(op in LOSES_EARLY.get(model or "", ()) for op in case.architecture.ops):
        return FORMATS[dtype].smallest_normal * LARGEST_EXPONENT
    return FORMATS[dtype].smallest_normal if model == "jax" else FORMATS[dtype].smallest


def deviations_met(case: Case, witnesses: Iterable[str]) -> tuple[tuple[KnownDeviation, Bools], ...]:
    """The known deviations of these witnesses whose region the case enters, with the points (P,) where."""
    wanted = set(witnesses)
    rows_at_hand = [k for k in DEVIATIONS if k.witness in wanted and k.op in case.architecture.ops]
    if not rows_at_hand:
        return ()
    exact = case.astype("float64")
    with np.errstate(all="ignore"):
        tape = network.forward(exact.architecture, exact.params, exact.inputs, exact.targets)
    met = []
    for known in rows_at_hand:
        points = np.zeros(case.n_points, np.bool_)
        for node in case.architecture.nodes:
            if node.op == known.op:
                z = tape.value(node.inputs[0])
                points |= known.region(z).reshape(case.n_points, -1).any(axis=1)
        if points.any():
            met.append((known, points))
    return tuple(met)


def deviating_bounds(
    case: Case, met: Iterable[KnownDeviation], *, samples: int = SAMPLES, key: str | None = None
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
    # Integer and boolean inputs too: they take part as numbers, and what follows from them is rounded.
    inputs = {k: rounding.array(v) for k, v in case.inputs.items()}
    # Float targets too: a gradient that is nothing but a scaled target is still rounded.
    floating = architecture.target_dtype == "float"
    targets = rounding.array(case.targets) if floating else case.targets[np.newaxis]
    return network.forward(architecture, params, inputs, targets, rows)


def _data(values: Rounded | Array) -> Array:
    return values.data if isinstance(values, Rounded) else values

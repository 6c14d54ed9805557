"""The bound of each entry: 16 σ of the stochastic run, plus a few of the smallest numbers of the format.

σ is the root mean square, around the plain run, of the sound backprop on textbook rows: never of the code
that is being judged. Which rows: those of the party's error model, None for the textbook or a framework's.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from crosscheck.backprop import network
from crosscheck.backprop.rows import Rows
from crosscheck.spec.case import Case
from crosscheck.spec.op import Shape
from crosscheck.spec.result import Array, Bound, Floats, Gradients
from crosscheck.tolerance.frameworks import DERIVATIVE_ERROR, VALUE_ERROR, Constants
from crosscheck.tolerance.rounding import FORMATS, MULTIPLE, Rounded, Rounding
from crosscheck.tolerance.rows import ROWS

SAMPLES = 16
SAMPLES_FOR_SUSPECTS = 256
# "A few": one for the result, one for each of the last operations that may have underflowed with it.
SMALLEST = 4.0


def applicable(case: Case, model: str | None) -> Constants | None:
    """The model where the architecture has an op that it widens; else None, which is then the same."""
    named = set(DERIVATIVE_ERROR) | set(VALUE_ERROR)
    widened = any(op in named for op in case.architecture.ops)
    return cast("Constants", model) if widened and model in ROWS else None


def bound(case: Case, dtype: str, model: str | None = None, *, samples: int = SAMPLES, key: str | None = None) -> Bound:
    """The bound for a party that computes in `dtype` from the case's exact numbers.

    `key` seeds the samples (default: the case's own key), so that a case asked again is asked alike.
    """
    rows = ROWS[applicable(case, model)]
    rounding = Rounding.of(dtype, key or case.key, samples, case.n_points)
    with np.errstate(all="ignore"):
        noisy = _run(case, rows, rounding)
        centre = network.gradients(case.astype("float64"), rows)
        floor = SMALLEST * (FORMATS[dtype].smallest_normal if model == "jax" else FORMATS[dtype].smallest)
        scale = FORMATS[dtype].scale

        def widen(samples_of: Array | None, middle: Array) -> Floats:
            sigma = np.zeros(middle.shape) if samples_of is None else spread(samples_of, middle) * scale
            return np.asarray(MULTIPLE * sigma + floor)

        loss_spread = spread(noisy["loss"], centre.loss) * scale
        gradients = Gradients(
            loss=np.asarray(MULTIPLE * loss_spread + floor),
            by_param={k: widen(noisy.get(k), v) for k, v in centre.by_param.items()},
            by_input={k: widen(noisy.get(k), v) for k, v in centre.by_input.items()},
        )
    return Bound(gradients, rounding.parted, loss_spread)


def spread(samples: Array, centre: Array) -> Floats:
    """Root mean square over axis 0 of the deviation from the centre; infinite where either is not finite."""
    deviation = np.abs(samples - centre)
    largest = deviation.max(axis=0)
    unit = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
    result = unit * np.sqrt(np.square(deviation / unit).mean(axis=0))
    return np.where(np.isfinite(result), result, np.inf)


def _run(case: Case, rows: Rows, rounding: Rounding) -> dict[str, Array]:
    """Samples of the loss and of every gradient, (K, P, …), by name; what the loss does not reach is absent."""
    architecture = case.architecture
    params = {k: rounding.array(v) for k, v in case.params.items()}
    inputs = {
        i.name: rounding.array(case.inputs[i.name]) if i.dtype == "float" else case.inputs[i.name][np.newaxis]
        for i in architecture.inputs
    }
    tape = network.forward(architecture, params, inputs, case.targets[np.newaxis], rows)
    by_param, by_link = network.backward(tape, rows)
    names = {-k - 1: item.name for k, item in enumerate(architecture.inputs) if item.dtype == "float"}
    found = by_param | {name: by_link[link] for link, name in names.items() if link in by_link}
    shapes: dict[str, Shape] = dict(architecture.param_shapes) | {i.name: i.shape for i in architecture.inputs}
    samples = len(rounding.keys)
    return {
        name: np.broadcast_to(_data(values), (samples, case.n_points, *shapes.get(name, ())))
        for name, values in {**found, "loss": tape.loss}.items()
    }


def _data(values: Rounded | Array) -> Array:
    return values.data if isinstance(values, Rounded) else values

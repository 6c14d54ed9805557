"""Measures what 16-bit results are off by, over every argument that float16 and bfloat16 have.

    python tests/benchmarks/measure_half.py

Truth is float64: the hand-written backprop (within 6 ulp), NumPy and SciPy. Errors of functions are in units of u
times the result, of g' in u·sup|g'|, of g and of a loss's derivative in u times (its size + 1). The constants of the
tolerance model are half of the largest, and at least 1. What is not finite where the truth is, is listed, not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes  # noqa: F401 (NumPy knows bfloat16 once this is imported)
import numpy as np
from scipy import special

from crosscheck.backprop import network
from crosscheck.oracles import jax_grad, torch_autograd
from crosscheck.spec import Case, Gradients, parse
from crosscheck.subjects.builtin import Builtin
from crosscheck.tolerance.formats import FORMATS, Format

Array = Any
HALF = ("float16", "bfloat16")
PRIMITIVES = (np.exp, np.expm1, np.log, np.log1p, np.tanh, np.sin, np.cos, np.sqrt, np.square, np.reciprocal)
# SciPy has no 16-bit loops: rounded from float32.
BY_WAY_OF_FLOAT32 = (special.expit, special.erf)
ACTIVATIONS = (
    *("sigmoid", "tanh", "softplus", "silu", "gelu", "gelu(tanh)", "mish", "elu", "selu", "softsign", "log_sigmoid"),
    *("celu", "hardsigmoid", "leaky_relu", "hardtanh", "relu", "sin"),
)
LOSSES = ("mse", "huber", "bce_with_logits")
TARGETS = (0.0, 0.25, 0.5, 1.0)
# On its kinks every op has its convention.
KINKS = (-3.0, -1.0, 0.0, 1.0, 3.0)
WHO: dict[str, Callable[[Case], Gradients]] = {
    "hand-written": Builtin().gradients,
    "torch": lambda case: torch_autograd.gradients(case, case.dtype),
    "jax": lambda case: jax_grad.gradients(case, case.dtype),
}


def every(dtype: str) -> Array:
    """Every finite number of the dtype that is no kink, ascending; no subnormals where JAX takes them for 0."""
    numbers = np.arange(2**16, dtype=np.uint16).view(np.dtype(dtype))
    numbers = np.sort(numbers[np.isfinite(numbers)])
    exact, shape = numbers.astype(np.float64), FORMATS[dtype]
    return numbers[~np.isin(exact, KINKS) & (shape.gradual | (np.abs(exact) >= shape.smallest_normal))]


def unit(dtype: str) -> float:
    return FORMATS[dtype].unit


def primitives(dtype: str) -> dict[str, tuple[float, float]]:
    """By function: the largest error of a normal result in u of itself, of a smaller one in subnormal steps."""
    x, shape = every(dtype), FORMATS[dtype]
    table = {}
    for function in (*PRIMITIVES, *BY_WAY_OF_FLOAT32):
        with np.errstate(all="ignore"):
            truth = function(x.astype(np.float64))
            found = function(x.astype(np.float32)).astype(x.dtype) if function in BY_WAY_OF_FLOAT32 else function(x)
        table[function.__name__] = _errors(found.astype(np.float64), truth, shape)
    return table


def _errors(found: Array, truth: Array, shape: Format) -> tuple[float, float]:
    inside = np.isfinite(truth) & (np.abs(truth) <= shape.largest)
    normal, tiny = inside & (np.abs(truth) >= shape.smallest_normal), inside & (np.abs(truth) < shape.smallest_normal)
    error = np.abs(found - truth)
    relative = error[normal] / np.abs(truth[normal]) / shape.unit
    return float(relative.max(initial=0.0)), float(error[tiny].max(initial=0.0) / shape.smallest)


def one_node(text: str, z: Array, targets: Array | None = None) -> Case:
    given = np.ones(len(z), z.dtype) if targets is None else targets
    return Case(parse(f"x[{len(z)}] -> {text}"), {}, {"x": z[np.newaxis]}, given[np.newaxis], z.dtype.name)


def activation(op: str, dtype: str) -> Iterator[tuple[str, str, float, float, int]]:
    """For each party, of g' and of g: the largest error, where, and how many are not finite."""
    z = every(dtype)
    case = one_node(f"{op} -> cotangent", z)
    truth = network.gradients(case.astype("float64"))
    for who, ask in WHO.items():
        found = ask(case)
        slope, value = truth.by_input["x"][0], truth.outputs[0]
        scale = {"g'": np.full(slope.shape, np.abs(slope).max()), "g": np.abs(value) + 1.0}
        for what, true, got in (("g'", slope, found.by_input["x"][0]), ("g", value, found.outputs[0])):
            yield who, what, *_worst(got, true, scale[what] * unit(dtype), z)


def loss(op: str, dtype: str) -> Iterator[tuple[str, float, float, int]]:
    """For each party the largest error of the loss's derivative by its output, for all outputs and a few targets."""
    z = every(dtype)
    z = z[np.abs(z.astype(np.float64)) <= 100.0]
    for who, ask in WHO.items():
        rows = []
        for target in TARGETS:
            case = one_node(op, z, np.full(len(z), target, z.dtype))
            true = network.gradients(case.astype("float64")).by_input["x"][0]
            rows.append(_worst(ask(case).by_input["x"][0], true, (np.abs(true) + 1.0) * unit(dtype), z))
        yield who, *max(rows)


def _worst(got: Array, true: Array, scale: Array, z: Array) -> tuple[float, float, int]:
    got = got.astype(np.float64)
    counted = np.isfinite(got) & np.isfinite(true)
    error = np.where(counted, np.abs(got - true) / scale, 0.0)
    i = int(np.argmax(error))
    return float(error[i]), float(z[i]), int(np.count_nonzero(~np.isfinite(got) & np.isfinite(true)))


def main() -> None:
    for dtype in HALF:
        print(f"{dtype}: functions of NumPy and SciPy, in u; below the normal numbers in subnormal steps")
        for name, (relative, steps) in primitives(dtype).items():
            print(f"  {name:12}{relative:8.3f}{steps:10.2g}")
        print(f"{dtype}: activations")
        for op in ACTIVATIONS:
            for who, what, worst, at, lost in activation(op, dtype):
                print(f"  {op:12}{who:14}{what:3}{worst:8.2f} at {at:<12.5g}{f'{lost} not finite' if lost else ''}")
        print(f"{dtype}: derivatives of losses")
        for op in LOSSES:
            for who, worst, at, lost in loss(op, dtype):
                print(f"  {op:16}{who:14}{worst:8.2f} at {at:<12.5g}{f'{lost} not finite' if lost else ''}")


if __name__ == "__main__":
    main()

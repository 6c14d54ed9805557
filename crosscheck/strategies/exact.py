"""What is known exactly of the values on the way through a network, before anybody has computed them.

Only moving, adding and multiplying of short numbers is followed, layers where nothing but their bias is left, and
activations where their value is one that every implementation has to the last bit. What is not certain, because a sum
might be rounded or a formula evaluated, is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosscheck.spec.architecture import Architecture, Node
from crosscheck.spec.moves import steps
from crosscheck.spec.op import Attributes, Shape
from crosscheck.strategies.affine import constant, is_affine

Floats = NDArray[np.float64]
# Bits of the significand. A sum of multiples of g is exact in any order while the sizes of its terms add up to less
# than g times 2 to these.
BITS = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}
# Layers that move numbers, and that take the mean or the largest of those of a channel, or of some of them.
MOVES = ("flatten", "reshape", "transpose", "slice")
MEANS = ("avg_pool1d", "avg_pool2d", "global_avg_pool")
MAXIMA = ("max_pool1d", "max_pool2d")
# Products that are written out at once; of a larger layer nothing is known.
MOST_PRODUCTS = 2**22


def _at(*pairs: tuple[float, float]) -> Callable[[Floats, Attributes], Floats]:
    """A function known at these places alone: (z, its value there)."""

    def values(z: Floats, _attributes: Attributes) -> Floats:
        result = np.full_like(z, np.nan)
        for place, value in pairs:
            result[z == place] = value
        return result

    return values


# Whose value at 0 is 0, whatever the formula.
THROUGH_THE_ORIGIN = ("tanh", "gelu", "silu", "elu", "celu", "selu", "mish", "softsign", "sin")
# fmt: off
ACTIVATIONS: Mapping[str, Callable[[Floats, Attributes], Floats]] = {
    "identity":    lambda z, _: z,
    "relu":        lambda z, _: np.maximum(z, 0.0),
    **dict.fromkeys(("leaky_relu", "prelu"), lambda z, _: np.where(z >= 0, z, np.nan)),
    "hardtanh":    lambda z, own: np.minimum(np.maximum(z, float(own["min_val"])), float(own["max_val"])),
    "hardsigmoid": lambda z, _: np.where(z <= -3, 0.0, np.where(z >= 3, 1.0, np.where(z == 0, 0.5, np.nan))),
    "sigmoid":     _at((0.0, 0.5)),
    **dict.fromkeys(THROUGH_THE_ORIGIN, _at((0.0, 0.0))),
}
# fmt: on


def preimage(op: str, attributes: Attributes, value: float) -> float | None:
    """A z that the activation maps to the value exactly; None where none is known."""
    if op == "identity" or (op in ("relu", "leaky_relu", "prelu") and value >= 0):
        return value
    if op == "hardtanh" and float(attributes["min_val"]) <= value <= float(attributes["max_val"]):
        return value
    if op == "hardsigmoid":
        return {0.0: -4.0, 0.5: 0.0, 1.0: 4.0}.get(value)
    at_zero = 0.5 if op == "sigmoid" else 0.0 if op in THROUGH_THE_ORIGIN else None
    return 0.0 if value == at_zero else None


def known(
    architecture: Architecture, params: Mapping[str, Floats], inputs: Mapping[str, Floats], dtype: str
) -> list[Floats]:
    """The output of each node, (P, *shape), NaN where it is not certain to be exact in this dtype."""
    outputs: list[Floats] = []
    with np.errstate(all="ignore"):
        for i, node in enumerate(architecture.nodes):
            given = [outputs[k] if k >= 0 else inputs[architecture.inputs[-k - 1].name] for k in node.inputs]
            own = {role: params[key] for role, key in node.params.items()}
            outputs.append(_output(node, given, own, architecture.node_shapes[i], BITS[dtype]))
    return outputs


def _output(node: Node, given: list[Floats], params: Mapping[str, Floats], out: Shape, bits: int) -> Floats:
    if node.op in ACTIVATIONS:
        return ACTIVATIONS[node.op](given[0], node.attributes)
    if node.op in MOVES:
        return moved(node, given[0], out)
    if node.op == "dense":
        return dense(given[0], params["weight"], params.get("bias"), bits)
    if node.op == "add":
        return summed(np.stack(given, axis=-1), bits)
    if node.op == "multiply":
        return _multiplied(given, bits)
    if node.op == "concat":
        return np.concatenate(given, axis=int(node.attributes["axis"]))
    if is_affine(node):
        return constant(node, params, out)
    if node.op in MEANS + MAXIMA:
        return _of_equals(given[0], out, every=node.op in MAXIMA)
    return np.full((len(given[0]), *out), np.nan)


def moved(node: Node, values: NDArray[Any], out: Shape) -> NDArray[Any]:
    """(P, …) as one of MOVES lays it out: (P, *out)."""
    own = node.attributes
    if node.op == "transpose":
        return values.swapaxes(int(own["axis1"]), int(own["axis2"]))
    if node.op == "slice":
        axis = int(own["axis"])
        return values.take(list(steps(own, values.shape[axis])), axis=axis)
    return values.reshape((len(values), *out))


def _of_equals(values: Floats, out: Shape, *, every: bool) -> Floats:
    """(P, N, C, …) → (P, *out): what all numbers of a channel are, where they are alike, `every` one or 0 alone."""
    flat = values.reshape((*values.shape[:3], -1))
    alike = (flat == flat[..., :1]).all(axis=-1)
    laid = np.where(alike & (every | (flat[..., 0] == 0)), flat[..., 0], np.nan).reshape(
        (*alike.shape, *(1,) * (len(out) - 2))
    )
    return np.broadcast_to(laid, (len(values), *out)).copy()


def dense(a: Floats, weight: Floats, bias: Floats | None, bits: int) -> Floats:
    """a (P, …, in), weight (P, out, in), bias (P, out): a Wᵀ + b where every order of summation gives the same."""
    if a.size * weight.shape[1] > MOST_PRODUCTS:
        return np.full((*a.shape[:-1], weight.shape[1]), np.nan)
    inner = (1,) * (a.ndim - 2)
    w = weight.reshape(len(weight), *inner, *weight.shape[1:])
    terms = np.where(w == 0, 0.0, a[..., np.newaxis, :] * w)  # whatever is multiplied by zero, it is finite
    units = lowest_bit(a)[..., np.newaxis, :] * lowest_bit(w)
    if bias is not None:
        own = np.broadcast_to(bias.reshape(len(bias), *inner, -1), terms.shape[:-1])[..., np.newaxis]
        terms = np.concatenate([terms, own], axis=-1)
        units = np.concatenate([units, lowest_bit(own)], axis=-1)
    return summed(terms, bits, units)


def summed(terms: Floats, bits: int, units: Floats | None = None) -> Floats:
    """Σ over the last axis; NaN where a partial sum might need more than so many bits.

    `units` are numbers that the terms are whole multiples of, where those are products.
    """
    units = lowest_bit(terms) if units is None else units
    unit = np.where(terms == 0, np.inf, units).min(axis=-1)
    exact = np.abs(terms).sum(axis=-1) < unit * 2.0 ** (bits - 1)
    result: Floats = np.where(exact, terms.sum(axis=-1), np.nan)
    return result


def _multiplied(given: list[Floats], bits: int) -> Floats:
    """The product of all; 0 where a factor is, whatever the others are."""
    product, unit = given[0], lowest_bit(given[0])
    zero = given[0] == 0
    for factor in given[1:]:
        product, unit, zero = product * factor, unit * lowest_bit(factor), zero | (factor == 0)
    exact = np.abs(product) < unit * 2.0 ** (bits - 1)
    return np.where(zero, 0.0, np.where(exact, product, np.nan))


def lowest_bit(values: Floats) -> Floats:
    """The largest power of two that each number is a whole multiple of; infinite for 0, NaN for NaN."""
    mantissa, exponent = np.frexp(values)
    whole = np.where(np.isfinite(values), mantissa * 2.0**53, 0.0).astype(np.int64)
    found = np.ldexp((whole & -whole).astype(np.float64), exponent - 53)
    return np.where(values == 0, np.inf, np.where(np.isfinite(values), found, np.nan))

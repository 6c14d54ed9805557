"""Layers that select.

dropout: z_i = a_i/(1 - p) where the mask keeps i, else 0. The mask is data, so ∂C/∂a_i = ∂C/∂z_i/(1 - p) where it is
kept, else 0; of the mask there is no derivative. With p = 1 nothing is left, in evaluation everything as it is.

embedding: out_i = w_v for v = ids_i. One row of weights goes to every i that names it, so its sum over paths is

    ∂C/∂w_v = Σ ∂C/∂out_i over all i with ids_i = v, and 0 for a row that nobody names

The i are sorted by what they name, so that equal ids are neighbours, and a_i becomes the sum of the 1, 2, 4 … of them
from i on: the first of each stretch then holds the sum over it, after as many steps as its length has binary digits.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from crosscheck.backprop.rows import Array, Layer, Site
from crosscheck.spec.selection import TRAINING

Params = Mapping[str, Array]
Backward = tuple[tuple[Array | None, ...], dict[str, Array]]


def dropout(site: Site, inputs: tuple[Array, ...], _params: Params) -> Array:
    if site.attributes["mode"] != TRAINING:
        return inputs[0]
    return kept(inputs[0], inputs[1], float(site.attributes["p"]))


def dropout_backward(site: Site, d_out: Array, inputs: tuple[Array, ...], _params: Params) -> Backward:
    if site.attributes["mode"] != TRAINING:
        return (d_out,), {}
    return (kept(d_out, inputs[1], float(site.attributes["p"])), None), {}


def kept(a: Array, mask: Array, p: float) -> Array:
    """a/(1 - p) where the mask is true; zeros where it is not, and of p = 1."""
    zeros = np.zeros_like(a)
    return np.where(mask, a / a.dtype.type(1.0 - p), zeros) if p < 1.0 else np.where(mask, zeros, zeros)


def embedding(site: Site, inputs: tuple[Array, ...], params: Params) -> Array:
    out = np.take_along_axis(params["weight"], flat(site, inputs[0])[..., np.newaxis], axis=-2)
    return out.reshape((*out.shape[:-2], *site.out_shape))


def embedding_backward(site: Site, d_out: Array, inputs: tuple[Array, ...], _params: Params) -> Backward:
    ids, num = flat(site, inputs[0]), int(site.attributes["num"])
    d = d_out.reshape((*d_out.shape[: d_out.ndim - len(site.out_shape)], ids.shape[-1], site.out_shape[-1]))
    order = np.argsort(ids, axis=-1, kind="stable")
    named = np.take_along_axis(ids, order, axis=-1)
    sums = of_stretches(np.take_along_axis(d, order[..., np.newaxis], axis=-2), named)
    with_zeros = np.concatenate([sums, np.zeros_like(sums[..., :1, :])], axis=-2)
    return (None,), {"weight": np.take_along_axis(with_zeros, firsts(named, num)[..., np.newaxis], axis=-2)}


def of_stretches(a: Array, named: NDArray[np.int64]) -> Array:
    """For each i the sum of a, (…, n, dim), from i to the end of the stretch of equal ids, (…, n), that it is in."""
    step = 1
    while step < named.shape[-1]:
        same = np.equal(named[..., step:], named[..., :-step])
        if not same.any():
            break
        before = a[..., :-step, :]
        joined = np.where(same[..., np.newaxis], before + a[..., step:, :], before)
        a = np.concatenate([joined, a[..., -step:, :]], axis=-2)
        step *= 2
    return a


def firsts(named: NDArray[np.int64], num: int) -> NDArray[np.int64]:
    """Where in the sorted ids, (…, n), each row stands first, (…, num); n for one that is not among them."""
    n = named.shape[-1]
    opens = np.concatenate([np.ones_like(named[..., :1], bool), np.not_equal(named[..., 1:], named[..., :-1])], axis=-1)
    found = np.full((*named.shape[:-1], num + 1), n)
    # What opens no stretch goes to a place behind the last row.
    np.put_along_axis(found, np.where(opens, named, num), np.broadcast_to(np.arange(n), named.shape), axis=-1)
    return found[..., :num]


def flat(site: Site, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """(…, *shape) → (…, n)."""
    return ids.reshape((*ids.shape[: ids.ndim - len(site.in_shapes[0])], -1))


# fmt: off
ROWS: dict[str, Layer] = {
    "dropout":   Layer(dropout, dropout_backward),
    "embedding": Layer(embedding, embedding_backward),
}
# fmt: on

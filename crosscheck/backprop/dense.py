"""The dense layer: z = a Wᵀ + b.

z_j = Σ_k w_jk a_k + b_j for each row of a (the last axis holds the nodes k; axes before it are rows i).
Given dz = ∂C/∂z:

    ∂C/∂w_jk = Σ_i ∂C/∂z_ij · ∂z_ij/∂w_jk = Σ_i dz_ij a_ik           dW = dzᵀ a
    ∂C/∂b_j  = Σ_i dz_ij                                             db = Σ_i dz
    ∂C/∂a_ik = Σ_j ∂C/∂z_ij · ∂z_ij/∂a_ik = Σ_j dz_ij w_jk           da = dz W   (j over the next layer)
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from crosscheck.backprop.rows import Array, Layer, Site, plus, product_beside


def as_rows(array: Array, rank: int) -> Array:
    """(leading…, axes…, width) → (leading…, rows, width), where one network has `rank` axes."""
    if rank == 2:
        return array
    core = array.shape[array.ndim - rank :]
    return array.reshape((*array.shape[: array.ndim - rank], math.prod(core[:-1]), core[-1]))


def forward(site: Site, inputs: tuple[Array, ...], params: Mapping[str, Array]) -> Array:
    a = as_rows(inputs[0], len(site.in_shapes[0]))
    # As (W aᵀ)ᵀ: BLAS is a little faster where the larger matrix is the left one.
    z = np.matmul(params["weight"], a.swapaxes(-1, -2)).swapaxes(-1, -2)
    if "bias" in params:
        bias = params["bias"]
        z = plus(z, bias.reshape((*bias.shape[:-1], 1, bias.shape[-1])))
    return z.reshape((*z.shape[:-2], *site.out_shape))


def backward(
    site: Site, d_out: Array, inputs: tuple[Array, ...], params: Mapping[str, Array]
) -> tuple[tuple[Array, ...], dict[str, Array]]:
    dz = as_rows(d_out, len(site.out_shape))
    a = as_rows(inputs[0], len(site.in_shapes[0]))
    # db first, while dz is near the processor: the products drive it out.
    gradients = {"bias": dz.sum(axis=-2)} if "bias" in params else {}
    gradients["weight"] = np.matmul(dz.swapaxes(-1, -2), a)
    da = product_beside(a, dz, params["weight"])
    return (da.reshape((*da.shape[:-2], *site.in_shapes[0])),), gradients


ROWS: dict[str, Layer] = {"dense": Layer(forward, backward)}

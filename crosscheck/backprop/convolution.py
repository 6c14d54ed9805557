"""Convolutions by columns and products of matrices; U is `unfold`, Uᵀ is `fold` (windows.py).

For each sample n and group, the windows of a as columns, one for each place i of the output:

    z_oi = Σ_m w_om (U a)_mi + b_o             m = (channel c of the group, place k in the kernel)

so it is a dense layer whose inputs are windows, and given dz = ∂C/∂z, n being the samples:

    ∂C/∂w_om = Σ_n Σ_i dz_noi ∂z_noi/∂w_om = Σ_n Σ_i dz_noi (U a_n)_mi        dW = Σ_n dz_n (U a_n)ᵀ
    ∂C/∂b_o  = Σ_n Σ_i dz_noi
    ∂C/∂(U a)_mi = Σ_o dz_oi w_om                                             dU = Wᵀ dz

and since one number of a stands in several windows, ∂C/∂a_j sums over all (m, i) that hold it: da = Uᵀ Wᵀ dz.

The transposed convolution is that map by itself, z = Uᵀ Wᵀ a + b with the windows lying in z; as U and Uᵀ are
each other's transpose:

    da = W U dz,    dW = Σ_n a_n (U dz_n)ᵀ,    db_o = Σ_n Σ_i dz_noi
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from crosscheck.backprop.rows import Array, Layer, Site, plus
from crosscheck.backprop.windows import Windows, fold, unfold
from crosscheck.spec.op import Shape, sizes_of

Params = Mapping[str, Array]
Backward = tuple[tuple[Array, ...], dict[str, Array]]


def conv(site: Site, inputs: tuple[Array, ...], params: Params) -> Array:
    z = np.matmul(_matrix(site, params), _columns(site, inputs[0]))
    return _with_bias(site, z.reshape((*z.shape[:-4], *site.out_shape)), params)


def conv_backward(site: Site, d_out: Array, inputs: tuple[Array, ...], params: Params) -> Backward:
    dz, weight = _by_group(site, d_out, site.out_shape), _matrix(site, params)
    dW = np.matmul(dz, _columns(site, inputs[0]).swapaxes(-1, -2)).sum(axis=-4)
    gradients = _with_bias_gradient(site, {"weight": _as_weight(dW, site, params)}, d_out, params)
    return (_folded(site, np.matmul(weight.swapaxes(-1, -2), dz), site.in_shapes[0]),), gradients


def transposed(site: Site, inputs: tuple[Array, ...], params: Params) -> Array:
    a = _by_group(site, inputs[0], site.in_shapes[0])
    columns = np.matmul(_matrix(site, params).swapaxes(-1, -2), a)
    return _with_bias(site, _folded(site, columns, site.out_shape), params)


def transposed_backward(site: Site, d_out: Array, inputs: tuple[Array, ...], params: Params) -> Backward:
    a, columns = _by_group(site, inputs[0], site.in_shapes[0]), _columns(site, d_out)
    dW = np.matmul(a, columns.swapaxes(-1, -2)).sum(axis=-4)
    gradients = _with_bias_gradient(site, {"weight": _as_weight(dW, site, params)}, d_out, params)
    da = np.matmul(_matrix(site, params), columns)
    return (da.reshape((*da.shape[:-4], *site.in_shapes[0])),), gradients


def windows_of(site: Site) -> Windows:
    """The windows lie in the input of a convolution, and in the output of a transposed one."""
    many, few = site.in_shapes[0], site.out_shape
    if "output_padding" in site.attributes:
        many, few = few, many
    names = ("kernel", "stride", "padding", "dilation")
    kernel, stride, padding, dilation = (sizes_of(site.attributes[name], len(many) - 2) for name in names)
    return Windows(many[2:], few[2:], kernel, stride, padding, dilation)


def _groups(site: Site) -> int:
    return int(site.attributes["groups"])


def _matrix(site: Site, params: Params) -> Array:
    """weight (…, few, many/groups, *kernel) → (…, 1, groups, few/groups, many/groups · entries), for every sample."""
    weight, rank = params["weight"], len(site.out_shape)
    shape = weight.shape[weight.ndim - rank :]
    groups = _groups(site)
    return weight.reshape((*weight.shape[: weight.ndim - rank], 1, groups, shape[0] // groups, math.prod(shape[1:])))


def _columns(site: Site, a: Array) -> Array:
    """(…, N, C, *size) → (…, N, groups, C/groups · entries, places)."""
    windows, groups = windows_of(site), _groups(site)
    seen = unfold(a, windows)
    *lead, channels = seen.shape[: seen.ndim - 2 * windows.axes]
    return seen.reshape((*lead, groups, channels // groups * windows.entries, math.prod(windows.count)))


def _folded(site: Site, columns: Array, shape: Shape) -> Array:
    """(…, N, groups, C/groups · entries, places) → (…, N, C, *size)."""
    windows = windows_of(site)
    columns = columns.reshape((*columns.shape[:-4], *shape[:2], *windows.kernel, *windows.count))
    whole = (slice(None),) * windows.axes
    return fold((columns[(..., *offset, *whole)] for offset in windows.offsets), windows)


def _by_group(site: Site, a: Array, shape: Shape) -> Array:
    """(…, N, C, *size) → (…, N, groups, C/groups, places)."""
    groups = _groups(site)
    return a.reshape((*a.shape[: a.ndim - len(shape)], shape[0], groups, shape[1] // groups, math.prod(shape[2:])))


def _as_weight(dW: Array, site: Site, params: Params) -> Array:
    weight, rank = params["weight"], len(site.out_shape)
    return dW.reshape((*dW.shape[:-3], *weight.shape[weight.ndim - rank :]))


def _with_bias(site: Site, z: Array, params: Params) -> Array:
    if "bias" not in params:
        return z
    bias, axes = params["bias"], len(site.out_shape) - 2
    return plus(z, bias.reshape((*bias.shape[:-1], 1, bias.shape[-1], *(1,) * axes)))


def _with_bias_gradient(site: Site, gradients: dict[str, Array], d_out: Array, params: Params) -> dict[str, Array]:
    if "bias" not in params:
        return gradients
    shape = site.out_shape
    dz = d_out.reshape((*d_out.shape[: d_out.ndim - len(shape)], *shape[:2], math.prod(shape[2:])))
    return gradients | {"bias": dz.sum(axis=(-3, -1))}


ROWS: dict[str, Layer] = {
    "conv1d": Layer(conv, conv_backward),
    "conv2d": Layer(conv, conv_backward),
    "conv_transpose2d": Layer(transposed, transposed_backward),
}

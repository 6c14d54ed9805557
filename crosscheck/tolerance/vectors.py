"""Textbook rows of the layers that are not elementwise: the plain, least accurate right formulas.

glu and swiglu are products with a gate, whose error is that of the activation, by hand or a framework's. prelu has
no function of its own to be inaccurate in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np

from crosscheck.backprop import vectors
from crosscheck.backprop.rows import Activation, Array, Layer, Row, Site
from crosscheck.backprop.vectors import kept, without
from crosscheck.tolerance.noise import exp_anew
from crosscheck.tolerance.rounding import Rounded

Params = Mapping[str, Array]
Backward = tuple[tuple[Array, ...], dict[str, Array]]


def _log_sum(z: Array, axis: int) -> Array:
    m = z.max(axis=axis, keepdims=True)
    return m + np.log(np.exp(z - m).sum(axis=axis, keepdims=True))


def _logsumexp(site: Site, inputs: tuple[Array, ...], _params: Params) -> Array:
    return without(site, _log_sum(inputs[0], int(site.attributes["axis"])))


def _logsumexp_slope(site: Site, d_out: Array, inputs: tuple[Array, ...], _params: Params) -> Backward:
    """exp(z - logsumexp z): what the sum has lost of its last digits is lost of every share."""
    z, total = inputs[0], _log_sum(inputs[0], int(site.attributes["axis"]))
    return (kept(site, d_out) * exp_anew(z - total, total),), {}


def _length(z: Array, axis: int) -> Array:
    return np.sqrt((z * z).sum(axis=axis, keepdims=True))


def _norm(site: Site, inputs: tuple[Array, ...], _params: Params) -> Array:
    return without(site, _length(inputs[0], int(site.attributes["axis"])))


def _norm_slope(site: Site, d_out: Array, inputs: tuple[Array, ...], _params: Params) -> Backward:
    axis = int(site.attributes["axis"])
    z, d = inputs[0], kept(site, d_out)
    if isinstance(z, Rounded):
        z = Rounded(z.rounding.with_direction(z.data, axis), z.rounding)
    length = _length(z, axis)
    # At the kink the question is asked, so that the point is known to lie on it; 0 is the answer on either side.
    return (np.where(length > 0, d * z / np.maximum(length, np.finfo(z.dtype).tiny), 0.0 * z),), {}


def rows(activations: Mapping[str, Row]) -> dict[str, Layer]:
    """The rows, with gates of this table of activations."""
    return {
        **vectors.ROWS,
        "glu": vectors.gated(cast("Activation", activations["sigmoid"]), first=False),
        "swiglu": vectors.gated(cast("Activation", activations["silu"]), first=True),
        "logsumexp": Layer(_logsumexp, _logsumexp_slope),
        "norm": Layer(_norm, _norm_slope),
    }

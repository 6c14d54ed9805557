"""Textbook rows of dropout and embedding: the product with a rounded 1/(1 - p), and with a one-hot matrix.

The forward of an embedding moves numbers alone: its row is that of the backprop. Its backward is a sum over all ids in
whatever order, in which those that name another row count as zeros.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crosscheck.backprop import selection
from crosscheck.backprop.rows import Array, Layer, Site
from crosscheck.spec.selection import TRAINING
from crosscheck.tolerance.normalisation import number

Params = Mapping[str, Array]


def kept(a: Array, mask: Array, p: float) -> Array:
    scale = 1.0 / number(1.0 - p, a) if p < 1.0 else 0.0
    return np.where(mask, a * scale, 0.0)


def dropout(site: Site, inputs: tuple[Array, ...], _params: Params) -> Array:
    training = site.attributes["mode"] == TRAINING
    return kept(inputs[0], inputs[1], float(site.attributes["p"])) if training else inputs[0]


def dropout_backward(site: Site, d_out: Array, inputs: tuple[Array, ...], _params: Params) -> selection.Backward:
    if site.attributes["mode"] != TRAINING:
        return (d_out,), {}
    return (kept(d_out, inputs[1], float(site.attributes["p"])), None), {}


def one_hot_backward(site: Site, d_out: Array, inputs: tuple[Array, ...], _params: Params) -> selection.Backward:
    ids = selection.flat(site, inputs[0])
    named = np.equal(ids[..., np.newaxis, :], np.arange(int(site.attributes["num"]))[:, np.newaxis]) * 1.0
    d = d_out.reshape((*d_out.shape[: d_out.ndim - len(site.out_shape)], ids.shape[-1], site.out_shape[-1]))
    return (None,), {"weight": np.matmul(named, d)}


ROWS: dict[str, Layer] = {
    "dropout": Layer(dropout, dropout_backward),
    "embedding": Layer(selection.embedding, one_hot_backward),
}

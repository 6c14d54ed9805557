"""Normalisations, dropout and embedding of the second computation: `row(xs, params, attributes)` on series."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flint import arb, arb_series

from crosscheck.oracles.ball.forward_series import Layer, Params, Values, whole
from crosscheck.spec.op import Attributes


def on_lines(x: Values, eps: float, *, centred: bool = True) -> Values:
    """(groups, n), each group on its own: (x - mean)/√(variance + eps), or with the mean left in."""
    result = np.empty(x.shape, object)
    for i, line in enumerate(x):
        start, count = arb_series([0]), len(line)
        middle = sum(line, start=start) / count if centred else start
        variance = sum(((item - middle) * (item - middle) for item in line), start=start) / count
        for k, item in enumerate(line):
            result[i, k] = (item - middle) / (variance + arb(eps)).sqrt()
    return result


def affine(x: Values, params: Params, shape: tuple[int, ...]) -> Values:
    for role, act in (("weight", np.multiply), ("bias", np.add)):
        if role in params:
            x = act(x, params[role].reshape(shape))
    return x


def channels(x: Values) -> tuple[int, ...]:
    return (1, -1, *(1,) * (x.ndim - 2))


def batch_norm(xs: Sequence[Values], params: Params, own: Attributes) -> Values:
    x, eps = xs[0], float(own["eps"])
    if own["mode"] == "evaluation":
        middle, variance = (statistic.reshape(channels(x)) for statistic in xs[1:])
        root = np.vectorize(lambda v: (v + arb(eps)).sqrt(), otypes=[object])(variance)
        return affine((x - middle) / root, params, channels(x))
    moved = np.moveaxis(x, 1, 0)
    lines = on_lines(moved.reshape(len(moved), -1), eps)
    return affine(np.moveaxis(lines.reshape(moved.shape), 0, 1), params, channels(x))


def layer_norm(xs: Sequence[Values], params: Params, own: Attributes) -> Values:
    x, axes = xs[0], int(own["axes"])
    last = x.shape[x.ndim - axes :]
    lines = on_lines(x.reshape(-1, np.prod(last, dtype=int)), float(own["eps"]))
    return affine(lines.reshape(x.shape), params, last)


def rms_norm(xs: Sequence[Values], params: Params, own: Attributes) -> Values:
    x = xs[0]
    lines = on_lines(x.reshape(-1, x.shape[-1]), float(own["eps"]), centred=False)
    return affine(lines.reshape(x.shape), params, x.shape[-1:])


def group_norm(xs: Sequence[Values], params: Params, own: Attributes) -> Values:
    x = xs[0]
    lines = on_lines(x.reshape(len(x) * int(own["groups"]), -1), float(own["eps"]))
    return affine(lines.reshape(x.shape), params, channels(x))


def dropout(xs: Sequence[Values], _params: Params, own: Attributes) -> Values:
    left = 1 - arb(float(own["p"]))
    if own["mode"] == "evaluation":
        return xs[0]
    scale = 0 if left == 0 else 1 / left
    result = np.empty(xs[0].shape, object)
    for index in np.ndindex(*result.shape):
        result[index] = xs[0][index] * (scale if whole(xs[1][index]) else 0)
    return result


def embedding(xs: Sequence[Values], params: Params, _own: Attributes) -> Values:
    rows = [params["weight"][whole(item)] for item in xs[0].flat]
    return np.stack(rows).reshape((*xs[0].shape, -1))


# fmt: off
ROWS: dict[str, Layer] = {
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "rms_norm":   rms_norm,
    "group_norm": group_norm,
    "dropout":    dropout,
    "embedding":  embedding,
}
# fmt: on

"""Losses of one point: `row(a, y, **attributes)` gives each term. Written in jnp, in the forms that optax uses.

A loss of several outputs takes them all before y.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from crosscheck.oracles.jax_grad import likelihoods, margins
from crosscheck.spec.op import Value

# Of every loss, and no row's business.
COMMON = ("reduction", "scale", "weighted", "l1", "l2")


def point_loss(op: str, attributes: Mapping[str, Value], outputs: tuple[Any, ...], targets: Any, weights: Any) -> Any:
    """The loss of one point, a scalar: terms reduced, then scaled. `weights` (n,) are of the samples, or None."""
    own = {k: v for k, v in attributes.items() if k not in COMMON}
    terms = ROWS[op](*outputs, targets, **own)
    shape, reduction = outputs[0].shape, attributes["reduction"]
    kept = None
    if own.get("targets") == "classes":
        kept = targets != own["ignore_index"]
        terms = jnp.where(kept, terms, 0.0)
    if weights is not None:
        reduced = _weighted_average(terms, kept, weights, reduction)
    elif reduction == "batch_mean":
        reduced = jnp.sum(terms) / (shape[0] if shape else 1)
    elif reduction == "mean" and kept is not None:
        reduced = jnp.sum(terms) / jnp.maximum(jnp.sum(kept.astype(terms.dtype)), 1.0)
    else:
        reduced = {"sum": jnp.sum, "mean": jnp.mean}[str(reduction)](terms)
    return attributes["scale"] * reduced


def _weighted_average(terms: Any, kept: Any, weights: Any, reduction: Value) -> Any:
    by_sample = jnp.sum(terms.reshape(terms.shape[0], -1), axis=1)
    total = jnp.dot(by_sample, weights)
    if reduction == "sum":
        return total
    if reduction == "batch_mean":
        return total / jnp.sum(weights)
    of_sample = terms.size // terms.shape[0]
    if kept is not None:
        of_sample = jnp.sum(kept.astype(terms.dtype).reshape(terms.shape[0], -1), axis=1)
    counted = jnp.sum(weights * of_sample)
    return total / jnp.where(counted > 0, counted, 1.0)


def penalty(w: Any, attributes: Mapping[str, Value]) -> Any:
    """l1 Σ|w| + ½ l2 Σw² of one tensor."""
    value = 0.0
    if attributes["l1"]:
        value = value + attributes["l1"] * jnp.sum(jnp.abs(w))
    if attributes["l2"]:
        value = value + attributes["l2"] * jnp.sum(w * w) / 2
    return value


def _huber(a: Any, y: Any, *, delta: float) -> Any:
    d = jnp.abs(a - y)
    inside = jnp.minimum(d, delta)
    return 0.5 * inside**2 + delta * (d - inside)


def _bce_with_logits(z: Any, y: Any) -> Any:
    return -y * jax.nn.log_sigmoid(z) - (1 - y) * jax.nn.log_sigmoid(-z)


def _softmax_cross_entropy(z: Any, y: Any, *, targets: str, label_smoothing: float, **_others: Any) -> Any:
    log_p = jax.nn.log_softmax(z, axis=-1)
    if targets == "classes" and not label_smoothing:
        return -likelihoods.chosen(log_p, y)
    labels = y if targets == "probabilities" else jax.nn.one_hot(y, z.shape[-1], dtype=z.dtype)
    if label_smoothing:  # as optax's smooth_labels
        labels = (1.0 - label_smoothing) * labels + label_smoothing / z.shape[-1]
    return -jnp.sum(labels * log_p, axis=-1)


# fmt: off
ROWS: dict[str, Callable[..., Any]] = {
    "sse":                   lambda a, y: (a - y) ** 2,
    "mse":                   lambda a, y: (a - y) ** 2,
    "mae":                   lambda a, y: jnp.abs(a - y),
    "huber":                 _huber,
    "bce_with_logits":       _bce_with_logits,
    "softmax_cross_entropy": _softmax_cross_entropy,
    "cotangent":             lambda a, y: a * y,
    **likelihoods.ROWS,
    **margins.ROWS,
}
# fmt: on

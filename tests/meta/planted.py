"""Wrong derivatives that people have written (and right ones that look wrong), each one change of the built-in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from builders import Wrong, changed
from scipy import special

from crosscheck.backprop import dense, merge, network, reduction
from crosscheck.backprop.activations import gelu, gelu_slope, sigmoid_slope
from crosscheck.backprop.rows import Activation, Layer, Loss, Site
from crosscheck.spec import Case, Gradients, Subject
from crosscheck.spec.ops import OPS
from crosscheck.subjects.builtin import Builtin

Backward = tuple[tuple[Any, ...], dict[str, Any]]
ROWS = network.ROWS


@dataclass(frozen=True)
class Bug:
    """A wrong subject, the verdict that it must meet, and the ops to draw from."""

    name: str
    subject: Subject
    verdict: str = "DISAGREES"
    ops: tuple[str, ...] = tuple(OPS)


def slope(op: str, dz: Callable[..., Any]) -> Builtin:
    """The built-in with another derivative of one activation."""
    return Builtin(ROWS | {op: Activation(ROWS[op].f, dz)})


def loss_slope(op: str, da: Callable[..., Any]) -> Builtin:
    return Builtin(ROWS | {op: dataclasses.replace(ROWS[op], da=da)})


def layer(op: str, change: Callable[[Site, Any, tuple[Any, ...], Mapping[str, Any], Backward], Backward]) -> Builtin:
    """The built-in with something changed in what the backward of a layer or merge returns."""
    sound = (dense.ROWS | merge.ROWS)[op]

    def backward(site: Site, d_out: Any, inputs: tuple[Any, ...], params: Mapping[str, Any]) -> Backward:
        return change(site, d_out, inputs, params, sound.backward(site, d_out, inputs, params))

    return Builtin(ROWS | {op: Layer(sound.forward, backward)})


def bias_mean(site: Site, d: Any, inputs: Any, params: Any, found: Backward) -> Backward:
    rows = dense.as_rows(d, len(site.out_shape)).shape[-2]
    return found[0], {k: g / rows if k == "bias" else g for k, g in found[1].items()}


def bias_of_first_row(site: Site, d: Any, inputs: Any, params: Any, found: Backward) -> Backward:
    first = dense.as_rows(d, len(site.out_shape))[..., 0, :]
    return found[0], {k: first if k == "bias" else g for k, g in found[1].items()}


def untransposed_where_square(site: Site, d: Any, inputs: Any, params: Any, found: Backward) -> Backward:
    if site.in_shapes[0][-1] != site.out_shape[-1]:
        return found
    da = np.matmul(dense.as_rows(d, len(site.out_shape)), params["weight"].swapaxes(-1, -2))
    return (da.reshape((*da.shape[:-2], *site.in_shapes[0])),), found[1]


def doubled_weight_of_one_row(site: Site, d: Any, inputs: Any, params: Any, found: Backward) -> Backward:
    alone = dense.as_rows(d, len(site.out_shape)).shape[-2] == 1
    return found[0], {k: 2.0 * g if alone and k == "weight" else g for k, g in found[1].items()}


def third_output_forgotten(site: Site, d: Any, inputs: Any, params: Any, found: Backward) -> Backward:
    weight = found[1]["weight"].copy()
    weight[..., 2:, :] = 0.0
    return found[0], found[1] | {"weight": weight}


def rolled(site: Site, d: Any, inputs: Any, params: Any, _found: Backward) -> Backward:
    return merge.concat_backward(site, np.roll(d, 1, axis=-1), inputs, params)


class Walk(Builtin):
    """A walk of its own, which assigns where the built-in accumulates: at forks, or for shared parameters."""

    def __init__(self, *, forks: bool) -> None:
        super().__init__(name="walk")
        self._forks = forks

    def gradients(self, case: Case) -> Gradients:
        sound = super().gradients(case)
        with np.errstate(all="ignore"):
            tape = network.forward(case.architecture, case.params, case.inputs, case.targets, weights=case.weights)
            by_param, by_link = self._backward(tape)
        given = {k: self._full(v, sound.by_param[k]) for k, v in by_param.items()}
        names = {-i - 1: item.name for i, item in enumerate(case.architecture.inputs)}
        inputs = {names[k]: self._full(v, sound.by_input[names[k]]) for k, v in by_link.items() if k in names}
        return dataclasses.replace(sound, by_param={**sound.by_param, **given}, by_input={**sound.by_input, **inputs})

    def _full(self, values: Any, like: Any) -> Any:
        return np.ascontiguousarray(np.broadcast_to(values, like.shape))

    def _backward(self, tape: network.Tape) -> tuple[dict[str, Any], dict[int, Any]]:
        architecture = tape.architecture
        by_link = dict(zip(architecture.loss.inputs, network._loss_slopes(tape, ROWS), strict=True))
        by_param: dict[str, Any] = {}
        for i in reversed(range(len(architecture.nodes))):
            if i not in by_link:
                continue
            node = architecture.nodes[i]
            d_inputs, d_params = network._pull_back(ROWS, i, tape, by_link[i])
            for link, d in zip(node.inputs, d_inputs, strict=True):
                if d is not None:
                    by_link[link] = d if self._forks else by_link.get(link, 0.0) + d
            for role, d in d_params.items():
                key = node.params[role]
                by_param[key] = by_param.get(key, 0.0) + d if self._forks else d
        for key, d in reduction.penalty_slopes(architecture, tape.params):
            by_param[key] = by_param.get(key, 0.0) + d
        return by_param, by_link


def batch_not_divided(case: Case, gradients: Gradients) -> Gradients:
    if case.architecture.loss.attributes["reduction"] != "batch_mean":
        return gradients
    rows = case.architecture.shape_of(case.architecture.loss.inputs[0])[0]
    for name, _ in list(gradients.tensors()):
        gradients = changed(gradients, name, lambda g: g * np.dtype(g.dtype).type(rows))
    return gradients


def one_entry_slightly_off(_case: Case, gradients: Gradients) -> Gradients:
    """1e-9 relative, in the last entry of the last parameter."""

    def nudge(g: Any) -> Any:
        g.reshape(len(g), -1)[:, -1] *= 1.0 + 1e-9
        return g

    return changed(gradients, list(gradients.by_param)[-1], nudge) if gradients.by_param else gradients


def half_the_loss(a: Any, y: Any) -> Any:
    return 0.5 * (a - y) ** 2


def softmax_by_its_jacobian(z: Any, a: Any, da: Any, axis: int) -> Any:
    """da_j ∂a_j/∂z_k summed over j, with ∂a_j/∂z_k = a_j(δ_jk - a_k) written out as a matrix."""
    a, da = a.swapaxes(axis, -1), da.swapaxes(axis, -1)
    jacobian = a[..., :, None] * (np.eye(a.shape[-1], dtype=a.dtype) - a[..., None, :])
    return np.matmul(da[..., None, :], jacobian)[..., 0, :].swapaxes(axis, -1)


# Of the whole space one network in twenty has a gelu.
GELU = ("dense", "gelu", "tanh", "sse")

# fmt: off
BUGS = (
    Bug("sse without its 2",            loss_slope("sse", lambda a, y: a - y)),
    Bug("bce without the sigmoid",      loss_slope("bce_with_logits", lambda z, y: z - y)),
    Bug("huber not clipped",            loss_slope("huber", lambda a, y, delta: a - y)),
    Bug("bias: mean for sum",           layer("dense", bias_mean)),
    Bug("bias: not summed over rows",   layer("dense", bias_of_first_row)),
    Bug("weight untransposed",          layer("dense", untransposed_where_square)),
    Bug("wrong at batch 1 only",        layer("dense", doubled_weight_of_one_row)),
    Bug("wrong beyond width 2 only",    layer("dense", third_output_forgotten)),
    Bug("fork: = for +=",               Walk(forks=True)),
    Bug("shared weight overwritten",    Walk(forks=False)),
    Bug("add: identity path forgotten", layer("add", lambda s, d, i, p, found: ((d, *(0.0 * d for _ in i[1:])), {}))),
    Bug("multiply: own for other",      layer("multiply", lambda s, d, i, p, found: (tuple(d * a for a in i), {}))),
    Bug("concat split off by one",      layer("concat", rolled)),
    Bug("gelu: erf forward, tanh back", slope("gelu", lambda z, a, da, approximate: da * gelu_slope(z, "tanh")),
        ops=GELU),
    Bug("sigmoid slope at a",           slope("sigmoid", lambda z, a, da: da * sigmoid_slope(a))),
    Bug("tanh without the square",      slope("tanh", lambda z, a, da: da * (1.0 - a))),
    Bug("relu on the wrong side",       slope("relu", lambda z, a, da: np.where(z < 0, da, 0.0))),
    Bug("leaky_relu decided by a",
        slope("leaky_relu", lambda z, a, da, negative_slope: np.where(a > 0, da, negative_slope * da)),
        ops=("dense", "relu", "leaky_relu", "tanh", "sse")),
    Bug("softplus'(0) = 0",
        slope("softplus", lambda z, a, da: np.where(z == 0, 0.0, da * special.expit(z))),
        ops=("dense", "softplus", "sse")),
    Bug("softmax diagonal only",        slope("softmax", lambda z, a, da, axis: da * a * (1.0 - a))),
    Bug("log_softmax diagonal only",    slope("log_softmax", lambda z, a, da, axis: da * (1.0 - np.exp(a)))),
    Bug("batch_mean not divided",       Wrong(batch_not_divided)),
    Bug("input gradient only",          Wrong(lambda c, g: changed(g, "x", lambda d: d * d.dtype.type(1.5)))),
    Bug("one entry off by 1e-9",        Wrong(one_entry_slightly_off)),
    Bug("half the loss, whole gradient", Builtin(ROWS | {"sse": Loss(half_the_loss, ROWS["sse"].da)}),
        "FORWARD_DISAGREES"),
    Bug("gelu: tanh forward, erf back",
        Builtin(ROWS | {"gelu": Activation(lambda z, approximate: gelu(z, "tanh"), ROWS["gelu"].dz)}),
        "FORWARD_DISAGREES", ops=GELU),
    Bug("elu: 0 · ∞ for large z",
        slope("elu", lambda z, a, da, alpha: da * ((z > 0) + (z <= 0) * alpha * np.exp(z))), "BROKE_CONTRACT",
        ("dense", "elu", "sse")),
)

# Right formulas, less accurate than the built-in's, and conventions: nobody may be accused.
CONTROLS = {
    "tanh' = 1 - a²":           slope("tanh", lambda z, a, da: da * (1.0 - a * a)),
    "sigmoid' = a(1 - a)":      slope("sigmoid", lambda z, a, da: da * a * (1.0 - a)),
    "sigmoid' = s(z) s(-z)":    slope("sigmoid", lambda z, a, da: da * special.expit(z) * special.expit(-z)),
    "softplus' = expit":        slope("softplus", lambda z, a, da: da * special.expit(z)),
    "log_sigmoid' = 1 - expit": slope("log_sigmoid", lambda z, a, da: da * (1.0 - special.expit(z))),
    "silu' = s + a(1 - s)":     slope("silu", lambda z, a, da: da * (special.expit(z) + a * (1.0 - special.expit(z)))),
    "softsign' = 1/d²":         slope("softsign", lambda z, a, da: da / (1.0 + abs(z)) ** 2),
    "relu'(0) = 1":             slope("relu", lambda z, a, da: np.where(z >= 0, da, 0.0)),
    "hardtanh' = 1 at its ends": slope("hardtanh", lambda z, a, da, min_val, max_val:
                                       np.where((z >= min_val) & (z <= max_val), da, 0.0)),
    "softmax by its Jacobian":  slope("softmax", softmax_by_its_jacobian),
}
# fmt: on

"""Recurrent layers: rnn, lstm, gru. The products of all steps with the input are one; the rest is a loop over time.

With W = weight_ih, U = weight_hh, b and c their biases, s the sigmoid, for each step t:

    rnn   h' = g(z),  z = W x + b + U h + c
    lstm  (i, f, g, o) = (s, s, tanh, s) of the four parts of z = W x + b + U h + c
          C' = f C + i g,  h' = o tanh C'
    gru   r = s(u_r + v_r), k = s(u_z + v_z), n = tanh(u_n + r v_n) of the parts of u = W x + b and v = U h + c
          h' = (1 - k) n + k h

Every state is used twice: by the loss and by the next step. So with d_t = ∂C/∂h_t of the output at step t alone, by
the textbook's sum over both uses, from the last step to the first:

    dh = d_t + Uᵀ dv of the next step (and what else the next step has h for)
    rnn   dz = dh g'(z)
    lstm  dC = dh o tanh'(C') + f dC of the next step
          dz = (dC g s'(z_i), dC C s'(z_f), dC i tanh'(z_g), dh tanh(C') s'(z_o))
    gru   dn = dh (1 - k), dk = dh (h - n);  du = (dv_n's v_n s'(z_r) = du_n v_n s'(z_r), dk s'(z_z), dn tanh'(z_n))
          dv = du, but du_n r where n is;    h has k dh too

and then, of all steps t and samples at once, with h the state before the step:

    ∂C/∂W = Σ_t du_t x_tᵀ,  ∂C/∂b = Σ_t du_t,  ∂C/∂U = Σ_t dv_t h_tᵀ,  ∂C/∂c = Σ_t dv_t,  ∂C/∂x_t = Wᵀ du_t

where du = dv = dz in rnn and lstm. What is left of dh and dC before the first step belongs to the initial states. At
the kink of relu the derivative from below is taken.

1 - k is s(-z_z), and the slopes are those of `activations` in the form that is fastest here, with w = exp(-z) once for
the gate and its slope: s = 1/(1+w), s' = s/(1+1/w), s(-z) = 1/(1+1/w). Nothing of a saturated gate is lost. Where w
overflows the gate is what it should be, 0, and where 1/w does the slope is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np

from crosscheck.backprop.dense import as_rows
from crosscheck.backprop.rows import Array, Keeping, Kept, Site, cut, plus
from crosscheck.backprop.steps import Places, by_step, of_all, rows_by_step

Params = Mapping[str, Array]
Backward = tuple[tuple[Array | None, ...], dict[str, Array]]
# u + v, of which the biases b and c are parts already.
Joined = Callable[[Array, Array, tuple[Array, ...]], Array]


@dataclass(frozen=True)
class Gate:
    """a = g(z), g'(z) and 1 - g(z), of which all see w, which is z or what they have on their way from it.

    f(w) = a, slope(w, a) = g'(z), rest(w, a) = 1 - g(z).
    """

    f: Callable[[Array], Array]
    slope: Callable[[Array, Array], Array]
    rest: Callable[[Array, Array], Array] = lambda _, a: 1.0 - a
    way: Callable[[Array], Array] = lambda z: z


def sech_squared(z: Array, _a: Array) -> Array:
    q = np.exp(-2.0 * abs(z))
    d = 1.0 + q
    return 4.0 * q / (d * d)


SIGMOID = Gate(  # w = exp(-z)
    f=lambda w: 1.0 / (1.0 + w),
    slope=lambda w, a: a / (1.0 + 1.0 / w),
    rest=lambda w, _: 1.0 / (1.0 + 1.0 / w),
    way=lambda z: np.exp(-z),
)
TANH = Gate(np.tanh, sech_squared)
RELU = Gate(lambda z: np.maximum(z, 0.0), lambda z, _: np.where(z > 0, np.ones_like(z), 0.0))


_quiet = np.errstate(over="ignore", divide="ignore")


def part(z: Array, number: int, count: int) -> Array:
    """One of so many gates."""
    size = z.shape[-1] // count
    return z[..., number * size : (number + 1) * size]


def thirds(ifo: Array) -> tuple[Array, Array, Array]:
    """What belongs to i, to f and to o, where they are side by side."""
    size = ifo.shape[-1] // 3
    return ifo[..., :size], ifo[..., size : 2 * size], ifo[..., 2 * size :]


def beside(bias: Array) -> Array:
    """(leading…, G·H), to stand beside (leading…, N, G·H)."""
    return bias.reshape((*bias.shape[:-1], 1, bias.shape[-1]))


def of_inputs(x: Array, steps: int, params: Params, biases: tuple[str, ...] = ("bias_ih", "bias_hh")) -> Array:
    """W x and these biases for all steps: (leading…, T, N, G·H)."""
    u = np.matmul(rows_by_step(x), params["weight_ih"].swapaxes(-1, -2))
    if "bias_ih" in params:
        u = plus(u, reduce(add, (beside(params[name]) for name in biases)))
    return u.reshape((*u.shape[:-2], steps, u.shape[-2] // steps, u.shape[-1]))


def biases_of(params: Params) -> tuple[Array, ...]:
    return tuple(beside(params[name]) for name in ("bias_ih", "bias_hh") if name in params)


def as_they_are(u: Array, v: Array, _biases: tuple[Array, ...]) -> Array:
    return plus(u, v)


def initial(site: Site, inputs: tuple[Array, ...], number: int, like: Array) -> Array:
    """An initial state (leading…, N, H): an input, or zeros."""
    if len(inputs) > number:
        return inputs[number]
    return np.zeros_like(like[..., : int(site.attributes["hidden"])])


def output(site: Site, h: Array) -> Array:
    """From h before the first step and after each, (leading…, T+1, N, H)."""
    return h[..., -1, :, :] if site.attributes["output"] == "last" else by_step(h[..., 1:, :, :])


def upstream(site: Site, d_out: Array, step: int) -> Array | None:
    """∂C/∂h of a step by the output alone; None where it is no output."""
    if site.attributes["output"] == "sequence":
        return d_out[..., step, :]
    return d_out if step == site.in_shapes[0][1] - 1 else None


def added(a: Array | None, b: Array | None) -> Any:
    return b if a is None else a if b is None else a + b


def collected(
    site: Site, inputs: tuple[Array, ...], params: Params, h: Array, du: Places, dv: Places
) -> tuple[Array, dict[str, Array]]:
    """∂C/∂x and the parameters' gradients, from h (as `output` has it) and from what each step leaves: du and dv."""
    of_input = as_rows(du.whole(), 3)
    of_state = of_input if dv is du else as_rows(dv.whole(), 3)
    gradients = {
        "weight_ih": np.matmul(of_input.swapaxes(-1, -2), rows_by_step(inputs[0])),
        "weight_hh": np.matmul(of_state.swapaxes(-1, -2), as_rows(h[..., :-1, :, :], 3)),
    }
    if "bias_ih" in params:
        gradients["bias_ih"] = of_input.sum(axis=-2)
        gradients["bias_hh"] = gradients["bias_ih"] if dv is du else of_state.sum(axis=-2)
    dx = np.matmul(of_input, params["weight_ih"])
    samples, steps, width = site.in_shapes[0]
    return by_step(dx.reshape((*dx.shape[:-2], steps, samples, width))), gradients


def rnn(gates: Mapping[str, Gate], joined: Joined = as_they_are) -> Keeping:
    """The layer `rnn`, with a gate for each nonlinearity."""

    def forward(site: Site, inputs: tuple[Array, ...], params: Params) -> tuple[Array, Kept]:
        gate, count = gates[str(site.attributes["nonlinearity"])], site.in_shapes[0][1]
        u, weight = of_inputs(inputs[0], count, params), params["weight_hh"].swapaxes(-1, -2)
        states, sums = [initial(site, inputs, 1, u[..., 0, :, :])], []
        for t in range(count):
            sums.append(joined(u[..., t, :, :], np.matmul(states[t], weight), biases_of(params)))
            states.append(gate.f(sums[t]))
        h, z = of_all(states), of_all(sums)
        return output(site, h), Kept((h, z), by_step(z))

    def backward(site: Site, d_out: Array, kept: Kept, inputs: tuple[Array, ...], params: Params) -> Backward:
        h, z = kept.values
        # Of all steps at once: on which side of a kink each is, is asked of each on its own.
        slope = gates[str(site.attributes["nonlinearity"])].slope(z, h[..., 1:, :, :])
        count = site.in_shapes[0][1]
        dz, dh = Places(count), None
        for t in reversed(range(count)):
            dz.put(t, added(upstream(site, d_out, t), dh) * slope[..., t, :, :])
            dh = np.matmul(dz[t], params["weight_hh"])
        dx, gradients = collected(site, inputs, params, h, dz, dz)
        return (dx, dh)[: len(inputs)], gradients

    return Keeping(forward, backward)


class LstmStep(NamedTuple):
    """What one step of an lstm leaves: C before and after it, a = tanh C', and its gates, with what they go by.

    i, f and o are parts of `ifo`, and go by `w`.
    """

    c: Array
    w: Array
    ifo: Array
    i: Array
    f: Array
    o: Array
    z_g: Array
    g: Array
    c_after: Array
    a: Array


def sigmoids_first(params: Params) -> dict[str, Array]:
    """i, f, g, o → i, f, o, g and back: the gates' axis of weights and biases, so that one call is three gates'."""
    axes = {role: -1 if role.startswith("bias") else -2 for role in params}
    return {
        role: np.concatenate([cut(a, axes[role], *ends) for ends in quarters(a.shape[axes[role]])], axis=axes[role])
        for role, a in params.items()
    }


def quarters(size: int) -> tuple[tuple[int, int], ...]:
    """The first two of four, the last one, the third."""
    return (0, size // 2), (3 * size // 4, size), (size // 2, 3 * size // 4)


def lstm(s: Gate, tanh: Gate, joined: Joined = as_they_are) -> Keeping:
    """The layer `lstm`, with these for its gates."""

    def forward(site: Site, inputs: tuple[Array, ...], params: Params) -> tuple[Array, Kept]:
        own, count, hidden = sigmoids_first(params), site.in_shapes[0][1], int(site.attributes["hidden"])
        u, weight = of_inputs(inputs[0], count, own), own["weight_hh"].swapaxes(-1, -2)
        h, c = (initial(site, inputs, number, u[..., 0, :, :]) for number in (1, 2))
        steps, states = [], [h]
        for t in range(count):
            z = joined(u[..., t, :, :], np.matmul(h, weight), biases_of(own))
            w, z_g = s.way(z[..., : 3 * hidden]), z[..., 3 * hidden :]
            ifo, g = s.f(w), tanh.f(z_g)
            i, f, o = thirds(ifo)
            c_after = plus(f * c, i * g)
            a = tanh.f(c_after)
            steps.append(LstmStep(c, w, ifo, i, f, o, z_g, g, c_after, a))
            h, c = o * a, c_after
            states.append(h)
        all_h = of_all(states)
        return output(site, all_h), Kept((all_h, steps))

    def backward(site: Site, d_out: Array, kept: Kept, inputs: tuple[Array, ...], params: Params) -> Backward:
        all_h, steps = kept.values
        own = sigmoids_first(params)
        dz, dh, dc = Places(len(steps)), None, None
        for t in reversed(range(len(steps))):
            c, w, ifo, i, f, o, z_g, g, c_after, a = steps[t]
            dh = added(upstream(site, d_out, t), dh)
            dc = added(dh * o * tanh.slope(c_after, a), dc)
            of_i, of_f, of_o = thirds(s.slope(w, ifo))
            dz.put(t, dc * g * of_i, dc * c * of_f, dh * a * of_o, dc * i * tanh.slope(z_g, g))
            dh = np.matmul(dz[t], own["weight_hh"])
            dc = dc * f
        dx, gradients = collected(site, inputs, own, all_h, dz, dz)
        return (dx, dh, dc)[: len(inputs)], sigmoids_first(gradients)

    return Keeping(_quiet(forward), _quiet(backward))


@dataclass(frozen=True)
class GruStep:
    """What one step of a gru leaves: h before it, its gates, what they go by, and `v`, U h + c of n."""

    h: Array
    w: Array
    v: Array
    rk: Array
    z_n: Array
    n: Array


def gru(s: Gate, tanh: Gate, joined: Joined = as_they_are) -> Keeping:
    """The layer `gru`, with these for its gates."""

    def forward(site: Site, inputs: tuple[Array, ...], params: Params) -> tuple[Array, Kept]:
        count, hidden = site.in_shapes[0][1], int(site.attributes["hidden"])
        u, weight = of_inputs(inputs[0], count, params, ("bias_ih",)), params["weight_hh"].swapaxes(-1, -2)
        h = initial(site, inputs, 1, u[..., 0, :, :])
        steps, states = [], [h]
        for t in range(count):
            v = np.matmul(h, weight)
            v = plus(v, beside(params["bias_hh"])) if "bias_hh" in params else v
            biases = tuple(b[..., : 2 * hidden] for b in biases_of(params))
            w = s.way(joined(u[..., t, :, : 2 * hidden], v[..., : 2 * hidden], biases))
            v_n = part(v, 2, 3)
            rk = s.f(w)
            z_n = u[..., t, :, 2 * hidden :] + part(rk, 0, 2) * v_n
            n = tanh.f(z_n)
            steps.append(GruStep(h, w, v_n, rk, z_n, n))
            h = s.rest(part(w, 1, 2), part(rk, 1, 2)) * n + part(rk, 1, 2) * h
            states.append(h)
        all_h = of_all(states)
        return output(site, all_h), Kept((all_h, steps))

    def backward(site: Site, d_out: Array, kept: Kept, inputs: tuple[Array, ...], params: Params) -> Backward:
        all_h, steps = kept.values
        du, dv, dh = Places(len(steps)), Places(len(steps)), None
        for t in reversed(range(len(steps))):
            step = steps[t]
            r, k = part(step.rk, 0, 2), part(step.rk, 1, 2)
            dh = added(upstream(site, d_out, t), dh)
            du_n = dh * s.rest(part(step.w, 1, 2), k) * tanh.slope(step.z_n, step.n)
            slopes = s.slope(step.w, step.rk)
            both = du_n * step.v * part(slopes, 0, 2), dh * (step.h - step.n) * part(slopes, 1, 2)
            du.put(t, *both, du_n)
            dv.put(t, *both, du_n * r)
            dh = np.matmul(dv[t], params["weight_hh"]) + dh * k
        dx, gradients = collected(site, inputs, params, all_h, du, dv)
        return (dx, dh)[: len(inputs)], gradients

    return Keeping(_quiet(forward), _quiet(backward))


def rows(s: Gate, tanh: Gate, relu: Gate, *, joined: Joined = as_they_are) -> dict[str, Keeping]:
    """The table of these layers, with these gates; `joined` is how u and v become the z of a gate."""
    return {
        "rnn": rnn({"tanh": tanh, "relu": relu}, joined),
        "lstm": lstm(s, tanh, joined),
        "gru": gru(s, tanh, joined),
    }


ROWS = rows(SIGMOID, TANH, RELU)

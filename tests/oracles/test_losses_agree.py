"""Every loss with every choice of its attributes: all witnesses agree with the built-in, and not with a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from builders import every_variant, text_of

from crosscheck import checking
from crosscheck.backprop import likelihoods, margins, network
from crosscheck.backprop.rows import Loss
from crosscheck.oracles.ball import Ball
from crosscheck.oracles.jax_grad import JaxGrad
from crosscheck.oracles.torch_autograd import TorchAutograd
from crosscheck.spec import OPS, Verdict, parse
from crosscheck.strategies.values import make_case
from crosscheck.subjects.builtin import Builtin

WITNESSES = checking.Witnesses((Ball(), TorchAutograd(), JaxGrad()), differences=False)
LOSSES = [op.name for op in OPS.values() if op.kind == "loss"]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("op", LOSSES)
def test_everybody_agrees_or_a_known_deviation_says_why_not(op: str, dtype: str) -> None:
    compared = 0
    for seed, text in enumerate(every_variant(op)):
        case = make_case(parse(text), family=("normal", "dyadic")[seed % 2], seed=seed, points=2, dtype=dtype)
        found = checking.check(case, Builtin(), WITNESSES)
        known = [deviation.witness for deviation in found.deviations]
        assert found.verdict in (Verdict.AGREES, Verdict.UNDECIDABLE) or found.odd_one_out in known, text
        compared += sum(t.status.size for t in found.tensors.values()) * (found.verdict is Verdict.AGREES)
    assert compared > 50


def test_everybody_agrees_on_networks_that_end_in_them() -> None:
    for seed, op in enumerate(LOSSES):
        start = {"bce": "sigmoid -> ", "nll": "log_softmax -> ", "kl_div": "log_softmax -> "}.get(op, "")
        head, call = text_of(op, weighted=True, l1=0.125, l2=0.25).rsplit(" -> ", 1)
        chain = f"{head} -> dense(3) -> tanh -> dense(3) -> {start}{call}"
        case = make_case(parse(chain), family="normal", seed=seed, points=2)
        found = checking.check(case, Builtin(), WITNESSES)
        assert found.verdict is Verdict.AGREES, chain


def wrong(op: str, change: Callable[[Loss], Loss]) -> Builtin:
    row = network.ROWS[op]
    assert isinstance(row, Loss)
    return Builtin({**network.ROWS, op: change(row)})


def slope(op: str, da: Callable[..., Any]) -> Builtin:
    return wrong(op, lambda row: replace(row, da=da))


def one_of(op: str, which: int, change: Callable[[Any], Any]) -> Builtin:
    """The loss of several outputs with the slope by one of them changed."""

    def changed(row: Loss) -> Loss:
        def da(*given: Any, **own: Any) -> tuple[Any, ...]:
            found = row.da(*given, **own)
            return tuple(change(d) if i == which else d for i, d in enumerate(found))

        return replace(row, da=da)

    return wrong(op, changed)


# fmt: off
WRONG: dict[str, tuple[str, Builtin]] = {
    "bce: half of it":                ("bce", slope("bce", lambda a, y: -y / a)),
    "bce: with the sigmoid's slope":  ("bce", slope("bce", lambda a, y: a - y)),
    "nll: not negative":              ("nll", slope("nll", lambda a, y, **_: likelihoods.one_hot(a, y))),
    "nll: softmax's too":             ("nll", slope("nll", lambda a, y, **_: np.exp(a) - likelihoods.one_hot(a, y))),
    "nll: the ignored count":         ("nll(ignore_index=0)", wrong("nll", lambda row: replace(row, counts=None))),
    "kl_div: of y log y too":         ("kl_div", slope("kl_div", lambda a, y, log_target: -y - a)),
    "kl_div: log_target forgotten":   ("kl_div(log_target=true)", slope("kl_div", lambda a, y, log_target: -y)),
    "poisson_nll: no exponential":    ("poisson_nll", slope("poisson_nll", lambda a, y, **_: a - y)),
    "poisson_nll: eps forgotten":     ("poisson_nll(log_input=false, eps=0.5)",
                                       slope("poisson_nll", lambda a, y, **_: 1.0 - y / a)),
    "gaussian_nll: of the logarithm": ("gaussian_nll(v)", one_of("gaussian_nll", 1, lambda d: d * 2.0)),
    "gaussian_nll: mean's sign":      ("gaussian_nll(v)", one_of("gaussian_nll", 0, lambda d: -d)),
    "focal: factor held constant":    ("focal", slope("focal", lambda z, y, alpha, gamma: likelihoods.by_class(y, alpha)
                                       * (likelihoods.sigmoid(z) - y) ** 3)),
    "focal: alpha swapped":           ("focal", slope("focal", lambda z, y, alpha, gamma:
                                                      likelihoods.focal_slope(z, y, 1 - alpha, gamma))),
    "hinge: without the hinge":       ("hinge", slope("hinge", lambda a, y: -y + 0.0 * a)),
    "hinge: decided by a":            ("hinge", slope("hinge", lambda a, y: np.where(a < 1, -y, 0.0))),
    "cosine: not projected":          ("cosine_similarity", slope("cosine_similarity", lambda a, y, eps:
                                       -y / margins.length(a) / margins.length(y))),
    "cosine: not over the norm":      ("cosine_similarity", slope("cosine_similarity", lambda a, y, eps:
                                       margins.cosine_similarity_slope(a, y, eps) * margins.length(a))),
    "triplet: positive's sign":       ("triplet(p, n)", one_of("triplet", 1, lambda d: -d)),
    "triplet: negative forgotten":    ("triplet(p, n)", one_of("triplet", 2, lambda d: 0.0 * d)),
    "triplet: eps forgotten":         ("triplet(p, n, eps=0.125)", slope("triplet", lambda a, p, n, y, margin, eps:
                                       margins.triplet_slope(a, p, n, y, margin, 0.0))),
    "smoothing forgotten":            ("softmax_cross_entropy(label_smoothing=0.25)",
                                       slope("softmax_cross_entropy", lambda z, y, **own: np.exp(z)
                                             / np.exp(z).sum(axis=-1, keepdims=True) - likelihoods.one_hot(z, y))),
    "cross entropy: ignored count":   ("softmax_cross_entropy(ignore_index=0, reduction=mean)",
                                       wrong("softmax_cross_entropy", lambda row: replace(row, counts=None))),
}
# fmt: on
INPUTS = {
    "gaussian_nll": "x[3,4]; v[3,4]; x",
    "triplet": "x[3,4]; p[3,4]; n[3,4]; x",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_slope_is_found(name: str) -> None:
    call, subject = WRONG[name]
    text = f"{INPUTS.get(call.split('(')[0], 'x[3,4]')} -> {call}"
    case = make_case(parse(text), family="normal", seed=3, points=4)
    wanted = (Verdict.DISAGREES, Verdict.FORWARD_DISAGREES)
    assert checking.check(case, Builtin(), WITNESSES).verdict is Verdict.AGREES
    assert checking.check(case, subject, WITNESSES).verdict in wanted


def test_the_witnesses_agree_on_kinks_that_are_hit_exactly() -> None:
    """Hinge at y a = 1, a variance of eps, vectors of length eps, anchors on their positives: hulls of both sides."""
    texts = {
        "x[4] -> hinge": {"x": [[1.0, -1.0, 1.0, 0.5]]},
        "x[2]; v[2]; x -> gaussian_nll(v, eps=0.25)": {"v": [[0.25, 1.0]]},
        "x[2,2] -> cosine_similarity(eps=5.0)": {"x": [[[3.0, 4.0], [0.0, 5.0]]]},
        "x[2,2]; p[2,2]; n[2,2]; x -> triplet(p, n, eps=0.125)": {
            "x": [[[1.0, 2.0], [0.0, 1.0]]],
            "p": [[[1.125, 2.125], [0.0, 1.0]]],
        },
    }
    for text, inputs in texts.items():
        case = make_case(parse(text), family="dyadic", seed=1, points=1)
        case = replace(case, inputs={**case.inputs, **{k: np.array(v) for k, v in inputs.items()}})
        found = checking.check(case, Builtin(), WITNESSES)
        assert found.certified is not None
        assert found.certified.hull.all(), text
        assert found.verdict in (Verdict.AGREES, Verdict.UNDECIDABLE), text

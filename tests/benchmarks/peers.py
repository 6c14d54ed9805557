"""The other ways of checking a gradient, each asked about the same claimed gradient of one point.

They are asked as their users ask them, with their defaults, in float64: the loss is differentiated numerically by them,
and the claimed gradient stands in place of the framework's own backward.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import torch
from jax.test_util import check_grads
from speed import torch_function
from torch.autograd import gradcheck
from torch.autograd.function import once_differentiable

from crosscheck.oracles.jax_grad import losses, walk
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import Case
from crosscheck.spec.result import Array


@dataclass(frozen=True)
class Question:
    """A case of one point, the gradient that somebody claims for it, and PyTorch's, both by tensor."""

    case: Case
    claimed: Mapping[str, Array]
    torch: Mapping[str, Array]


@dataclass(frozen=True)
class Peer:
    """A method by name, the settings that it runs with, and whether it accuses a claimed gradient."""

    name: str
    settings: str
    accuses: Callable[[Question], bool]


def by_gradcheck(question: Question, *, fast: bool) -> bool:
    loss, tensors = torch_function(question.case)
    claimed = [torch.tensor(g) for g in question.claimed.values()]

    class Claimed(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *given: Any) -> Any:
            return loss(*given)

        @staticmethod
        @once_differentiable
        def backward(ctx: Any, d: Any) -> Any:
            return tuple(d * g for g in claimed)

    return not gradcheck(Claimed.apply, tensors, fast_mode=fast, raise_exception=False)


def by_check_grads(question: Question) -> bool:
    point = question.case.point(0)
    with jax.enable_x64(True):
        value = functools.partial(_jax_loss(question.case.architecture), targets=point.targets)

        @jax.custom_vjp
        def loss(given: Any) -> Any:
            return value(given)

        def backward(_: None, d: Any) -> Any:
            return ({name: d * g for name, g in question.claimed.items()},)

        loss.defvjp(lambda given: (value(given), None), backward)
        try:
            check_grads(loss, ({**point.params, **point.inputs},), order=1, modes=("rev",))
        except AssertionError:  # how it says no
            return True
    return False


@functools.lru_cache(maxsize=1)
def _jax_loss(architecture: Architecture) -> Any:
    @jax.jit
    def loss(given: Any, targets: Any) -> Any:
        outputs = walk.network(architecture, given, given, {})
        return losses.point_loss(architecture.loss.op, architecture.loss.attributes, outputs, targets, None)

    return loss


def by_allclose(question: Question) -> bool:
    return not all(np.allclose(g, question.torch[name]) for name, g in question.claimed.items())


PEERS = (
    Peer("gradcheck, slow", "eps 1e-6, atol 1e-5, rtol 1e-3", functools.partial(by_gradcheck, fast=False)),
    Peer("gradcheck, fast", "fast_mode, eps 1e-6, atol 1e-5, rtol 1e-3", functools.partial(by_gradcheck, fast=True)),
    Peer("check_grads", "order 1, modes rev; eps 1e-4, atol 1e-5, rtol 1e-5", by_check_grads),
    Peer("numpy.allclose", "to PyTorch's gradient; atol 1e-8, rtol 1e-5", by_allclose),
)

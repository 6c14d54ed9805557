"""The hand-written backprop beside PyTorch eager on networks of the sizes that people train.

    python tests/benchmarks/layers_speed.py [--networks conv] [--rounds 100]

One thread each, in turns in one process, forward and backward with the gradient of every parameter and of the input.
The processor's own time counts, and the best of all rounds: whatever else the machine does only adds to it. Beside it
the products of matrices alone that the hand-written side asks for, by NumPy and by PyTorch on the same memory: so much
of the ratio is that of two libraries' BLAS. Exit 1 where a ratio is above what is asked for.
"""

from __future__ import annotations

import os

# Read when NumPy and PyTorch are first imported.
os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (the name under which everyone knows it)

from crosscheck.backprop import network
from crosscheck.spec import Case, Gradients, parse
from crosscheck.strategies.values import make_case

Tensors = Mapping[str, Any]


@dataclass(frozen=True)
class Contest:
    """A network as text, the loss of it as PyTorch's users write it (tensors by name, targets), and what is asked."""

    text: str
    loss: Callable[[Tensors, Any], Any]
    most: float


def dense_net(t: Tensors, y: Any) -> Any:
    a = F.relu(F.linear(t["x"], t["0.weight"], t["0.bias"]))
    a = F.relu(F.linear(a, t["2.weight"], t["2.bias"]))
    return F.cross_entropy(F.linear(a, t["4.weight"], t["4.bias"]), y)


def conv_net(t: Tensors, y: Any) -> Any:
    a = F.max_pool2d(F.relu(F.conv2d(t["x"], t["0.weight"], t["0.bias"], padding=1)), 2)
    a = F.max_pool2d(F.relu(F.conv2d(a, t["3.weight"], t["3.bias"], padding=1)), 2)
    return F.cross_entropy(F.linear(a.flatten(1), t["7.weight"], t["7.bias"]), y)


def lstm(t: Tensors, c: Any) -> Any:
    """What nn.LSTM does with its parameters, here with those of the case."""
    states = [t["x"].new_zeros(1, t["x"].shape[0], 128) for _ in range(2)]
    own = [t[f"0.{role}"] for role in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    # has_biases, num_layers, dropout, train, bidirectional, batch_first
    return (torch._VF.lstm(t["x"], states, own, True, 1, 0.0, True, False, True)[0] * c).sum()


def attention(t: Tensors, c: Any) -> Any:
    """What nn.MultiheadAttention does, without its weights."""
    x = t["x"].transpose(0, 1)
    inside = [torch.cat([t[f"0.{kind}_{name}"] for name in "qkv"]) for kind in ("weight", "bias")]
    own = (*inside, None, None, False, 0.0, t["0.weight_o"], t["0.bias_o"])
    out, _ = F.multi_head_attention_forward(x, x, x, 128, 4, *own, need_weights=False)
    return (out.transpose(0, 1) * c).sum()


CONTESTS: dict[str, Contest] = {
    "dense": Contest(
        "x[128,784] -> dense(512) -> relu -> dense(512) -> relu -> dense(10) -> softmax_cross_entropy(reduction=mean)",
        dense_net,
        1.0,
    ),
    "lstm": Contest("x[32,50,64] -> lstm(128) -> cotangent", lstm, 1.5),
    "attention": Contest("x[8,128,128] -> multi_head_attention(heads=4) -> cotangent", attention, 1.5),
    "conv": Contest(
        "x[32,1,28,28] -> conv2d(8, 3, padding=1) -> relu -> max_pool2d -> conv2d(16, 3, padding=1) -> relu "
        "-> max_pool2d -> flatten -> dense(10) -> softmax_cross_entropy(reduction=mean)",
        conv_net,
        1.5,
    ),
}


def by_hand(case: Case) -> Callable[[], Gradients]:
    return lambda: network.gradients(case)


def by_torch(case: Case, contest: Contest) -> Callable[[], dict[str, Any]]:
    arrays = {**case.params, **{name: case.inputs[name] for name in case.architecture.float_inputs}}
    tensors = {name: torch.tensor(array[0], requires_grad=True) for name, array in arrays.items()}
    others = {name: torch.tensor(array[0]) for name, array in case.inputs.items() if name not in tensors}
    targets = torch.tensor(case.targets[0])

    def run() -> dict[str, Any]:
        loss = contest.loss({**tensors, **others}, targets)
        return dict(zip(tensors, torch.autograd.grad(loss, tuple(tensors.values())), strict=True))

    return run


def assert_same(case: Case, ours: Gradients, theirs: Mapping[str, Any]) -> None:
    """That both answer the same question; how exactly is not asked here.

    A gradient that is 0, as that of a key's bias, is the rounding of what is not.
    """
    largest = max(float(tensor.abs().max()) for tensor in theirs.values())
    for name, tensor in theirs.items():
        close = 1e-3 * float(tensor.abs().max()) + 1e-6 * largest
        np.testing.assert_allclose(ours[name][0], tensor.numpy(), rtol=0.0, atol=close, err_msg=name)


def products_of(run: Callable[[], object]) -> list[tuple[Any, Any]]:
    """Both sides of every product of matrices on the way, as they lie in memory."""
    found: list[tuple[Any, Any]] = []
    product = np.matmul

    def noted(a: Any, b: Any) -> Any:
        found.append((a, b))
        return product(a, b)

    with mock.patch.object(np, "matmul", noted):
        run()
    return found


def products_alone(run: Callable[[], object]) -> tuple[Callable[[], object], Callable[[], object]]:
    """Those products by NumPy and by PyTorch."""
    pairs = products_of(run)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # nothing writes
        # Without the axis of the one point, which PyTorch's users do not have.
        tensors = [(torch.from_numpy(a[0]), torch.from_numpy(b[0])) for a, b in pairs]

    def each(product: Callable[[Any, Any], object], operands: list[tuple[Any, Any]]) -> None:
        for a, b in operands:
            product(a, b)

    return lambda: each(np.matmul, pairs), lambda: each(torch.matmul, tensors)


def best_of(rounds: int, calls: tuple[Callable[[], object], ...]) -> list[float]:
    """Milliseconds of each call, in turns."""
    found = [float("inf")] * len(calls)
    for _ in range(rounds):
        for i, call in enumerate(calls):
            start = time.process_time()
            call()
            found[i] = min(found[i], 1e3 * (time.process_time() - start))
    return found


def measured(name: str, dtype: str, rounds: int) -> float:
    """The ratio of the times, which is printed too."""
    contest = CONTESTS[name]
    case = make_case(parse(contest.text), family="initialised", seed=1, points=1, dtype=dtype)
    ours, theirs = by_hand(case), by_torch(case, contest)
    assert_same(case, ours(), theirs())
    hand, eager, numpy_products, torch_products = best_of(rounds, (ours, theirs, *products_alone(ours)))
    ratio = hand / eager
    figures = f"by hand {hand:8.2f} ms, PyTorch {eager:8.2f} ms, ratio {ratio:5.2f} (at most {contest.most})"
    alone = f"{numpy_products:.2f} and {torch_products:.2f} ms, ratio {numpy_products / torch_products:.2f}"
    print(f"{name:10} {dtype:8} {figures}; products alone {alone}")
    return ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="*", choices=tuple(CONTESTS), default=tuple(CONTESTS))
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    torch.set_num_threads(1)
    runs = [(name, dtype) for name in options.networks for dtype in ("float32", "float64")]
    missed = [name for name, dtype in runs if not measured(name, dtype, options.rounds) <= CONTESTS[name].most]
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()

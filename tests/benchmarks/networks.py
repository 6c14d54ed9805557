"""The networks of the calibration, by kind: single operations, drawn networks, deep ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from crosscheck import session
from crosscheck.spec.architecture import Architecture, Input, Loss, Node
from crosscheck.spec.case import Case
from crosscheck.spec.notation import parse
from crosscheck.spec.op import Value
from crosscheck.spec.ops import OPS
from crosscheck.strategies.architectures import choices
from crosscheck.strategies.by_index import Source
from crosscheck.strategies.space import Space
from crosscheck.strategies.values import make_case
from crosscheck.subjects.builtin import Builtin

# The operations alone: points, and the span of their inputs.
MANY, CLASSES, WIDEST, DECADES = 64, 3, 45.0, 8.0
# The deep networks.
POINTS, WIDTH, ROWS, BLOCKS, DEPTHS = 4, 16, 4, 20, range(5, 17)
CURVED = (
    "tanh",
    "sigmoid",
    "softplus",
    "silu",
    "gelu",
    "mish",
    "elu",
    "selu",
    "softsign",
    "log_sigmoid",
    "sin",
    "relu",
)
DEEP_FAMILIES = ("initialised", "normal", "small", "large")
MERGING = ("dense", "tanh", "gelu", "sin", "add", "multiply", "concat", "sse", "softmax_cross_entropy")
LOSSES = ("sse", "softmax_cross_entropy", "cotangent")
OF_ANY_NUMBERS = ("sse", "mse", "mae", "huber", "bce_with_logits", "softmax_cross_entropy", "cotangent")
FEW = 12


def drawn(networks: int, seed: int, dtype: str, ops: tuple[str, ...] | None = None) -> Iterator[Case]:
    settings = session.Settings(Builtin(), seed=seed, dtypes=(dtype,), ops=ops)
    source = Source(session.strategy(settings)[0], seed)
    for index in range(networks):
        case = source.case(index)
        assert case is not None, f"index {index} drew no case"
        yield case


def alone(seed: int, dtype: str) -> Iterator[Case]:
    """Every activation and every loss by itself, on exact inputs of both signs, of all sizes up to WIDEST."""
    generator = np.random.default_rng(seed)
    for name, op in OPS.items():
        # Of probabilities, logarithms and several vectors there are no wide inputs: tests/oracles/test_losses_agree.
        if op.kind != "activation" and name not in OF_ANY_NUMBERS:
            continue
        every = choices(Space.of([name], weighs=False), name)
        for attributes in every:
            # Of many attributes one at a time.
            if len(every) <= FEW or sum(value != every[0][key] for key, value in attributes.items()) <= 1:
                yield _wide(_by_itself(name, op.kind, attributes), generator, dtype)


def _by_itself(name: str, kind: str, attributes: dict[str, Value]) -> Architecture:
    x = (Input("x", (ROWS, CLASSES)),)
    if kind == "loss":
        return Architecture(x, (), Loss(name, attributes, (-1,)))
    cotangent = choices(Space.of(["cotangent"]), "cotangent")[0]
    return Architecture(x, (Node(name, attributes, (-1,), {}),), Loss("cotangent", cotangent, (0,)))


def _wide(architecture: Architecture, g: np.random.Generator, dtype: str) -> Case:
    """Half of the inputs at any distance from 0, half at any from their targets, where those have the same shape."""
    case = make_case(architecture, family="normal", seed=int(g.integers(2**32)), points=MANY, dtype=dtype)
    shape = case.inputs["x"].shape
    far = g.choice([-1.0, 1.0], shape) * WIDEST * 10.0 ** (DECADES * (g.random(shape) - 1.0))
    if case.targets.shape == shape and case.targets.dtype.kind == "f":
        far += np.where(g.random(shape) < 0.5, case.targets, 0.0)
    return dataclasses.replace(case, inputs={"x": far.astype(dtype)}, family="wide")


def plain(depth: int, act: str, loss: str) -> str:
    return f"x[{ROWS},{WIDTH}]{f' -> dense({WIDTH}) -> {act}' * depth} -> {loss}"


def residual(blocks: int, act: str, loss: str) -> str:
    """a + W₂ g(W₁ a), so many times."""
    chain = f"x[{ROWS},{WIDTH}] -> h0: dense({WIDTH})"
    for k in range(blocks):
        chain += f" -> dense({WIDTH}) -> {act} -> dense({WIDTH}) -> h{k + 1}: add(h{k})"
    return f"{chain} -> {loss}"


def deep(networks: int, seed: int, dtype: str, text: Callable[[np.random.Generator], str]) -> Iterator[Case]:
    generator = np.random.default_rng(seed)
    for index in range(networks):
        family = DEEP_FAMILIES[index % len(DEEP_FAMILIES)]
        yield make_case(parse(text(generator)), family=family, seed=seed + index, points=POINTS, dtype=dtype)


def _plain(g: np.random.Generator) -> str:
    return plain(int(g.choice(DEPTHS)), str(g.choice(CURVED)), str(g.choice(LOSSES)))


def _residual(g: np.random.Generator) -> str:
    return residual(BLOCKS, str(g.choice(CURVED)), str(g.choice(LOSSES)))


# fmt: off
KINDS: dict[str, Callable[[int, int, str], Iterator[Case]]] = {
    "alone":    lambda _n, seed, dtype: alone(seed, dtype),
    "drawn":    drawn,
    "merges":   lambda n, seed, dtype: drawn(n // 2, seed, dtype, MERGING),
    "plain":    lambda n, seed, dtype: deep(n // 4, seed, dtype, _plain),
    "residual": lambda n, seed, dtype: deep(n // 8, seed, dtype, _residual),
}
# fmt: on

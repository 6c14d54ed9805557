"""Random networks of convolutions and pools, as cases: shapes that do not fit are passed over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from builders import case_of

from crosscheck.spec import Case, SpecError, parse

FAMILIES = ("dyadic", "integers", "ones", "initialised", "normal", "large", "tiny", "decades", "sparse", "repeated")
MOST = 160  # numbers in a node


def cases(seed: int, count: int, *, points: int = 2, families: Sequence[str] = FAMILIES) -> Iterator[Case]:
    """So many cases, in both dtypes."""
    g = np.random.default_rng(seed)
    while count:
        text = _text(g)
        try:
            architecture = parse(text)
        except SpecError:
            continue
        if max(int(np.prod(shape)) for shape in architecture.node_shapes) <= MOST:
            dtype, family = str(g.choice(["float64", "float32"])), str(g.choice(families))
            yield case_of(text, seed=int(g.integers(2**32)), family=family, points=points, dtype=dtype)
            count -= 1


def _text(g: np.random.Generator) -> str:
    axes = int(g.choice([1, 2]))
    shape = [int(g.choice([1, 2])), int(g.choice([1, 2, 4])), *(int(n) for n in g.integers(3, 7, axes))]
    steps = []
    for _ in range(int(g.integers(1, 4))):
        steps.append(_conv(g, axes) if g.random() < 0.5 else _pool(g, axes))
        if steps[-1] == "global_avg_pool":
            break
        steps.append(str(g.choice(["tanh", "relu", "identity", "gelu"])))
    return f"x[{','.join(map(str, shape))}] -> {' -> '.join(steps)} -> {g.choice(['cotangent', 'sse'])}"


def _sizes(g: np.random.Generator, axes: int, values: Sequence[int]) -> str:
    return "x".join(str(g.choice(values)) for _ in range(axes))


def _conv(g: np.random.Generator, axes: int) -> str:
    transposed = axes == 2 and g.random() < 0.3
    given = [
        str(g.choice([1, 2, 4])),
        _sizes(g, axes, [1, 2, 3]),
        f"stride={_sizes(g, axes, [1, 1, 2, 3])}",
        f"padding={_sizes(g, axes, [0, 0, 1, 2])}",
        f"dilation={_sizes(g, axes, [1, 1, 2])}",
        f"groups={g.choice([1, 1, 2])}",
        f"bias={'true' if g.random() < 0.7 else 'false'}",
    ]
    if transposed:
        given.append(f"output_padding={_sizes(g, axes, [0, 0, 1])}")
    return f"{'conv_transpose2d' if transposed else f'conv{axes}d'}({', '.join(given)})"


def _pool(g: np.random.Generator, axes: int) -> str:
    kind = str(g.choice(["max", "max", "avg", "global"]))
    if kind == "global":
        return "global_avg_pool"
    given = [_sizes(g, axes, [1, 2, 2, 3]), _sizes(g, axes, [0, 0, 1, 2, 3]), _sizes(g, axes, [0, 0, 1])]
    if kind == "avg":
        given.append(str(g.random() < 0.5).lower())
    return f"{kind}_pool{axes}d({', '.join(given)})"

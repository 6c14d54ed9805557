"""`crosscheck explain`: the textbook's derivation for one weight of a network, in symbols and numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from crosscheck.backprop.textbook import Layer
    from crosscheck.report.explain import Explanation
    from crosscheck.spec import Architecture, Case, Node, Point

LECTURE = "x[2] -> dense(2) -> sigmoid -> dense(3) -> sigmoid -> dense(2) -> sigmoid -> sse"
# Every product becomes an object with its symbols: 180,000 of them took 1.3 s and 110 MB.
MOST_PRODUCTS = 200_000
_WEIGHT = re.compile(r"(?P<key>.+)\[(?P<index>\s*-?\d{1,9}\s*(,\s*-?\d{1,9}\s*)*)\]\Z", re.ASCII)


@click.command(short_help="The textbook's derivation for one weight of a network.")
@click.argument("architecture", required=False)
@click.option(
    "--weight", help="Weight or bias, 0-based: 2.weight[1,1] or 2.bias[0].  [default: the lecture's w_22^(L-1)]"
)
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the numbers.  [default: 0]")
@click.option("--case", "file", type=click.Path(path_type=Path), help="Explain a saved case, not drawn numbers.")
@click.option("--point", type=click.IntRange(min=0), help="Point of the saved case.  [default: 0]")
@click.option("--sample", type=click.IntRange(min=0), default=0, show_default=True, help="Sample to derive.")
@click.option("--terms", type=click.IntRange(min=1), default=4, show_default=True, help="Terms of a sum to write out.")
def explain(
    architecture: str | None,
    weight: str | None,
    seed: int | None,
    file: Path | None,
    point: int | None,
    sample: int,
    terms: int,
) -> None:
    """Derive the gradient of one weight as the textbook does: factor by factor, from the output back.

    ARCHITECTURE is a chain of dense layers and elementwise activations that ends in sse or mse; the default is a
    network of four layers, as in the lecture. The numbers are drawn, or come from a saved case.
    """
    from crosscheck.report.explain import render
    from crosscheck.spec import Case, parse

    if file is not None:
        _refuse_beside_case(architecture=architecture, seed=seed)
        case = Case.load(file)
    elif point is not None:
        raise click.UsageError(f"--point {point} belongs to a saved case: give --case FILE too")
    else:
        asked = parse(architecture if architecture is not None else LECTURE)
        _check_covered(asked)
        case = _drawn(asked, seed or 0)
    _check_covered(case.architecture)
    click.echo(render(_explanation(case, point or 0, weight, sample), terms), nl=False)


def _refuse_beside_case(**given: object) -> None:
    for name, value in given.items():
        if value is not None:
            place = "ARCHITECTURE" if name == "architecture" else f"--{name}"
            raise click.UsageError(f"{place} is {value!r}, but --case FILE brings its own architecture and numbers")


def _drawn(architecture: Architecture, seed: int) -> Case:
    """One point with standard normal numbers of two decimals, which a person can follow."""
    import numpy as np

    from crosscheck.spec import Case

    rng = np.random.default_rng(seed)
    params = {k: rng.standard_normal((1, *s)).round(2) for k, s in architecture.param_shapes.items()}
    inputs = {i.name: rng.standard_normal((1, *i.shape)).round(2) for i in architecture.inputs}
    return Case(architecture, params, inputs, rng.standard_normal((1, *architecture.target_shape)).round(2))


def _check_covered(architecture: Architecture) -> None:
    """Raise click.UsageError unless the textbook's network can express the architecture."""
    from crosscheck.backprop.textbook import ROWS

    if len(architecture.inputs) != 1 or architecture.inputs[0].dtype != "float":
        names = ", ".join(f"{i.name} ({i.dtype})" for i in architecture.inputs)
        raise click.UsageError(f"explain covers networks with one float input, but this one has {names}")
    for i, node in enumerate(architecture.nodes):
        if node.op != "dense" and node.op not in ROWS:
            raise click.UsageError(
                f"node {i} ({node.op}) is not covered: explain covers chains of dense layers and elementwise "
                f"activations ({', '.join(ROWS)})"
            )
        if node.inputs != (i - 1,):
            raise click.UsageError(
                f"node {i} ({node.op}) does not follow {f'node {i - 1}' if i else 'the input'}: "
                "explain covers chains, each node on the one before it"
            )
    _check_ends(architecture)


def _check_ends(architecture: Architecture) -> None:
    loss, nodes = architecture.loss, architecture.nodes
    if not nodes or nodes[0].op != "dense":
        found = f"node 0 ({nodes[0].op}) stands there" if nodes else "there is no node"
        raise click.UsageError(
            f"the first node must be dense (the textbook's layer 1 is the input itself), but {found}"
        )
    if loss.op not in ("sse", "mse"):
        raise click.UsageError(
            f"loss ({loss.op}) is not covered: explain covers the sum of squared errors, as sse or mse"
        )
    if loss.inputs != (len(nodes) - 1,):
        raise click.UsageError(f"loss ({loss.op}) does not follow node {len(nodes) - 1}, the last one of the chain")
    products = _samples(architecture) * sum(n * m for n, m in _weight_shapes(architecture))
    if products > MOST_PRODUCTS:
        raise click.UsageError(
            f"the network has {products:,} products of a weight and an activation (weights times samples); "
            f"explain writes them out one by one and covers at most {MOST_PRODUCTS:,}"
        )


def _weight_shapes(architecture: Architecture) -> list[tuple[int, ...]]:
    return [architecture.param_shapes[n.params["weight"]] for n in architecture.nodes if n.op == "dense"]


def _samples(architecture: Architecture) -> int:
    import math

    return math.prod(architecture.inputs[0].shape[:-1])


def _share(architecture: Architecture) -> tuple[float, str]:
    """What each sample's loss counts with, and how that comes about; no text where it is 1."""
    import math

    scale = float(architecture.loss.attributes["scale"])
    shape = architecture.node_shapes[-1]
    over = {"sum": 1, "batch_mean": shape[0], "mean": math.prod(shape)}[str(architecture.loss.attributes["reduction"])]
    text = f"{scale:g}/{over}" if over > 1 else f"{scale:g}"
    return scale / over, "" if text == "1" else text


def _layers(nodes: tuple[Node, ...], point: Point) -> tuple[tuple[Layer, ...], dict[int, Mapping[str, str]]]:
    """The textbook's layers 2 … L, and for each of them the keys of its parameters by role."""
    from crosscheck.backprop.textbook import Layer

    layers: list[Layer] = []
    keys: dict[int, Mapping[str, str]] = {}
    starts = [i for i, node in enumerate(nodes) if node.op == "dense"]
    for l, (start, end) in enumerate(zip(starts, [*starts[1:], len(nodes)], strict=True), start=2):
        params = {role: point.params[key].tolist() for role, key in nodes[start].params.items()}
        g, *then = [(n.op, dict(n.attributes)) for n in nodes[start + 1 : end]] or [("identity", {})]
        layers.append(Layer(params["weight"], params.get("bias"), *g, then=tuple(then)))
        keys[l] = nodes[start].params
    return tuple(layers), keys


def _explanation(case: Case, index: int, weight: str | None, sample: int) -> Explanation:
    from crosscheck.backprop import textbook
    from crosscheck.report.explain import Explanation, derivation

    if index >= case.n_points:
        raise click.UsageError(f"--point {index}: the points of the case are 0 to {case.n_points - 1}")
    architecture, point = case.architecture, case.point(index)
    layers, keys = _layers(architecture.nodes, point)
    x = point.inputs[architecture.inputs[0].name].reshape(_samples(architecture), -1).tolist()
    y = point.targets.reshape(_samples(architecture), -1).tolist()
    if sample >= len(x):
        raise click.UsageError(f"--sample {sample}: the samples of the input are 0 to {len(x) - 1}")
    key, position = _asked(weight, architecture, keys)
    uses = [(l, role) for l, roles in keys.items() for role, k in roles.items() if k == key]
    j, k = position if len(position) == 2 else (position[0], None)
    share, share_text = _share(architecture)
    whole = textbook.gradients(layers, x, y, share)
    return Explanation(
        architecture=str(architecture),
        layers=layers,
        roots=tuple(derivation(layers, x[sample], y[sample], l=l, j=j, k=k, sample=sample) for l, _ in uses),
        parameter=f"params[{key!r}][{', '.join(map(str, position))}]",
        value=float(point.params[key][position]),
        weights={l: roles["weight"] for l, roles in keys.items()},
        sample=sample,
        samples=len(x),
        share_text=share_text,
        sample_loss=textbook.loss(textbook.forward(layers, x[sample]).a[len(layers) + 1], y[sample]),
        loss=whole.loss,
        gradient=sum(whole.biases[l][j] if k is None else whole.weights[l][j][k] for l, _ in uses),
    )


def _asked(
    weight: str | None, architecture: Architecture, keys: Mapping[int, Mapping[str, str]]
) -> tuple[str, tuple[int, ...]]:
    """Key and index of the parameter; the lecture's w_22^(L-1), or the nearest there is, where none is named."""
    shapes = architecture.param_shapes
    if weight is None:
        key = keys[max(2, len(keys))]["weight"]
        return key, tuple(min(1, size - 1) for size in shapes[key])
    has = "this network has " + ", ".join(f"{k} {_shape_text(s)}" for k, s in shapes.items())
    found = _WEIGHT.match(weight)
    if not found:
        raise click.UsageError(f"--weight {weight!r}: write a key and a 0-based index, as in 2.weight[1,1]; {has}")
    key, index = found["key"], tuple(int(i) for i in found["index"].split(","))
    if key not in shapes:
        raise click.UsageError(f"--weight {weight!r}: there is no parameter {key!r}; {has}")
    if len(index) != len(shapes[key]):
        raise click.UsageError(
            f"--weight {weight!r}: {key} has the shape {_shape_text(shapes[key])}; "
            f"it needs as many 0-based indices, {len(shapes[key])}, not {len(index)}"
        )
    for axis, (i, size) in enumerate(zip(index, shapes[key], strict=True)):
        if not 0 <= i < size:
            raise click.UsageError(
                f"--weight {weight!r}: index {i} on axis {axis} of {key} must be from 0 to {size - 1}"
            )
    return key, index


def _shape_text(shape: tuple[int, ...]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"

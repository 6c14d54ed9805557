"""A user's subject of textbook formulas, 1 - a·a and a(1 - a), on weights that saturate: right, and never accused.

These formulas lose their relative accuracy where the unit saturates. The bound must allow for that (its spread comes
from rows of the same quality); a bound from the accurate rows of the built-in would accuse nine networks in ten.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from scipy import special
from soak.alarms import soak

from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import Case, Point
from crosscheck.strategies.architectures import architectures
from crosscheck.strategies.by_index import Source
from crosscheck.strategies.space import Space
from crosscheck.subjects.python_callable import PythonCallable

SEED = 33
NETWORKS = 300
POINTS = 4
SPACE = Space.of(["dense", "sigmoid", "tanh", "sse"])
WEIGHT_SCALE = 3.0

# g and g' from a = g(z), as they stand in every textbook.
RULES = {
    "sigmoid": (special.expit, lambda a: a * (1 - a)),
    "tanh": (np.tanh, lambda a: 1 - a * a),
}


def plain_backprop(architecture: Architecture, point: Point) -> tuple[float, dict[str, np.ndarray]]:
    """A user's backprop of dense, sigmoid, tanh and sse, for chains with shared weights allowed."""
    outputs = []

    def value(link: int) -> np.ndarray:
        return outputs[link] if link >= 0 else point.inputs["x"]

    for node in architecture.nodes:
        z = value(node.inputs[0])
        if node.op == "dense":
            z = z @ point.params[node.params["weight"]].T
            outputs.append(z + point.params[node.params["bias"]] if "bias" in node.params else z)
        else:
            outputs.append(RULES[node.op][0](z))
    attributes = architecture.loss.attributes
    difference = outputs[-1] - point.targets
    count = {"sum": 1, "mean": difference.size, "batch_mean": len(difference)}[attributes["reduction"]]
    factor = attributes["scale"] / count
    gradients = {key: np.zeros(shape) for key, shape in architecture.param_shapes.items()}
    d = factor * 2 * difference
    for index in reversed(range(len(architecture.nodes))):
        node = architecture.nodes[index]
        if node.op != "dense":
            d = d * RULES[node.op][1](outputs[index])
            continue
        rows, given = d.reshape(-1, d.shape[-1]), value(node.inputs[0])
        gradients[node.params["weight"]] += rows.T @ given.reshape(-1, given.shape[-1])
        if "bias" in node.params:
            gradients[node.params["bias"]] += rows.sum(axis=0)
        d = d @ point.params[node.params["weight"]]
    return float(factor * (difference**2).sum()), gradients | {"x": d}


def scaled_case(architecture: Architecture, seed: int) -> Case:
    """Weights at scale 3, everything else at scale 1."""
    generator = np.random.default_rng(seed)
    params = {k: WEIGHT_SCALE * generator.standard_normal((POINTS, *s)) for k, s in architecture.param_shapes.items()}
    inputs = {i.name: generator.standard_normal((POINTS, *i.shape)) for i in architecture.inputs}
    targets = generator.standard_normal((POINTS, *architecture.target_shape))
    return Case(architecture, params, inputs, targets, "float64")


@pytest.mark.long
def test_textbook_formulas_are_never_accused_on_saturating_weights() -> None:
    source = Source(st.builds(scaled_case, architectures(SPACE), st.integers(0, 2**32 - 1)), SEED)
    subject = PythonCallable(plain_backprop, supports=SPACE.ops)
    found = soak(source, SEED, subject, range(NETWORKS))
    print(found)
    print("\n".join(found.wrongly_odd))
    assert not found.false_alarms, "\n".join(found.false_alarms)
    assert not found.wrongly_odd, "\n".join(found.wrongly_odd)
    assert found.verdicts["AGREES"] == NETWORKS, str(found)

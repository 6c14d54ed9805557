"""The walk over the graph for one point: forward onto a tape, and the gradients that its sweep leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from crosscheck.oracles.ball import activations, layers, losses, merges
from crosscheck.oracles.ball.arithmetic import Balls, exact, precision
from crosscheck.oracles.ball.branches import Row
from crosscheck.oracles.ball.layout import LOSS, OUTPUTS, Slot
from crosscheck.oracles.ball.tape import Tape, Variable
from crosscheck.spec.architecture import Architecture, Node
from crosscheck.spec.case import Case
from crosscheck.spec.errors import OracleCrashed

# What FLINT and Python's arithmetic raise.
CRASHES = (ArithmeticError, RuntimeError, ValueError, TypeError, IndexError)
# By node; the loss, of output - target, is -1.
Widths = Mapping[int, Sequence[float]]


@dataclass(frozen=True, eq=False)
class Numbers:
    """The numbers of one point as exact balls."""

    params: dict[str, Balls]
    inputs: dict[str, Balls]
    targets: Balls | list[int]


@dataclass(frozen=True, eq=False)
class Graph:
    """What the forward pass built. `jumps` are the (op, node) at which a slope is the hull of several."""

    tape: Tape
    params: dict[str, Variable]
    inputs: dict[str, Variable]
    nodes: tuple[Variable, ...]
    output: Variable
    loss: Variable
    jumps: tuple[tuple[str, int], ...]


@contextmanager
def at_precision(bits: int, case: Case, point: int) -> Iterator[None]:
    """FLINT at this precision; what it raises is an OracleCrashed that names the place."""
    try:
        with precision(bits):
            yield
    except CRASHES as error:
        raise OracleCrashed(
            f"oracle ball raised {type(error).__name__} on point {point} of {case.architecture}, "
            f"at {bits} bits: {error}"
        ) from error


def answers(op: str) -> bool:
    """Whether one of the tables has a row for this op."""
    return any(op in table for table in (activations.ROWS, layers.ROWS, merges.ROWS, losses.ROWS))


def numbers(case: Case, point: int) -> Numbers:
    targets = case.targets[point]
    return Numbers(
        params={key: exact(array[point]) for key, array in case.params.items()},
        # No op reads integers as indices: an integer or boolean input takes part as a number, like the others.
        inputs={name: exact(array[point]) for name, array in case.inputs.items()},
        targets=exact(targets) if case.architecture.target_dtype == "float" else targets.ravel().tolist(),
    )


def forward(architecture: Architecture, given: Numbers, widths: Widths) -> Graph:
    """Run the network on one point, at the precision that is set."""
    tape = Tape()
    params = {key: Variable(balls) for key, balls in given.params.items()}
    inputs = {name: Variable(balls) for name, balls in given.inputs.items()}
    nodes: list[Variable] = []
    jumps: list[tuple[str, int]] = []

    def value(link: int) -> Variable:
        return nodes[link] if link >= 0 else inputs[architecture.inputs[-link - 1].name]

    def met(op: str, index: int) -> None:
        if tape.jumps:
            jumps.append((op, index))
        tape.jumps = False

    for i, node in enumerate(architecture.nodes):
        xs = tuple(value(link) for link in node.inputs)
        nodes.append(_apply(tape, architecture, node, xs, params, widths.get(i)))
        met(node.op, i)
    loss, (last,) = architecture.loss, architecture.loss.inputs
    asked = losses.Asked(given.targets, loss.attributes, architecture.shape_of(last), widths.get(-1))
    total = losses.point_loss(tape, loss.op, value(last), asked)
    met(loss.op, -1)
    return Graph(tape, params, inputs, tuple(nodes), value(last), total, tuple(jumps))


def _apply(
    tape: Tape,
    architecture: Architecture,
    node: Node,
    xs: tuple[Variable, ...],
    params: Mapping[str, Variable],
    widths: Sequence[float] | None,
) -> Variable:
    if node.op in activations.ROWS:
        row = activations.ROWS[node.op]
        if isinstance(row, Row):
            return tape.apply(row, xs[0], node.attributes, widths)
        return row(tape, xs[0], architecture.shape_of(node.inputs[0])[-1])
    if node.op in merges.ROWS:
        sizes = [shape[-1] if shape else 1 for shape in architecture.shapes_of(node.inputs)]
        return merges.ROWS[node.op](tape, xs, sizes)
    own = {role: params[key] for role, key in node.params.items()}
    return layers.ROWS[node.op](tape, xs[0], own, node.attributes)


def answer(graph: Graph, architecture: Architecture, *, picked: bool = False) -> dict[Slot, Balls | None]:
    """Every tensor of the answer; None, which is zeros, for what the loss does not depend on.

    `picked`: with one number in the place of each hull of slopes.
    """
    adjoints = graph.tape.sweep(graph.loss, picked=picked)
    found: dict[Slot, Balls | None] = {LOSS: graph.loss.balls, OUTPUTS: graph.output.balls}
    found |= {("param", key): adjoints.get(variable) for key, variable in graph.params.items()}
    found |= {("input", name): adjoints.get(graph.inputs[name]) for name in architecture.float_inputs}
    return found | {("node", i): adjoints.get(variable) for i, variable in enumerate(graph.nodes)}

"""The walk over the graph for one point: forward onto a tape, and the gradients that its sweep leaves."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from crosscheck.oracles.ball import activations, layers, losses, merges
from crosscheck.oracles.ball.arithmetic import Balls, exact, precision
from crosscheck.oracles.ball.branches import Row
from crosscheck.oracles.ball.layout import LOSS, OUTPUTS, Slot
from crosscheck.oracles.ball.tape import Place, Tape, Variable
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import Case
from crosscheck.spec.errors import OracleCrashed
from crosscheck.spec.ops import op_named

# What FLINT and Python's arithmetic raise.
CRASHES = (ArithmeticError, RuntimeError, ValueError, TypeError, IndexError)
# By node; the loss, of output - target, is -1.
Widths = Mapping[int, Sequence[float]]


@dataclass(frozen=True, eq=False)
class Numbers:
    """The numbers of one point as exact balls, and as whole numbers the inputs that are indices or masks."""

    params: dict[str, Balls]
    inputs: dict[str, Balls]
    targets: Balls | list[int]
    indices: dict[str, list[int]] = field(default_factory=dict)
    weights: Balls | None = None


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


def elementwise(architecture: Architecture, node: int) -> bool:
    """Whether each kink of a node belongs to an element of its input; of the loss (-1), of a - y.

    So it is of functions of each element, and of the ties of a maximum.
    """
    if node >= 0:
        name = architecture.nodes[node].op
        return isinstance(activations.ROWS.get(name), Row) or op_named(name, f"node {node}").ties
    loss = architecture.loss
    # A penalty has kinks of its own.
    op = op_named(loss.op, "loss")
    return bool(op.kinks(loss.attributes)) and op.places_of == "a - y" and not loss.attributes["l1"]


def numbers(case: Case, point: int) -> Numbers:
    targets = case.targets[point]
    return Numbers(
        params={key: exact(array[point]) for key, array in case.params.items()},
        # Where no op takes it as indices or a mask, an integer or boolean input is a number, like the others.
        inputs={name: exact(array[point]) for name, array in case.inputs.items()},
        targets=exact(targets) if case.architecture.target_dtype == "float" else targets.ravel().tolist(),
        indices={
            i.name: case.inputs[i.name][point].astype(int).ravel().tolist()
            for i in case.architecture.inputs
            if i.dtype != "float"
        },
        weights=None if case.weights is None else exact(case.weights[point]),
    )


def forward(architecture: Architecture, given: Numbers, widths: Widths, right: Collection[int] | None = None) -> Graph:
    """Run the network on one point, at the precision that is set; `right` as in `Tape`."""
    tape = Tape(right)
    params = {key: Variable(balls) for key, balls in given.params.items()}
    inputs = {name: Variable(balls) for name, balls in given.inputs.items()}
    nodes: list[Variable] = []
    jumps: list[tuple[str, int]] = []

    def value(link: int) -> Variable:
        return nodes[link] if link >= 0 else inputs[name_of(link)]

    def name_of(link: int) -> str:
        return architecture.inputs[-link - 1].name

    def met(op: str, index: int) -> None:
        if tape.jumps:
            jumps.append((op, index))
        tape.jumps = False

    for i, node in enumerate(architecture.nodes):
        slots = zip(node.inputs, architecture.slots(i), strict=True)
        indices = {n: given.indices[name_of(link)] for n, (link, slot) in enumerate(slots) if slot.dtype != "float"}
        place = Place(
            node.attributes,
            architecture.shapes_of(node.inputs),
            architecture.node_shapes[i],
            indices,
            widths.get(i),
        )
        own = {role: params[key] for role, key in node.params.items()}
        nodes.append(_apply(tape, node.op, place, tuple(value(link) for link in node.inputs), own))
        met(node.op, i)
    loss, shapes = architecture.loss, architecture.shapes_of(architecture.loss.inputs)
    asked = losses.Asked(given.targets, loss.attributes, shapes[0], widths.get(-1), given.weights, shapes)
    outputs = tuple(value(link) for link in loss.inputs)
    total = losses.point_loss(tape, loss.op, outputs, asked)
    for key in architecture.penalised:
        total = losses.penalised(tape, total, params[key], loss.attributes)
    met(loss.op, -1)
    return Graph(tape, params, inputs, tuple(nodes), outputs[0], total, tuple(jumps))


def _apply(tape: Tape, op: str, place: Place, xs: tuple[Variable, ...], params: Mapping[str, Variable]) -> Variable:
    row = activations.ROWS[op] if op in activations.ROWS else {**merges.ROWS, **layers.ROWS}[op]
    if isinstance(row, Row):
        return tape.apply(row, xs[0], place.attributes, place.widths)
    return row(tape, place, xs, params)


def answer(graph: Graph, architecture: Architecture, *, picked: bool = False) -> dict[Slot, Balls | None]:
    """Every tensor of the answer; None, which is zeros, for what the loss does not depend on.

    `picked`: with one number in the place of each hull of slopes.
    """
    adjoints = graph.tape.sweep(graph.loss, picked=picked)
    found: dict[Slot, Balls | None] = {LOSS: graph.loss.balls, OUTPUTS: graph.output.balls}
    found |= {("param", key): adjoints.get(variable) for key, variable in graph.params.items()}
    found |= {("input", name): adjoints.get(graph.inputs[name]) for name in architecture.float_inputs}
    return found | {("node", i): adjoints.get(variable) for i, variable in enumerate(graph.nodes)}

"""The proof of a case, point by point: precision is raised until every radius is as small as was asked."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from crosscheck.oracles.ball.arithmetic import Balls, log2_radii, read, rounded
from crosscheck.oracles.ball.layout import Layout
from crosscheck.oracles.ball.walk import Graph, Numbers, Widths, answer, at_precision, elementwise, forward, numbers
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import Case
from crosscheck.spec.result import Certified, Floats, Gradients, OneSided, Reference, Rigour

# Measured on 800 drawn networks of 8 points, against the bounds of float64: enough for all points but one in a
# thousand. 64 bits are not (6 % of the points are asked again), and 192 cost FLINT's products twice the time.
START = 128
# Without a goal: far below a unit in the last place of the entry, or of the smallest float64.
RELATIVE, ABSOLUTE = -60.0, -1080.0
# What is asked for beyond the bits that are missing: radii grow a little with every step.
SPARE = 8


def certify(
    case: Case,
    goal: Gradients | None,
    points: Sequence[int],
    widths: Mapping[int, Floats],
    *,
    by_node: bool,
    most_bits: int,
) -> Certified:
    """Ask each of these points, at START bits and then at more, until its demands are met or the bits run out."""
    total, layout = case.n_points, Layout.of(case.architecture, by_node=by_node)
    demands = None if goal is None else layout.demands(goal, total)
    values, radii = np.zeros((total, layout.size)), np.full((total, layout.size), np.inf)
    bits = np.zeros(total, np.int64)
    hull, at_limit = np.zeros(total, np.bool_), np.zeros(total, np.bool_)
    kinks: dict[tuple[str, int], None] = {}
    for point in points:
        proof = _prove(
            case, point, layout, _near(widths, point), None if demands is None else demands[point], most_bits
        )
        values[point], radii[point] = proof.values, proof.radii
        bits[point], hull[point], at_limit[point] = proof.bits, bool(proof.kinks), proof.missing > 0.0
        kinks.update(dict.fromkeys(proof.kinks))
    reference = Reference(layout.gradients(values), Rigour.CERTIFIED, layout.gradients(radii))
    return Certified(reference, bits, hull, at_limit, tuple(kinks))


@dataclass(frozen=True, eq=False)
class Proof:
    """Every tensor of one point, laid end to end, and the bits that it took.

    `missing` bits are above 0 where some radius is too large; `unsettled` where more bits might leave a hull fewer
    branches.
    """

    values: Floats
    radii: Floats
    bits: int
    missing: float
    unsettled: bool
    kinks: tuple[tuple[str, int], ...]

    @property
    def next_bits(self) -> int:
        """Twice the bits where nobody knows how many are missing, else those and some more."""
        if self.unsettled or not math.isfinite(self.missing):
            return 2 * self.bits
        return self.bits + max(math.ceil(self.missing) + SPARE, self.bits // 4)


def _prove(case: Case, point: int, layout: Layout, near: Widths, demands: Floats | None, most_bits: int) -> Proof:
    given = numbers(case, point)
    bits = min(START, most_bits)
    while True:
        with at_precision(bits, case, point):
            proof = _at(case.architecture, given, layout, near, demands, bits)
        if bits >= most_bits or (proof.missing <= 0.0 and not proof.unsettled):
            return proof
        bits = min(proof.next_bits, most_bits)


def _at(
    architecture: Architecture, given: Numbers, layout: Layout, near: Widths, demands: Floats | None, bits: int
) -> Proof:
    """What the precision that is set proves."""
    graph = forward(architecture, given, near)
    # A hull stays wide whatever the precision: what is asked must be met by one number out of each.
    balls = layout.flat(answer(graph, architecture, picked=True))
    mids, radii = read(balls)
    missing = _missing(balls, mids, radii, demands)
    if graph.jumps:
        balls = layout.flat(answer(graph, architecture))
        mids, radii = read(balls)
    return Proof(*rounded(balls, mids, radii), bits, missing, graph.tape.unsettled, graph.jumps)


def _missing(balls: Balls, mids: Floats, radii: Floats, demands: Floats | None) -> float:
    """By how many bits the worst radius is too large; not above 0 where all are small enough."""
    wanted = _without_goal(mids) if demands is None else demands
    logs = log2_radii(balls, radii)
    asked = (wanted < np.inf) & (logs > -np.inf)  # an exact ball is small enough for anyone
    return float((logs[asked] - wanted[asked]).max(initial=-np.inf))


def one_sided(case: Case, point: int, widths: Mapping[int, Floats], bits: int, *, most: int) -> OneSided | None:
    """See `Ball.one_sided`."""
    architecture, given, layout = case.architecture, numbers(case, point), Layout.of(case.architecture, by_node=False)
    near = _near(widths, point)

    def gradients(right: Collection[int]) -> tuple[Graph, Reference]:
        graph = forward(architecture, given, near, right)
        balls = layout.flat(answer(graph, architecture, picked=True))
        values, radii = rounded(balls, *read(balls))
        laid = layout.gradients(values[np.newaxis]), layout.gradients(radii[np.newaxis])
        return graph, Reference(laid[0], Rigour.CERTIFIED, laid[1])

    with at_precision(bits, case, point):
        graph, left = gradients(())
        kinks = graph.tape.kinks
        if len(graph.jumps) != 1 or len(kinks) != 1 or len(kinks[0]) > most or graph.tape.beside:
            return None
        ((_, node),) = graph.jumps
        if not elementwise(architecture, node):
            return None
        operation = architecture.nodes[node] if node >= 0 else architecture.loss
        shape = architecture.shape_of(operation.inputs[0])
        return OneSided(
            op=operation.op,
            node=node,
            elements=tuple(tuple(int(i) for i in np.unravel_index(k.element, shape)) for k in kinks[0]),
            at=tuple(float(k.at) for k in kinks[0]),
            slopes=tuple((float(k.left), float(k.right)) for k in kinks[0]),
            left=left,
            right=tuple(gradients((i,))[1] for i in range(len(kinks[0]))),
        )


def _near(widths: Mapping[int, Floats], point: int) -> Widths:
    return {i: np.nan_to_num(w[point], nan=np.inf, posinf=np.inf).ravel().tolist() for i, w in widths.items()}


def _without_goal(mids: Floats) -> Floats:
    sizes = np.abs(mids)
    with np.errstate(divide="ignore"):
        return np.maximum(np.where(np.isfinite(sizes), np.log2(sizes) + RELATIVE, 0.0), ABSOLUTE)

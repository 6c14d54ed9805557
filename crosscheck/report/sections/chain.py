"""The chain rule for a finding: its terms, and as a formula where the textbook has one.

Formulas: textbook.md (Backpropagation explained, part 5): ∂C/∂w_jk = ∂C/∂a_j · ∂a_j/∂z_j · ∂z_j/∂w_jk.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from latex2mathml.converter import convert

from crosscheck.report.sections.severity import worst_entries
from crosscheck.spec.architecture import Architecture, Node
from crosscheck.spec.errors import SpecError
from crosscheck.spec.notation import parse
from crosscheck.spec.ops import op_named
from crosscheck.spec.record import Finding

# What a term's second field says: tone, mark, word. Anything else is shown as it stands.
STATES = {
    "ok": ("good", "✓", "right"),
    "right": ("good", "✓", "right"),
    "✓": ("good", "✓", "right"),
    "wrong": ("bad", "✗", "first wrong"),
    "first wrong": ("bad", "✗", "first wrong"),
    "✗": ("bad", "✗", "first wrong"),
    "one of these": ("unsure", "?", "one of these is wrong: this"),
    "follows": ("follows", "↳", "follows from it"),
    "unknown": ("unsure", "?", "not known"),
}
# Activations whose outputs each depend on every z: there ∂a_j/∂z_j alone is not the chain rule.
MIXING = ("softmax", "log_softmax")
_FACTOR = re.compile(r"∂\s*([A-Za-z])[^/]*/\s*∂\s*([A-Za-z])")


@dataclass(frozen=True)
class Term:
    symbol: str
    tone: str
    mark: str
    state: str
    detail: str


@dataclass(frozen=True)
class Factor:
    """A factor as MathML (made here from numbers alone, so it is safe as markup), and what is known of it."""

    mathml: str
    tone: str
    mark: str
    state: str


@dataclass(frozen=True)
class Chain:
    left: str
    factors: tuple[Factor, ...]
    spoken: str


@dataclass(frozen=True)
class _Place:
    """Where a dense parameter's entry stands, in the textbook's 1-based symbols."""

    layer: int
    row: int
    column: int | None
    elementwise: bool


def terms(finding: Finding) -> tuple[Term, ...]:
    found = []
    for symbol, state, detail in finding.terms:
        tone, mark, word = STATES.get(state.lower(), ("unsure", "", state))
        found.append(Term(symbol, tone, mark, word, _without_word(detail, word)))
    return tuple(found)


def _without_word(detail: str, word: str) -> str:
    """The detail, without repeating the state's word at its start."""
    return detail[len(word) :].lstrip(" :") if detail.lower().startswith(word) else detail


def chain(finding: Finding) -> Chain | None:
    """The formula where the tensor is a dense node's parameter; None where the textbook has none."""
    place = _place(finding)
    if place is None:
        return None
    left, right = _latex(place)
    states = {_key(term.symbol): term for term in terms(finding)}
    factors = tuple(_factor(key, latex, states) for key, latex in right)
    return Chain(mathml(left), factors, _spoken(place))


def _factor(key: str, latex: str, states: dict[str, Term]) -> Factor:
    term = states.get(key)
    if term is None:
        return Factor(mathml(latex), "plain", "", "")
    return Factor(mathml(latex), term.tone, term.mark, term.state)


def _key(symbol: str) -> str:
    """`∂a_j/∂z_j` and `∂a/∂z` are one factor: a/z."""
    found = _FACTOR.search(symbol)
    return f"{found[1]}/{found[2]}" if found else symbol


@cache
def mathml(latex: str) -> str:
    to_mathml: Callable[[str], str] = convert
    return to_mathml(latex)


def _place(finding: Finding) -> _Place | None:
    if not finding.entries or finding.tensor is None or finding.node is None:
        return None
    try:
        architecture = parse(finding.architecture)
    except SpecError:
        return None
    if not 0 <= finding.node < len(architecture.nodes):
        return None
    if any(node.inputs != (at - 1,) for at, node in enumerate(architecture.nodes)):
        return None  # layers of a graph that branches have no numbers
    node = architecture.nodes[finding.node]
    index = worst_entries(finding)[0].index
    role = next((r for r, key in node.params.items() if key == finding.tensor), None)
    if node.op != "dense" or (role, len(index)) not in (("weight", 2), ("bias", 1)):
        return None
    layer = 2 + sum(n.op == "dense" for n in architecture.nodes[: finding.node])
    column = index[1] + 1 if role == "weight" else None
    return _Place(layer, index[0] + 1, column, _elementwise(architecture, finding.node))


def _elementwise(architecture: Architecture, index: int) -> bool:
    """The node's only reader is an activation that treats each z alone: then the textbook's three factors hold."""
    readers: list[Node] = [n for n in architecture.nodes if index in n.inputs]
    if len(readers) != 1 or index in architecture.loss.inputs:
        return False
    return op_named(readers[0].op, "chain rule").kind == "activation" and readers[0].op not in MIXING


def _latex(place: _Place) -> tuple[str, tuple[tuple[str, str], ...]]:
    at, row = f"^{{({place.layer})}}", place.row
    z, a = f"z_{{{row}}}{at}", f"a_{{{row}}}{at}"
    w = f"b_{{{row}}}{at}" if place.column is None else f"w_{{{row},{place.column}}}{at}"
    letter = w[0]
    last = (f"z/{letter}", _over(z, w))
    if place.elementwise:
        return _over("C_0", w), (("C/a", _over("C_0", a)), ("a/z", _over(a, z)), last)
    return _over("C_0", w), (("C/z", _over("C_0", z)), last)


def _over(top: str, bottom: str) -> str:
    return rf"\frac{{\partial {top}}}{{\partial {bottom}}}"


def _spoken(place: _Place) -> str:
    layer = f"layer {place.layer}, counted from 1 as the input"
    if place.column is None:
        return f"b {place.row}: bias of node {place.row} of {layer}"
    return f"w {place.row},{place.column}: weight from node {place.column} to node {place.row} of {layer}"

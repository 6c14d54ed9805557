"""The textbook's derivation of one gradient, as a tree of factors with symbols and numbers, and as text.

The tree is nested back to front, as `crosscheck.backprop.textbook` derives it: the derivative by a weight is a
product of three factors, and the first factor of a hidden layer is a sum, over the nodes of the next layer, of three
factors again. One node's derivative stands in the tree as one object, however many branches lead to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap

from crosscheck.backprop import textbook as tb

# Indentation stops growing here, so that the lines of a deep network stay on the screen; the symbols still tell.
_DEEPEST = 10


@dataclass(frozen=True, eq=False)
class Factor:
    """A derivative: its symbol, what it equals in symbols and in numbers, its value.

    `terms` are the products whose sum it is; a factor without terms is known at once. `weight` is (l, j, k), j and k
    from 0, where the factor is a weight itself.
    """

    symbol: str
    formula: str
    value: float
    numbers: str = ""
    terms: tuple[Term, ...] = field(default=(), repr=False)
    weight: tuple[int, int, int] | None = None


@dataclass(frozen=True, eq=False)
class Term:
    """A product of factors: node `j` (from 0) of the next layer in a sum, None where the product stands alone."""

    j: int | None
    factors: tuple[Factor, ...]
    value: float


@dataclass(frozen=True)
class Explanation:
    """What `render` prints: the derivation at one sample, and what it is a part of.

    `roots` has one derivation for each use of the parameter (more than one where layers share it). `weights` maps
    layer l to the key of its weight. The whole gradient is the sum over `samples`, times what `share_text`
    says (nothing where that is 1).
    """

    architecture: str
    layers: tuple[tb.Layer, ...]
    roots: tuple[Factor, ...]
    parameter: str
    value: float
    weights: Mapping[int, str]
    sample: int
    samples: int
    share_text: str
    sample_loss: float
    loss: float
    gradient: float


def layer_text(l: int, L: int) -> str:
    """Layer l as the lecture writes it: L, L-1, …"""
    return "L" if l == L else f"L-{L - l}"


def symbol(letter: str, l: int, L: int, *nodes: int) -> str:
    """`w_22^(L-1)`: nodes count from 0 in arrays and from 1 in symbols."""
    indices = [str(n + 1) for n in nodes]
    joined = len(indices) == 1 or all(len(i) == 1 for i in indices)
    return f"{letter}_{''.join(indices) if joined else '{' + ','.join(indices) + '}'}^({layer_text(l, L)})"


def plain(value: float) -> str:
    """Six digits; no sign on a zero."""
    return f"{value + 0.0:.6g}"


def number(value: float) -> str:
    """Six digits; a negative number in brackets, as it may follow a sign."""
    text = plain(value)
    return f"({text})" if text.startswith("-") else text


def derivation(
    layers: Sequence[tb.Layer],
    x: Sequence[float],
    y: Sequence[float],
    *,
    l: int,
    j: int,
    k: int | None,
    sample: int = 0,
) -> Factor:
    """∂C/∂w_jk^(l) at one sample (x, y), as a tree; ∂C/∂b_j^(l) where k is None.

    `l` is the textbook's number of the layer (2 … L), `j` and `k` count from 0. Raises ValueError where sizes of x, y
    and layers do not fit, IndexError where there is no such weight.
    """
    return _Writer(layers, tb.forward(layers, x), y, f"C_{sample}").root(l, j, k)


@dataclass(frozen=True)
class _Writer:
    layers: Sequence[tb.Layer]
    trace: tb.Trace
    y: Sequence[float]
    C: str

    @property
    def L(self) -> int:
        return len(self.layers) + 1

    def root(self, l: int, j: int, k: int | None) -> Factor:
        L, z = self.L, symbol("z", l, self.L, j)
        if k is None:
            by = symbol("b", l, L, j)
            last = Factor(f"∂{z}/∂{by}", "1", tb.dz_db())
        else:
            by = symbol("w", l, L, j, k)
            last = Factor(f"∂{z}/∂{by}", symbol("a", l - 1, L, k), tb.dz_dw(self.trace.a[l - 1][k]))
        factors = (self.dC_da(l, j), self.da_dz(l, j), last)
        term = Term(None, factors, _product(factors))
        return Factor(f"∂{self.C}/∂{by}", " · ".join(f.symbol for f in factors), term.value, terms=(term,))

    def dC_da(self, l: int, j: int) -> Factor:
        """From the output back to node j of layer l; each node's factor is made once, for all that need it."""
        factors = {i: self.output(i) for i in range(len(self.trace.a[self.L]))}
        for m in range(self.L - 1, l - 1, -1):
            slopes = [self.da_dz(m + 1, i) for i in factors]
            nodes = range(len(self.trace.a[m])) if m > l else [j]
            factors = {i: self.hidden(m, i, list(factors.values()), slopes) for i in nodes}
        return factors[j]

    def output(self, j: int) -> Factor:
        a, a_j, y_j = symbol("a", self.L, self.L, j), self.trace.a[self.L][j], self.y[j]
        numbers = f"2({plain(a_j)} - {number(y_j)})"
        return Factor(f"∂{self.C}/∂{a}", f"2({a} - y_{j + 1})", tb.dC_da_output(a_j, y_j), numbers)

    def da_dz(self, l: int, j: int) -> Factor:
        layer, z_j, (a, z) = self.layers[l - 2], self.trace.z[l][j], (symbol(s, l, self.L, j) for s in "az")
        formula = f"g'^({layer_text(l, self.L)})({z})"
        return Factor(f"∂{a}/∂{z}", formula, tb.da_dz(layer, z_j), f"{activation_text(layer)}'({plain(z_j)})")

    def hidden(self, l: int, k: int, after: Sequence[Factor], slopes: Sequence[Factor]) -> Factor:
        a_k, level = symbol("a", l, self.L, k), layer_text(l + 1, self.L)
        terms = []
        for j, (dC_da_j, da_dz_j) in enumerate(zip(after, slopes, strict=True)):
            formula, w = symbol("w", l + 1, self.L, j, k), tb.dz_da(self.layers[l - 1], j, k)
            dz_da_k = Factor(f"∂{symbol('z', l + 1, self.L, j)}/∂{a_k}", formula, w, weight=(l + 1, j, k))
            factors = (dC_da_j, da_dz_j, dz_da_k)
            terms.append(Term(j, factors, _product(factors)))
        formula = f"Σ_j ∂{self.C}/∂a_j^({level}) · ∂a_j^({level})/∂z_j^({level}) · ∂z_j^({level})/∂{a_k}"
        return Factor(f"∂{self.C}/∂{a_k}", formula, sum(t.value for t in terms), terms=tuple(terms))


def _product(factors: tuple[Factor, Factor, Factor]) -> float:
    first, second, third = factors
    return first.value * second.value * third.value


def activation_text(layer: tb.Layer) -> str:
    """`tanh`, `elu(alpha=0.5)`, and `relu∘tanh` for the relu of a tanh."""

    def one(name: str, attributes: tb.Attributes) -> str:
        given = ", ".join(f"{k}={v}" for k, v in attributes.items())
        return f"{name}({given})" if given else name

    names = [one(*a) for a in layer.activations]
    return names[0] if len(names) == 1 else f"({'∘'.join(reversed(names))})"


def render(explanation: Explanation, most: int = 4) -> str:
    """The derivation as text; of a sum, at most `most` terms are written out and the others added up in one line."""
    e, L = explanation, len(explanation.layers) + 1
    lines = [
        *_wrapped("network   ", e.architecture),
        *_wrapped("layers    ", f"L = {L}: {_sizes(e.layers)} nodes; layer 1 is the input, layer L the output"),
        f"weight    {e.parameter} = {plain(e.value)} (indices from 0), in symbols "
        + " and ".join(root.symbol.partition("/∂")[2] for root in e.roots)
        + " (from 1)",
        f"loss      C_{e.sample} = Σ_j (a_j^(L) - y_j)² = {plain(e.sample_loss)}",
        "",
    ]
    writer = _Text(e.weights, most)
    for root in e.roots:
        writer.write(root)
    return "\n".join([*lines, *writer.lines, *_ending(e)]) + "\n"


def _wrapped(label: str, text: str) -> list[str]:
    whole = text.replace(", ", ",\0").replace(" ->", "\0->")  # no line ends inside a step, none starts with an arrow
    lines = wrap(whole, 110 - len(label), break_long_words=False, break_on_hyphens=False)
    return [(" " * len(label) if n else label) + line.replace("\0", " ") for n, line in enumerate(lines)]


def _sizes(layers: Sequence[tb.Layer]) -> str:
    return " · ".join([str(len(layers[0].weight[0])), *(str(len(layer.weight)) for layer in layers)])


def _ending(e: Explanation) -> list[str]:
    lines = []
    by = "w" if len(e.roots) > 1 else e.roots[0].symbol.partition("/∂")[2]
    if len(e.roots) > 1:
        values = [root.value for root in e.roots]
        lines += [
            f"{len(e.roots)} layers share {e.parameter} = w, so ∂C_{e.sample}/∂w is the sum of the derivatives above",
            f"∂C_{e.sample}/∂w = {' + '.join(map(number, values))} = {plain(sum(values))}",
            "",
        ]
    if e.samples > 1:
        share = f"{e.share_text} · " if e.share_text else ""
        lines += [
            f"over {e.samples} samples, i = 0 … {e.samples - 1} (above: i = {e.sample})",
            f"C = {share}Σ_i C_i = {plain(e.loss)}",
            f"∂C/∂{by} = {share}Σ_i ∂C_i/∂{by} = {plain(e.gradient)}",
            "",
        ]
    elif e.share_text:
        lines += [
            f"C = {e.share_text} · C_0 = {plain(e.loss)}",
            f"∂C/∂{by} = {e.share_text} · ∂C_0/∂{by} = {plain(e.gradient)}",
            "",
        ]
    return [*lines, f"∂C/∂{e.parameter} = {e.gradient!r}"]


Item = str | Factor | Term


@dataclass
class _Text:
    """Writes the tree depth first, with a stack of its own: a network may be deeper than Python's recursion."""

    weights: Mapping[int, str]
    most: int
    lines: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def write(self, root: Factor) -> None:
        stack: list[tuple[int, Item]] = [(0, root)]
        while stack:
            indent, item = stack.pop()
            if isinstance(item, str):
                self.lines.append(("  " * min(indent, _DEEPEST) + item) if item else "")
            else:
                stack += reversed([(indent + more, part) for more, part in self.parts(item)])
        self.lines.append("")

    def parts(self, item: Factor | Term) -> list[tuple[int, Item]]:
        """What an item is written as: lines and items, with the indentation they add."""
        if isinstance(item, Term):
            return self.term(item)
        if not item.terms:
            return [(0, self.known(item))]
        if item.symbol in self.seen:
            return [(0, f"{item.symbol} = {plain(item.value)}   (= above)")]
        self.seen.add(item.symbol)
        return self.expanded(item)

    def term(self, term: Term) -> list[tuple[int, Item]]:
        product = f"product = {' · '.join(number(f.value) for f in term.factors)} = {plain(term.value)}"
        if term.j is None:
            return [(0, f) for f in term.factors]
        return [(0, f"j = {term.j + 1}:"), *((1, f) for f in term.factors), (1, product)]

    def known(self, factor: Factor) -> str:
        steps = [factor.symbol, factor.formula, factor.numbers, plain(factor.value)]
        text = " = ".join(s for n, s in enumerate(steps) if s and s not in steps[:n])
        if factor.weight is None:
            return text
        l, j, k = factor.weight
        return f"{text}   (params[{self.weights[l]!r}][{j}, {k}])"

    def expanded(self, factor: Factor) -> list[tuple[int, Item]]:
        heading = f"{factor.symbol} = {factor.formula}"
        if factor.terms[0].j is None:
            product = " · ".join(number(f.value) for f in factor.terms[0].factors)
            return [(0, heading), (1, factor.terms[0]), (0, f"{factor.symbol} = {product} = {plain(factor.value)}")]
        # a line for "the others" is worth it from two others on
        shown = len(factor.terms) if len(factor.terms) <= self.most + 1 else self.most
        others = factor.terms[shown:]
        rest: list[tuple[int, Item]] = []
        values = [number(t.value) for t in factor.terms[:shown]]
        if others:
            together = sum(t.value for t in others)
            values.append(number(together))
            nodes = f"j = {shown + 1} … {len(factor.terms)}"
            rest = [(1, f"{nodes}: {len(others)} more products of this form, together {plain(together)}")]
        added = f"{' + '.join(values)} = " if len(values) > 1 else ""
        total = f"{factor.symbol} = {added}{plain(factor.value)}"
        return [(0, heading), *((1, t) for t in factor.terms[:shown]), *rest, (0, total)]

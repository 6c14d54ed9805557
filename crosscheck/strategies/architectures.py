"""Random architectures: one list of whole layers, each an element with everything that belongs to it.

The input width is carried, never drawn; what does not fit is mapped to the nearest legal choice, never
filtered. A layer is: dense (where allowed), an activation, and perhaps a merge with an earlier output, which
makes forks and branches; a dense layer may share the weights of an earlier one of its shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st

from crosscheck.spec.architecture import Architecture, Input, Loss, Node
from crosscheck.spec.op import Shape, Value
from crosscheck.spec.ops import OPS
from crosscheck.strategies.space import Space


@dataclass(frozen=True)
class LayerPlan:
    """One drawn layer. `merge` and `partner` pick a merge and an earlier output by index, if any fits."""

    dense: dict[str, Value] | None
    activation: tuple[str, dict[str, Value]] | None
    merge: str | None
    partner: int
    share: bool


@dataclass
class _Build:
    """An architecture under construction."""

    space: Space
    inputs: list[Input]
    nodes: list[Node] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)

    def shape(self, link: int) -> Shape:
        return self.shapes[link] if link >= 0 else self.inputs[-link - 1].shape

    def add(self, op: str, attributes: dict[str, Value], inputs: tuple[int, ...], params: dict[str, str]) -> int:
        self.nodes.append(Node(op, attributes, inputs, params))
        self.shapes.append(OPS[op].out_shape(attributes, tuple(self.shape(k) for k in inputs)))
        return len(self.nodes) - 1

    def layer(self, plan: LayerPlan, link: int) -> int:
        if plan.dense is not None:
            link = self.add("dense", plan.dense, (link,), self._params(plan, link))
        if plan.activation is not None:
            name, attributes = plan.activation
            link = self.add(name, attributes, (link,), {})
        if plan.merge is not None:
            link = self._merge(plan.merge, plan.partner, link)
        return link

    def _params(self, plan: LayerPlan, link: int) -> dict[str, str]:
        attributes = plan.dense or {}
        needed = OPS["dense"].params(attributes, (self.shape(link),))
        if plan.share:
            for node in self.nodes:
                if node.op == "dense" and self._needs(node) == needed:
                    return dict(node.params)
        return {role: f"{len(self.nodes)}.{role}" for role in needed}

    def _needs(self, node: Node) -> dict[str, Shape]:
        return OPS["dense"].params(node.attributes, tuple(self.shape(k) for k in node.inputs))

    def _merge(self, name: str, partner: int, link: int) -> int:
        """Merge with the earlier output that the index picks among those that fit; none fits: no merge."""
        here = self.shape(link)
        earlier = [*range(-len(self.inputs), 0), *range(len(self.nodes))]
        fits: Callable[[Shape], bool]
        if name == "concat":
            widths = set(self.space.palette)

            def fits(shape: Shape) -> bool:
                return shape[:-1] == here[:-1] and shape[-1] + here[-1] in widths
        else:

            def fits(shape: Shape) -> bool:
                return shape == here

        candidates = [k for k in reversed(earlier) if k != link and fits(self.shape(k))]
        if not candidates:
            return link
        attributes: dict[str, Value] = {"axis": -1} if name == "concat" else {}
        return self.add(name, attributes, (link, candidates[partner % len(candidates)]), {})


def attributes(space: Space, op: str) -> st.SearchStrategy[dict[str, Value]]:
    """The attributes of an op, all drawn or fixed, except a dense layer's `out`."""
    names = [a.name for a in OPS[op].attributes if a.default is not None]
    if not names:
        return st.just({})
    return st.fixed_dictionaries({name: st.sampled_from(space.values(op, name)) for name in names})


def _with_name(space: Space, op: str) -> st.SearchStrategy[tuple[str, dict[str, Value]]]:
    return st.tuples(st.just(op), attributes(space, op))


def _dense(space: Space) -> st.SearchStrategy[dict[str, Value]]:
    widths: tuple[Value, ...] = space.palette
    if "out" in space.fixed.get("dense", {}):
        widths = (space.fixed["dense"]["out"],)
    return st.builds(lambda out, rest: {"out": out, **rest}, st.sampled_from(widths), attributes(space, "dense"))


def layers(space: Space) -> st.SearchStrategy[LayerPlan]:
    """One whole layer, drawn as one element."""
    activations = space.of_kind("activation")
    merges: tuple[str | None, ...] = (None, *space.of_kind("merge"))
    named = [_with_name(space, op) for op in activations]
    has_dense = "dense" in space.ops
    # A layer that does nothing may be drawn only where something else can be.
    optional = [st.none()] if has_dense or not named else []
    only_merges = not has_dense and not named
    return st.builds(
        LayerPlan,
        dense=_dense(space) if has_dense else st.none(),
        activation=st.one_of(*optional, *named) if named else st.none(),
        merge=st.sampled_from(merges[1:] if only_merges and len(merges) > 1 else (None, None, *merges)),
        partner=st.integers(0, 7),
        share=st.sampled_from((False, False, False, True)),
    )


def losses(space: Space) -> st.SearchStrategy[tuple[str, dict[str, Value]]]:
    """A loss with all its attributes."""
    return st.one_of(*[_with_name(space, op) for op in space.of_kind("loss")])


def input_shapes(space: Space) -> st.SearchStrategy[Shape]:
    """(rows, width) mostly; also (width,) and (2, rows, width)."""
    size = st.sampled_from(space.palette)
    rank = st.sampled_from((2, 2, 2, 2, 2, 2, 1, 3))
    return st.builds(
        lambda rank, rows, width: {1: (width,), 2: (rows, width), 3: (2, rows, width)}[rank], rank, size, size
    )


def architectures(space: Space) -> st.SearchStrategy[Architecture]:
    """Architectures of a space; every draw is valid."""
    return st.builds(
        lambda shape, plans, loss: _assemble(space, shape, plans, loss),
        input_shapes(space),
        st.lists(layers(space), min_size=1, max_size=space.most_layers),
        losses(space),
    )


def _assemble(space: Space, shape: Shape, plans: list[LayerPlan], loss: tuple[str, dict[str, Value]]) -> Architecture:
    build = _Build(space, [Input("x", shape)])
    link = -1
    for plan in plans:
        link = build.layer(plan, link)
    name, drawn = loss
    if drawn.get("reduction") == "batch_mean" and len(build.shape(link)) < 2:
        fixed = space.fixed.get(name, {}).get("reduction")
        # One sample has no batch to average over: the sum is the nearest legal choice.
        drawn = drawn | {"reduction": "sum"} if fixed is None else drawn
    return Architecture(tuple(build.inputs), tuple(build.nodes), Loss(name, drawn, (link,)))

"""Random architectures: one list of whole layers, each an element with everything that belongs to it.

The input width is carried, never drawn; what does not fit is mapped to the nearest legal choice, never
filtered. A layer is: dense (where allowed), an activation, and perhaps a merge with an earlier output, which
makes forks and branches; a dense layer may share the weights of an earlier one of its shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle, product
from typing import TypeVar

from hypothesis import strategies as st

from crosscheck.spec.architecture import Architecture, Input, Loss, Node
from crosscheck.spec.op import Shape, Value
from crosscheck.spec.ops import OPS
from crosscheck.strategies.space import Space

T = TypeVar("T")


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


def choices(space: Space, op: str) -> list[dict[str, Value]]:
    """All attribute values of an op, simplest first, without a dense layer's `out`."""
    names = [a.name for a in OPS[op].attributes if a.default is not None]
    values = product(*(space.values(op, name) for name in names))
    return [dict(zip(names, chosen, strict=True)) for chosen in values]


def _levelled(groups: list[list[T]]) -> list[T]:
    """One list in which every group has as many places as the longest, so that all are drawn equally often."""
    longest = max(map(len, groups), default=0)
    return [item for group in groups for item, _ in zip(cycle(group), range(longest), strict=False)]


def _dense_choices(space: Space) -> list[dict[str, Value] | None]:
    if "dense" not in space.ops:
        return [None]
    widths: tuple[Value, ...] = space.palette
    if "out" in space.fixed.get("dense", {}):
        widths = (space.fixed["dense"]["out"],)
    return [{"out": out, **rest} for out in widths for rest in choices(space, "dense")]


def _activation_choices(space: Space) -> list[tuple[str, dict[str, Value]] | None]:
    named: list[list[tuple[str, dict[str, Value]] | None]] = [
        [(op, attributes) for attributes in choices(space, op)] for op in space.of_kind("activation")
    ]
    # A layer without an activation is drawn only where it does something else.
    plain: list[list[tuple[str, dict[str, Value]] | None]] = [[None]] if "dense" in space.ops or not named else []
    return _levelled([*plain, *named])


def _joints(space: Space) -> list[tuple[str | None, int, bool]]:
    """What stands behind a layer: (merge, partner, whether its weights are shared); mostly nothing."""
    merges = [(op, partner, False) for partner in range(4) for op in space.of_kind("merge")]
    if "dense" not in space.ops and not space.of_kind("activation"):
        return [*merges] or [(None, 0, False)]
    nothing: list[tuple[str | None, int, bool]] = [(None, 0, False)] * max(2 * len(merges), 4)
    shared: list[tuple[str | None, int, bool]] = [(None, 0, True)] * 4 if "dense" in space.ops else []
    return [*nothing, *shared, *merges]


def layers(space: Space) -> st.SearchStrategy[LayerPlan]:
    """One whole layer in two choices: Hypothesis deletes what is as short as that from anywhere in a list."""
    whole = [(dense, activation) for activation in _activation_choices(space) for dense in _dense_choices(space)]
    return st.builds(
        lambda body, joint: LayerPlan(body[0], body[1], *joint),
        st.sampled_from(whole),
        st.sampled_from(_joints(space)),
    )


def losses(space: Space) -> st.SearchStrategy[tuple[str, dict[str, Value]]]:
    """A loss with all its attributes, in one choice."""
    return st.sampled_from(
        _levelled([[(op, attributes) for attributes in choices(space, op)] for op in space.of_kind("loss")])
    )


def input_shapes(space: Space) -> st.SearchStrategy[Shape]:
    """(rows, width) mostly; also (width,) and (2, rows, width); in one choice."""
    sizes = space.palette
    matrices: list[Shape] = [(rows, width) for width in sizes for rows in sizes]
    vectors: list[Shape] = [(width,) for width in sizes]
    stacks: list[Shape] = [(2, rows, width) for width in sizes for rows in sizes]
    return st.sampled_from(matrices * 4 + vectors * 2 + stacks)


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

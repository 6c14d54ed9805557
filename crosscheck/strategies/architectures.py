"""Random architectures: one list of whole layers, each an element with everything that belongs to it.

The input width is carried, never drawn; what does not fit is mapped to the nearest legal choice, never
filtered. A layer is: dense (where allowed), an activation, and perhaps a merge with an earlier output, which
makes forks and branches; a dense layer may be an earlier one again, with the same weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import cycle, product
from typing import TypeVar

from hypothesis import strategies as st

from crosscheck.spec.architecture import Architecture, Input, Loss, Node
from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import Shape, Value
from crosscheck.spec.ops import OPS
from crosscheck.strategies.space import Space

T = TypeVar("T")
# What the index of a partner may mean beside a place among the earlier outputs.
PARTNERS = 5
OF_ITSELF, OF_THREE = 3, 4


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
            link = self.dense(plan.dense, link, share=plan.share)
        if plan.activation is not None:
            name, attributes = plan.activation
            link = self.add(name, attributes, (link,), {})
        if plan.merge is not None:
            link = self._merge(plan.merge, plan.partner, link)
        return link

    def dense(self, attributes: dict[str, Value], link: int, *, share: bool) -> int:
        """A dense layer; where it shares, the first earlier one of its input's width again, if there is one.

        Its own width gives way: layers that agree in all sizes by chance are too rare to show a bug.
        """
        width = self.shape(link)[-1]
        for node in self.nodes if share else ():
            if node.op == "dense" and self.shape(node.inputs[0])[-1] == width:
                return self.add("dense", dict(node.attributes), (link,), dict(node.params))
        roles = OPS["dense"].params(attributes, (self.shape(link),))
        return self.add("dense", attributes, (link,), {role: f"{len(self.nodes)}.{role}" for role in roles})

    def _merge(self, name: str, partner: int, link: int) -> int:
        """Merge with the earlier output that the index picks among those that fit; none fits: no merge.

        OF_ITSELF merges an output with itself, OF_THREE merges three outputs.
        """
        earlier = [k for k in reversed([*range(-len(self.inputs), 0), *range(len(self.nodes))]) if k != link]
        if partner == OF_ITSELF:
            groups: list[tuple[int, ...]] = [(link, link)]
        elif partner == OF_THREE:
            groups = [(link, j, k) for j in earlier for k in [*earlier, link]]
        else:
            groups = [(link, k) for k in earlier]
        fitting = [group for group in groups if self._fits(name, group)]
        if not fitting:
            return link
        attributes: dict[str, Value] = {"axis": -1} if name == "concat" else {}
        return self.add(name, attributes, fitting[partner % len(fitting)], {})

    def _fits(self, name: str, group: tuple[int, ...]) -> bool:
        shapes = [self.shape(k) for k in group]
        if name == "concat":
            rows = {shape[:-1] for shape in shapes}
            return len(rows) == 1 and sum(shape[-1] for shape in shapes) in self.space.palette
        return len(set(shapes)) == 1


def choices(space: Space, op: str) -> list[dict[str, Value]]:
    """All legal attribute values of an op, simplest first, without a dense layer's `out`.

    Raises SpecError where those that the space fixes leave none.
    """
    names = [a.name for a in OPS[op].attributes if a.default is not None]
    every = [dict(zip(names, chosen, strict=True)) for chosen in product(*(space.values(op, n) for n in names))]
    faults = [_fault(op, attributes) for attributes in every]
    if all(faults):
        raise SpecError(f"ops ({op}): {faults[0]}")
    return [attributes for attributes, fault in zip(every, faults, strict=True) if fault is None]


def _fault(op: str, attributes: dict[str, Value]) -> SpecError | None:
    """What the op's own rule says against these values together, asked on a shape that fits every op."""
    try:
        OPS[op].out_shape({"out": 1, **attributes}, ((1, 1),) * OPS[op].arity[0])
    except SpecError as error:
        return error
    return None


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
    merges = [(op, partner, False) for partner in range(PARTNERS) for op in space.of_kind("merge")]
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
    """A loss with all its attributes, each a choice of its own, so that the loss shrinks and its reduction stays.

    A value that the loss does not take becomes the simplest that it does.
    """
    ops = space.of_kind("loss")
    names = dict.fromkeys(a.name for op in ops for a in OPS[op].attributes)
    every = {
        name: dict.fromkeys(v for op in ops if name in _names(op) for v in space.values(op, name)) for name in names
    }

    def fitted(op: str, drawn: dict[str, Value]) -> tuple[str, dict[str, Value]]:
        taken = {name: space.values(op, name) for name in _names(op)}
        return op, {name: drawn[name] if drawn[name] in values else values[0] for name, values in taken.items()}

    drawn = st.fixed_dictionaries({name: st.sampled_from(list(values)) for name, values in every.items()})
    return st.builds(fitted, st.sampled_from(ops), drawn)


def _names(op: str) -> list[str]:
    return [attribute.name for attribute in OPS[op].attributes]


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
    name, drawn = loss
    if drawn.get("reduction") == "batch_mean" and len(shape) < 2:
        # One sample has no batch to average over. The nearest legal choice: a batch of one where batch_mean is
        # asked for, the sum where it was drawn.
        if "reduction" in space.fixed.get(name, {}):
            shape = (1, *shape)
        else:
            drawn = drawn | {"reduction": "sum"}
    build = _Build(space, [Input("x", shape)])
    link = -1
    for plan in plans:
        link = build.layer(plan, link)
    return Architecture(tuple(build.inputs), tuple(build.nodes), Loss(name, drawn, (link,)))

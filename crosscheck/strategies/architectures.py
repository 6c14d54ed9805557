"""Random architectures: one list of whole layers, each an element with everything that belongs to it.

Shapes are carried, never drawn; what does not fit is mapped to the nearest legal choice, or brought into another
shape by a node of its own, never filtered. A layer is: an op with parameters or further inputs, an activation, and
perhaps a merge with an earlier output, which makes forks and branches; it may have the weights of an earlier one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, product
from typing import TypeVar

from hypothesis import strategies as st

from crosscheck.spec.architecture import Architecture, Input
from crosscheck.spec.errors import SpecError
from crosscheck.spec.op import Shape, Value, no_roles
from crosscheck.spec.ops import OPS
from crosscheck.strategies.building import PARTNERS, Build, Joint, LayerPlan, Variant
from crosscheck.strategies.fitting import POSITIVE, PREPARED, fits, standing_fault
from crosscheck.strategies.space import Space

T = TypeVar("T")
# An op, and its variants: the drawn one first.
Choice = tuple[str, tuple[Variant, ...]]
# How often a dense layer stands among the layers that are drawn, and how often a layer has nothing around it.
DENSE, NOTHING = 4, 2
# How often a layer is an earlier one again.
SHARED = 16
# Heights and widths, or lengths, for ops that need more axes than were drawn.
FURTHER_SIZES = ((2, 2), (1, 1), (3, 3), (2, 3), (3, 1), (5, 4), (1, 5))


class Menu:
    """What a space offers, as lists from which indices pick: the same for what is drawn and for what is planned."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self._variants: dict[str, list[Variant]] = {}
        self._ordered: dict[tuple[str, int], tuple[Variant, ...]] = {}
        self.shapes = _input_shapes(space)
        self.ops = _layer_ops(space)
        self.most_variants = max((len(self.variants(op)) for op in self.ops if op is not None), default=1)
        self.activations = self._activations()
        self.joints = _joints(space)
        self.losses = space.of_kind("loss")
        self.loss_attributes = _loss_attributes(space)

    def variants(self, op: str) -> list[Variant]:
        """All legal attribute values of an op, those first in which the fewest are not the simplest."""
        if op not in self._variants:
            sizes = {a.name: self.space.sizes(op, a.name) for a in OPS[op].attributes if a.default is None}
            every = [
                {**dict(zip(sizes, chosen, strict=True)), **rest}
                for rest in choices(self.space, op)
                for chosen in product(*sizes.values())
            ]
            self._variants[op] = sorted(every, key=lambda variant: _distance(variant, every[0]))
        return self._variants[op]

    def drawn(self, op: str, number: int) -> Choice:
        """The op with variant `number`, and behind it all others, the nearest first.

        Of those as near a size gives way before an attribute: where two groups take an even width, the width does.
        """
        variants = self.variants(op)
        number %= len(variants)
        if (op, number) not in self._ordered:
            chosen = variants[number]
            sizes = [a.name for a in OPS[op].attributes if a.default is None]
            self._ordered[op, number] = tuple(
                sorted(variants, key=lambda v: (_distance(v, chosen), -sum(v[name] != chosen[name] for name in sizes)))
            )
        return op, self._ordered[op, number]

    def _activations(self) -> list[Choice | None]:
        named: list[list[Choice | None]] = [
            [self.drawn(op, number) for number in range(len(self.variants(op)))]
            for op in self.space.of_kind("activation")
        ]
        # A layer without an activation is drawn only where it does something else.
        plain: list[list[Choice | None]] = [[None]] if self.space.of_kind("layer") or not named else []
        return _levelled([*plain, *named])

    def plan(self, op: str | None, number: int, activation: Choice | None, joint: Joint) -> LayerPlan:
        return LayerPlan(None if op is None else self.drawn(op, number), activation, joint)

    def loss(self, op: str, drawn: Variant) -> tuple[str, Variant]:
        """The loss with what it takes of the drawn attributes; what it does not take becomes the simplest it does."""
        taken = {a.name: self.space.values(op, a.name) for a in OPS[op].attributes}
        return op, {name: drawn[name] if drawn[name] in values else values[0] for name, values in taken.items()}


def _distance(a: Variant, b: Variant) -> int:
    return sum(a[name] != b[name] for name in a)


def choices(space: Space, op: str) -> list[Variant]:
    """All legal attribute values of an op, simplest first, without sizes that must be given, as a dense layer's `out`.

    Raises SpecError where those that the space fixes leave none.
    """
    names = [a.name for a in OPS[op].attributes if a.default is not None]
    every = [dict(zip(names, chosen, strict=True)) for chosen in product(*(space.values(op, n) for n in names))]
    if not every:
        raise SpecError(f"ops ({op}): strategies/space.py has no values to draw for one of {', '.join(names)}")
    required = [a.name for a in OPS[op].attributes if a.default is None]
    faults = [_least_fault(op, required, attributes) for attributes in every]
    if all(faults):
        raise SpecError(f"ops ({op}): {faults[0]}")
    return [attributes for attributes, fault in zip(every, faults, strict=True) if fault is None]


def _least_fault(op: str, required: Sequence[str], attributes: Variant) -> SpecError | None:
    """What is wrong with these attributes whatever the sizes: two groups, for one, need two of everything."""
    faults = [standing_fault(op, dict.fromkeys(required, size) | attributes) for size in (1, 2)]
    return faults[0] if all(faults) else None


def _levelled(groups: list[list[T]]) -> list[T]:
    """One list in which every group has as many places as the longest, so that all are drawn equally often."""
    longest = max(map(len, groups), default=0)
    return [item for group in groups for item, _ in zip(cycle(group), range(longest), strict=False)]


def _layer_ops(space: Space) -> list[str | None]:
    """Ops with parameters or further inputs; where there are activations, now and then none."""
    ops = list(space.of_kind("layer"))
    if not ops:
        return [None]
    nothing: list[str | None] = [None] if space.of_kind("activation") else []
    # What shrinks ends without one, if it can.
    return nothing + ["dense"] * (DENSE * ("dense" in ops)) + [op for op in ops if op != "dense"]


def _joints(space: Space) -> list[Joint]:
    """What stands around a layer; mostly nothing."""
    merges = [
        Joint(op, partner, axis=axis)
        for partner in range(PARTNERS)
        for op in space.of_kind("merge")
        for axis in (_axes(space) if op == "concat" else (-1,))
    ]
    layers = space.of_kind("layer")
    if not layers and not space.of_kind("activation"):
        return merges or [Joint()]
    nothing = [Joint()] * max(NOTHING * len(merges), 4 if layers else 1)
    shared = [Joint(share=True)] * SHARED if any(OPS[op].roles is not no_roles for op in layers) else []
    given = [Joint(extras=True)] * 4 if any(OPS[op].arity[1] > OPS[op].arity[0] for op in layers) else []
    return [*nothing, *shared, *given, *merges]


def _axes(space: Space) -> tuple[int, ...]:
    return tuple(int(axis) for axis in space.values("concat", "axis"))


def layers(menu: Menu) -> st.SearchStrategy[LayerPlan]:
    """One whole layer in four choices: Hypothesis deletes what is as short as that from anywhere in a list."""
    return st.builds(
        menu.plan,
        st.sampled_from(menu.ops),
        st.integers(0, menu.most_variants - 1),
        st.sampled_from(menu.activations),
        st.sampled_from(menu.joints),
    )


def losses(menu: Menu) -> st.SearchStrategy[tuple[str, Variant]]:
    """A loss with all its attributes, each a choice of its own, so that the loss shrinks and its reduction stays."""
    names, offered = menu.loss_attributes.keys(), menu.loss_attributes.values()
    drawn = st.tuples(*(st.sampled_from(values) for values in offered))
    return st.builds(
        lambda op, values: menu.loss(op, dict(zip(names, values, strict=True))), st.sampled_from(menu.losses), drawn
    )


def _loss_attributes(space: Space) -> dict[str, list[Value]]:
    """For every attribute of any loss the values it may take. Raises SpecError for a loss that cannot be reached."""
    ops = space.of_kind("loss")
    if "bce" in ops and PREPARED["bce"] not in space.ops:
        raise SpecError(f"ops (bce): it takes probabilities, so {PREPARED['bce']} must be among the ops")
    if "poisson_nll" in ops and POSITIVE not in space.ops and not all(space.values("poisson_nll", "log_input")):
        raise SpecError(f"ops (poisson_nll): without log_input it takes rates, so {POSITIVE} must be among the ops")
    every: dict[str, dict[Value, None]] = {}
    for op in ops:
        for attribute in OPS[op].attributes:
            every.setdefault(attribute.name, {}).update(dict.fromkeys(space.values(op, attribute.name)))
    return {name: _weighed(name, list(values)) for name, values in every.items()}


def _weighed(name: str, values: list[Value]) -> list[Value]:
    """Weights of samples and penalties are drawn now and then: with all of them the rest would seldom show."""
    return values[:1] * 4 + values if name in ("weighted", "l1", "l2") else values


def _input_shapes(space: Space) -> list[Shape]:
    """(rows, width) mostly; also (width,), (2, rows, width) and images."""
    sizes = space.palette
    matrices: list[Shape] = [(rows, width) for width in sizes for rows in sizes]
    vectors: list[Shape] = [(width,) for width in sizes]
    stacks: list[Shape] = [(2, rows, width) for width in sizes for rows in sizes]
    images: list[Shape] = [(rows, width, 3, 2) for width in sizes for rows in sizes[:3]]
    return matrices * 4 + vectors * 2 + stacks + images


def architectures(space: Space) -> st.SearchStrategy[Architecture]:
    """Architectures of a space; every draw is valid."""
    return _from(Menu(space))


@st.composite
def _from(draw: st.DrawFn, menu: Menu) -> Architecture:
    """In the order of `planning.Planner.flat`."""
    shape, further = draw(st.sampled_from(menu.shapes)), draw(st.sampled_from(FURTHER_SIZES))
    plans = draw(st.lists(layers(menu), min_size=1, max_size=menu.space.most_layers))
    return assembled(menu, shape, further, plans, draw(losses(menu)))


def assembled(
    menu: Menu, shape: Shape, further: tuple[int, int], plans: Sequence[LayerPlan], loss: tuple[str, Variant]
) -> Architecture:
    """The plans one after the other on an input that fits the first, and the loss."""
    name, drawn = loss
    variants = _loss_variants(menu.space, name, drawn)
    # What was drawn gives way to what fits; what is fixed, as a mean over a batch, needs so many axes.
    least_rank = next(r for r in range(5) if any(fits(name, variant, (2,) * r) for variant in variants))
    while len(shape) < least_rank:
        shape = (1, *shape)
    first = next((plan.layer for plan in plans if plan.layer is not None), None)
    build = Build(menu.space.ops, menu.space.palette, [_first_input(first, shape, further)], least_rank=least_rank)
    link = -1
    for plan in plans:
        link = build.layer(plan, link)
    return build.finished(name, variants, link)


def _first_input(layer: Choice | None, shape: Shape, further: tuple[int, int]) -> Input:
    """An input that the first layer can take, as near to the drawn shape as can be."""
    if layer is None:
        return Input("x", shape)
    op, variants = layer
    rows, width = shape[0] if len(shape) > 1 else 1, shape[-1]
    if op == "embedding":
        return Input("ids", shape[:-1] if len(shape) > 1 else shape, "int64")
    candidates = (shape, (rows, width), (rows, width, further[0]), (rows, width, *further))
    fitting = (s for variant in variants for s in candidates if fits(op, variant, s))
    return Input("x", next(fitting, shape))


def _loss_variants(space: Space, op: str, drawn: Variant) -> list[Variant]:
    """The drawn attributes, and behind them those without what needs samples."""
    free = {name: space.values(op, name)[0] for name in ("weighted", "reduction") if name in drawn}
    simpler = [drawn | {name: value} for name, value in free.items()]
    return [drawn, *simpler, drawn | free]

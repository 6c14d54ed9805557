"""An architecture under construction: each op is put where it fits, with whatever it needs beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from crosscheck.spec.architecture import Architecture, Input, Loss, Node
from crosscheck.spec.op import Shape, Value
from crosscheck.spec.ops import OPS
from crosscheck.strategies.fitting import MOST_NUMBERS, Extra, adaptations, extras, fits, preparation

Variant = dict[str, Value]
# What the index of a partner may mean beside a place among the earlier outputs.
PARTNERS = 5
OF_ITSELF, OF_THREE = 3, 4


@dataclass(frozen=True)
class Joint:
    """What stands around a layer: a merge behind it, with an earlier output or more, picked by index if any fits.

    `axis` is a concat's.

    `share`: it takes the parameters of an earlier layer of its kind; `extras`: its optional inputs are given.
    """

    merge: str | None = None
    partner: int = 0
    axis: int = -1
    share: bool = False
    extras: bool = False


PLAIN = Joint()


@dataclass(frozen=True)
class LayerPlan:
    """One drawn layer: an op with its variants, the drawn one first; an activation; what stands around it."""

    layer: tuple[str, tuple[Variant, ...]] | None
    activation: tuple[str, tuple[Variant, ...]] | None = None
    joint: Joint = PLAIN


@dataclass
class Build:
    """Inputs and nodes so far.

    `allowed` are the ops that may be used, `widths` the sizes that a concat may make; no output has fewer than
    `least_rank` axes.
    """

    allowed: Sequence[str]
    widths: Sequence[int]
    inputs: list[Input]
    least_rank: int = 0
    nodes: list[Node] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)

    def shape(self, link: int) -> Shape:
        return self.shapes[link] if link >= 0 else self.inputs[-link - 1].shape

    def add(self, op: str, attributes: Variant, inputs: tuple[int, ...], params: dict[str, str]) -> int:
        self.nodes.append(Node(op, attributes, inputs, params))
        self.shapes.append(OPS[op].out_shape(attributes, tuple(self.shape(k) for k in inputs)))
        return len(self.nodes) - 1

    def layer(self, plan: LayerPlan, link: int) -> int:
        """The plan on the output `link`; whatever of it cannot stand there is left out."""
        if plan.layer is not None:
            op, variants = plan.layer
            if op == "embedding":
                link = self._embedded(variants[0], link, share=plan.joint.share)
            else:
                link = self._put(op, variants, link, plan.joint)
        # Every other merge stands before the activation, as in a residual block.
        merged_first = plan.joint.merge is not None and plan.joint.partner % 2 == 1
        if merged_first:
            link = self._merge(plan.joint, link)
        if plan.activation is not None:
            link = self._put(*plan.activation, link, plan.joint)
        if plan.joint.merge is not None and not merged_first:
            link = self._merge(plan.joint, link)
        return link

    def _put(self, op: str, variants: Sequence[Variant], link: int, joint: Joint) -> int:
        """The op in the first of its variants that fits, on the link as it is or brought into another shape."""
        if joint.share and OPS[op].kind != "activation" and (shared := self._shared(op, link)) is not None:
            return shared
        shape = self.shape(link)
        for steps in adaptations(shape, self.allowed):
            adapted = shape
            for name, attributes in steps:
                adapted = OPS[name].out_shape(attributes, (adapted,) * OPS[name].arity[0])
            for variant in variants:
                if self._stands(op, variant, adapted, joint):
                    for name, attributes in steps:
                        link = self.add(name, attributes, (link,) * OPS[name].arity[0], {})
                    return self._with_params(op, variant, (link, *self._declared(op, variant, adapted, joint)))
        return link

    def _stands(self, op: str, attributes: Variant, shape: Shape, joint: Joint) -> bool:
        if not fits(op, attributes, shape, wanted=joint.extras):
            return False
        further = (extra.shape for extra in extras(op, attributes, shape, wanted=joint.extras))
        return len(OPS[op].out_shape(attributes, (shape, *further))) >= self.least_rank

    def _with_params(self, op: str, attributes: Variant, links: tuple[int, ...]) -> int:
        roles = OPS[op].roles(attributes)
        return self.add(op, attributes, links, {role: f"{len(self.nodes)}.{role}" for role in roles})

    def _declared(self, op: str, attributes: Variant, shape: Shape, joint: Joint) -> tuple[int, ...]:
        return tuple(self.declare(extra) for extra in extras(op, attributes, shape, wanted=joint.extras))

    def declare(self, extra: Extra) -> int:
        """A further input, by its name or the first numbered one that is free; its link."""
        taken = {item.name for item in self.inputs}
        names = [extra.name, *(f"{extra.name}{n}" for n in range(2, len(taken) + 3))]
        self.inputs.append(Input(next(n for n in names if n not in taken), extra.shape, extra.dtype))
        return -len(self.inputs)

    def _shared(self, op: str, link: int) -> int | None:
        """An earlier layer again, with its attributes and parameters: one of this op, or else of any other.

        What was drawn gives way: layers that agree in all sizes by chance are too rare to show a bug.
        """
        shape = self.shape(link)
        candidates = [node for node in self.nodes if node.params and len(node.inputs) == 1 and node.op != "embedding"]
        for node in sorted(candidates, key=lambda node: node.op != op):
            attributes = dict(node.attributes)
            if fits(node.op, attributes, shape) and OPS[node.op].params(attributes, (shape,)) == OPS[node.op].params(
                attributes, (self.shape(node.inputs[0]),)
            ):
                return self.add(node.op, attributes, (link,), dict(node.params))
        return None

    def _embedded(self, variant: Variant, link: int, *, share: bool) -> int:
        """An embedding as wide as the link, added to it; alone where the network starts with whole numbers.

        Where it shares, with the weights of an earlier one of that width.
        """
        if link < 0 and self.inputs[-link - 1].dtype == "int64":
            return self._with_params("embedding", variant, (link,))
        shape = self.shape(link)
        if "add" not in self.allowed or not shape:
            return link
        ids = self.declare(Extra("ids", shape[:-1], "int64"))
        earlier = [node for node in self.nodes if node.op == "embedding" and node.attributes["dim"] == shape[-1]]
        if share and earlier:
            embedded = self.add("embedding", dict(earlier[0].attributes), (ids,), dict(earlier[0].params))
        else:
            embedded = self._with_params("embedding", {**variant, "dim": shape[-1]}, (ids,))
        return self.add("add", {}, (link, embedded), {})

    def _merge(self, joint: Joint, link: int) -> int:
        """Merge with the earlier output that the index picks among those that fit; none fits: no merge.

        OF_ITSELF merges an output with itself, OF_THREE merges three outputs.
        """
        name, partner = str(joint.merge), joint.partner
        earlier = [
            k
            for k in reversed([*range(-len(self.inputs), 0), *range(len(self.nodes))])
            if k != link and (k >= 0 or self.inputs[-k - 1].dtype == "float")
        ]
        if partner == OF_ITSELF:
            groups: list[tuple[int, ...]] = [(link, link)]
        elif partner == OF_THREE and OPS[name].arity[1] > 2:
            groups = [(link, j, k) for j in earlier for k in [*earlier, link]]
        else:
            groups = [(link, k) for k in earlier]
        for axis in (joint.axis, -1) if name == "concat" else (None,):
            attributes: Variant = {} if axis is None else {"axis": axis}
            fitting = [group for group in groups if self._joins(name, attributes, group)]
            if fitting:
                return self.add(name, attributes, fitting[partner % len(fitting)], {})
        shape = self.shape(link)
        if name == "matmul" and "transpose" in self.allowed and may_be_squared(shape):
            # Every output can be multiplied by itself, transposed.
            return self.add(name, {}, (link, self._transposed(link)), {})
        return link

    def _transposed(self, link: int) -> int:
        names = [attribute.name for attribute in OPS["transpose"].attributes]
        return self.add("transpose", dict(zip(names, (-1, -2), strict=True)), (link,), {})

    def _joins(self, name: str, attributes: Variant, group: tuple[int, ...]) -> bool:
        shapes = tuple(self.shape(k) for k in group)
        if name == "concat":
            axis = int(attributes["axis"])
            if any(len(shape) != len(shapes[0]) or len(shape) < -axis for shape in shapes):
                return False
            rest = {(*shape[:axis], *shape[len(shape) + axis + 1 :]) for shape in shapes}
            return len(rest) == 1 and sum(shape[axis] for shape in shapes) in self.widths
        if name == "matmul":
            left, right = shapes
            if not (len(left) == len(right) > 1 and left[:-2] == right[:-2] and left[-1] == right[-2]):
                return False
            return math.prod((*left[:-1], right[-1])) <= MOST_NUMBERS
        return len(set(shapes)) == 1

    def finished(self, op: str, variants: Sequence[Variant], link: int) -> Architecture:
        """With the loss in the first of its variants that fits; what it needs is put before and beside it."""
        prepared = preparation(op, variants[0], self.allowed)
        if prepared and self._ends_otherwise(prepared, link):
            if not self.shape(link) and not fits(prepared, default(prepared), ()) and "reshape" in self.allowed:
                link = self.add("reshape", {"shape": 1}, (link,), {})  # what makes probabilities takes a vector
            link = self._put(prepared, (default(prepared),), link, PLAIN)
        shape = self.shape(link)
        variant = next((v for v in variants if fits(op, v, shape)), variants[0])
        further = tuple(self.declare(extra) for extra in extras(op, variant, shape))
        return Architecture(tuple(self.inputs), tuple(self.nodes), Loss(op, variant, (link, *further)))

    def _ends_otherwise(self, op: str, link: int) -> bool:
        return link < 0 or self.nodes[link].op != op


def may_be_squared(shape: Shape) -> bool:
    """Whether these are matrices, and each times its own transpose is small enough."""
    return len(shape) > 1 and math.prod((*shape[:-1], shape[-2])) <= MOST_NUMBERS


def default(op: str) -> Variant:
    """An op's own defaults."""
    return {a.name: a.default for a in OPS[op].attributes if a.default is not None}

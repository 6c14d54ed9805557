"""The smallest networks that hold one operation: on which a failure is looked for before a large network is cut down.

Their order depends on the operation alone, so that one bug ends at one network whichever case it was met in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from crosscheck.spec.architecture import Architecture, Input, Loss, Node
from crosscheck.spec.case import Case
from crosscheck.spec.errors import SpecError
from crosscheck.spec.fault import Factor
from crosscheck.spec.notation import parse
from crosscheck.spec.op import Shape, Value
from crosscheck.spec.ops import OPS
from crosscheck.strategies.building import Build, Joint, LayerPlan, default
from crosscheck.strategies.fitting import POSITIVE, PREPARED, preparation, standing_fault
from crosscheck.strategies.space import ATTRIBUTE_VALUES, PALETTE
from crosscheck.strategies.values import FAMILIES, make_case

# Simplest first: one number, two samples, two features; then what holds a window, several steps, a group.
SHAPES: tuple[Shape, ...] = (
    (1, 1),
    (2, 1),
    (1, 2),
    (2, 2),
    (2, 3),
    (1, 1, 1),
    (1, 2, 1),
    (1, 1, 2),
    (2, 2, 2),
    (1, 2, 3),
    (1, 3, 1),
    (1, 1, 4),
    (1, 1, 1, 1),
    (1, 1, 2, 2),
    (2, 2, 2, 2),
    (1, 2, 3, 3),
    (1, 1, 4, 4),
    (1,),
    (2,),
)


# Sizes that must be given: what is wrong where something is square needs more than one.
LARGER = (2, 3)
# What is no operation's own: the smallest networks with a fork, with a shared parameter, with a penalty.
OF_FACTOR: dict[Factor, tuple[str, ...]] = {
    Factor.SUM: (
        "x[1,1] -> add(x) -> sse",
        "x[1,1] -> dense(1) -> dense(1, weight=@0.weight, bias=@0.bias) -> sse",
        "x[1,1] -> multiply(x) -> sse",
    ),
    Factor.PENALTY: ("x[1,1] -> dense(1) -> sse(l2=0.25)", "x[1,1] -> dense(1) -> sse(l1=0.125)"),
}


def of_factor(factor: Factor) -> Iterator[Architecture]:
    """The smallest networks in which a factor can be wrong that belongs to no operation."""
    yield from map(parse, OF_FACTOR.get(factor, ()))


def alone(op: str, attributes: Mapping[str, Value], shape: Shape, *, further: bool = False) -> Architecture | None:
    """`x -> op -> sse` on an input of this shape, `x -> op` for a loss; None where the op does not stand on it.

    A merge has a second input. `further`: the op's optional inputs are given.
    """
    kind, variant = OPS[op].kind, {**default(op), **attributes}
    build = Build((op,), PALETTE, [Input("x", shape)])
    try:
        if kind == "loss":
            allowed = tuple(filter(None, (preparation(op, variant, (*PREPARED.values(), POSITIVE)),)))
            return replace(build, allowed=allowed).finished(op, [variant], -1)
        if op == "embedding":
            build = Build((op,), PALETTE, [Input("ids", shape, "int64")])
        if kind == "merge":
            build.inputs.append(Input("u", (*shape[:-2], shape[-1], shape[-2]) if op == "matmul" else shape))
            link = build.add(op, variant, (-1, -2), {})
        else:
            plan = (op, (variant,))
            joint = Joint(extras=further)
            planned = LayerPlan(None, plan, joint) if kind == "activation" else LayerPlan(plan, None, joint)
            link = build.layer(planned, -1)
        made = build.finished("sse", [default("sse")], link)
    except (SpecError, IndexError):
        return None
    # What does not fit is left out, or brought into another shape.
    return made if [node.op for node in made.nodes] == [op] else None


def probes(op: str, met: Mapping[str, Value], shapes: Sequence[Shape] = SHAPES) -> Iterator[Architecture]:
    """Networks of this op alone, simplest first: its simplest attributes, those with one as it was `met`, then all.

    `met` are the attributes of the node that is suspected. Behind each come those with its optional inputs.
    """
    seen: set[Architecture] = set()
    optional = (False, True) if OPS[op].arity[1] > OPS[op].arity[0] and OPS[op].kind == "layer" else (False,)
    for attributes in variants(op, met):
        for further in optional:
            for shape in shapes:
                made = alone(op, attributes, shape, further=further)
                if made is not None and made not in seen:
                    seen.add(made)
                    yield made


def plainer(architecture: Architecture, op: str) -> Iterator[Architecture]:
    """Such a network with one attribute of the op as simple as can be, that was not.

    Where the op cannot stand so, because another attribute asks for it, one that is declared behind it takes its place:
    a transposed convolution has an output padding where it has a stride or a dilation.
    """
    met, shape = _attributes_of(architecture, op), architecture.inputs[0].shape
    simplest = {a.name: _simplest(op, a.name, a.default) for a in OPS[op].attributes}
    for place, (name, value) in enumerate(simplest.items()):
        if met.get(name, value) == value:
            continue
        plain = list(_like(architecture, op, {**met, name: value}, shape))
        yield from plain
        for other in list(simplest)[place + 1 :] if not plain else ():
            for instead in ATTRIBUTE_VALUES.get((op, other), ())[1:] if met[other] == simplest[other] else ():
                yield from _like(architecture, op, {**met, name: value, other: instead}, shape)


def smaller(architecture: Architecture, op: str) -> Iterator[Architecture]:
    """Such a network on the shapes before its own, of SHAPES."""
    own = architecture.inputs[0].shape
    for shape in SHAPES[: SHAPES.index(own)] if own in SHAPES else ():
        yield from _like(architecture, op, _attributes_of(architecture, op), shape)


def narrower(architecture: Architecture, op: str) -> Iterator[Architecture]:
    """Such a network with one axis of its input smaller, or one size that the op must be given."""
    own, met = architecture.inputs[0].shape, _attributes_of(architecture, op)
    for axis, size in enumerate(own):
        for less in range(1, size):
            yield from _like(architecture, op, met, (*own[:axis], less, *own[axis + 1 :]))
    for name in (a.name for a in OPS[op].attributes if a.default is None):
        value = met.get(name)
        for less in range(1, value) if isinstance(value, int) else ():
            yield from _like(architecture, op, {**met, name: less}, own)


def _attributes_of(architecture: Architecture, op: str) -> Mapping[str, Value]:
    placed: list[Node | Loss] = [*architecture.nodes, architecture.loss]
    return next((operation.attributes for operation in placed if operation.op == op), {})


def _like(architecture: Architecture, op: str, attributes: Mapping[str, Value], shape: Shape) -> Iterator[Architecture]:
    """The op alone with as many inputs as this network has, where it can stand."""
    made = (alone(op, attributes, shape, further=further) for further in (False, True))
    yield from [found for found in made if found and len(found.inputs) == len(architecture.inputs)][:1]


def variants(op: str, met: Mapping[str, Value]) -> list[dict[str, Value]]:
    """The simplest attributes; with larger sizes; then with one of those that were met, and with all of them."""
    simplest = {a.name: _simplest(op, a.name, a.default) for a in OPS[op].attributes}
    given = {name: value for name, value in met.items() if name in simplest}
    sizes = [a.name for a in OPS[op].attributes if a.default is None]
    larger = [simplest | dict.fromkeys(sizes, size) for size in LARGER] if sizes else []
    differing = [name for name in simplest if given.get(name, simplest[name]) != simplest[name]]
    singly = [
        _standing(op, [sizes | {name: value} for sizes in (simplest, *larger)])
        for name in differing
        for value in _up_to(op, name, given[name])
    ]
    every = [simplest, *larger, *singly, simplest | given]
    return [chosen for k, chosen in enumerate(every) if chosen not in every[:k]]


def _standing(op: str, choices: Sequence[dict[str, Value]]) -> dict[str, Value]:
    """The first that can stand on some input, else the first: two groups take two outputs."""
    return next((chosen for chosen in choices if standing_fault(op, chosen) is None), choices[0])


def _up_to(op: str, name: str, met: Value) -> list[Value]:
    """The values of an attribute, simplest first, up to the one that was met: another may show the same."""
    every = list(ATTRIBUTE_VALUES.get((op, name), ()))
    return every[1 : every.index(met) + 1] if met in every else [met]


def larger(op: str, met: Mapping[str, Value]) -> dict[str, Value]:
    """The attributes that were met, with every size that must be given a 3: where one thing and several differ."""
    sizes = {a.name: 3 for a in OPS[op].attributes if a.default is None and a.type == "int"}
    return {**variants(op, met)[-1], **sizes}


def otherwise(op: str, met: Mapping[str, Value]) -> dict[str, Value]:
    """The attributes that were met, with every real number another than it was: what equals one changes with it."""
    given = variants(op, met)[-1]
    real = [a.name for a in OPS[op].attributes if a.type == "float"]
    others = {name: [v for v in ATTRIBUTE_VALUES.get((op, name), ()) if v != given[name]] for name in real}
    return given | {name: values[0] for name, values in others.items() if values}


def _simplest(op: str, name: str, value: Value | None) -> Value:
    if value is not None:
        return value
    return ATTRIBUTE_VALUES.get((op, name), PALETTE)[0]


def of_all_families(architecture: Architecture, dtype: str, *, seed: int = 0, each: int = 1) -> Case:
    """Points of every family of values, `each` of one: a question that holds every kind of number.

    Each family has a seed of its own: from one seed all would have the same signs.
    """
    return joined(
        [
            make_case(architecture, family=family, seed=seed + k, points=each, dtype=dtype)
            for k, family in enumerate(FAMILIES)
        ]
    )


def with_numbers_of(case: Case, architecture: Architecture) -> Case | None:
    """The case with this network in the place of its own; None where its arrays do not fit."""
    try:
        return replace(case, architecture=architecture)
    except SpecError:
        return None


def parts_of(case: Case, architecture: Architecture) -> Iterator[Case]:
    """This narrower network on numbers of the case's first input: those at its start, and those at its end."""
    first = architecture.inputs[0]
    given = case.inputs.get(first.name)
    if given is None or len(given.shape) != len(first.shape) + 1 or given.shape[1:] == first.shape:
        return
    made = make_case(architecture, family="ones", seed=0, points=case.n_points, dtype=case.dtype)
    sizes = list(zip(given.shape[1:], first.shape, strict=True))
    for places in ([slice(0, n) for _, n in sizes], [slice(size - n, size) for size, n in sizes]):
        yield replace(made, inputs={**made.inputs, first.name: given[(slice(None), *places)]})


def joined(parts: Sequence[Case]) -> Case:
    """The points of several cases of one architecture and dtype as one case."""
    first = parts[0]
    weights = [part.weights for part in parts if part.weights is not None]
    return replace(
        first,
        params={k: np.concatenate([part.params[k] for part in parts]) for k in first.params},
        inputs={k: np.concatenate([part.inputs[k] for part in parts]) for k in first.inputs},
        targets=np.concatenate([part.targets for part in parts]),
        weights=np.concatenate(weights) if weights else None,
        family="given",
        aims_at_kinks=any(part.aims_at_kinks for part in parts),
    )

"""Mutants made from the register: each derivative of each op, wrong in one way after the other.

An op that is new in the register has its mutants by itself. Which alterations it meets is drawn by a hash of names, so
that no other op's change when one is added; what is special to an op, or to an attribute of it, it always meets.
`EQUIVALENT` are those that were proved to be right (tests/mutants/find_equivalents.py); `MUTANTS` are the others.
A diagnosis has no need to draw: of whatever has a form to be recognised by, `forms` has those that were not drawn too.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial

from crosscheck.backprop.rows import Array, Row
from crosscheck.mutants import changes
from crosscheck.mutants.alterations import OF_LAYERS, Alteration
from crosscheck.mutants.asked import OfLayer, OfLoss, OfSlope, Part
from crosscheck.mutants.elementwise import LOSSES, SLOPES, ignoring
from crosscheck.mutants.equivalent import EQUIVALENT
from crosscheck.mutants.mutant import Mutant
from crosscheck.mutants.small import smallest_of
from crosscheck.mutants.smallest import SMALLEST
from crosscheck.mutants.terms import TERMS, at_attributes
from crosscheck.spec.fault import Factor, Fault, Symptom
from crosscheck.spec.op import Op, Value
from crosscheck.spec.ops import OPS
from crosscheck.strategies.fitting import POSITIVE, PREPARED, TRIALS, extras, fault
from crosscheck.strategies.space import ATTRIBUTE_VALUES

FAMILY = "systematic"
# How many of the alterations that take turns an op meets at least; more where it has more parts: each meets one.
TURNS = {"layer": 2, "merge": 3, "activation": 3, "loss": 2}
# How many of those that are wrong only with one value of an attribute.
BOUNDARIES = 1
# How many that are no equivalent ones an op has at least.
LEAST = 2
# What a diagnosis looks for at any derivative, drawn there or not.
# fmt: off
FORMS = frozenset({
    Symptom.NO_SLOPE, Symptom.SLOPE_AT_OUTPUT, Symptom.SLOPE_TWICE, Symptom.DIAGONAL, Symptom.UPSTREAM, Symptom.MASK,
    Symptom.NOT_SUMMED, Symptom.MEAN,
})
# fmt: on


def parts(op: Op) -> tuple[Part, ...]:
    """The derivatives of an op."""
    if op.kind == "activation":
        return (Part(op, Factor.SLOPE, "", alone=True),)
    if op.kind == "loss":
        count = op.arity[0]
        return tuple(Part(op, Factor.LOSS, str(i) if count > 1 else "", alone=count == 1) for i in range(count))
    if op.kind == "merge":
        return tuple(Part(op, Factor.INPUT, str(i)) for i in range(2))
    found: dict[tuple[Factor, str], dict[str, Value]] = {}
    for fixed in _variants(op):
        attributes = _attributes(op, fixed)
        for key in (*_inputs(op, attributes), *((Factor.PARAM, role) for role in op.roles(attributes))):
            found.setdefault(key, fixed)
    inputs = sum(factor is Factor.INPUT for factor, _ in found)
    return tuple(
        Part(op, factor, name, alone=factor is Factor.INPUT and inputs == 1, fixed=fixed)
        for (factor, name), fixed in found.items()
    )


def _variants(op: Op) -> Iterator[dict[str, Value]]:
    """The defaults, then each other choice of an attribute."""
    yield {}
    for attribute in op.attributes:
        values = ATTRIBUTE_VALUES.get((op.name, attribute.name), attribute.choices)
        yield from ({attribute.name: value} for value in values if value != attribute.default)


def _attributes(op: Op, given: Mapping[str, Value]) -> dict[str, Value]:
    """All attributes; 2 for what must be given."""
    needed: dict[str, Value] = {a.name: 2 for a in op.attributes if a.default is None}
    return op.complete({**needed, **given}, op.name)


def _inputs(op: Op, attributes: dict[str, Value]) -> Iterator[tuple[Factor, str]]:
    """The inputs that have a gradient."""
    shape = next((s for s in TRIALS if fault(op.name, attributes, s, wanted=True) is None), TRIALS[0])
    dtypes = [extra.dtype for extra in extras(op.name, attributes, shape, wanted=True)]
    first = op.slots(attributes, 1 + len(dtypes))[0].dtype
    return ((Factor.INPUT, str(i)) for i, dtype in enumerate((first, *dtypes)) if dtype == "float")


def alterations(part: Part) -> tuple[list[Alteration], list[Alteration], list[Alteration]]:
    """What is always planted in a part; what takes turns; what is wrong with one value of an attribute."""
    tables = {Factor.SLOPE: SLOPES, Factor.LOSS: LOSSES}
    of_all = [a for a in tables.get(part.factor, (*OF_LAYERS, *TERMS)) if a.applies(part)]
    always, turns = [a for a in of_all if a.always], [a for a in of_all if not a.always]
    if part.factor in tables:
        return [*always, *(ignoring(part) if part.name in ("", "0") else ())], turns, []
    there = [a for a in at_attributes(part) if _stands(part, a)]
    return [*always, *(a for a in there if a.always)], turns, [a for a in there if not a.always]


def _stands(part: Part, alteration: Alteration) -> bool:
    """Whether there is the part with the attributes of the alteration."""
    attributes = _attributes(part.op, {**part.fixed, **alteration.fixed})
    return part.factor is Factor.INPUT or part.name in part.op.roles(attributes)


def candidates(op: Op) -> list[Mutant]:
    """The mutants of one op, equivalent ones among them; LEAST that are not, and one for each part."""
    own = parts(op)
    found = [mutant(part, alteration) for part in own for alteration in alterations(part)[0]]
    used: set[str] = set()
    for turn in range(max(TURNS[op.kind], len(own))):
        found += _drawn(own[turn % len(own)], 1, used)
    for part in own[:BOUNDARIES]:
        found += _drawn(part, 2, used)
    for part in own:
        _top_up(found, part, used, 1, partial(_is_of, part))
    _top_up(found, own[0], used, LEAST, lambda m: True)
    return found


def _top_up(found: list[Mutant], part: Part, used: set[str], least: int, of: Callable[[Mutant], bool]) -> None:
    """Draw more for a part, as long as there are any, until so many `of` those found are bugs."""
    while sum(of(m) and m.name not in EQUIVALENT for m in found) < least:
        more = _drawn(part, 1, used)
        if not more:
            return
        found += more


def _is_of(part: Part, found: Mutant) -> bool:
    return found.faults == (_fault(part),)


def _fault(part: Part) -> Fault:
    return Fault(part.op.name, part.factor, part.name)


def _drawn(part: Part, kind: int, used: set[str]) -> list[Mutant]:
    """The next alteration of a part that its op has not met; none is left: nothing."""
    for alteration in sorted(alterations(part)[kind], key=lambda a: _order(part, a)):
        if alteration.name not in used:
            used.add(alteration.name)
            return [mutant(part, alteration)]
    return []


def _order(part: Part, alteration: Alteration) -> int:
    return zlib.crc32(f"{part.words}: {alteration.name}".encode())


def mutant(part: Part, alteration: Alteration, *, shown: bool = True) -> Mutant:
    """The alteration planted in one derivative; without the smallest network on which it shows if that is not asked."""
    op, name = part.op.name, f"{part.words}: {alteration.name}"
    fixed = {**part.fixed, **alteration.fixed}
    return Mutant(
        name=name,
        family=FAMILY,
        what=f"{part.said} {alteration.says}",
        faults=(_fault(part),),
        symptom=alteration.symptom,
        smallest=(SMALLEST.get(name) or smallest_of(part.op, fixed)) if shown else "",
        rows={op: planted(part, alteration)},
        fixed={op: fixed} if fixed else {},
        beside=beside(op),
        families=alteration.families,
    )


def beside(op: str) -> tuple[str, ...]:
    """What else is drawn: what brings an input into the shape it needs, and makes what a loss takes."""
    # An embedding is added to what it stands behind; a matrix can always be multiplied by itself transposed.
    joined = {"embedding": ("add",), "matmul": ("transpose",), "poisson_nll": (POSITIVE,)}
    return joined.get(op) or ((PREPARED[op],) if op in PREPARED else ())


def planted(part: Part, alteration: Alteration) -> Row:
    """The rule of its op with one derivative altered."""
    op = part.op.name
    if part.factor is Factor.SLOPE:
        return changes.slope(op, lambda z, a, da, sound, **own: alteration.change(OfSlope(z, a, da, sound, own, op)))
    if part.factor is Factor.LOSS:
        return changes.loss(op, lambda found, *given, **own: _of_loss(part, alteration, found, given, own))

    def change(call: changes.Call) -> changes.Backward:
        sound = call.answer
        g = part.of(sound)
        return sound if g is None else part.put(sound, alteration.change(OfLayer(call, part, g)))

    return changes.layer(op, change)


def _of_loss(
    part: Part, alteration: Alteration, found: tuple[Array, ...], given: tuple[Array, ...], own: dict[str, Value]
) -> tuple[Array, ...]:
    place = int(part.name or 0)
    altered = alteration.change(OfLoss(part.op.name, place, found[place], given, own))
    return (*found[:place], altered, *found[place + 1 :])


CANDIDATES: tuple[Mutant, ...] = tuple(found for op in OPS.values() for found in candidates(op))
MUTANTS: tuple[Mutant, ...] = tuple(found for found in CANDIDATES if found.name not in EQUIVALENT)


@cache
def forms(op: str) -> tuple[Mutant, ...]:
    """Those of FORMS that no mutant plants, of every derivative of an op. What some of them change may be nothing."""
    drawn = {found.name for found in CANDIDATES}
    turns = ((part, a) for part in parts(OPS[op]) for a in alterations(part)[1] if a.symptom in FORMS)
    made = (mutant(part, alteration, shown=False) for part, alteration in turns)
    return tuple(found for found in made if found.name not in drawn)

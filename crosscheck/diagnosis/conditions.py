"""When it is wrong: the property that every failing answer has, and no right one that was seen.

Found by asking for variations of the case; a property is told only where both kinds of answers were seen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from crosscheck.diagnosis.properties import Property, properties
from crosscheck.diagnosis.seen import Seen
from crosscheck.judge.compare import UNINFORMATIVE, Status
from crosscheck.spec.case import Case
from crosscheck.spec.fault import Factor, Fault
from crosscheck.spec.result import Array, Bools

# So many right answers without the property, and at least this part of those with it wrong, make it one.
RIGHT, OFTEN = 3, 0.5


# Puts a further case to the subject; None where it may not be asked for that network.
Ask = Callable[[Case], Seen | None]


def condition(seen: Sequence[Seen], where: Fault | None, ask: Ask | None = None) -> str | None:
    """`only at batch 1`, `only where z < 0`, `only where ids repeat`; None where nothing that was tried holds.

    What fails without the property too, when the subject is asked, does not hang on it.
    """
    if where is not None and where.factor is Factor.SLOPE and where.op is not None:
        found = _of_the_elements(seen, where.op)
        if found is not None:
            return found
    suspects = {t.name for s in seen for t in s.tensors.values() if t.wrong.any()}
    rated = [(_rate(item, seen, suspects), item) for item in properties([s.case for s in seen], where)]
    holding = sorted(((rate, item) for rate, item in rated if rate is not None), key=lambda found: -found[0])
    return next((f"only {item.words}" for _, item in holding if _hangs_on(item, seen, ask)), None)


def _hangs_on(item: Property, seen: Sequence[Seen], ask: Ask | None) -> bool:
    """Whether the smallest case that was wrong is right without it, as far as that can be asked."""
    if ask is None or item.without is None:
        return True
    wrong = min((s for s in seen if s.failed), key=lambda s: len(s.case.architecture.nodes))
    answers = (ask(case) for case in item.without(wrong.case))
    return not any(answer is not None and answer.failed for answer in answers)


def _rate(item: Property, seen: Sequence[Seen], suspects: Collection[str]) -> float | None:
    """How often it is wrong with the property; None where it is wrong without, or too few right ones are without."""
    with_it = [0, 0]
    right_without = 0
    for s in seen:
        has = item.has(s.case)
        if has is None:
            has = np.zeros(s.case.n_points, np.bool_)
        if (s.wrong_points & ~has).any():
            return None
        right = s.right_points(suspects)
        right_without += int((right & ~has).sum())
        with_it[0] += int((s.wrong_points & has).sum())
        with_it[1] += int((right & has).sum())
    rate = with_it[0] / max(sum(with_it), 1)
    return rate if right_without >= RIGHT and rate >= OFTEN else None


def _of_the_elements(seen: Sequence[Seen], op: str) -> str | None:
    """Of an activation alone on its input: at which z its slope is wrong, where that is a stretch of the line."""
    wrong, right = _elements(seen, op)
    if not len(wrong) or len(right) < RIGHT:
        return None
    for words, holds in _stretches(wrong, right):
        if holds(wrong).all() and not holds(right).any():
            return f"only where {words}"
    return None


def _elements(seen: Sequence[Seen], op: str) -> tuple[Array, Array]:
    """The z at which the slope was wrong, and those at which it was right, and large enough to have been seen wrong."""
    wrong, right = [np.zeros(0)], [np.zeros(0)]
    for s in seen:
        nodes = s.case.architecture.nodes
        if [node.op for node in nodes] != [op] or "axis" in nodes[0].attributes or "x" not in s.tensors:
            continue
        z, tensor = s.case.inputs["x"].astype(np.float64), s.tensors["x"]
        wrong.append(z[tensor.wrong])
        seen_right = (s.judgement.tensors["x"].status == Status.AGREE) & ~tensor.wrong
        right.append(z[seen_right & (tensor.bound <= UNINFORMATIVE * np.abs(tensor.true))])
    return np.concatenate(wrong), np.concatenate(right)


def _stretches(wrong: Array, right: Array) -> list[tuple[str, Callable[[Array], Bools]]]:
    """Stretches of the line that hold all that is wrong; beside an end that is no round number, where it is right."""
    low, high, near, far = (float(f) for f in (wrong.min(), wrong.max(), np.abs(wrong).min(), np.abs(wrong).max()))
    below, above = _end(right[right < low], np.max), _end(right[right > high], np.min)
    nearer, farther = (
        _end(np.abs(right[np.abs(right) < near]), np.max),
        _end(np.abs(right[np.abs(right) > far]), np.min),
    )
    return [
        ("z = 0", lambda z: z == 0),
        ("z < 0", lambda z: z < 0),
        ("z > 0", lambda z: z > 0),
        ("z ≤ 0", lambda z: z <= 0),
        ("z ≥ 0", lambda z: z >= 0),
        ("z ≠ 0", lambda z: z != 0),
        (f"z ≥ {low:.4g} (right up to {below})", lambda z: z >= low),
        (f"z ≤ {high:.4g} (right from {above} on)", lambda z: z <= high),
        (f"z from {low:.4g} to {high:.4g} (right at {below} and at {above})", lambda z: (z >= low) & (z <= high)),
        (f"abs(z) ≥ {near:.4g} (right up to {nearer})", lambda z: np.abs(z) >= near),
        (f"abs(z) ≤ {far:.4g} (right from {farther} on)", lambda z: np.abs(z) <= far),
    ]


def _end(values: Array, of: Callable[[Array], Any]) -> str:
    return f"{float(of(values)):.4g}" if len(values) else "nowhere"

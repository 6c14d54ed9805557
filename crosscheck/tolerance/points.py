"""Bounds, proofs and gradients of some points of a case, put in place of those of all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crosscheck.spec.result import Array, Bound, Certified, Gradients, Reference, Rigour


def joined_proofs(first: Certified, again: Certified, points: Sequence[int]) -> Certified:
    """The first proof with these points replaced by those of the second."""
    chosen = list(points)

    def patch(old: Array, new: Array) -> Array:
        result = np.array(old)
        result[chosen] = new[chosen]
        return result

    def patched(old: Gradients, new: Gradients) -> Gradients:
        return Gradients(
            loss=patch(old.loss, new.loss),
            by_param={k: patch(v, new.by_param[k]) for k, v in old.by_param.items()},
            by_input={k: patch(v, new.by_input[k]) for k, v in old.by_input.items()},
        )

    reference, other = first.reference, again.reference
    if reference.radius is None or other.radius is None:
        raise ValueError("a certified reference has a radius")
    return Certified(
        Reference(
            patched(reference.gradients, other.gradients), Rigour.CERTIFIED, patched(reference.radius, other.radius)
        ),
        bits=patch(first.bits, again.bits),
        hull=patch(first.hull, again.hull),
        at_limit=patch(first.at_limit, again.at_limit),
        kinks=tuple(dict.fromkeys((*first.kinks, *again.kinks))),
    )


def of_points(gradients: Gradients, points: list[int]) -> Gradients:
    return Gradients(
        loss=gradients.loss[points],
        by_param={k: v[points] for k, v in gradients.by_param.items()},
        by_input={k: v[points] for k, v in gradients.by_input.items()},
    )


def patched_bound(bound_: Bound, more: Bound, points: list[int]) -> Bound:
    def patch(old: Array, new: Array) -> Array:
        result = np.array(old)
        result[points] = new
        return result

    def patched(old: Gradients, new: Gradients) -> Gradients:
        return Gradients(
            loss=patch(old.loss, new.loss),
            by_param={k: patch(v, new.by_param[k]) for k, v in old.by_param.items()},
            by_input={k: patch(v, new.by_input[k]) for k, v in old.by_input.items()},
        )

    links = {*bound_.near, *more.near}
    shapes = {k: (more.near[k] if k in more.near else bound_.near[k]).shape[1:] for k in links}
    total, few = len(bound_.parted), len(points)
    return Bound(
        gradients=patched(bound_.gradients, more.gradients),
        held=patched(bound_.held, more.held),
        centre=bound_.centre,
        parted=patch(bound_.parted, more.parted),
        near={
            k: patch(bound_.near.get(k, np.zeros((total, *shapes[k]))), more.near.get(k, np.zeros((few, *shapes[k]))))
            for k in links
        },
        loss_spread=patch(bound_.loss_spread, more.loss_spread),
        signal=bound_.signal,
        overflown=patch(bound_.overflown, more.overflown),
    )

"""Ridders–Neville differentiation of a stack of functions, each with its own error budget.

Central differences D_j at h_j = ¼·2⁻ʲ, j < 7, with the step that was really taken, ((θ+h) - (θ-h))/2; column
m extrapolates T[m,j] = (4ᵐ T[m-1,j+1] - T[m-1,j]) / (4ᵐ - 1). The budget of a cell is the noise of the loss,
16 σ_f / h, propagated through the table, plus its truncation: the largest of |T[m,j] - T[m-1,j+1]|,
|T[m,j] - T[m,j+1]| and |T[m-1,j+1] - T[m-2,j+2]| / 4ᵐ. The cell with the smallest budget answers.

A function that waves faster than the first steps can make their cells agree on nonsense (a sine of a large
argument): a sentinel of two tiny steps must not contradict the cell, and what stays unresolved is asked again
with smaller steps. Where a stencil crosses a kink (its branch signature is not that of the middle), its h is
left out; smaller steps at order 2 are the last resort; where they fail too, the entry is not answered: its
radius is infinite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from crosscheck.spec.case import Case
from crosscheck.spec.result import Array, Bools, Floats, Gradients, Reference, Rigour

STEPS = 7
COLUMNS = 4
FIRST_STEP = 0.25
# Two tiny steps, h = 2⁻²⁰ and 2⁻²⁴: too noisy to answer well, but few waves are so short that they miss them.
SENTINEL = (18, 23)
# A finer difference is held to 2 σ_f / h: to reject a good cell costs a wider budget, to keep a bad one the truth.
STRICTER = 8.0
# What a difference of two cells says of the error of one: the other may err as much the other way, and twice that is
# kept in hand (held against certified truth at 20,000 points, errors reached 1.2 times a budget with 2 here).
TRUNCATION = 4.0
# A second table of smaller steps, to h = 2⁻¹⁸, for what the first one left unresolved.
FINE = (6, 17)
# Steps for a second opinion on a suspect, down to h = 2⁻⁴⁰: slopes of 1e9 on losses of 1.
DEEP = (14, 39)
# The first table's worst relative error was 1e-10 (numerics §4): a budget above ten times that says that its
# steps were too large for the function.
UNRESOLVED = 1e-9
# Numbers in one stacked call: bounds the memory at some tens of MB.
STACK_LIMIT = 1_000_000
# Both ends of a stencil may err by the working multiple of σ_f: (16 σ_f + 16 σ_f) / 2h.
NOISE = 16.0
# Unit roundoff of float64, in which losses are differenced.
UNIT = 2.0**-53


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Losses (K, P) of a stack of perturbed cases, and the branch signature (K, P) of each."""

    loss: Floats
    signature: Array


# Given one tensor's name and its perturbed values (K, P, *shape), evaluate the loss with all else unchanged.
Function = Callable[[str, Array], Evaluation]


@dataclass(frozen=True)
class Ask:
    """Which entries to differentiate: for each tensor flat indices, the same at every point."""

    entries: Mapping[str, Array]

    @property
    def count(self) -> int:
        return sum(len(v) for v in self.entries.values())


def everything(case: Case, names: tuple[str, ...]) -> Ask:
    return Ask({name: np.arange(_size(case, name)) for name in names})


def a_sample(case: Case, names: tuple[str, ...], at_most: int) -> Ask:
    """Up to `at_most` entries, shared out over the tensors, drawn by the case's own key; all where they fit."""
    whole = everything(case, names)
    if whole.count <= at_most:
        return whole
    generator = np.random.default_rng(int(case.key[:16], 16))
    share = max(1, at_most // max(len(names), 1))
    return Ask(
        {
            name: np.sort(generator.choice(indices, size=min(share, len(indices)), replace=False))
            for name, indices in whole.entries.items()
        }
    )


def _size(case: Case, name: str) -> int:
    array = case.params[name] if name in case.params else case.inputs[name]
    return int(array[0].size)


def differentiate(case: Case, function: Function, loss_spread: Floats, ask: Ask, *, settle: bool = False) -> Reference:
    """The asked entries of the gradient by finite differences; a case in float64. Radius infinite elsewhere.

    `settle` asks each of them a second time with far smaller steps: where the two answers contradict each
    other the function is too steep for either, and the entry counts as not answered.
    """
    values: dict[str, Array] = {}
    radii: dict[str, Array] = {}
    for name, indices in ask.entries.items():
        base = case.params[name] if name in case.params else case.inputs[name]
        value = np.zeros(base.shape)
        radius = np.full(base.shape, np.inf)
        flat_value = value.reshape(case.n_points, -1)
        flat_radius = radius.reshape(case.n_points, -1)
        chunk = max(1, STACK_LIMIT // max(2 * STEPS * base.size, 1))
        for start in range(0, len(indices), chunk):
            part = indices[start : start + chunk]
            found, budget = _entries(base, name, part, function, loss_spread)
            if settle:
                budget = _settled(found, budget, _deep(base, name, part, function, loss_spread))
            flat_value[:, part] = found.T
            flat_radius[:, part] = budget.T
        values[name], radii[name] = value, radius
    own = function(next(iter(ask.entries)), _base(case, next(iter(ask.entries)))[np.newaxis]).loss[0]
    by_input = set(case.inputs)
    return Reference(
        Gradients(
            loss=own,
            by_param={k: v for k, v in values.items() if k not in by_input},
            by_input={k: v for k, v in values.items() if k in by_input},
        ),
        Rigour.ESTIMATED,
        Gradients(
            loss=np.full(case.n_points, np.inf),
            by_param={k: v for k, v in radii.items() if k not in by_input},
            by_input={k: v for k, v in radii.items() if k in by_input},
        ),
    )


def _base(case: Case, name: str) -> Array:
    return case.params[name] if name in case.params else case.inputs[name]


def _entries(base: Array, name: str, indices: Array, function: Function, loss_spread: Floats) -> tuple[Floats, Floats]:
    """Derivative and budget, (E, P) each, of the entries at these flat indices."""
    steps = np.concatenate([ladder(0, STEPS), ladder(*SENTINEL)[[0, -1]]])
    D, same, spread = _central(base, name, indices, steps, function, loss_spread)
    sentinel = tiny_steps(D[STEPS:], same[STEPS:], steps[STEPS:], spread[STEPS:])
    value, budget = neville(D[:STEPS], same[:STEPS], steps[:STEPS], spread[:STEPS], sentinel)
    unresolved = (budget > UNRESOLVED * np.abs(value).max(axis=0, initial=0.0)) | ~np.isfinite(budget)
    fine = ladder(*FINE)
    with np.errstate(over="ignore"):
        # Noise grows as steps shrink: a finer answer carries that of the second of the fine steps at least.
        no_better = budget <= NOISE * loss_spread / fine[1]
    again = unresolved.any(axis=1) & ~no_better.all(axis=1)
    if again.any():
        D, same, spread = _central(base, name, indices[again], fine, function, loss_spread)
        mine = (sentinel[0][again], sentinel[1][again])
        found, plain = neville(D, same, fine, spread, mine), second_order(D, same, fine, spread, mine)
        first = (value[again], budget[again])
        for finer in (found, plain):
            first = _unless_contradicted(first, finer)
        value[again], budget[again] = _best(first, _best(_best(found, plain), mine))
    return value, budget


def _deep(base: Array, name: str, indices: Array, function: Function, loss_spread: Floats) -> tuple[Floats, Floats]:
    steps = ladder(*DEEP)
    D, same, spread = _central(base, name, indices, steps, function, loss_spread)
    nothing = (np.zeros_like(D[0]), np.full_like(D[0], np.inf))
    return second_order(D, same, steps, spread, nothing)


def _settled(value: Floats, budget: Floats, deep: tuple[Floats, Floats]) -> Floats:
    """The budget, infinite where the deep answer contradicts the value."""
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(value - deep[0]) > budget + deep[1], np.inf, budget)


def _unless_contradicted(coarse: tuple[Floats, Floats], fine: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """The coarse estimate; no estimate where smaller steps, which truncate less, contradict it."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(coarse[0] - fine[0]) > coarse[1] + fine[1]
    return coarse[0], np.where(apart, np.inf, coarse[1])


def _best(a: tuple[Floats, Floats], b: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Of two estimates, (value, budget) each, the one with the smaller budget, entry by entry."""
    better = b[1] < a[1]
    return np.where(better, b[0], a[0]), np.where(better, b[1], a[1])


def ladder(first: int, end: int) -> Floats:
    """The steps ¼·2⁻ʲ, first ≤ j < end."""
    return np.asarray(np.ldexp(FIRST_STEP, -np.arange(first, end)), np.float64)


def _central(
    base: Array, name: str, indices: Array, steps: Floats, function: Function, loss_spread: Floats
) -> tuple[Floats, Bools, Floats]:
    """D (J, E, P), whether both ends of the stencil lie on the branch of the middle, and σ of the loss at the ends.

    σ was derived in the middle; where an end's loss is far larger, its own last digit is what is lost.
    """
    J, E, P = len(steps), len(indices), len(base)
    flat = base.reshape(P, -1)
    moved = np.broadcast_to(flat, (2, J, E, P, flat.shape[1])).copy()
    rows = np.arange(E)
    middle = flat[:, indices].T
    h = steps[:, np.newaxis, np.newaxis]
    up, down = middle + h, middle - h
    moved[0][:, rows, :, indices] = up.transpose(1, 0, 2)
    moved[1][:, rows, :, indices] = down.transpose(1, 0, 2)
    stack = np.concatenate([flat[np.newaxis], moved.reshape(-1, P, flat.shape[1])])
    answer = function(name, stack.reshape(-1, *base.shape))
    loss = answer.loss[1:].reshape(2, J, E, P)
    signature = answer.signature[1:].reshape(2, J, E, P)
    same = (signature == answer.signature[0]).all(axis=0) & np.isfinite(loss).all(axis=0)
    # A wider stencil contains every narrower one, and with it the kink that that one crosses.
    same = np.logical_and.accumulate(same[::-1], axis=0)[::-1]
    with np.errstate(all="ignore"):
        spread = np.maximum(loss_spread, UNIT * np.abs(loss).max(axis=0))
        # Where θ ± h were rounded, their middle is not θ: D is the slope there, off by f'' times the shift.
        shift = 0.5 * ((up - middle) - (middle - down))
        bend = ((loss[0] - answer.loss[0]) + (loss[1] - answer.loss[0])) / (h * h)
        return (loss[0] - loss[1]) / (up - down) - np.where(shift == 0.0, 0.0, bend * shift), same, spread


def _noise(D: Floats, steps: Floats, loss_spread: Floats) -> Floats:
    """What the noise of the loss may do to each D (J, …); `loss_spread` is of one step, or of each."""
    with np.errstate(all="ignore"):
        return np.asarray(NOISE * loss_spread / steps.reshape((-1,) + (1,) * (D.ndim - 1)) * np.ones_like(D))


def neville(
    D: Floats,
    same: Bools,
    steps: Floats,
    loss_spread: Floats,
    sentinel: tuple[Floats, Floats],
    *,
    ratio: float = 2.0,
) -> tuple[Floats, Floats]:
    """The best cell of the table for each function: value and budget, infinite where no cell is usable.

    D (J, …) with `same` of its shape; `loss_spread` is σ of the loss, of D's shape or broadcast to it. A cell
    that contradicts the sentinel, (value, budget), is not usable. Each step is `ratio` times the next.
    """
    J = len(steps)
    T: list[list[Floats]] = [list(D)]
    noise = _noise(D, steps, loss_spread)
    N: list[list[Floats]] = [list(noise)]
    best = np.zeros_like(D[0])
    budget = np.full_like(D[0], np.inf)
    with np.errstate(all="ignore"):
        for m in range(1, COLUMNS + 1):
            q = ratio ** (2 * m)
            T.append([(q * T[m - 1][j + 1] - T[m - 1][j]) / (q - 1) for j in range(J - m)])
            N.append([(q * N[m - 1][j + 1] + N[m - 1][j]) / (q - 1) for j in range(J - m)])
            for j in range(J - m - 1):
                error = np.maximum(np.abs(T[m][j] - T[m - 1][j + 1]), np.abs(T[m][j] - T[m][j + 1]))
                if m > 1:
                    error = np.maximum(error, np.abs(T[m - 1][j + 1] - T[m - 2][j + 2]) / q)
                total = TRUNCATION * error + N[m][j]
                usable = same[j : j + m + 2].all(axis=0)
                # Smaller steps truncate less: none may lie farther off than this cell's largest one.
                farther = np.abs(D[j + 1 :] - T[m][j]) > np.abs(D[j] - T[m][j]) + noise[j + 1 :] / STRICTER
                usable &= ~(farther & same[j + 1 :]).any(axis=0)
                usable &= ~(np.abs(T[m][j] - sentinel[0]) > total + sentinel[1])
                total = np.where(usable, total, np.inf)
                better = total < budget
                best = np.where(better, T[m][j], best)
                budget = np.where(better, total, budget)
    return best, budget


def second_order(
    D: Floats, same: Bools, steps: Floats, loss_spread: Floats, sentinel: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """Plain central differences on a ladder: what separates each from both of its neighbours bounds its truncation.

    From one alone it may be separated by little because its truncation changes sign between them.
    """
    best = np.zeros_like(D[0])
    budget = np.full_like(D[0], np.inf)
    noise = _noise(D, steps, loss_spread)
    with np.errstate(all="ignore"):
        for j in range(1, len(steps) - 1):
            error = np.maximum(np.abs(D[j - 1] - D[j]), np.abs(D[j] - D[j + 1]))
            total = TRUNCATION * error + noise[j]
            usable = same[j - 1 : j + 2].all(axis=0) & ~(np.abs(D[j] - sentinel[0]) > total + sentinel[1])
            farther = np.abs(D[j + 1 :] - D[j]) > np.abs(D[j - 1] - D[j]) + noise[j + 1 :] / STRICTER
            usable &= ~(farther & same[j + 1 :]).any(axis=0)
            total = np.where(usable, total, np.inf)
            better = total < budget
            best = np.where(better, D[j], best)
            budget = np.where(better, total, budget)
    return best, budget


def tiny_steps(D: Floats, same: Bools, steps: Floats, loss_spread: Floats) -> tuple[Floats, Floats]:
    """The sentinel: D at the smaller of two tiny steps; its budget is infinite where a kink is as near as that.

    At order 2 and steps 16-fold apart its truncation is 1/255 of their difference; a quarter is allowed for.
    """
    with np.errstate(all="ignore"):
        total = np.abs(D[0] - D[1]) / 4.0 + _noise(D, steps, loss_spread)[1]
    return D[1], np.where(same[0] & same[1], total, np.inf)

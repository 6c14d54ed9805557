"""A hand-written vector-Jacobian product of one function, against finite differences of that function.

L = Σ c ∘ f(x, …) for random cotangents c; ∂L/∂(each argument) is differenced entry by entry, one perturbed call
of f serving all cotangents. Nothing is known of f, so that its noise is measured, by a difference table along a
line (Moré and Wild 2011), and what rounding does to the claimed product is taken from its own answers to
inputs that are moved by a rounding error.

Of large arguments a sample of entries is differenced. All others are moved along random signed directions, under the
first cotangent, and what group testing accuses is differenced with the sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crosscheck.diagnosis.entry_slope import of_entry
from crosscheck.diagnosis.ratio import common
from crosscheck.differences.group_testing import search
from crosscheck.differences.hunted import Hunted
from crosscheck.differences.ridders import FINE, SENTINEL, STEPS, UNRESOLVED, Evaluation, ladder, neville, tiny_steps
from crosscheck.judge.compare import UNINFORMATIVE, resolved
from crosscheck.spec.errors import ContractBroken, UsageError
from crosscheck.spec.record import Taylor
from crosscheck.spec.result import Array, Bools, Floats
from crosscheck.subjects.contract import hint
from crosscheck.tolerance.rounding import MULTIPLE

COTANGENTS = 4
UNIT = 2.0**-53
# Perturbed copies of the inputs from which the product's own rounding is estimated.
COPIES = 8
# Entries that are differenced at most: each costs 18 calls of the function.
MOST_ENTRIES = 400
# Of large arguments fewer: numbers that f is given for them, entries × all numbers; but so many entries at least.
OF_DIFFERENCES = 2**22
FEWEST_ENTRIES = 4
# Calls of the function along directions, and of the entries of a group that is wrong throughout those that are asked.
FORWARDS = 100
OF_A_GROUP = 4
# A difference table of nine points: its fourth to seventh columns hold noise and hardly any function.
TABLE = 9


@dataclass(frozen=True)
class VjpEntry:
    """One wrong entry: which argument and index, both values, and the number of the cotangent."""

    argument: int
    index: tuple[int, ...]
    claimed: float
    differences: float
    bound: float
    cotangent: int


@dataclass(frozen=True)
class VjpResult:
    """What was verified: counts of entries, the median resolution, and the wrong entries, worst first.

    `ratio` is the factor that all entries of what is wrong (an argument under a cotangent) have in common. `along` is
    what directions said of large arguments; it counts nothing as compared. `taylor` is the slope of the worst entry.
    """

    compared: int
    informative: int
    undecidable: int
    not_compared: int
    resolution: float | None
    wrong: tuple[VjpEntry, ...]
    ratio: float | None
    along: Hunted | None = None
    taylor: Taylor | None = None


def examine(f: Callable[..., Any], vjp: Callable[..., Any], args: tuple[Any, ...], *, seed: int = 0) -> VjpResult:
    """Compare `vjp(c, *args)` with differences of Σ c ∘ f(*args); arguments are float64 arrays.

    `vjp` returns one array for each argument, or the array alone where there is one argument. Raises
    UsageError for arguments that are no float64 arrays, ContractBroken for what f or vjp does wrong.
    """
    arrays = _arrays(args)
    generator = np.random.default_rng(seed)
    value = _value(f, arrays)
    cotangents = generator.standard_normal((COTANGENTS, *value.shape))
    claimed = [_products(vjp, c, arrays) for c in cotangents]
    _check_deterministic(claimed[0], _products(vjp, cotangents[0], arrays))
    noise = _noise(f, arrays, cotangents, generator)
    spread = _spread(vjp, cotangents, arrays, claimed, generator)
    total = sum(array.size for array in arrays)
    along = _along(f, arrays, cotangents[:1], claimed[0], noise, spread[0], seed) if total > MOST_ENTRIES else None
    parts = []
    left = min(MOST_ENTRIES, max(FEWEST_ENTRIES, OF_DIFFERENCES // max(total, 1)))
    for k, array in enumerate(arrays):
        share = left if k == len(arrays) - 1 else max(1, left // (len(arrays) - k))
        indices = _indices(array, share, generator)
        left -= len(indices)
        if along is not None:
            indices = np.union1d(indices, _accused(along, str(k), generator))
        parts.append(_argument(f, arrays, k, indices, cotangents, noise))
    found = _judged(arrays, claimed, spread, parts)
    slope = _slope(f, arrays, cotangents, noise, found.wrong[0]) if found.wrong else None
    return replace(found, along=along, taylor=slope)


def _slope(
    f: Callable[..., Any], arrays: tuple[Floats, ...], cotangents: Floats, noise: Floats, worst: VjpEntry
) -> Taylor:
    """The second opinion on the worst entry, before it is shown."""
    k, c = worst.argument, worst.cotangent

    def loss(moved: Floats) -> float:
        return float(_losses(f, (*arrays[:k], moved, *arrays[k + 1 :]), cotangents[c : c + 1])[0])

    trusted = ("differences", worst.differences, worst.bound)
    return of_entry(loss, arrays[k], worst.index, worst.claimed, trusted, sigma=float(noise[c]), name=f"argument {k}")


def _along(
    f: Callable[..., Any],
    arrays: tuple[Floats, ...],
    cotangent: Floats,
    claimed: tuple[Floats, ...],
    noise: Floats,
    spread: list[Floats],
    seed: int,
) -> Hunted:
    """Directions over all arguments; nothing is known of f's branches, so that a kink shows in the budget alone."""

    def losses(moved: Mapping[str, Array]) -> Evaluation:
        rows = max(len(values) for values in moved.values())
        stack = [
            tuple(moved[str(k)][r, 0] if str(k) in moved else a for k, a in enumerate(arrays)) for r in range(rows)
        ]
        found = np.array([_losses(f, row, cotangent) for row in stack])
        return Evaluation(found, np.zeros(found.shape, np.uint64))

    at = {str(k): a for k, a in enumerate(arrays)}
    products = {str(k): d for k, d in enumerate(claimed)}
    held = {str(k): np.where(np.isfinite(s), MULTIPLE * s, 0.0) for k, s in enumerate(spread)}
    return search(losses, at, products, float(noise[0]), f"{seed:016x}", held=held, most_forwards=FORWARDS)


def _accused(along: Hunted, argument: str, generator: np.random.Generator) -> Array:
    """Flat indices of one argument: the entries found wrong, and some of what is wrong throughout."""
    spans = [span for spread in along.spread for span in spread.group.spans if span.tensor == argument]
    drawn = [generator.integers(span.start, span.stop, OF_A_GROUP) for span in spans]
    alone = np.array([w.index for w in along.wrong if w.tensor == argument], np.int64)
    return np.concatenate([alone, *drawn])


def _arrays(args: tuple[Any, ...]) -> tuple[Floats, ...]:
    if not args:
        raise UsageError("check_vjp needs at least one argument of the function: check_vjp(f, vjp, x, …)")
    for k, a in enumerate(args):
        if not isinstance(a, np.ndarray) or a.dtype != np.float64:
            found = a.dtype if isinstance(a, np.ndarray) else type(a).__name__
            raise UsageError(f"check_vjp: argument {k} is {found}, must be a NumPy array of float64")
        if not np.isfinite(a).all():
            raise UsageError(f"check_vjp: argument {k} holds NaN or infinity; the point must be finite")
    return tuple(np.array(a) for a in args)


def _called(function: Callable[..., Any], name: str, *args: Array) -> Any:
    copies = [a.copy() for a in args]
    with np.errstate(all="ignore"):
        try:
            answer = function(*copies)
        except (Exception, SystemExit) as error:
            raise ContractBroken(f"{name} raised {type(error).__name__}: {error}", rule="raised") from error
    for k, (copy, original) in enumerate(zip(copies, args, strict=True)):
        if copy.tobytes() != original.tobytes():
            raise ContractBroken(f"{name} changed its argument {k} in place", rule="mutated")
    return answer


def _value(f: Callable[..., Any], arrays: tuple[Floats, ...]) -> Floats:
    answer = _called(f, "f", *arrays)
    if not isinstance(answer, np.ndarray | np.floating | float):
        message = f"f returned {type(answer).__name__}, must return a NumPy array or a number{hint(answer)}"
        raise ContractBroken(message, rule="type")
    value = np.asarray(answer)
    if value.dtype != np.float64:
        raise ContractBroken(f"f returned dtype {value.dtype}, must be float64 like its arguments", rule="dtype")
    return value


def _products(vjp: Callable[..., Any], cotangent: Floats, arrays: tuple[Floats, ...]) -> tuple[Floats, ...]:
    answer = _called(vjp, "vjp", cotangent, *arrays)
    if isinstance(answer, np.ndarray | np.generic) and len(arrays) == 1:
        answer = (answer,)
    if not isinstance(answer, tuple | list) or len(answer) != len(arrays):
        found = f"{len(answer)} values" if isinstance(answer, tuple | list) else type(answer).__name__
        wanted = f"a tuple of {len(arrays)} arrays, one for each argument of f"
        raise ContractBroken(f"vjp returned {found}, must return {wanted}{hint(answer)}", rule="type")
    for k, (d, a) in enumerate(zip(answer, arrays, strict=True)):
        # NumPy's functions of a 0-d array give a NumPy scalar.
        if not isinstance(d, np.ndarray) and not (isinstance(d, np.generic) and a.shape == ()):
            wanted = f"must be a NumPy array of shape {a.shape}"
            raise ContractBroken(f"vjp returned {type(d).__name__} for argument {k}, {wanted}{hint(d)}", rule="type")
        if d.shape != a.shape:
            raise ContractBroken(
                f"vjp returned shape {d.shape} for argument {k}, which has shape {a.shape}", rule="shape"
            )
        if d.dtype != np.float64:
            raise ContractBroken(f"vjp returned dtype {d.dtype} for argument {k}, must be float64", rule="dtype")
    return tuple(np.array(d) for d in answer)


def _check_deterministic(first: tuple[Floats, ...], again: tuple[Floats, ...]) -> None:
    for k, (a, b) in enumerate(zip(first, again, strict=True)):
        if not np.array_equal(a, b, equal_nan=True):
            raise ContractBroken(
                f"vjp answered argument {k} differently when it was asked twice", rule="nondeterministic"
            )


def _losses(f: Callable[..., Any], arrays: tuple[Floats, ...], cotangents: Floats) -> Floats:
    """Σ c ∘ f for each cotangent, (C,)."""
    value = _value(f, arrays)
    if value.shape != cotangents.shape[1:]:
        raise ContractBroken(
            f"f returned shape {value.shape} and {cotangents.shape[1:]} for inputs of one shape", rule="shape"
        )
    return np.array([float(np.sum(c * value)) for c in cotangents])


def _noise(
    f: Callable[..., Any], arrays: tuple[Floats, ...], cotangents: Floats, generator: np.random.Generator
) -> Floats:
    """σ of each loss (C,): the largest estimate of the fourth to seventh column of a difference table."""
    directions = [generator.choice([-1.0, 1.0], size=a.shape) * np.maximum(np.abs(a), 1.0) for a in arrays]
    # 2⁻⁴⁰: large enough that neighbours round differently, small enough that the function is a line.
    line = [
        _losses(f, tuple(a + i * 2.0**-40 * d for a, d in zip(arrays, directions, strict=True)), cotangents)
        for i in range(TABLE)
    ]
    table = np.array(line)
    floor = UNIT * np.abs(table).max(axis=0)
    sigma = floor
    for k in range(1, TABLE - 1):
        table = np.diff(table, axis=0)
        if k >= 4:
            gamma = math.factorial(k) ** 2 / math.factorial(2 * k)
            sigma = np.maximum(sigma, np.sqrt(gamma * np.square(table).mean(axis=0)))
    return np.asarray(sigma, np.float64)


def _indices(array: Floats, most: int, generator: np.random.Generator) -> Array:
    if array.size <= most:
        return np.arange(array.size)
    return np.sort(generator.choice(array.size, size=most, replace=False))


@dataclass(frozen=True)
class _Differenced:
    """Differences of one argument: flat indices (E,), values and radii (E, C), and which entries have a kink."""

    indices: Array
    values: Floats
    radii: Floats
    kink: Bools


def _argument(
    f: Callable[..., Any], arrays: tuple[Floats, ...], k: int, indices: Array, cotangents: Floats, noise: Floats
) -> _Differenced:
    middle = _losses(f, arrays, cotangents)
    values = np.zeros((len(indices), len(cotangents)))
    radii = np.full_like(values, np.inf)
    kinks = np.zeros(len(indices), np.bool_)
    steps = np.concatenate([ladder(0, STEPS), ladder(*SENTINEL)[[0, -1]]])
    for e, index in enumerate(indices):
        D, jump = _central(f, arrays, k, int(index), steps, cotangents, middle)
        same = np.isfinite(D)
        sentinel = tiny_steps(D[STEPS:], same[STEPS:], steps[STEPS:], noise)
        value, budget = neville(D[:STEPS], same[:STEPS], steps[:STEPS], noise, sentinel)
        kinks[e] = _is_kink(jump, steps, noise)
        if not kinks[e] and (~(budget <= UNRESOLVED * np.abs(value).max(initial=0.0))).any():
            fine = ladder(*FINE)
            D, _ = _central(f, arrays, k, int(index), fine, cotangents, middle)
            again, its = neville(D, np.isfinite(D), fine, noise, sentinel)
            value, budget = np.where(its < budget, again, value), np.minimum(its, budget)
        values[e], radii[e] = value, budget
    return _Differenced(indices, values, radii, kinks)


def _central(
    f: Callable[..., Any],
    arrays: tuple[Floats, ...],
    k: int,
    index: int,
    steps: Floats,
    cotangents: Floats,
    middle: Floats,
) -> tuple[Floats, Floats]:
    """Central differences (J, C), and the jump between the two one-sided ones."""
    D, jump = [], []
    for h in steps:
        ends = []
        for sign in (1.0, -1.0):
            moved = arrays[k].copy()
            moved.flat[index] += sign * h
            ends.append((float(moved.flat[index]), _losses(f, (*arrays[:k], moved, *arrays[k + 1 :]), cotangents)))
        (up, above), (down, below) = ends
        x = float(arrays[k].flat[index])
        with np.errstate(all="ignore"):
            D.append((above - below) / (up - down))
            jump.append((above - middle) / (up - x) - (middle - below) / (x - down))
    return np.array(D), np.array(jump)


def _is_kink(jump: Floats, steps: Floats, noise: Floats) -> bool:
    """Whether the one-sided slopes stay apart as the step shrinks: for a smooth function they meet like h."""
    far, near = STEPS, STEPS + 1
    clear = np.abs(jump[near]) > 4.0 * MULTIPLE * noise / steps[near]
    stays = np.abs(jump[near]) > 0.5 * np.abs(jump[far])
    return bool((clear & stays).any())


def _spread(
    vjp: Callable[..., Any],
    cotangents: Floats,
    arrays: tuple[Floats, ...],
    claimed: list[tuple[Floats, ...]],
    generator: np.random.Generator,
) -> list[list[Floats]]:
    """For each cotangent and argument, how far one rounding of the inputs moves the claimed product."""
    result = []
    for c, middle in zip(cotangents, claimed, strict=True):
        squares = [np.zeros(a.shape) for a in arrays]
        for _ in range(COPIES):
            moved = tuple(np.asarray(a * (1.0 + 2.0 * UNIT * generator.uniform(-1, 1, a.shape))) for a in arrays)
            found = _products(vjp, c, moved)
            with np.errstate(all="ignore"):
                squares = [s + np.square(d - m) for s, d, m in zip(squares, found, middle, strict=True)]
        # The sum over inputs of what each does: at least a few units in the last place of the answer.
        result.append([np.sqrt(s / COPIES) + 4.0 * UNIT * np.abs(m) for s, m in zip(squares, middle, strict=True)])
    return result


def _judged(
    arrays: tuple[Floats, ...],
    claimed: list[tuple[Floats, ...]],
    spread: list[list[Floats]],
    parts: list[_Differenced],
) -> VjpResult:
    wrong: list[tuple[float, VjpEntry]] = []
    resolutions: list[Floats] = []
    beside: list[tuple[Floats, Floats, Floats]] = []
    compared = informative = undecidable = not_compared = 0
    scale = max((float(np.abs(p.values).max(initial=0.0)) for p in parts), default=0.0)
    for k, part in enumerate(parts):
        not_compared += (arrays[k].size - len(part.indices)) * len(claimed)
        for c in range(len(claimed)):
            s = claimed[c][k].reshape(-1)[part.indices]
            # A claim that is not finite has no rounding of its own: it is wrong wherever the differences are.
            rounding = np.where(np.isfinite(s), MULTIPLE * spread[c][k].reshape(-1)[part.indices], 0.0)
            bound = part.radii[:, c] + rounding
            r = part.values[:, c]
            asked = np.isfinite(bound) & ~part.kink
            undecidable += int(np.count_nonzero(~asked))
            compared += len(s)
            error = np.abs(s - r)  # NaN fails: nothing is rejected for being beyond the bound
            bad = asked & ~(error <= bound)
            fine = resolved(bound[np.newaxis], r[np.newaxis], np.array([scale]))[0]
            resolutions.append(fine[asked])
            informative += int(np.count_nonzero(asked & (fine <= UNINFORMATIVE) & ~bad))
            for e in np.flatnonzero(bad):
                place = tuple(int(i) for i in np.unravel_index(int(part.indices[e]), arrays[k].shape))
                size = float(np.nan_to_num(error[e] / bound[e], nan=np.inf)) if bound[e] > 0 else math.inf
                wrong.append((size, VjpEntry(k, place, float(s[e]), float(r[e]), float(bound[e]), c)))
            if bad.any():
                beside.append((s[asked], r[asked], bound[asked]))
    wrong.sort(key=lambda item: -item[0])
    seen = np.concatenate(resolutions) if resolutions else np.zeros(0)
    seen = seen[np.isfinite(seen)]
    return VjpResult(
        compared=compared,
        informative=informative,
        undecidable=undecidable,
        not_compared=not_compared,
        resolution=float(np.median(seen)) if seen.size else None,
        wrong=tuple(entry for _, entry in wrong),
        ratio=common(beside),
    )

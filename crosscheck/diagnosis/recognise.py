"""Which bug it looks like: patterns of the difference, and the known bugs that give exactly these gradients.

Everything is held against all answers that were seen, right ones included. What fits is named, the most specific first;
what was tried and does not fit is told as ruled out; where nothing fits, that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

import numpy as np

from crosscheck.diagnosis import dictionary, ratio, whole
from crosscheck.diagnosis.carried import carried_back
from crosscheck.diagnosis.dictionary import Place
from crosscheck.diagnosis.named import Named, Recognised
from crosscheck.diagnosis.seen import Seen, Tensor
from crosscheck.judge.forward import in_words
from crosscheck.mutants.mutant import Mutant
from crosscheck.spec.fault import Symptom
from crosscheck.spec.result import Floats

# Of a sum of products of independent numbers this part at most is left by chance, in units of 1/√n.
BY_CHANCE = 4.0
# Fewer numbers say nothing about whether two gradients have anything in common.
MANY = 30
# One wrong number has every pattern.
SEVERAL = 2
# True values that differ, of which small ones may be off by the same amount for another reason.
APART = 5
# What is off by so many bounds is known to a few parts in a hundred.
KNOWN = 20.0
# So many wrong entries must be explained for a bug to be named for one case alone.
SEVERAL = 4
# So many different factors are told.
SHOWN = 3

Pattern = Callable[[Sequence[Seen]], str | None]


def recognise(seen: Sequence[Seen], where: Sequence[Place], known: Iterable[Mutant]) -> Recognised:
    """Name the bug behind the failing ones of these answers; `where` are the factors that may be the wrong one."""
    failing = [s for s in seen if s.failed]
    if not failing:
        return Recognised()
    looked = dictionary.look_up(known, seen, where)
    happened = [m for m in looked.fitting if m.source != "systematic"]
    systematic = [m for m in looked.fitting if m.source == "systematic"]
    measured = _measured(PATTERNS, failing)
    if any(named.symptom is Symptom.FACTOR for named in measured) and _is_right_elsewhere(seen):
        # What is a factor where it is wrong is none where it is right: a bug that explains both says more.
        first = [m for m in systematic if m.symptom is not Symptom.FACTOR]
        measured = [*_of_bugs(first), *measured]
        systematic = [m for m in systematic if m.symptom is Symptom.FACTOR]
    likely = [*_of_bugs(happened), *measured, *_of_bugs(systematic)]
    # What is true of the wrong entries alone, or in every network otherwise, says less than what is true of all.
    vaguer = (() if likely else _here_alone(looked.tried, seen)) or _measured(VAGUER, failing)
    fits = {named.symptom for named in (*likely, *vaguer)} | (set() if looked.fitting else _looks_like(seen[0]))
    ruled_out = _ruled_out(looked, where, fits, seen)
    likely = likely or vaguer
    bugs = tuple(dict.fromkeys(m.name for m in looked.fitting))
    faults = frozenset(fault for m in looked.fitting for fault in m.faults)
    return Recognised(tuple(_once(likely)), ruled_out, len(looked.tried), bugs, faults)


def _ruled_out(
    looked: dictionary.Looked,
    where: Sequence[Place],
    fits: Collection[Symptom],
    seen: Sequence[Seen],
) -> tuple[Symptom, ...]:
    """What it is not: only what would have been seen in whatever form it came."""
    # Without a place a bug was planted in every node of its op, which says nothing about one in a single node. Nor does
    # it where numbers tie: the subject may choose another of them than the code that the bug was planted in.
    asked = where and not any(s.failed and s.ties for s in seen)
    tried = {m.symptom for m in looked.tried if asked} & OF_ONE_FORM
    if any(fault.op != "dense" for _, fault in where):
        tried -= {Symptom.TRANSPOSED}
    if any(fault.op != "dropout" for _, fault in where):
        tried -= {Symptom.MASK}
    if any(fault.op not in SUMMED_ONCE for _, fault in where):
        tried -= {Symptom.MEAN}
    tried |= CONCLUSIVE
    if Symptom.FACTOR in fits:
        tried -= AS_A_FACTOR
    return tuple(sorted(tried - set(fits), key=lambda s: list(Symptom).index(s)))


def _looks_like(shown: Seen) -> frozenset[Symptom]:
    """What the case that is shown looks like by itself, whatever others say: it is not said not to be that."""
    factor = _common([t for t in shown.tensors.values() if t.wrong.any()]) if shown.failed else None
    if factor is None or not ratio.is_fraction(factor):
        return frozenset()
    plain = {-1.0: Symptom.NEGATED, 0.0: Symptom.MISSING}
    return frozenset({Symptom.FACTOR, plain.get(factor, Symptom.FACTOR)})


def is_behind(seen: Sequence[Seen]) -> bool:
    """Whether what was done to the gradients as a whole is seen in these answers."""
    return any(pattern(seen) for pattern in BEHIND)


def _measured(patterns: Iterable[tuple[Symptom, Pattern]], failing: Sequence[Seen]) -> list[Named]:
    found = [(symptom, pattern, pattern(failing)) for symptom, pattern in patterns]
    return [Named(symptom, text, behind=pattern in BEHIND) for symptom, pattern, text in found if text]


def _of_bugs(bugs: Sequence[Mutant]) -> list[Named]:
    """The known bugs as one thing: on what was seen nothing tells them apart."""
    if not bugs:
        return []
    first = bugs[0]
    source = f" (as in {first.source})" if first.source not in ("systematic", "classic") else ""
    second = next((m.what for m in bugs if m.what != first.what), None)
    others = f"; or {second}" if second else ""
    return [Named(first.symptom, f"{first.what}{source}{others}", tuple(m.name for m in bugs))]


def _here_alone(tried: Iterable[Mutant], seen: Sequence[Seen]) -> list[Named]:
    """The known bugs of the case that is shown, where others have another as well: of one number too many fit.

    Those that explain most others too, and are right wherever the subject is.
    """
    failing, right = [s for s in seen if s.failed], [s for s in seen if not s.failed]
    if not seen[0].failed or len(failing) < 2:
        return []
    found: dict[int, list[Mutant]] = {}
    for bug in tried:
        explained = [s for s in failing if dictionary.gives(bug, s)]
        many = sum(int(t.wrong.sum()) for s in explained for t in s.tensors.values()) >= SEVERAL
        if seen[0] in explained and many and all(dictionary.gives(bug, s) for s in right):
            found.setdefault(len(explained), []).append(bug)
    if not found:
        return []
    most = max(found)
    where = f"here and in {most - 1} of the {len(failing) - 1} other networks that fail" if most > 1 else "here"
    rest = "what fails elsewhere has another cause too"
    return [replace(one, text=f"{one.text} ({where}; {rest})") for one in _of_bugs(found[most])]


def _once(likely: Iterable[Named]) -> Iterable[Named]:
    """Of one symptom the first that was named."""
    met = set()
    for named in likely:
        if named.symptom not in met:
            met.add(named.symptom)
            yield named


def _wrong(seen: Sequence[Seen]) -> list[Tensor]:
    return [t for s in seen for t in s.tensors.values() if t.wrong.any()]


def _is_right_elsewhere(seen: Sequence[Seen]) -> bool:
    """Whether a gradient that is wrong in one entry is right in another, which rounding would not hide."""
    wrong = {t.name for t in _wrong(seen)}
    return any(
        bool((t.decided & ~t.wrong & (np.abs(t.true) > ratio.CLEAR * t.bound)).any())
        for s in seen
        for t in s.tensors.values()
        if t.name in wrong
    )


def _negated(seen: Sequence[Seen]) -> str | None:
    return "the gradient has the wrong sign" if _common(_wrong(seen)) == -1.0 else None


def _zero(seen: Sequence[Seen]) -> str | None:
    wrong = _wrong(seen)
    return "the gradient is zero: it was left out" if all((t.claimed[t.decided] == 0).all() for t in wrong) else None


def _factor(seen: Sequence[Seen]) -> str | None:
    """One factor in every answer, or one that is a quantity of each network."""
    factors = _factor_of_each(seen)
    if factors is None:
        return None
    shared = (ratio.named(factor, s.case.architecture) for factor, s in zip(factors, seen, strict=True))
    names = frozenset.intersection(*shared)
    differ = ratio.differ(factors)
    if set(factors) & {0.0, -1.0} and not differ:
        return None
    return ratio.sentence(factors[0], names, len(seen), differ)


def _factor_of_its_own(seen: Sequence[Seen]) -> str | None:
    """One factor in every answer, for which nothing that is known of a network stands."""
    factors = _factor_of_each(seen)
    if factors is None:
        return None
    distinct = list(dict.fromkeys(f"{factor:.{ratio.DIGITS[0]}g}" for factor in factors))
    more = ", …" if len(distinct) > SHOWN else ""
    return f"in every case one factor for all that is wrong, but not the same one: {', '.join(distinct[:SHOWN])}{more}"


def _factor_of_each(seen: Sequence[Seen]) -> list[float] | None:
    """The one factor of all that is wrong, answer by answer; None where one has none."""
    factors = [_common([t for t in s.tensors.values() if t.wrong.any()]) for s in seen]
    return None if any(factor is None for factor in factors) else [f for f in factors if f is not None]


def _common(tensors: Sequence[Tensor]) -> float | None:
    return ratio.common([(t.claimed[t.decided], t.true[t.decided], t.bound[t.decided]) for t in tensors])


def _factor_in_part(seen: Sequence[Seen]) -> str | None:
    """One factor in all entries that are wrong, where others are right."""
    wrong = _wrong(seen)
    if sum(int(t.wrong.sum()) for t in wrong) < SEVERAL:
        return None  # of one number everything is a multiple
    factor = ratio.common([(t.claimed[t.wrong], t.true[t.wrong], t.bound[t.wrong]) for t in wrong])
    if factor is None or factor in (0.0, -1.0):
        return None
    return f"every entry that is wrong is {ratio.said(factor)} × the true one"


def _negated_in_part(seen: Sequence[Seen]) -> str | None:
    wrong = _wrong(seen)
    factor = ratio.common([(t.claimed[t.wrong], t.true[t.wrong], t.bound[t.wrong]) for t in wrong])
    return "every entry that is wrong has the wrong sign, and no other fault" if factor == -1.0 else None


def _zero_in_part(seen: Sequence[Seen]) -> str | None:
    zero = all((t.claimed[t.wrong] == 0).all() for t in _wrong(seen))
    return "every entry that is wrong is zero: left out there" if zero else None


def _factor_by_layer(seen: Sequence[Seen]) -> str | None:
    """A factor of its own for each gradient, in every answer."""
    found: dict[str, list[float]] = {}
    for s in seen:
        for name, t in s.tensors.items():
            if t.wrong.any():
                factor = _common([t])
                if factor is None or factor == 0.0:
                    return None
                found.setdefault(name, []).append(factor)
    if len(found) < 2 or any(ratio.differ(factors) for factors in found.values()):
        return None
    if not ratio.differ([factors[0] for factors in found.values()]):
        return None
    return "a factor of its own for each gradient: " + ", ".join(
        f"{name} × {in_words(factors[0])}" for name, factors in found.items()
    )


def _transposed(seen: Sequence[Seen]) -> str | None:
    wrong = _wrong(seen)
    if not all(t.true.ndim > 2 and t.true.shape[-1] == t.true.shape[-2] > 1 for t in wrong):
        return None
    return "the gradient is the transpose of the true one" if all(map(_is_transpose, wrong)) else None


def _is_transpose(t: Tensor) -> bool:
    off = np.abs(t.claimed - t.true.swapaxes(-1, -2))
    return bool((off <= t.bound + t.bound.swapaxes(-1, -2))[t.decided].all())


def _penalty(seen: Sequence[Seen]) -> str | None:
    """What it is off by is a multiple of the weights themselves."""
    factors = []
    for s in seen:
        parts = [
            (
                t.claimed[t.decided] - t.true[t.decided],
                s.case.params[name].astype(np.float64)[t.decided],
                t.bound[t.decided],
            )
            for name, t in s.tensors.items()
            if name in s.case.params and t.wrong.any()
        ]
        factor = ratio.common(parts) if parts else None
        if factor is None or sum(p[0].size for p in parts) < 2:
            return None
        factors.append(factor)
    if ratio.differ(factors):
        return None
    of_biases = all("bias" in t.name for s in seen for t in s.tensors.values() if t.wrong.any())
    which = "biases" if of_biases else "weights"
    return f"the gradient is off by {in_words(factors[0])} × the {which}: a penalty's term too much or too little"


def _shifted(seen: Sequence[Seen]) -> str | None:
    """The true numbers, at other places along one axis."""
    wrong = _wrong(seen)
    for axis in (-1, -2):
        if all(t.true.ndim > -axis and t.true.shape[axis] > 1 and _is_rolled(t, axis) for t in wrong):
            return f"the entries are shifted by one along axis {axis}"
    return None


def _is_rolled(t: Tensor, axis: int) -> bool:
    return any(
        bool((np.abs(t.claimed - np.roll(t.true, by, axis)) <= t.bound + np.roll(t.bound, by, axis))[t.decided].all())
        for by in (1, -1)
    )


def _not_a_number(seen: Sequence[Seen]) -> str | None:
    wrong = _wrong(seen)
    off = [t.claimed[t.wrong] for t in wrong]
    return "not a number where the truth is finite" if all(not np.isfinite(v).any() for v in off) else None


def _slight(seen: Sequence[Seen]) -> str | None:
    """Off by a small part of the true value: a constant of too few digits, or a step of a difference quotient."""
    with np.errstate(all="ignore"):
        sizes = [np.abs(t.claimed - t.true)[t.wrong] / np.abs(t.true)[t.wrong] for t in _wrong(seen)]
    values: Floats = np.concatenate([np.zeros(0), *sizes])
    if not len(values) or not np.isfinite(values).all() or values.max() > 1e-3:
        return None
    least, most = f"{values.min():.1e}", f"{values.max():.1e}"
    part = f"{least} to {most}" if least != most else most
    return f"off by {part} of the true value: a constant or a formula of too few digits"


def _offset(seen: Sequence[Seen]) -> str | None:
    """Off by one number wherever it is wrong, whatever the true value is."""
    parts = [(t.claimed[t.wrong], t.true[t.wrong], t.bound[t.wrong]) for t in _wrong(seen)]
    claimed, true, bound = (np.concatenate([np.zeros(0), *(part[k] for part in parts)]) for k in range(3))
    if len(set(true.tolist())) < APART or not np.isfinite(claimed).all():
        return None
    off = claimed - true
    best = float(off[bound.argmin()])
    if not (np.abs(off - best) <= bound + bound.min()).all() or not (np.abs(off) > KNOWN * bound).all():
        return None
    return f"off by {best:.2g} wherever it is wrong, whatever the true value is: a constant was added"


def at_random(seen: Sequence[Seen]) -> str | None:
    """The gradients have nothing in common with the true ones: said instead of a guess."""
    claimed, true = [], []
    for s in seen:
        if any((t.decided & ~t.wrong & (t.true != 0)).any() for t in s.tensors.values()):
            return None  # some of it is right, or all of it in another network
        for t in s.tensors.values():
            keep = t.decided & np.isfinite(t.claimed)
            scale_c, scale_t = (np.abs(v[keep]).max(initial=0.0) for v in (t.claimed, t.true))
            if scale_c and scale_t:
                claimed.append(t.claimed[keep] / scale_c)
                true.append(t.true[keep] / scale_t)
    a, b = (np.concatenate([np.zeros(0), *part]) for part in (claimed, true))
    if len(a) < MANY:
        return None
    together = float(np.abs(a @ b) / np.sqrt((a @ a) * (b @ b)))
    if together > BY_CHANCE / np.sqrt(len(a)):
        return None
    return f"nothing in common with the true gradient: over {len(a):,} entries the correlation is {together:.2f}"


# fmt: off
PATTERNS: tuple[tuple[Symptom, Pattern], ...] = (
    (Symptom.NAN,        _not_a_number),
    (Symptom.NEGATED,    _negated),
    (Symptom.MISSING,    _zero),
    (Symptom.PENALTY,    _offset),
    (Symptom.SLIGHT,     _slight),
    (Symptom.FACTOR,     _factor),
    (Symptom.STALE,      whole.of_another),
    (Symptom.TRANSPOSED, _transposed),
    (Symptom.PENALTY,    _penalty),
    (Symptom.AXIS,       _shifted),
    (Symptom.FACTOR,     whole.clipped_by_norm),
    (Symptom.FACTOR,     whole.scaled),
    (Symptom.BOUNDARY,   whole.clipped),
    (Symptom.FACTOR,     _factor_by_layer),
)
VAGUER: tuple[tuple[Symptom, Pattern], ...] = (
    (Symptom.TERM,       carried_back),
    (Symptom.NEGATED,    _negated_in_part),
    (Symptom.MISSING,    _zero_in_part),
    (Symptom.FACTOR,     _factor_of_its_own),
    (Symptom.FACTOR,     _factor_in_part),
)
# fmt: on
BEHIND: frozenset[Pattern] = frozenset({whole.of_another, whole.clipped_by_norm, whole.clipped})
# What a pattern that does not fit rules out.
CONCLUSIVE = frozenset({Symptom.NEGATED, Symptom.FACTOR, Symptom.MISSING})
# What known bugs of a place that do not fit rule out there. Of others (a term, an axis, another sample's values,
# another function's derivative) there are more forms than the known ones. A transpose has one form in dense alone, and
# a mean where there is one thing to be the mean over: samples, or the uses of a row; not places or steps beside them.
OF_ONE_FORM = frozenset(
    {
        Symptom.TRANSPOSED,
        Symptom.MEAN,
        Symptom.UPSTREAM,
        Symptom.NO_SLOPE,
        Symptom.SLOPE_AT_OUTPUT,
        Symptom.SLOPE_TWICE,
        Symptom.MASK,
        Symptom.WEIGHTS,
        Symptom.REDUCTION,
    }
)
SUMMED_ONCE = ("dense", "embedding")
# They may show as a factor alone.
AS_A_FACTOR = frozenset({Symptom.FACTOR, Symptom.MEAN, Symptom.WEIGHTS, Symptom.REDUCTION})

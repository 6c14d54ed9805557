"""The losses: do they agree, and if not, is the subject's a constant multiple of the asked one?"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from crosscheck.judge.compare import Party, Status, TensorJudgement
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.result import Floats

# Denominators that a factor of a loss may have: sizes of drawn networks are small.
LARGEST_DENOMINATOR = 64


@dataclass(frozen=True, eq=False)
class ForwardJudgement:
    """The losses compared; `ratio` = subject / asked where it is one constant beyond all bounds."""

    losses: TensorJudgement
    ratio: float | None
    message: str | None

    @property
    def disagrees(self) -> bool:
        return self.losses.count(Status.DISAGREE) > 0


def constant_ratio(subject: Party, witnesses: tuple[Party, ...]) -> float | None:
    """The constant c with subject = c · witness at every point, within the bounds of both; None if there is none.

    At least two points with a loss beyond its bound must say so, or one with a simple fraction.
    """
    for w in witnesses:
        known = np.isfinite(w.bound) & np.isfinite(subject.bound)
        answered = known & (np.abs(w.values) > 1e3 * w.bound)
        if not answered.any():
            continue
        ratios = subject.values[answered].astype(np.float64) / w.values[answered]
        ratio = _simple(float(np.median(ratios)))
        if not np.isfinite(ratio) or ratio == 0:
            return None
        allowed = _rescaled(subject.bound, ratio) + w.bound * abs(ratio)
        error = np.abs(subject.values.astype(np.float64) - ratio * w.values)
        # Where the asked loss is 0 it says of no factor what it is, but whether there is one.
        fits = bool((error[known] <= allowed[known]).all())
        return ratio if fits and (np.count_nonzero(answered) > 1 or _is_simple(ratio)) else None
    return None


def _rescaled(bound: Floats, ratio: float) -> Floats:
    """The subject's bound was derived for the asked loss; a multiple of it rounds that much more or less."""
    return bound * max(abs(ratio), 1.0)


def _simple(ratio: float) -> float:
    """The simple fraction that the ratio rounds to, else the ratio itself."""
    if not np.isfinite(ratio) or abs(ratio) > 1e6:
        return ratio
    near = Fraction(ratio).limit_denominator(LARGEST_DENOMINATOR)
    # Two fractions of such denominators differ by at least 1/64²; half of that decides which one is meant.
    return float(near) if abs(float(near) - ratio) < 1e-6 * max(abs(ratio), 1e-6) else ratio


def _is_simple(ratio: float) -> bool:
    return float(Fraction(ratio).limit_denominator(LARGEST_DENOMINATOR)) == ratio


def in_words(ratio: float) -> str:
    """A factor as people write it: 0.5, 1/3, 2."""
    if ratio == int(ratio) and abs(ratio) < 1e15:
        return str(int(ratio))
    near = Fraction(ratio).limit_denominator(LARGEST_DENOMINATOR)
    if float(near) == ratio and near.denominator not in (2, 4, 5, 8, 10, 16, 20, 32, 40, 50, 64):
        return str(near)
    return f"{ratio:.17g}" if float(f"{ratio:.6g}") != ratio else f"{ratio:.6g}"


def message(architecture: Architecture, ratio: float | None) -> str:
    """What to tell the user about losses that differ."""
    loss = architecture.loss
    if ratio is None:
        return f"the subject's loss is not the {loss.op} that was asked for"
    scale = float(loss.attributes["scale"]) * ratio
    return f"your loss is {in_words(ratio)} × {loss.op}: pass scale={in_words(scale)}"


def not_finite(architecture: Architecture, *, agrees_elsewhere: bool) -> str:
    """What to tell the user about a loss that is infinite or NaN where the true one is finite, and only there."""
    said = f"the subject's loss is not finite where the true {architecture.loss.op} is"
    if not agrees_elsewhere:
        return f"{said}, at every point of this case"
    return f"{said}: as an exp that overflowed, or the log of a probability that underflowed to 0; elsewhere it agrees"

"""Writes tail_table.py: the Gaussian's tail without its exponential, as a polynomial, by ball arithmetic.

    python -m crosscheck.backprop.make_tail_table        # needs python-flint

G(a) = exp(a²/2) Φ(-a), the Mills ratio over √(2π), falls from ½ to 1/(a√(2π)). With t = (a - c)/(a + c) the product
(1 + a) G(a) is a smooth P(t) that varies by 30 %, so its Chebyshev series ends early: the terms left out are below
a tenth of a rounding, and no coefficient of t^k is larger than P itself. Evaluated in float64, G is within 2.8 ulps
(SciPy's erfcx, which is 2G(a√2): 8.2).
"""

from __future__ import annotations

from pathlib import Path

from flint import arb, arb_poly, ctx

CENTRE = 3.5
LAST = 40.0  # exp(-a²/2) a is zero in float64 from 38.7 on
DEGREE = 24
BITS = 300

HEAD = f'''"""The Gaussian's tail without its exponential. By make_tail_table.py.

(1 + a) exp(a²/2) Φ(-a) = Σ_k c_k t^k for 0 ≤ a ≤ {LAST:.0f}, t = (a - c)/(a + c).
"""

CENTRE = {CENTRE!r}

# c_k from the highest power down to c_0
# fmt: off
COEFFICIENTS = (
'''


def tail(t: arb) -> arb:
    """(1 + a) exp(a²/2) Φ(-a) at the a that belongs to t."""
    a = CENTRE * (1 + t) / (1 - t)
    return (1 + a) * (a * a / 2).exp() * (a / arb(2).sqrt()).erfc() / 2


def chebyshev(last: arb, terms: int) -> list[arb]:
    """Coefficients of the interpolant of `tail` on -1 ≤ t ≤ last, at the Chebyshev nodes."""
    angles = [(2 * j + 1) * arb.pi() / (2 * terms) for j in range(terms)]
    values = [tail((last - 1) / 2 + (last + 1) / 2 * angle.cos()) for angle in angles]
    sums = [sum((y * (k * v).cos() for y, v in zip(values, angles, strict=True)), arb(0)) for k in range(terms)]
    return [s * (2 if k else 1) / terms for k, s in enumerate(sums)]


def in_powers(series: list[arb], last: arb) -> list[arb]:
    """The same polynomial in powers of t, lowest first."""
    s = arb_poly([(1 - last) / (1 + last), 2 / (1 + last)])  # -1 ≤ s ≤ 1
    before, now, total = arb_poly([1]), s, arb_poly([series[0]])
    for c in series[1:]:
        total += c * now
        before, now = now, 2 * s * now - before
    return [total[k] for k in range(len(series))]


def coefficients() -> list[float]:
    """The nearest float64 to each, lowest power first."""
    ctx.prec = BITS
    last = (arb(LAST) - CENTRE) / (arb(LAST) + CENTRE)
    return [float(c.mid()) for c in in_powers(chebyshev(last, DEGREE + 1), last)]


def text() -> str:
    return HEAD + "".join(f"    {c!r},\n" for c in reversed(coefficients())) + ")\n"


if __name__ == "__main__":
    Path(__file__).with_name("tail_table.py").write_text(text(), encoding="utf-8")

"""A finding as it is read, in the terminal and on its card: three bugs, word for word."""

from __future__ import annotations

import html
import re
from functools import cache

import pytest

from crosscheck import mutants
from crosscheck.report import terminal
from crosscheck.report.html import render
from crosscheck.selftest import space_of
from crosscheck.session import Outcome, Settings, verify
from crosscheck.subjects.planted import Mute

BUGS = ("gelu: z·pdf(z) missing", "embedding: duplicates overwrite", "dense: bias gradient is the mean")


@cache
def outcome(name: str) -> Outcome:
    """As a user's subject answers, without intermediates; the truth alone is asked."""
    mutant = next(m for m in mutants.mutants() if m.name == name)
    ops = tuple(space_of(mutant).ops)
    return verify(Settings(Mute(mutant), examples=12, points=4, ops=ops, oracles=("ball",)))


def told(name: str) -> list[str]:
    """The lines of the finding, but for bounds, radii and the digits of slopes, which depend on the processor."""
    lines = terminal.render(outcome(name).run_file, width=100, color=False).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("✗"))
    return masked("\n".join(lines[start : lines.index("", start)])).split("\n")


def masked(text: str) -> str:
    text = re.sub(r"(?<=bound )\S+", "B", re.sub(r"± \S+?(?=[;,])", "± R", text))
    return re.sub(r"\d\.\d\d(?= with)", lambda found: f"{round(float(found[0]))}.0", text)


SLOPES = (
    "  taylor  slope 1.0 with this gradient, 2.0 with the certified one: no rounding noise (2 is right,",
    "          1 is wrong)",
)
TEXTS = {
    "gelu: z·pdf(z) missing": [
        "✗ 7cf975  gradient of x (input): DISAGREES  ×12, shrunk",
        "  net     x[1,1] -> gelu -> sse   (minimal)",
        "  entry   x[0,0] = -0.26697; ball -0.34375 ± R; off by 7.7e-02, bound B",
        "  term    ∂C/∂a ✓   ∂a/∂z ✗ first wrong: 0.84134, certified 1.0833",
        "  likely  the derivative of gelu lacks z·pdf(z): cdf(z) alone is left",
        "          ruled out: sign, factor, left out, upstream ignored, no derivative, derivative at a",
        *SLOPES,
        "  replay  crosscheck replay 7cf975",
    ],
    "embedding: duplicates overwrite": [
        "✗ c4f355  gradient of 0.weight (embedding): DISAGREES  ×6, shrunk",
        "  net     ids[2,1]:int64 -> embedding(1, 1) -> sse   (minimal)",
        "  entry   0.weight[0,0] = 4; ball 6 ± R; off by 2.0e+00, bound B",
        "  term    ∂C/∂a ✓   ∂z/∂w ✗ first wrong: 4, certified 6",
        "  likely  a row that is named several times gets the gradient of one of them, not their sum (as in",
        "          pytorch#1631, mxnet#9172); only where ids repeat",
        "          ruled out: sign, factor, left out, mean for sum, upstream ignored",
        *SLOPES,
        "  replay  crosscheck replay c4f355",
    ],
    "dense: bias gradient is the mean": [
        "✗ adb9ac  gradient of 0.bias (dense): DISAGREES  ×6, shrunk",
        "  net     x[2,1] -> dense(1) -> sse   (minimal)",
        "  entry   0.bias[0] = 2; ball 4 ± R; off by 2.0e+00, bound B",
        "  term    ∂C/∂a ✓   ∂z/∂b ✗ first wrong: 2, certified 4",
        "  likely  the gradient of a bias is the mean over the samples where it is the sum (as in",
        "          kvfrans/notes#5); wrong: 0.bias; right here: x",
        "          ruled out: sign, left out, transpose, upstream ignored",
        *SLOPES,
        "  replay  crosscheck replay adb9ac",
    ],
}
# Of the card: the chain rule, and the diagnosis.
CARDS = {
    "gelu: z·pdf(z) missing": (
        "Chain rule ∂C/∂a ✓ right ∂a/∂z ✗ first wrong 0.84134, certified 1.0833",
        "Diagnosis the derivative of gelu lacks z·pdf(z): cdf(z) alone is left "
        "Ruled out: sign, factor, left out, upstream ignored, no derivative, derivative at a.",
    ),
    "embedding: duplicates overwrite": (
        "Chain rule ∂C/∂a ✓ right ∂z/∂w ✗ first wrong 4, certified 6",
        "Diagnosis a row that is named several times gets the gradient of one of them, not their sum (as in "
        "pytorch#1631, mxnet#9172) only where ids repeat "
        "Ruled out: sign, factor, left out, mean for sum, upstream ignored.",
    ),
    "dense: bias gradient is the mean": (
        "Chain rule = · ✗ first wrong b 1: bias of node 1 of layer 2, counted from 1 as the input. "
        "∂C/∂a ✓ right ∂z/∂b ✗ first wrong 2, certified 4",
        "Diagnosis the gradient of a bias is the mean over the samples where it is the sum (as in kvfrans/notes#5) "
        "wrong: 0.bias; right here: x Ruled out: sign, left out, transpose, upstream ignored.",
    ),
}


@pytest.mark.parametrize("name", BUGS)
def test_what_a_failing_run_says_of_a_bug(name: str) -> None:
    assert told(name) == TEXTS[name]


def card(name: str) -> str:
    """The words on the finding's card, without markup."""
    page = render(outcome(name).run_file)
    found = re.search(r'<article[^>]*class="card.*?</article>', page, re.DOTALL)
    assert found is not None
    text = re.sub(r"<(script|style|svg|math).*?</\1>", " ", found[0], flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", text)))


@pytest.mark.parametrize("name", BUGS)
def test_what_its_card_says(name: str) -> None:
    words = card(name)
    chain, diagnosis = CARDS[name]
    assert chain in words
    assert diagnosis in words

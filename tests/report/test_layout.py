"""Lines at a width: they go on under their own text, and no unit or dot begins one."""

from __future__ import annotations

import pytest

from crosscheck.report import layout

LINES = [
    "  entry   0.weight = 1; ball 1.0833 ± 3e-17, torch 1.5",
    "a · b · c 95 % of all ×12",
    "  ! a warning of some length",
]


@pytest.mark.parametrize("width", range(40, 60))
def test_no_line_begins_with_what_belongs_to_the_one_before(width: int) -> None:
    for line in LINES:
        for later in list(layout.wrapped(iter([line * 3]), width))[1:]:
            assert later.lstrip()[0] not in "·%±×"


def test_words_are_kept_as_they_are() -> None:
    for line in LINES:
        assert " ".join(" ".join(layout.wrapped(iter([line]), 40)).split()) == " ".join(line.split())


# fmt: off
INDENTED = [  # a line, the indentation of what follows it
    ("  likely  " + "word " * 20,      10),
    ("settings  " + "word " * 20,      10),
    ("  ! " + "word " * 20,             4),
    ("    relu at 0: " + "word " * 20,  6),
    ("PASSED  " + "word " * 20,         2),
]
# fmt: on


@pytest.mark.parametrize(("line", "indent"), INDENTED)
def test_a_long_line_goes_on_under_its_own_text(line: str, indent: int) -> None:
    _, *later = layout.wrapped(iter([line]), 40)
    assert later
    assert all(len(text) - len(text.lstrip()) == indent for text in later)


def test_a_terminal_narrower_than_the_least_width_gets_the_least_width() -> None:
    line = "word " * 20
    assert list(layout.wrapped(iter([line]), 3)) == list(layout.wrapped(iter([line]), layout.LEAST_WIDTH))

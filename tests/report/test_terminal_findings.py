"""What the terminal says of one finding."""

from __future__ import annotations

import msgspec
import pytest
from report import example_run
from report.printed import plain, with_finding, with_run

from crosscheck.report import terminal


def test_a_known_deviation_is_named_with_its_finding() -> None:
    odd = msgspec.structs.replace(
        example_run.GELU,
        verdict="ORACLE_DISAGREES",
        op="softplus",
        tensor="x",
        odd_one_out="torch",
        deviation="linear above its threshold of 20",
        sides={"odd": ("torch",), "rest": ("subject", "ball", "jax", "differences")},
    )
    text = plain(with_run(example_run.PASSING, findings=(odd,)), width=300)
    assert ": torch, known deviation: linear above its threshold of 20." in text
    assert "  known   linear above its threshold of 20" in text
    assert "; ball 1.0833 ± 3e-17, jax and differences agree with ball, torch 1.0833; " in text


def test_values_that_differ_are_printed_differently() -> None:
    values = {"subject": 1.0, "ball": 1.000000000001, "torch": None}
    close = msgspec.structs.replace(example_run.GELU.entries[0], values=values, radius=None)
    finding = msgspec.structs.replace(example_run.GELU, entries=(close,))
    assert terminal.entry(close, finding).startswith("0.weight[0,0] = 1; ball 1.000000000001; off by")


def test_an_oracle_s_finding_names_it_and_is_marked_as_no_failure() -> None:
    sides = {"odd": ("torch",), "rest": ("subject", "ball", "jax", "differences")}
    text = plain(with_finding(verdict="ORACLE_DISAGREES", odd_one_out="torch", sides=sides))
    assert "\n! 5f1c9a  gradient of 0.weight (dense): ORACLE_DISAGREES (torch)  ×37, shrunk\n" in text


def test_a_loss_that_differs_says_what_to_pass_beside_its_entries() -> None:
    said = "your loss is 0.5 × sse: pass scale=0.5"
    text = plain(with_finding(verdict="FORWARD_DISAGREES", tensor="loss", op="sse", odd_one_out=None, message=said))
    assert "✗ 5f1c9a  the loss (sse): FORWARD_DISAGREES  ×37, shrunk\n" in text
    assert f"  said    {said}\n  entry   0.weight[0,0] = 0.8412; " in text


@pytest.mark.parametrize(
    ("term", "line"),
    [
        (("∂a/∂z", "one of these", "or ∂C/∂a"), "∂a/∂z ? one of these is wrong: this or ∂C/∂a"),
        (("∂z/∂w", "first wrong", "and ∂z/∂b"), "∂z/∂w ✗ first wrong and ∂z/∂b"),
        (("∂z/∂w", "first wrong", "first wrong at [1,2]: 3, not 4"), "∂z/∂w ✗ first wrong at [1,2]: 3, not 4"),
        (("∂z/∂w", "first wrong", "first wrong: 3, certified 4"), "∂z/∂w ✗ first wrong: 3, certified 4"),
    ],
)
def test_what_is_said_of_a_term_reads_on(term: tuple[str, str, str], line: str) -> None:
    assert f"  term    {line}\n" in plain(with_finding(terms=(term,)))


def test_what_was_ruled_out_is_never_called_likely() -> None:
    text = plain(with_finding(diagnosis=("ruled out: factor",)))
    assert "  likely  no known bug looks like this       ruled out: factor\n" in text


def test_a_gradient_that_was_not_claimed_is_said_to_be_so() -> None:
    entry = msgspec.structs.replace(example_run.GELU.entries[0], values={"subject": None, "ball": 1.5})
    assert terminal.entry(entry, example_run.GELU).startswith("0.weight[0,0] not claimed; ball 1.5 ± 3e-17; off by")


def test_a_scalar_has_no_index() -> None:
    entry = msgspec.structs.replace(example_run.GELU.entries[0], tensor="x", index=())
    assert terminal.entry(entry, example_run.GELU).startswith("x = 0.8412; ")


def test_the_reference_stands_before_those_that_agree_with_it() -> None:
    entry = msgspec.structs.replace(
        example_run.GELU.entries[0], values={"subject": 1.0, "torch": 2.0, "jax": 1.0, "differences": 1.0}
    )
    sides = {"odd": ("torch",), "rest": ("subject", "jax", "differences")}
    finding = msgspec.structs.replace(example_run.GELU, odd_one_out="torch", sides=sides)
    assert "; jax 1, differences agree with jax, torch 2; " in terminal.entry(entry, finding)


def test_noise_among_those_who_agree_costs_no_digits() -> None:
    values = {"subject": 0.8412, "ball": 1.0833154705876, "torch": 1.0833154705877, "differences": 1.0833154699}
    entry = msgspec.structs.replace(example_run.GELU.entries[0], values=values)
    assert terminal.entry(entry, example_run.GELU).startswith(
        "0.weight[0,0] = 0.8412; ball 1.0833 ± 3e-17, torch and diff"
    )
    sides = {"with the subject": ("subject", "differences"), "against it": ("torch",)}
    odd = msgspec.structs.replace(example_run.GELU, odd_one_out="torch", sides=sides)
    entry = msgspec.structs.replace(entry, values={"subject": 0.25, "differences": 0.25 + 1e-13, "torch": 0.2500001})
    assert terminal.entry(entry, odd).startswith("0.weight[0,0] = 0.25; differences 0.25, torch 0.2500001; off by")


def test_a_diagnosis_does_not_repeat_the_message() -> None:
    said = "your loss is 0.5 × sse: pass scale=0.5"
    text = plain(with_finding(verdict="FORWARD_DISAGREES", message=said, diagnosis=(said, "ruled out: factor")))
    assert text.count(said) == 1
    assert "  likely  as said above       ruled out: factor\n" in text


def test_a_known_deviation_is_never_called_unknown() -> None:
    text = plain(with_finding(deviation="linear above 20", diagnosis=("ruled out: factor",)))
    assert "no known bug" not in text
    assert "  likely  known deviation       ruled out: factor\n" in text

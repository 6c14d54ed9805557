"""What was proved and how far everybody is from it: in sentences and tables that say no more than the record."""

from __future__ import annotations

import math

import pytest
from msgspec.structs import replace
from report import example_run
from report.test_html import parsed

from crosscheck.report import html
from crosscheck.report.sections import resolution, truth, verdict
from crosscheck.spec.record import Agreement, Convention, Run, RunFile, number

RUN = example_run.PASSING.run
RELU = RUN.conventions[1]


def rendered(run: Run) -> str:
    return html.render(RunFile(run=run, measured=example_run.MEASURED))


def with_proof(**changes: object) -> Run:
    return replace(RUN, certification=replace(RUN.certification, **changes))


def test_the_lead_says_who_proved_how_much() -> None:
    assert truth.truth(RUN).lead == (
        "ball proved the gradient at 6,400 of 6,400 points (every point was asked), in at most 2,048 bits. It "
        "judges 100 % of the 1,204,331 compared entries: a party is right where it lies within its own bound of what "
        "is proved."
    )


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("sample", "(the first point of each architecture was asked, and whatever looked wrong)"),
        ("suspects", "(only what looked wrong was asked)"),
        ("other", "(other)"),
    ],
)
def test_the_mode_is_said_in_words(mode: str, said: str) -> None:
    assert said in truth.truth(with_proof(mode=mode)).lead


def test_a_proof_of_nothing_names_no_bits() -> None:
    lead = truth.truth(with_proof(points=0, left_out=1, most_bits=0)).lead
    assert lead.startswith("ball proved the gradient at 0 of 1 point (every point was asked). It judges")


def test_what_limits_the_proof_is_a_sentence_each() -> None:
    assert truth.truth(with_proof(hulls=0)).sentences == ()
    assert truth.truth(with_proof(hulls=1, left_out=12, at_limit=2)).sentences == (
        "1 point meets a kink or a tie: there the proof is the hull of the one-sided derivatives, and any value in it "
        "is accepted.",
        "12 points were not proved, for ball was not asked or has a gap: there the witnesses are held against each "
        "other.",
        "At 2 points the largest precision left a wider radius than was asked for; it counts as it is.",
    )


def test_the_facts_say_it_above_the_fold() -> None:
    assert truth.facts(RUN) == (
        ("Certified", "100 % of entries"),
        ("Points proved", "6,400 of 6,400, by ball"),
        ("Proof", "every point was asked; at most 2,048 bits"),
    )
    assert truth.facts(example_run.PAIRWISE.run) == (("Certified", "nothing"),)
    page = rendered(RUN)
    assert page.index("6,400 of 6,400, by ball") < page.index('id="agreement"')


def test_everybody_is_held_against_the_arbiter_whichever_side_it_stands_on() -> None:
    found = truth.distances(RUN)
    assert [(d.party, d.mark, d.off, d.compared, d.in_bounds, d.ulps) for d in found] == [
        ("subject", "✓", "none", "1,204,208", "0.41 ×", "3.1"),
        ("torch", "✗", "7", "1,204,208", "88 ×", "1.6e+07"),
        ("jax", "✓", "none", "1,150,000", "0.5 ×", "30"),
    ]
    assert [(d.median, d.p95) for d in found] == [
        (("3e-14",), ("2e-09",)),
        (("6e-14",), ("4e-09",)),
        (("1e-13",), ("5e-09",)),
    ]


def test_a_resolution_in_two_dtypes_has_two_lines() -> None:
    single = replace(RUN.resolution[0], dtype="float32", median=1e-6, p95=None)
    subject = truth.distances(replace(RUN, resolution=(single, *RUN.resolution)))[0]
    assert subject.median == ("3e-14 float64", "1e-06 float32")
    assert subject.p95 == ("2e-09 float64", "– float32")


def test_who_was_never_compared_has_no_distance() -> None:
    never = Agreement(a="ball", b="jax", comparisons=0, disagreements=0, worst_bounds=0, worst_ulps=0)
    found = truth.distances(replace(RUN, agreement=(RUN.agreement[0], never), resolution=()))
    assert [(d.party, d.median) for d in found] == [("subject", ("–",))]


def test_without_an_arbiter_there_is_no_distance_and_the_page_says_so() -> None:
    assert truth.truth(example_run.PAIRWISE.run).lead == truth.UNPROVED
    page = rendered(example_run.PAIRWISE.run)
    assert "No truth was certified in this run" in page
    assert "Distance from the truth" not in page
    assert "Conventions at kinks" not in page


def test_a_convention_is_the_same_whatever_the_sign_of_its_zero() -> None:
    assert truth.alike(RELU)
    assert [t.text for t in truth.truth(RUN).kinks[1].taken] == ["0", "0", "0"]
    assert not truth.alike(RUN.conventions[0])


# fmt: off
OUTSIDE = [  # value, low, high, outside
    (0.0,                0.0,      1.0,      False),
    (1.0,                0.0,      1.0,      False),
    (1.7580993408473766, 1.050701, 1.758099, False),  # the ends are recorded to six decimals
    (1.1,                0.0,      1.0,      True),
    (-0.1,               0.0,      1.0,      True),
    (math.nan,           0.0,      1.0,      True),
    (math.inf,           0.0,      1.0,      True),
]
# fmt: on


@pytest.mark.parametrize(("value", "low", "high", "expected"), OUTSIDE)
def test_what_no_hull_excuses_is_outside(value: float, low: float, high: float, expected: bool) -> None:
    item = Convention(op="relu", at=0.0, low=low, high=high, values={"jax": number(value)})
    assert truth.outside(item.values["jax"], item) == expected
    assert truth.stray(item) == (["jax"] if expected else [])
    assert ('<span class="cell-detail">outside</span>' in rendered(replace(RUN, conventions=(item,)))) == expected


def test_a_party_that_was_not_asked_at_a_kink_is_not_outside() -> None:
    some = Convention(op="relu", at=0.0, low=0.0, high=1.0, values={"torch": 0.0})
    found = truth.truth(replace(RUN, conventions=(RUN.conventions[0], some)))
    assert found.parties == ("subject", "torch", "jax")
    assert [(t.text, t.outside) for t in found.kinks[1].taken] == [("–", False), ("0", False), ("–", False)]


def test_the_page_shows_the_tables() -> None:
    page = parsed(rendered(RUN))
    labels = page.values("aria-label")
    assert "Distance of each party from the truth" in labels
    assert "Derivative that each party takes at a kink" in labels
    assert "#truth" in page.values("href")
    cells = [text.strip() for text in page.texts["td"]]
    assert "[0.01, 1]" in cells
    assert [text for text in cells if text in ("yes", "no")] == ["no", "yes"]


def test_the_ball_s_radius_stands_behind_its_value() -> None:
    page = html.render(example_run.FAILING)
    assert '1.0833<span class="cell-detail"> ± 3e-17</span>' in page
    exact = replace(example_run.GELU, entries=(replace(example_run.GELU.entries[0], radius=0.0),))
    assert '1.0833<span class="cell-detail"> ± 0</span>' in rendered(
        replace(example_run.FAILING.run, findings=(exact,))
    )


def test_a_void_bound_accuses_nobody() -> None:
    page = rendered(replace(example_run.ODD.run, findings=(example_run.VOID,)))
    assert "No gradient is accused: the bound is void, and what hangs on it is never counted as agreement." in page
    assert "No known" not in page
    assert "Taylor remainder" not in page


def test_an_oracle_s_finding_blames_no_operation() -> None:
    page = rendered(
        replace(example_run.ODD.run, findings=(replace(example_run.SOFTPLUS, diagnosis=(), deviation=None),))
    )
    assert "! seen here" in page
    assert "✗ here" not in page
    assert "No known deviation of torch looks like this." in page
    assert "✗ here" in html.render(example_run.FAILING)


def test_overflow_is_counted_beside_undecidable() -> None:
    undecidable = next(kind for kind in resolution.kinds(RUN.entries) if kind.name == "undecidable")
    assert (undecidable.number, undecidable.meaning) == (
        123,
        "120 hang on a kink or a tie; 3 overflow: the value, or one on its way, is beyond the dtype",
    )
    one = replace(RUN.entries, undecidable=2, overflowed=1)
    meaning = next(kind.meaning for kind in resolution.kinds(one) if kind.name == "undecidable")
    assert meaning == "1 hangs on a kink or a tie; 1 overflows: the value, or one on its way, is beyond the dtype"


def test_the_rows_called_informative_add_up_to_the_share_above_the_fold() -> None:
    entries = replace(RUN.entries, informative=900_000, disagreeing=75_508)
    rows = [kind.number for kind in resolution.kinds(entries) if kind.name.startswith("informative, ")]
    assert sum(rows) == entries.resolved


def test_the_warnings_tell_a_kink_from_an_overflow() -> None:
    assert [text for text in verdict.warnings(RUN) if "entr" in text] == [
        "20 entries are undecidable (a kink or a tie) in cases that do not aim at kinks.",
        "3 entries overflow: the value, or one on its way, is beyond the dtype.",
    ]
    one = replace(RUN, entries=replace(RUN.entries, undecidable=1, undecidable_by_design=0, overflowed=1))
    assert "1 entry overflows: the value, or one on its way, is beyond the dtype." in verdict.warnings(one)
    assert not [text for text in verdict.warnings(one) if "kinks" in text]


def test_the_histograms_are_the_subject_s() -> None:
    assert [h.median for h in resolution.histograms(RUN)] == ["3e-14"]

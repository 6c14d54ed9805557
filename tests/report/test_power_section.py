"""Detection power on the page and in the terminal: every share stands in words, and nothing is drawn as more."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from report import example_run, power_example
from report.test_html import Page, parsed

from crosscheck.report import html
from crosscheck.report.sections import power
from crosscheck.spec.power import Method, PowerFile


def rendered(file: PowerFile) -> str:
    template = html._environment().get_template("_power.html.j2")
    return template.render(page=SimpleNamespace(power=power.section(file)))


def with_methods(*methods: Method) -> PowerFile:
    scene = replace(power_example.POWER.peers, methods=methods)
    return replace(power_example.FILE, power=replace(power_example.POWER, peers=scene))


def rows(page: Page) -> list[str]:
    return [text.strip() for text in page.texts.get("td", []) if text.strip()]


def test_the_smallest_size_is_found_every_time_and_so_are_all_larger_ones() -> None:
    assert power.smallest_always(power_example.OWN) == 0.01
    assert power.smallest_always(power_example.PEER) == 1.0
    assert power.smallest_always(power_example.method("late", (0, 20, 20, 20, 20))) is None


def test_a_size_at_which_nothing_could_be_planted_ends_what_is_found() -> None:
    empty = replace(power_example.OWN.rates[1], found=0, trials=0)
    rates = (power_example.OWN.rates[0], empty, *power_example.OWN.rates[2:])
    assert power.smallest_always(replace(power_example.OWN, rates=rates)) == 1.0
    assert power.row(replace(power_example.OWN, rates=rates)).shares[1] == "–"


def test_bars_are_as_high_as_the_share_and_never_nothing_where_one_was_found() -> None:
    bars = power.row(power_example.PEER).bars
    assert [(bar.height, bar.y + bar.height) for bar in bars] == [(power.HEIGHT, power.HEIGHT), (2, power.HEIGHT)]
    assert bars[1].words == "0.1: 1 of 20 found"


def test_nothing_found_draws_no_bar() -> None:
    blind = power_example.method("blind", (0, 0, 0, 0, 0))
    assert power.row(blind).bars == ()
    assert power.row(blind).spoken.startswith("blind, float64: finds no size every time")


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (0.1, "0.1"), (0.01, "0.01"), (1e-3, "1e-3"), (1e-15, "1e-15"), (0.0, "–")]
)
def test_sizes_are_powers_of_ten(value: float, text: str) -> None:
    assert power.size(value) == text


def test_the_table_says_what_the_chart_shows() -> None:
    page = parsed(rendered(power_example.FILE))
    cells = rows(page)
    assert {"100 %", "95 %", "5 %", "0 %", "0.01", "2 of 20"} <= set(cells)
    assert page.tags.count("details") == 2
    assert page.texts["summary"] == ["The same as a table"] * 2
    labels = page.values("aria-label")
    assert "crosscheck, float64: finds every error down to 0.01; the numbers are in the table below" in labels


def test_nothing_in_it_styles_handles_or_loads() -> None:
    for tag, name, value in parsed(rendered(power_example.FILE)).attributes:
        assert name not in ("style", "src", "href"), tag
        assert not name.startswith("on"), tag
        assert "url(" not in value


def test_it_uses_no_class_that_the_page_does_not_style() -> None:
    style = html._static("report.css")
    classes = {c for value in parsed(rendered(power_example.FILE)).values("class") for c in value.split()}
    assert classes
    assert {c for c in classes if f".{c}" not in style} == {"tick", "caption"} & classes


def test_hostile_texts_stay_text() -> None:
    bent = replace(power_example.OWN, name=example_run.HOSTILE, settings=example_run.HOSTILE)
    text = rendered(with_methods(bent, power_example.PEER))
    assert set(parsed(text).tags) <= set(parsed(rendered(power_example.FILE)).tags)
    for piece in ("<script>alert", "<img", "-->", "\x1b", "\u202e"):
        assert piece not in text
    assert "\x1b" not in "".join(power.lines(with_methods(bent, power_example.PEER)))


def test_the_promise_is_a_sentence() -> None:
    made = power_example.POWER.promise
    assert power.promise(made) == (
        "Of 1,720 planted errors, 980 were more than 1.5 times the resolution reported for their entry, and so had to "
        "be found: every one was."
    )
    assert power.promise(replace(made, found=979)).endswith("had to be found: 1 was not.")
    assert power.promise(replace(made, found=970)).endswith("had to be found: 10 were not.")
    assert power.promise(replace(made, promised=0, found=0)).endswith("had to be found: nothing was put to the test.")


def test_a_promise_not_kept_stands_out() -> None:
    made = replace(power_example.POWER.promise, found=979, missed=("index 4: 1e-9 in 0.weight[0, 0]",))
    broken = replace(power_example.FILE, power=replace(power_example.POWER, promise=made))
    assert not power.section(broken).kept
    text = rendered(broken)
    assert '<p class="notice">' in text
    assert "<li>index 4: 1e-9 in 0.weight[0, 0]</li>" in text
    assert 'class="notice"' not in rendered(power_example.FILE)


def test_an_alarm_of_crosscheck_stands_out_and_one_of_a_peer_does_not() -> None:
    assert power.section(power_example.FILE).kept
    assert power.alarms(power_example.POWER) == (
        "40 sound gradients stood among the wrong ones: crosscheck accused none of them."
    )
    loud = with_methods(replace(power_example.OWN, alarms=1), power_example.PEER)
    assert not power.section(loud).kept
    assert power.alarms(loud.power).endswith("crosscheck accused 1 of them.")
    assert '<p class="notice">' in rendered(loud)


def test_what_is_to_be_known_of_the_networks_is_said() -> None:
    noted = replace(power_example.POWER.random, note="an entry at a kink shows nothing")
    file = replace(power_example.FILE, power=replace(power_example.POWER, random=noted))
    assert "<p>an entry at a kink shows nothing</p>" in rendered(file)
    assert "an entry at a kink shows nothing" in list(power.lines(file))


def test_the_text_has_a_line_for_each_method() -> None:
    lines = list(power.lines(power_example.FILE))
    assert lines[:4] == [
        "errors found, in per cent, by relative size; x[4,8] -> dense(8) -> tanh -> sse",
        "                             1   0.1  0.01  1e-3  1e-4   false alarms",
        "crosscheck, float64        100   100   100    95     0   0 of 20",
        "gradcheck, slow, float64   100     5     0     0     0   2 of 20",
    ]
    assert lines[-2:] == [power.promise(power_example.POWER.promise), power.alarms(power_example.POWER)]


def test_a_share_is_rounded_to_nothing_and_to_all_only_where_it_is_that() -> None:
    nearly = power_example.method("nearly", (1, 999, 0, 1000, 500), trials=1000)
    found = [line for line in power.lines(with_methods(nearly)) if line.startswith("nearly")]
    assert found[0].split()[2:7] == ["1", "99", "0", "100", "50"]


def test_no_methods_no_rows() -> None:
    assert power.table(replace(power_example.POWER.peers, methods=())).rows == ()

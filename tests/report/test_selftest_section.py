"""The self-test on the page and in the terminal: the kill table, every bug that went wrong, and nothing that runs."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from report import example_run, selftest_example
from report.selftest_example import BROKEN, EMPTY, FAILED, FILE, KINKS, LOSSES, SOUND
from report.test_html import LOADING, Page, digest, parsed

from crosscheck.report import html
from crosscheck.report import selftest as pages
from crosscheck.report.sections import selftest
from crosscheck.spec.errors import UsageError
from crosscheck.spec.kills import Selftest, SelftestFile

TEXT = """\
crosscheck 0.1.0 · self-test · seed 8 · profile ci · float64
  bugs 5 · controls 2 · at most 60 networks each · 4 points a network

family                         planted    caught  networks   located     alone     named      <= 2
losses                               2         2       3.5         2         2         1         2
kinks and singular points            3         2       3.5         1         1         2         1
all                                  5         4       3.5         3         3         3         3
  networks: median until caught; alone: located without the subject's intermediates; <= 2: layers that it was shrunk to

caught, of those asked         gradcheck, slow       check_grads
losses                                  2 of 2            1 of 1
kinks and singular points               2 of 3                 –
all                                     4 of 5            1 of 1
sound gradients accused                1 of 20            0 of 5

  Of 4 caught bugs: 75 % located, 75 % without intermediates, 75 % named, 75 % shrunk to at most 2 layers.
  11 systematic changes give the right gradient everywhere, and so cannot be caught: not planted.
  Left out: jax#22398 · logsumexp has no weights b

✗ Survived  ×1
  state: forgets · kinks and singular points, classic, of the walk

✗ Controls accused  ×1
  gelu by tanh · DISAGREES on x[1,1] -> gelu -> sse; it is right: the same sum, written out

! Mislocated  ×1
  relu: 1 at 0 · walk ∂z/∂a [1]

! Mislocated without intermediates  ×1
  abs: sign of -0 · nowhere

! Misnamed  ×1
  mse: times the outputs · nothing was said

! Shrunk to more than 2 layers  ×1
  relu: 1 at 0 · 3: x[1,1] -> mse

FAILED  4 of 5 planted bugs caught · 1 of 2 controls passed · 41 s · exit 1: planted bugs that got through: 1; controls
  that are right and were accused: 1
"""


def text(file: SelftestFile, width: int = 120) -> str:
    return pages.text(file, width=width, color=False)


def section(file: SelftestFile) -> Page:
    template = html._environment().get_template("_selftest.html.j2")
    return parsed(template.render(page=SimpleNamespace(selftest=selftest.section(file))))


def with_(**changes: object) -> SelftestFile:
    return replace(FAILED, selftest=replace(BROKEN, **changes))


def hostile() -> SelftestFile:
    bad = example_run.HOSTILE
    kills = tuple(replace(kill, name=kill.name + bad, likely=bad, smallest=bad, source=bad) for kill in BROKEN.kills)
    return with_(kills=kills, left_out=((bad, bad),), peers=(replace(BROKEN.peers[0], name=bad, settings=bad),))


# --- the text ----------------------------------------------------------------------------------------------------


def test_the_text_of_one_that_failed() -> None:
    assert text(FAILED) == TEXT


def test_the_last_line_of_one_that_passed() -> None:
    last = (
        "PASSED  4 of 4 planted bugs caught · 1 of 1 control passed · 41 s · exit 0: every planted bug was caught, "
        "and no control accused\n"
    )
    assert pages.summary(FILE) == last
    assert " ".join(text(FILE).splitlines()[-2:]).split() == last.split()


def test_nothing_planted_is_nothing_verified() -> None:
    assert pages.summary(EMPTY).startswith("NOTHING VERIFIED  0 of 0 planted bugs caught · 1 of 1 control passed")
    assert "family" not in text(EMPTY)


def test_without_shrinking_nothing_is_said_of_places_and_names() -> None:
    plain = {"smallest": None, "layers": None, "located": False, "mute_located": False, "named": False}
    quick = with_(kills=tuple(replace(kill, **plain) for kill in SOUND.kills), profile="quick", peers=())
    (row,) = [line for line in text(quick).splitlines() if line.startswith("losses")]
    assert row.split() == ["losses", "2", "2", "3.5", "–", "–", "–", "–"]
    assert "The profile quick asks only whether a bug is caught" in text(quick)
    assert [group.title for group in selftest.groups(quick.selftest)] == ["Controls accused"]


def test_one_family_needs_no_sum() -> None:
    assert [row.family for row in selftest.rows(replace(SOUND, kills=SOUND.kills[:2]))] == [LOSSES]
    assert [row.family for row in selftest.rows(SOUND)] == [LOSSES, KINKS, selftest.ALL]


def test_a_share_is_all_only_where_it_is_exactly_that() -> None:
    kills = tuple(replace(selftest_example.FACTOR, name=f"bug {i}", named=i > 0) for i in range(300))
    (told, _) = selftest.totals(replace(SOUND, kills=kills))
    assert "100 % located" in told
    assert "over 99 % named" in told


def test_colour_changes_no_word() -> None:
    coloured = pages.text(FAILED, width=80, color=True)
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == text(FAILED, width=80)
    assert "\x1b" in coloured


# --- the page ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", [FILE, FAILED, EMPTY, hostile()], ids=["passed", "failed", "empty", "hostile"])
def test_the_page_obeys_its_policy(file: SelftestFile) -> None:
    page = parsed(pages.render(file))
    style, script = "".join(page.texts["style"]), "".join(page.texts["script"])
    assert page.tags.count("style") == page.tags.count("script") == 1
    assert f"style-src {digest(style)}; script-src {digest(script)}; base-uri 'none'" in page.values("content")[0]
    for tag, name, value in page.attributes:
        assert name != "style", tag
        assert not name.startswith("on"), tag
        assert name not in LOADING, tag
        assert name != "href" or value.startswith("#")
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert set(page.values("aria-labelledby")) <= set(ids)


def test_the_page_names_every_bug_and_the_section_only_those_that_went_wrong() -> None:
    whole, part = parsed(pages.render(FAILED)), section(FAILED)
    for kill in BROKEN.kills:
        assert kill.name in whole.texts["th"]
    assert selftest_example.FACTOR.name not in part.texts["th"]
    assert {"state: forgets", "relu: 1 at 0", "mse: times the outputs", "gelu by tanh"} <= set(part.texts["th"])


def test_other_checkers_stand_beside_crosscheck() -> None:
    page = section(FAILED)
    assert {"by gradcheck, slow", "by check_grads"} <= set(page.texts["th"])
    assert {"2 of 2", "2 of 3", "4 of 5", "1 of 20", "–"} <= set(page.texts["td"])
    assert "by gradcheck, slow" not in section(FILE).texts["th"]


def test_a_family_with_a_survivor_stands_out() -> None:
    assert [row.tone for row in selftest.rows(BROKEN)] == ["", "bad", "bad"]
    assert {row.tone for row in selftest.rows(SOUND)} == {""}
    assert "notice" in section(FAILED).values("class")
    assert "notice" not in section(FILE).values("class")


@pytest.mark.parametrize("file", [FAILED, EMPTY], ids=["failed", "empty"])
def test_it_uses_no_class_that_the_page_does_not_style(file: SelftestFile) -> None:
    style = html._static("report.css") + html._static("report.js")
    classes = {c for value in parsed(pages.render(file)).values("class") for c in value.split()}
    assert classes
    assert {c for c in classes if f".{c}" not in style} == set()


def test_hostile_texts_stay_text() -> None:
    rendered, calm = pages.render(hostile()), pages.render(with_(peers=BROKEN.peers[:1]))
    assert set(parsed(rendered).tags) == set(parsed(calm).tags)
    for piece in ("<script>alert", "<img", "-->", "\x1b", "\u202e"):
        assert piece not in rendered
    assert "\x1b" not in text(hostile())


def test_the_page_of_hundreds_of_bugs_stays_small() -> None:
    many: Selftest = replace(
        SOUND, kills=tuple(replace(k, name=f"{k.name} {i}") for i in range(110) for k in SOUND.kills)
    )
    assert len(pages.render(replace(FILE, selftest=many)).encode()) < 300_000


def test_the_page_is_written_whole(tmp_path: Path) -> None:
    path = pages.write(FILE, tmp_path / "new" / pages.PAGE)
    assert path.read_text(encoding="utf-8") == pages.render(FILE)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"report .*file.*: cannot be written"):
        pages.write(FILE, tmp_path / "file" / pages.PAGE)

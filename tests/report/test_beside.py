"""What other commands left beside the runs is on the page where it can be read, and told of where it cannot."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import pytest
from msgspec.structs import replace
from report import atlas_example, example_run, power_example, selftest_example
from report.test_html import digest, parsed

from crosscheck.report import html
from crosscheck.report.write import write

ALL = {"accuracy": atlas_example.FILE, "power": power_example.FILE, "selftest": selftest_example.FILE}


def written(reports: Path, **files: bytes) -> str:
    (reports / "r1").mkdir(exist_ok=True)
    for name, data in files.items():
        (reports / f"{name}.json").write_bytes(data)
    page = write(example_run.PASSING, "html", folder=reports / "r1", path=reports / "index.html")
    return page.read_text(encoding="utf-8")


def absent(page: str) -> list[str]:
    return [line for line in page.splitlines() if "Not here" in line]


def test_without_records_one_line_names_the_commands() -> None:
    page = html.render(example_run.PASSING)
    assert absent(page) == [
        '<p class="muted">Not here: the accuracy atlas, which <code>crosscheck accuracy</code> makes; '
        "detection power, which <code>nox -s power</code> makes; "
        "the self-test, which <code>crosscheck selftest --profile ci</code> makes.</p>"
    ]
    assert not {"#accuracy", "#power", "#selftest"} & set(parsed(page).values("href"))
    assert "Made from <code>run.json</code> alone." in page


def test_only_what_is_missing_is_called_missing() -> None:
    assert absent(html.render(example_run.PASSING, accuracy=atlas_example.FILE, selftest=selftest_example.FILE)) == [
        '<p class="muted">Not here: detection power, which <code>nox -s power</code> makes.</p>'
    ]
    assert absent(html.render(example_run.PASSING, **ALL)) == []


def test_records_become_sections_with_their_dates_and_versions(tmp_path: Path) -> None:
    page = written(tmp_path, **{name: file.to_json() for name, file in ALL.items()})
    assert {"#accuracy", "#power", "#selftest"} <= set(parsed(page).values("href"))
    assert {"accuracy", "power", "selftest"} <= set(parsed(page).values("id"))
    assert f"{power_example.MEASURED.started}; crosscheck 0.1.0, numpy 2.1.0" in page
    measured = atlas_example.FILE.measured
    assert measured.started in page
    assert f"torch {measured.versions['torch']}" in page
    assert (
        "Made from <code>r1/run.json</code>, <code>accuracy.json</code>, <code>power.json</code> and "
        "<code>selftest.json</code> alone. This file"
    ) in page


def test_the_policy_allows_the_style_of_what_is_shown() -> None:
    plain, full = (parsed(html.render(example_run.PASSING, **beside)) for beside in ({}, ALL))
    for page in (plain, full):
        assert digest("".join(page.texts["style"])) in page.values("content")[0]
    assert "".join(full.texts["style"]).startswith("".join(plain.texts["style"]))
    assert len("".join(full.texts["style"])) > len("".join(plain.texts["style"]))


def test_files_are_named_from_where_the_page_stands(tmp_path: Path) -> None:
    written(tmp_path, power=power_example.FILE.to_json())
    page = write(example_run.PASSING, "html", folder=tmp_path / "r1")
    text = page.read_text(encoding="utf-8")
    assert "Made from <code>run.json</code> and <code>../power.json</code> alone." in text


def test_a_run_in_the_working_directory_finds_them_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, power=power_example.FILE.to_json())
    monkeypatch.chdir(tmp_path / "r1")
    assert 'id="power"' in write(example_run.PASSING, "html", folder=Path()).read_text(encoding="utf-8")


def edged(*edges: float) -> bytes:
    """An atlas whose curves fit these edges."""
    columns = tuple(replace(c, curve=(1.0,) * (len(edges) - 1)) for c in atlas_example.ATLAS.columns)
    atlas = replace(atlas_example.ATLAS, edges=edges, columns=columns)
    return replace(atlas_example.FILE, atlas=atlas).to_json()


ATLAS, POWER = atlas_example.FILE.to_json(), power_example.FILE.to_json()
KILLS = selftest_example.FILE.to_json()
# fmt: off
BROKEN = [  # the file, what stands in it, what the page says of it
    ("power",    b"",                                                   "this is no record of detection power"),
    ("power",    b"{",                                                  "this is no record of detection power"),
    ("power",    b"\xff\xfe",                                           "this is no record of detection power"),
    ("power",    b"[" * 100_000,                                        "this is no record of detection power"),
    ("power",    b'{"power": 1, "measured": 2}',                        "this is no record of detection power"),
    ("power",    example_run.PASSING.to_json(),                         "this is no record of detection power"),
    ("power",    ATLAS,                                                 "this is no record of detection power"),
    ("power",    POWER.replace(b"power-1", b"power-9"),                 "this crosscheck reads 'crosscheck-power-1'"),
    ("power",    POWER.replace(b'"promised": 980', b'"promised": 979'), "promised and 980 found"),
    ("selftest", b"",                                                   "this is no record of a self-test"),
    ("selftest", POWER,                                                 "this is no record of a self-test"),
    ("selftest", KILLS.replace(b"selftest-1", b"selftest-9"),           "reads 'crosscheck-selftest-1'"),
    ("selftest", KILLS.replace(b'"networks": 6', b'"networks": 61'),    "must be from 1 to 60"),
    ("accuracy", b"",                                                   "this is no atlas of accuracy"),
    ("accuracy", b"[" * 100_000,                                        "this is no atlas of accuracy"),
    ("accuracy", POWER,                                                 "this is no atlas of accuracy"),
    ("accuracy", ATLAS.replace(b"accuracy-1", b"accuracy-9"),           "reads 'crosscheck-accuracy-1'"),
    ("accuracy", ATLAS.replace(b'"inf"', b'"lots"'),                    "is 'lots', must be a number or one of"),
    ("accuracy", edged(),                                               "must hold two positive numbers"),
    ("accuracy", edged(-2.0, -1.0),                                     "must hold two positive numbers"),
    ("accuracy", edged(-1.0, 1.0),                                      "must hold two positive numbers"),
]
# fmt: on
TITLES = {
    "power": ("detection power", "nox -s power"),
    "accuracy": ("the accuracy atlas", "crosscheck accuracy"),
    "selftest": ("the self-test", "crosscheck selftest --profile ci"),
}


@pytest.mark.parametrize(("name", "data", "said"), BROKEN)
def test_a_broken_or_foreign_file_is_a_sentence_and_never_a_crash(
    tmp_path: Path, name: str, data: bytes, said: str
) -> None:
    page = written(tmp_path, **{name: data})
    notices = [text for text in unescape(page).splitlines() if "A record of" in text]
    title, command = TITLES[name]
    assert len(notices) == 1
    assert notices[0].startswith(f'<p class="notice" role="note">A record of {title} is there, and cannot be shown: ')
    assert said in notices[0]
    assert f"{command} makes it anew.</p>" in notices[0]
    assert name not in parsed(page).values("id")
    assert f"#{name}" not in parsed(page).values("href")
    assert "my_net agrees with" in page
    assert "Made from <code>r1/run.json</code> alone." in page


def test_a_folder_or_a_link_to_nowhere_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "power.json").mkdir()
    assert "cannot be read: Is a directory" in written(tmp_path)
    (tmp_path / "power.json").rmdir()
    (tmp_path / "power.json").symlink_to(tmp_path / "nowhere")
    assert "cannot be read: No such file" in written(tmp_path)


def test_a_hostile_reason_stays_text_and_short() -> None:
    page = html.render(example_run.PASSING, accuracy=example_run.HOSTILE, power=example_run.HOSTILE * 1000)
    assert "<script>alert" not in page
    assert "\x1b" not in page
    assert "characters)" in page
    assert set(parsed(page).tags) == set(parsed(html.render(example_run.PASSING)).tags)


def test_what_stands_beside_the_run_is_dropped_first_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    full = html.render(example_run.FAILING, **ALL)
    monkeypatch.setattr(html, "MOST_BYTES", len(full.encode()) - 1)
    less = html.render(example_run.FAILING, **ALL)
    assert not {"accuracy", "power", "selftest"} & set(parsed(less).values("id"))
    assert absent(less) == []
    (dropped,) = [line for line in less.splitlines() if "Left out to stay under 5 MB" in line]
    assert "accuracy, detection power, self-test" in dropped
    assert "Made from <code>run.json</code> alone." in less
    assert all(finding.id in less for finding in example_run.FAILING.run.findings)


def test_a_huge_record_beside_the_run_costs_no_finding() -> None:
    long = replace(power_example.OWN, name="n" * html.MOST_BYTES)
    scene = replace(power_example.POWER.peers, methods=(long,))
    huge = replace(power_example.FILE, power=replace(power_example.POWER, peers=scene))
    page = html.render(example_run.FAILING, power=huge)
    assert len(page.encode()) <= html.MOST_BYTES
    assert all(finding.id in page for finding in example_run.FAILING.run.findings)

"""What other commands left beside the runs is on the page where it can be read, and told of where it cannot."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import pytest
from msgspec.structs import replace
from report import example_run, power_example
from report.test_html import parsed

from crosscheck.report import html
from crosscheck.report.write import write

MISSING = '<p class="muted">Not here: '


def written(reports: Path, **files: bytes) -> str:
    (reports / "r1").mkdir(exist_ok=True)
    for name, data in files.items():
        (reports / f"{name}.json").write_bytes(data)
    page = write(example_run.PASSING, "html", folder=reports / "r1", path=reports / "index.html")
    return page.read_text(encoding="utf-8")


def test_without_a_record_one_line_names_the_command() -> None:
    page = html.render(example_run.PASSING)
    assert f"{MISSING}detection power, which <code>nox -s power</code> makes." in page
    assert page.count("Not here") == 1
    assert "#power" not in parsed(page).values("href")
    assert "Made from <code>run.json</code> alone." in page


def test_a_record_becomes_a_section_with_its_date_and_versions(tmp_path: Path) -> None:
    page = written(tmp_path, power=power_example.FILE.to_json())
    assert "#power" in parsed(page).values("href")
    assert 'id="power"' in page
    measured = power_example.MEASURED
    assert f"{measured.started}; crosscheck 0.1.0, numpy 2.1.0" in page
    assert "Made from <code>r1/run.json</code> and <code>power.json</code> alone." in page


def test_its_file_is_named_from_where_the_page_stands(tmp_path: Path) -> None:
    written(tmp_path, power=power_example.FILE.to_json())
    page = write(example_run.PASSING, "html", folder=tmp_path / "r1")
    text = page.read_text(encoding="utf-8")
    assert "Made from <code>run.json</code> and <code>../power.json</code> alone." in text


def test_a_run_in_the_working_directory_finds_it_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, power=power_example.FILE.to_json())
    monkeypatch.chdir(tmp_path / "r1")
    assert 'id="power"' in write(example_run.PASSING, "html", folder=Path()).read_text(encoding="utf-8")


# fmt: off
BROKEN = [  # what stands in power.json, what the page says of it
    (b"",                                              "this is no record of detection power"),
    (b"{",                                             "this is no record of detection power"),
    (b"\xff\xfe",                                      "this is no record of detection power"),
    (b"[" * 100_000,                                   "this is no record of detection power"),
    (b'{"power": 1, "measured": 2}',                   "this is no record of detection power"),
    (example_run.PASSING.to_json(),                    "this is no record of detection power"),
    (power_example.FILE.to_json().replace(b"power-1", b"power-9"), "this crosscheck reads 'crosscheck-power-1'"),
    (power_example.FILE.to_json().replace(b'"promised": 980', b'"promised": 979'), "promised and 980 found"),
]
# fmt: on


@pytest.mark.parametrize(("data", "said"), BROKEN)
def test_a_broken_or_foreign_file_is_a_sentence_and_never_a_crash(tmp_path: Path, data: bytes, said: str) -> None:
    page = written(tmp_path, power=data)
    notices = [text for text in unescape(page).splitlines() if "A record of detection power is there" in text]
    assert len(notices) == 1
    assert said in notices[0]
    assert "nox -s power makes it anew." in notices[0]
    assert 'id="power"' not in page
    assert "my_net agrees with" in page
    assert "alone. This file loads nothing" in page


def test_a_folder_or_a_link_to_nowhere_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "power.json").mkdir()
    assert "cannot be read: Is a directory" in written(tmp_path)
    (tmp_path / "power.json").rmdir()
    (tmp_path / "power.json").symlink_to(tmp_path / "nowhere")
    assert "cannot be read: No such file" in written(tmp_path)


def test_a_hostile_reason_stays_text_and_short() -> None:
    page = html.render(example_run.PASSING, power=example_run.HOSTILE * 1000)
    assert "<script>alert" not in page
    assert "\x1b" not in page
    assert "characters)" in page
    assert set(parsed(page).tags) == set(parsed(html.render(example_run.PASSING)).tags)


def test_what_stands_beside_the_run_is_dropped_first_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    full = html.render(example_run.FAILING, power=power_example.FILE)
    monkeypatch.setattr(html, "MOST_BYTES", len(full.encode()) - 1)
    less = html.render(example_run.FAILING, power=power_example.FILE)
    assert 'id="power"' not in less
    assert "Not here" not in less
    assert "detection power" in less[less.index("Left out to stay under 5 MB") :][:300]
    assert "Made from <code>run.json</code> alone." in less
    assert all(finding.id in less for finding in example_run.FAILING.run.findings)


def test_a_huge_record_beside_the_run_costs_no_finding() -> None:
    long = replace(power_example.OWN, name="n" * html.MOST_BYTES)
    scene = replace(power_example.POWER.peers, methods=(long,))
    huge = replace(power_example.FILE, power=replace(power_example.POWER, peers=scene))
    page = html.render(example_run.FAILING, power=huge)
    assert len(page.encode()) <= html.MOST_BYTES
    assert all(finding.id in page for finding in example_run.FAILING.run.findings)

"""Reports are written where they are asked for, and name the run's files from there."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import msgspec
import pytest
from report import example_run

from crosscheck.report import html
from crosscheck.report.write import write
from crosscheck.spec.errors import SpecError, UsageError
from crosscheck.store import runs


def test_reports_are_written_where_asked(tmp_path: Path) -> None:
    path = write(example_run.PASSING, "html", folder=tmp_path / "run")
    assert path == tmp_path / "run" / "index.html"
    assert path.read_text(encoding="utf-8") == html.render(example_run.PASSING)
    other = write(example_run.PASSING, "json", folder=tmp_path, path=tmp_path / "deep" / "out.json")
    assert runs.read(other) == example_run.PASSING


# fmt: off
PLACES = [  # the report's path in the folder of reports, the run's folder as seen from there
    ("a run/index.html", ""),
    ("index.html", "a run/"),
    ("pages/today.html", "../a run/"),
]
# fmt: on


@pytest.mark.parametrize(("path", "seen"), PLACES)
def test_files_of_the_run_are_named_from_the_report(tmp_path: Path, path: str, seen: str) -> None:
    folder = tmp_path / "a run"
    runs.write(example_run.FAILING, folder)
    page = write(example_run.FAILING, "html", folder=folder, path=tmp_path / path)
    text = unescape(page.read_text(encoding="utf-8"))
    assert f"<dd>{seen}failures/5f1c9a.case</dd>" in text
    assert f"Made from <code>{seen}run.json</code> alone." in text
    assert (page.parent / seen / "run.json").samefile(folder / "run.json")


def test_a_path_is_relative_to_the_working_directory_for_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = write(example_run.FAILING, "html", folder=Path("reports/r1"), path=tmp_path / "reports" / "index.html")
    assert "<dd>r1/failures/5f1c9a.case</dd>" in page.read_text(encoding="utf-8")


def test_a_folder_s_name_is_text(tmp_path: Path) -> None:
    folder = tmp_path / "<script>alert(1)\x1b"
    text = write(example_run.FAILING, "html", folder=folder, path=tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<dd>&lt;script&gt;alert(1)\\x1b/failures/5f1c9a.case</dd>" in text


def test_no_format_writes_a_number_as_null(tmp_path: Path) -> None:
    item = msgspec.structs.replace(example_run.PASSING.run.resolution[0], median=float("nan"))
    run = msgspec.structs.replace(example_run.PASSING.run, resolution=(item,))
    with pytest.raises(SpecError, match=r"run\.resolution\[0\]\.median is nan"):
        write(msgspec.structs.replace(example_run.PASSING, run=run), "json", folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="report format is 'pdf', must be one of html, json"):
        write(example_run.PASSING, "pdf", folder=tmp_path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write(example_run.PASSING, "html", folder=tmp_path / "file")

"""Runs on disk: the round trip, what is refused, and which run is the newest."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from report import example_run

from crosscheck.spec.errors import SpecError
from crosscheck.spec.record import Exit, RunFile, schema
from crosscheck.store import runs

EXAMPLES = [example_run.PASSING, example_run.FAILING, example_run.EMPTY, example_run.hostile()]


def with_run(**changes: Any) -> RunFile:
    return msgspec.structs.replace(example_run.PASSING, run=msgspec.structs.replace(example_run.PASSING.run, **changes))


def with_entries(**changes: int) -> RunFile:
    return with_run(entries=msgspec.structs.replace(example_run.PASSING.run.entries, **changes))


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_is_written_is_read_back(tmp_path: Path, example: RunFile) -> None:
    path = runs.write(example, tmp_path / "reports" / "a run")
    assert runs.read(path) == example
    assert runs.read(path.parent) == example
    assert [p.name for p in path.parent.iterdir()] == ["run.json"]


def test_a_write_that_fails_leaves_the_old_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = runs.write(example_run.PASSING, tmp_path)

    def full(_self: Path, _target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        runs.write(example_run.EMPTY, tmp_path)
    monkeypatch.undo()
    assert runs.read(path) == example_run.PASSING
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


SPOILT = [
    (with_entries(compared=7), "compared is 7, but informative, .* add up to 1204331"),
    (with_entries(not_compared=-1), "not_compared is -1; a count is not negative"),
    (with_entries(undecidable_by_design=124), "undecidable_by_design is 124, more than the 123"),
    (with_run(exit=Exit(code=9, reason="")), "run.exit.code is 9, must be from 0 to 6"),
]


@pytest.mark.parametrize(("example", "message"), SPOILT)
def test_a_record_at_odds_with_itself_is_refused(tmp_path: Path, example: RunFile, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        runs.write(example, tmp_path)
    path = tmp_path / "run.json"
    assert not path.exists()
    path.write_bytes(example.to_json())
    with pytest.raises(SpecError, match=message):
        runs.read(path)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_cannot_hold_is_refused_by_name(tmp_path: Path, number: float) -> None:
    pair = replace(example_run.PASSING.run.agreement[0], worst_ulps=number)
    with pytest.raises(SpecError, match=r"run\.agreement\[0\]\.worst_ulps is (nan|inf)"):
        runs.write(with_run(agreement=(pair,)), tmp_path)


PAIR, FINDING = example_run.PASSING.run.agreement[0], example_run.GELU
ENTRY = FINDING.entries[0]
# fmt: off
NO_NUMBERS = [  # where a number may be spelled as a text, a record that spells it wrong
    ("agreement[0].worst_bounds", with_run(agreement=(replace(PAIR, worst_bounds="NaN"),))),
    ("agreement[0].worst_ulps", with_run(agreement=(replace(PAIR, worst_ulps="NaN"),))),
    ("findings[0].entries[0].error", with_run(findings=(replace(FINDING, entries=(replace(ENTRY, error="NaN"),)),))),
    ("findings[0].entries[0].bound", with_run(findings=(replace(FINDING, entries=(replace(ENTRY, bound="NaN"),)),))),
    ("findings[0].entries[0].values.jax",
     with_run(findings=(replace(FINDING, entries=(replace(ENTRY, values={"jax": "NaN"}),)),))),
    ("findings[0].taylor.claimed_remainders",
     with_run(findings=(replace(FINDING, taylor=replace(FINDING.taylor, claimed_remainders=("NaN",))),))),
    ("findings[0].taylor.reference_remainders",
     with_run(findings=(replace(FINDING, taylor=replace(FINDING.taylor, reference_remainders=("NaN",))),))),
    ("findings[0].own_taylor.claimed_remainders",
     with_run(findings=(replace(FINDING, own_taylor=replace(FINDING.taylor, claimed_remainders=("NaN",))),))),
]
# fmt: on


@pytest.mark.parametrize(("place", "example"), NO_NUMBERS)
def test_a_text_that_is_no_number_is_refused_where_it_is_written_and_read(
    tmp_path: Path, place: str, example: RunFile
) -> None:
    message = re.escape(f"run.{place} is 'NaN', must be a number or one of 'nan', 'inf', '-inf'")
    with pytest.raises(SpecError, match=message):
        runs.write(example, tmp_path)
    (tmp_path / "run.json").write_bytes(example.to_json())
    with pytest.raises(SpecError, match=message):
        runs.read(tmp_path)


def test_every_field_that_may_be_a_text_number_is_checked() -> None:
    """The check lists them by hand; the schema says which there are."""
    found = {
        f"{name}.{field}"
        for name, struct in schema()["$defs"].items()
        for field, kind in struct.get("properties", {}).items()
        if _holds_number_or_text(kind)
    }
    assert found == {
        "Agreement.worst_bounds",
        "Agreement.worst_ulps",
        "Convention.values",
        "EntryRecord.values",
        "EntryRecord.error",
        "EntryRecord.bound",
        "Taylor.claimed_remainders",
        "Taylor.reference_remainders",
    }


def _holds_number_or_text(kind: dict[str, Any]) -> bool:
    inner = kind.get("items") or kind.get("additionalProperties") or kind
    if not isinstance(inner, dict):
        return False
    options = inner.get("anyOf", ())
    return any(o.get("type") == "number" for o in options) and any(
        o.get("type") == "string" or "enum" in o for o in options
    )


def test_a_setting_without_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="has no JSON"):
        runs.write(with_run(settings={"f": object()}), tmp_path)


# fmt: off
BROKEN = [  # the file's bytes, what the message says
    (b"", "not a run's record: Input data was truncated"),
    (b"[]", "Expected `object`, got `array`"),
    (b"\xff\xfe", "not a run's record"),
    (b'{"run": {"schema": "crosscheck-run-9"}, "measured": {"started": ""}}', "schema is 'crosscheck-run-9'"),
    (b'{"run": {"schema": "crosscheck-run-1"}, "measured": {"started": ""}}', "missing required field"),
]
# fmt: on


@pytest.mark.parametrize(("data", "message"), BROKEN)
def test_a_broken_file_is_named_with_what_is_wrong(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(data)
    with pytest.raises(SpecError, match=message) as caught:
        runs.read(path)
    assert str(path) in str(caught.value)


def test_an_unknown_field_is_refused(tmp_path: Path) -> None:
    path = runs.write(example_run.PASSING, tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"cases": 400', b'"cases": 400, "casez": 1', 1))
    with pytest.raises(SpecError, match="unknown field `casez`"):
        runs.read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="nowhere: cannot be read: No such file"):
        runs.read(tmp_path / "nowhere")


def started(moment: str) -> RunFile:
    measured = msgspec.structs.replace(example_run.MEASURED, started=moment)
    return msgspec.structs.replace(example_run.PASSING, measured=measured)


def test_the_latest_run_is_the_one_that_started_last(tmp_path: Path) -> None:
    runs.write(started("2025-01-31T12:00:00Z"), tmp_path / "b")
    runs.write(started("2025-01-31T13:30:00+02:00"), tmp_path / "c")  # 11:30 UTC
    runs.write(started("2025-01-31T11:59:00"), tmp_path / "a")
    assert runs.latest(tmp_path) == tmp_path / "b"


def test_no_run_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="holds no run"):
        runs.latest(tmp_path)
    with pytest.raises(SpecError, match="holds no run"):
        runs.latest(tmp_path / "missing")


def test_an_unreadable_run_is_not_passed_over(tmp_path: Path) -> None:
    runs.write(example_run.PASSING, tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "run.json").write_text("{")
    with pytest.raises(SpecError, match=r"b/run\.json"):
        runs.latest(tmp_path)


def test_a_start_that_is_no_time_is_named(tmp_path: Path) -> None:
    runs.write(started("yesterday"), tmp_path / "a")
    with pytest.raises(SpecError, match=r"measured\.started is 'yesterday'"):
        runs.latest(tmp_path)

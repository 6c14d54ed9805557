"""The record of a run: what a real run writes is what the published schema says, and reads back as it was."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pytest
from builders import Wrong, changed, off_by

from crosscheck import session
from crosscheck.spec import Case, Gradients
from crosscheck.spec.record import SCHEMA, RunFile, number, schema
from crosscheck.store import runs

SETTINGS: dict[str, Any] = {"examples": 3, "points": 2, "oracles": ("torch", "differences")}


def infinite(_case: Case, gradients: Gradients) -> Gradients:
    return changed(gradients, "0.weight", lambda g: np.full_like(g, np.inf))


SUBJECTS = {
    "doubled": off_by("0.weight", 2.0),
    "infinite": Wrong(infinite, name="infinite"),
    "right": off_by("0.weight", 1.0),
}


@pytest.fixture(scope="module", params=sorted(SUBJECTS))
def outcome(request: pytest.FixtureRequest) -> session.Outcome:
    return session.verify(
        session.Settings(subject=SUBJECTS[request.param], architecture="x[2] -> dense(2) -> sse", **SETTINGS)
    )


@pytest.fixture(scope="module")
def failing() -> dict[str, Any]:
    """The JSON of a run with a finding."""
    settings = session.Settings(subject=SUBJECTS["doubled"], architecture="x[2] -> dense(2) -> sse", **SETTINGS)
    return json.loads(session.verify(settings).run_file.to_json())


def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema())


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema()["title"] == SCHEMA == "crosscheck-run-1"


def test_a_real_run_is_what_the_schema_says(outcome: session.Outcome, tmp_path: Path) -> None:
    saved = session.save(outcome, tmp_path)
    text = (tmp_path / "run.json").read_bytes()
    validator().validate(json.loads(text))
    assert runs.read(tmp_path) == saved.run_file
    assert RunFile.from_json(text).to_json() == text


def test_strict_json_holds_it(outcome: session.Outcome) -> None:
    """NaN and Infinity are no JSON; Python's reader would let them pass."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} in run.json")

    json.loads(outcome.run_file.to_json(), parse_constant=refuse)


def test_the_runs_are_those_that_were_meant(failing: dict[str, Any]) -> None:
    assert failing["run"]["verdicts"] == {"DISAGREES": 3}
    (finding,) = failing["run"]["findings"]
    assert (finding["tensor"], finding["op"], finding["node"]) == ("0.weight", "dense", 0)


@pytest.mark.parametrize("change", [
    lambda run: run.pop("seed"),
    lambda run: run.update(unknown=1),
    lambda run: run.update(seed="7"),
    lambda run: run.update(cases=2.5),
    lambda run: run["findings"][0].pop("replay"),
    lambda run: run["findings"][0].update(likely="no such field"),
    lambda run: run["findings"][0]["entries"][0].update(index=["0", "1"]),
    lambda run: run["entries"].update(compared=None),
    lambda run: run["exit"].update(code="1"),
])  # fmt: skip
def test_the_schema_and_the_reader_refuse_the_same(failing: dict[str, Any], change: Any) -> None:
    broken = copy.deepcopy(failing)
    change(broken["run"])
    with pytest.raises(jsonschema.ValidationError):
        validator().validate(broken)
    with pytest.raises(msgspec.ValidationError):
        RunFile.from_json(json.dumps(broken).encode())


@pytest.mark.parametrize(("value", "kept"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf")])
def test_what_json_has_no_number_for_survives(failing: dict[str, Any], value: float, kept: str) -> None:
    run_file = RunFile.from_json(json.dumps(failing).encode())
    finding = run_file.run.findings[0]
    entry = msgspec.structs.replace(finding.entries[0], error=number(value), values={"subject": number(value)})
    finding = msgspec.structs.replace(finding, entries=(entry,))
    changed_file = msgspec.structs.replace(run_file, run=msgspec.structs.replace(run_file.run, findings=(finding,)))
    again = RunFile.from_json(changed_file.to_json())
    assert again == changed_file
    assert again.run.findings[0].entries[0].values == {"subject": kept}
    assert str(float(again.run.findings[0].entries[0].error)) == str(value)
    validator().validate(json.loads(changed_file.to_json()))


@pytest.mark.parametrize("value", [0.0, -0.0, 5e-324, 0.1, 1.7976931348623157e308, -1])
def test_finite_numbers_are_kept_exactly(value: float) -> None:
    again = msgspec.json.decode(msgspec.json.encode(number(value)))
    assert math.copysign(1.0, again) == math.copysign(1.0, value)
    assert again == value


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b'{"run": "\x80"}', b"[]", b"[" * 100_000, b'{"run": 1}'])
def test_garbage_is_refused_by_one_exception(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        RunFile.from_json(data)

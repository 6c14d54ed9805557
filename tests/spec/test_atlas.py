"""The record of the atlas: an exact round trip, and nothing else is read."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from report import atlas_example

from crosscheck.spec.atlas import AtlasFile
from crosscheck.spec.errors import SpecError

FILE = atlas_example.FILE


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    assert AtlasFile.from_json(FILE.to_json()) == FILE
    path = tmp_path / "accuracy.json"
    path.write_bytes(FILE.to_json())
    assert AtlasFile.load(path).to_json() == FILE.to_json()


def test_ops_dtypes_and_implementations_in_their_order() -> None:
    assert FILE.atlas.ops == ("sigmoid", "gelu(approximate=tanh)", "huber")
    assert FILE.atlas.dtypes == ("float64", "float32")
    assert FILE.atlas.implementations == ("hand-written", "torch", "jax")


def test_another_schema_is_refused() -> None:
    other = replace(FILE, atlas=replace(FILE.atlas, schema="crosscheck-accuracy-2"))
    with pytest.raises(SpecError, match=r"schema is 'crosscheck-accuracy-2'; this crosscheck reads"):
        AtlasFile.from_json(other.to_json())


def test_what_is_no_record_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"x\.json: this is no atlas of accuracy"):
        AtlasFile.from_json(b"{}", "x.json")
    with pytest.raises(SpecError, match="no atlas of accuracy"):
        AtlasFile.from_json(b"\xff")
    with pytest.raises(SpecError, match="cannot be read"):
        AtlasFile.load(tmp_path / "none.json")


def test_an_unknown_field_is_refused() -> None:
    plain = msgspec.to_builtins(FILE)
    plain["atlas"]["extra"] = 1
    with pytest.raises(SpecError, match="unknown field `extra`"):
        AtlasFile.from_json(msgspec.json.encode(plain))


def changed(**fields: object) -> bytes:
    first, *others = FILE.atlas.columns
    column = msgspec.to_builtins(first) | fields
    plain = msgspec.to_builtins(FILE)
    plain["atlas"]["columns"] = [column, *(msgspec.to_builtins(c) for c in others)]
    return msgspec.json.encode(plain)


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"absolute": {"error": "much", "at": 1.0}}, r"atlas\.columns\[0\]\.absolute is 'much'"),
        ({"curve": [1.0, "lots", 1.0, 1.0, 1.0]}, r"atlas\.columns\[0\]\.curve is 'lots'"),
        ({"curve": [1.0]}, r"atlas\.columns\[0\]\.curve has 1 numbers for 6 edges"),
        ({"lost_values": [{"low": 1.0, "high": 2.0, "largest": "x"}]}, r"columns\[0\]\.lost is 'x'"),
        (
            {"value": {"points": 1, "worst": {"error": "?", "at": 1.0}, "normal": None, "median": 1.0}},
            r"columns\[0\]\.value\.worst is '\?', must be a number or one of 'nan', 'inf', '-inf'",
        ),
    ],
)
def test_a_text_that_is_no_number_and_a_curve_of_another_length_are_refused(
    fields: dict[str, object], what: str
) -> None:
    with pytest.raises(SpecError, match=what):
        AtlasFile.from_json(changed(**fields))


def test_edges_must_ascend() -> None:
    other = replace(FILE, atlas=replace(FILE.atlas, edges=tuple(reversed(FILE.atlas.edges))))
    with pytest.raises(SpecError, match="edges must ascend"):
        AtlasFile.from_json(other.to_json())

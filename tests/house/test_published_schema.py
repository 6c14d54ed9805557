"""The schema that is published is that of the record; `python -m crosscheck.spec.record` writes it anew."""

from __future__ import annotations

import json
from pathlib import Path

import crosscheck.spec.record as record

PUBLISHED = Path(record.__file__).with_name("run.schema.json")


def test_the_published_schema_is_that_of_the_record() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == record.schema_text(), "run: python -m crosscheck.spec.record"


def test_the_published_schema_is_json() -> None:
    assert json.loads(PUBLISHED.read_text(encoding="utf-8"))["title"] == record.SCHEMA

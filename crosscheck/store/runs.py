"""Runs on disk: `reports/<run>/run.json` is the truth from which every other format is made.

A record is checked before it is written and after it is read: a number that JSON cannot hold, a text that is
no number, or counts that do not add up, are no evidence.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from crosscheck.spec.errors import SpecError
from crosscheck.spec.record import SCHEMA, Entries, Number, Run, RunFile

FILE = "run.json"
EXIT_CODES = range(7)
# How a record spells what JSON has no number for (spec.record.number).
NOT_FINITE = ("nan", "inf", "-inf")


class _Version(msgspec.Struct):
    schema: str


class _Start(msgspec.Struct):
    started: str


class _Head(msgspec.Struct):
    """The few fields that must be known before the rest can be read; the others are passed over."""

    run: _Version
    measured: _Start


def write(run_file: RunFile, folder: Path) -> Path:
    """Write `folder/run.json`, whole or not at all, and return its path.

    Raises SpecError naming the field when the record could not be read back as it is.
    """
    path = folder / FILE
    data = encoded(run_file, path)
    folder.mkdir(parents=True, exist_ok=True)
    replace(path, data)
    return path


def replace(path: Path, data: bytes) -> None:
    """Put `data` at `path` in one step: a reader sees the old file or the new one, never a part."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read(place: Path) -> RunFile:
    """The record at `place`, a run.json or the folder that holds one.

    Raises SpecError naming the file and what is wrong with it.
    """
    path = place / FILE if place.is_dir() else place
    data = _bytes(path)
    head = _head(data, path)
    if head.run.schema != SCHEMA:
        raise SpecError(f"{path}: schema is {head.run.schema!r}; this crosscheck reads {SCHEMA!r}")
    try:
        run_file = RunFile.from_json(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: this is not a run's record: {error}") from None
    _check(run_file, path)
    return run_file


def latest(reports: Path) -> Path:
    """The folder of the run that started last.

    A record that cannot be read is not passed over, for it may be the newest: SpecError names it.
    """
    found = sorted(reports.glob(f"*/{FILE}"))
    if not found:
        raise SpecError(f"{reports}: holds no run (a run is a folder with a {FILE}); name one, or run crosscheck first")
    return max(found, key=lambda path: (_started(path), path)).parent


def _started(path: Path) -> datetime:
    text = _head(_bytes(path), path).measured.started
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SpecError(f"{path}: measured.started is {text!r}, must be a time such as 2025-01-31T12:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}") from None


def _head(data: bytes, path: Path) -> _Head:
    try:
        return msgspec.json.decode(data, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: this is not a run's record: {error}") from None


def encoded(run_file: RunFile, path: Path) -> bytes:
    """The bytes of a record that will stand at `path`.

    JSON writes infinity and NaN as null, which would read as "not asked": outside the fields that spell them as
    texts they are refused. Raises SpecError naming the field.
    """
    try:
        plain = msgspec.to_builtins(run_file)
        data = run_file.to_json()
    except (TypeError, ValueError, OverflowError) as error:
        raise SpecError(f"{path}: this record has no JSON: {error}") from None
    for place, value in _numbers(plain, ""):
        if not math.isfinite(value):
            raise SpecError(
                f"{path}: {place} is {value}; JSON holds finite numbers only, others are spelled {_spelled()}"
            )
    _check(run_file, path)
    return data


def _numbers(value: Any, place: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, float):
        yield place, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _numbers(item, f"{place}[{index}]")


def _check(run_file: RunFile, path: Path) -> None:
    if run_file.run.exit.code not in EXIT_CODES:
        raise SpecError(f"{path}: run.exit.code is {run_file.run.exit.code}, must be from 0 to 6")
    _check_counts(run_file.run.entries, path)
    for place, value in _spelt_numbers(run_file.run):
        if isinstance(value, str) and value not in NOT_FINITE:
            raise SpecError(f"{path}: run.{place} is {value!r}, must be a number or one of {_spelled()}")


def _spelled() -> str:
    return ", ".join(repr(name) for name in NOT_FINITE)


def _spelt_numbers(run: Run) -> Iterator[tuple[str, Number | None]]:
    """The numbers that may be texts, with their places."""
    for i, pair in enumerate(run.agreement):
        yield f"agreement[{i}].worst_bounds", pair.worst_bounds
        yield f"agreement[{i}].worst_ulps", pair.worst_ulps
    for i, convention in enumerate(run.conventions):
        yield from ((f"conventions[{i}].values.{party}", value) for party, value in convention.values.items())
    for i, finding in enumerate(run.findings):
        for j, entry in enumerate(finding.entries):
            place = f"findings[{i}].entries[{j}]"
            yield f"{place}.error", entry.error
            yield f"{place}.bound", entry.bound
            yield from ((f"{place}.values.{party}", value) for party, value in entry.values.items())
        for name, taylor in (("taylor", finding.taylor), ("own_taylor", finding.own_taylor)):
            if taylor is not None:
                place = f"findings[{i}].{name}"
                yield from ((f"{place}.claimed_remainders", value) for value in taylor.claimed_remainders)
                yield from ((f"{place}.reference_remainders", value) for value in taylor.reference_remainders)


def _check_counts(entries: Entries, path: Path) -> None:
    counts = msgspec.structs.asdict(entries)
    for name, count in counts.items():
        if count < 0:
            raise SpecError(f"{path}: run.entries.{name} is {count}; a count is not negative")
    parts = entries.informative + entries.uninformative + entries.undecidable + entries.disagreeing
    if parts != entries.compared:
        raise SpecError(
            f"{path}: run.entries.compared is {entries.compared}, but informative, uninformative, undecidable "
            f"and disagreeing entries add up to {parts}"
        )
    for name in ("undecidable_by_design", "overflowed"):
        if counts[name] > entries.undecidable:
            raise SpecError(
                f"{path}: run.entries.{name} is {counts[name]}, "
                f"more than the {entries.undecidable} that are undecidable at all"
            )
    if entries.void > entries.disagreeing:
        raise SpecError(f"{path}: run.entries.void is {entries.void}, more than the {entries.disagreeing} disagreeing")
    if entries.certified > entries.compared:
        raise SpecError(
            f"{path}: run.entries.certified is {entries.certified}, more than the {entries.compared} compared at all"
        )

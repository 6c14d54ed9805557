"""A record in the formats that reports come in, each a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from crosscheck.report import html
from crosscheck.report.sections import beside
from crosscheck.spec.atlas import FILE as ACCURACY
from crosscheck.spec.atlas import AtlasFile
from crosscheck.spec.errors import SpecError, UsageError
from crosscheck.spec.kills import FILE as SELFTEST
from crosscheck.spec.kills import SelftestFile
from crosscheck.spec.power import FILE as POWER
from crosscheck.spec.power import PowerFile
from crosscheck.spec.record import RunFile
from crosscheck.store import runs

# Usual name, and the bytes for a record whose run has this folder, written to this file.
FORMATS: dict[str, tuple[str, Callable[[RunFile, Path, Path], bytes]]] = {
    "html": ("index.html", lambda run_file, folder, target: _page(run_file, folder, target)),
    "json": (runs.FILE, lambda run_file, _, target: runs.encoded(run_file, target)),
}
T = TypeVar("T")


def write(run_file: RunFile, format_name: str, *, folder: Path, path: Path | None = None) -> Path:
    """Write one format to `path`, by default under its usual name in the run's folder; return where it stands.

    `folder` is the run's: a report elsewhere names the run's files from where it stands itself.
    Raises UsageError for an unknown format, or where the file cannot be written, and SpecError for a record
    that JSON cannot hold.
    """
    if format_name not in FORMATS:
        raise UsageError(f"report format is {format_name!r}, must be one of {', '.join(FORMATS)}")
    name, render = FORMATS[format_name]
    target = folder / name if path is None else path
    data = render(run_file, folder, target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and (target.is_symlink() or not target.is_file()):
            target.write_bytes(data)  # through a link, a pipe or a device, never over it
        else:
            runs.replace(target, data)
    except OSError as error:
        raise UsageError(f"report {target}: cannot be written: {error.strerror}") from None
    return target


def broken_beside(folder: Path) -> tuple[str, ...]:
    """What stands beside the run of this folder and the page cannot show: a sentence each."""
    return beside.broken(_beside(folder))


def _page(run_file: RunFile, folder: Path, target: Path) -> bytes:
    """The page, with what stands beside the runs in the folder of reports."""
    found = _beside(folder)
    seen = _seen(folder, target)
    page = html.render(run_file, folder=seen, accuracy=found.accuracy, power=found.power, selftest=found.selftest)
    return page.encode()


def _beside(folder: Path) -> beside.Records:
    reports = Path(os.path.normpath(folder / ".."))
    return beside.Records(
        accuracy=_read(reports / ACCURACY, AtlasFile.load),
        power=_read(reports / POWER, PowerFile.load),
        selftest=_read(reports / SELFTEST, SelftestFile.load),
    )


def _read(path: Path, load: Callable[[Path], T]) -> T | str | None:
    """A record; None where there is no such file, and in words why it cannot be read."""
    if not os.path.lexists(path):
        return None
    try:
        return load(path)
    except SpecError as error:
        return str(error)


def _seen(folder: Path, target: Path) -> str:
    """The run's folder as seen from the report's; empty where they are the same."""
    try:
        path = Path(os.path.relpath(folder, target.parent))
    except ValueError:  # another drive of Windows: nothing leads there but the whole path
        path = folder.absolute()
    return "" if path == Path() else path.as_posix()

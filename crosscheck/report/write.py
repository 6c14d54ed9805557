"""A record in the formats that reports come in, each a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from crosscheck.report import html
from crosscheck.spec.errors import UsageError
from crosscheck.spec.record import RunFile
from crosscheck.store import runs

# Usual name, and the bytes for a record whose run has this folder, written to this file.
FORMATS: dict[str, tuple[str, Callable[[RunFile, Path, Path], bytes]]] = {
    "html": (
        "index.html",
        lambda run_file, folder, target: html.render(run_file, folder=_seen(folder, target)).encode(),
    ),
    "json": (runs.FILE, lambda run_file, _, target: runs.encoded(run_file, target)),
}


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


def _seen(folder: Path, target: Path) -> str:
    """The run's folder as seen from the report's; empty where they are the same."""
    try:
        path = Path(os.path.relpath(folder, target.parent))
    except ValueError:  # another drive of Windows: nothing leads there but the whole path
        path = folder.absolute()
    return "" if path == Path() else path.as_posix()

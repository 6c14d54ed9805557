"""A record in the formats that reports come in, each a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from crosscheck.report import html
from crosscheck.spec.errors import UsageError
from crosscheck.spec.record import RunFile
from crosscheck.store import runs

FORMATS: dict[str, tuple[str, Callable[[RunFile], bytes]]] = {
    "html": ("index.html", lambda run_file: html.render(run_file).encode()),
    "json": (runs.FILE, RunFile.to_json),
}


def write(run_file: RunFile, format_name: str, *, folder: Path, path: Path | None = None) -> Path:
    """Write one format to `path`, by default under its usual name in the run's folder; return where it stands.

    Raises UsageError for an unknown format, or where the file cannot be written.
    """
    if format_name not in FORMATS:
        raise UsageError(f"report format is {format_name!r}, must be one of {', '.join(FORMATS)}")
    name, render = FORMATS[format_name]
    target = folder / name if path is None else path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        runs.replace(target, render(run_file))
    except OSError as error:
        raise UsageError(f"report {target}: cannot be written: {error.strerror}") from None
    return target

"""`crosscheck accuracy`: how far each implementation's values and derivatives are off, and where."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click

DTYPES = ("float64", "float32")


@click.command(short_help="An atlas of the accuracy of every activation and loss.")
@click.option("--ops", help="Comma-separated activations and losses.  [default: all]")
@click.option("--dtype", default=",".join(DTYPES), show_default=True, help="Comma-separated: float64, float32.")
@click.option("--points", type=click.IntRange(min=100), default=6000, show_default=True, help="Points an activation.")
@click.option("--report", metavar="html[=PATH]", default="html", help="Where the page goes, if not in --reports-dir.")
@click.option("--no-progress", is_flag=True, help="No progress on stderr.")
@click.option("--reports-dir", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)
def accuracy(ops: str | None, dtype: str, points: int, report: str, no_progress: bool, reports_dir: Path) -> None:
    """Hold the hand-written rules, PyTorch and JAX against certified values and derivatives, over the whole range.

    Needs python-flint. Writes accuracy.json and accuracy.html into --reports-dir.
    """
    from crosscheck.accuracy import measure
    from crosscheck.machine import environment, versions
    from crosscheck.report import atlas as pages
    from crosscheck.spec.atlas import AtlasFile
    from crosscheck.spec.record import Measured
    from crosscheck.store import atlas as store

    page = _page(report) or reports_dir / pages.PAGE
    started, clock = datetime.now(UTC), time.perf_counter()
    found = measure.atlas(
        _names(ops) if ops is not None else None, _dtypes(dtype), points, None if no_progress else _progress()
    )
    seconds = time.perf_counter() - clock
    measured = Measured(
        started=started.isoformat(timespec="seconds").replace("+00:00", "Z"),
        seconds=seconds,
        seconds_by_part={"survey": seconds},
        versions=versions(),
        environment=environment(),
    )
    file = AtlasFile(atlas=found, measured=measured)
    record, page = store.write(file, reports_dir), pages.write(file, page)
    _print(pages.text(file, width=_width(), color=_color()))
    click.echo(f"record  {record}\nreport  {page}")


def _names(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not names:
        raise click.UsageError("--ops is empty; name an activation or a loss, or leave it out for all")
    return names


def _dtypes(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for name in names:
        if name not in DTYPES:
            raise click.UsageError(f"--dtype: {name!r} is not one of {', '.join(DTYPES)}, in which the atlas is drawn")
    if not names:
        raise click.UsageError(f"--dtype is empty; name one of {', '.join(DTYPES)}")
    return names


def _page(report: str) -> Path | None:
    name, equals, path = report.partition("=")
    if name != "html" or (equals and not path):
        raise click.UsageError(f"--report: {report!r} is not html or html=PATH")
    return Path(path) if path else None


def _color() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _width() -> int:
    import shutil

    return shutil.get_terminal_size((120, 24)).columns if sys.stdout.isatty() else 120


def _print(text: str) -> None:
    click.echo(text, nl=False, color=_color())


def _progress() -> Callable[[int, int, str], None]:
    """A line on stderr now and then; on a terminal, one line that is written over."""
    last = time.monotonic()
    alive = sys.stderr.isatty() and "CI" not in os.environ

    def tell(done: int, total: int, what: str) -> None:
        nonlocal last
        now = time.monotonic()
        if alive:
            click.echo(f"\r\x1b[K{done}/{total} {what}", err=True, nl=False)
            if done + 1 == total:
                click.echo("\r\x1b[K", err=True, nl=False)
        elif now - last >= 10.0:
            last = now
            click.echo(f"{done}/{total} {what}", err=True)

    return tell

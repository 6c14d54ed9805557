"""`crosscheck selftest`: the proof that it can fail."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from crosscheck.selftesting import SoFar
    from crosscheck.spec.kills import SelftestFile

PROFILES = ("quick", "ci", "nightly")
FORMATS = ("html", "json")
Tell = Callable[["SoFar"], None]


@click.command(short_help="Plant every known bug: each must be caught and named.")
@click.option("--profile", type=click.Choice(PROFILES), default="quick", show_default=True, help="How much to ask.")
@click.option("--only", metavar="TEXT", help="Bugs and controls with this in their names.  [default: all]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed, same networks.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes; 1 is this one.  [default: one for each core]")
@click.option("--report", "reports", multiple=True, metavar="FORMAT[=PATH]", help="html, json; repeatable.")
@click.option("-q", "--quiet", is_flag=True, help="Print the last line alone.")
@click.option("--no-progress", is_flag=True, help="No progress on stderr.")
@click.option("--reports-dir", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)
@click.pass_context
def selftest(
    ctx: click.Context,
    profile: str,
    only: str | None,
    seed: int,
    workers: int | None,
    reports: tuple[str, ...],
    quiet: bool,
    no_progress: bool,
    reports_dir: Path,
) -> None:
    """Plant every known bug in the built-in backprop: each must be caught, and no control accused.

    quick asks whether a bug is caught, over at most 400 networks; ci also shrinks, locates and names it; nightly goes
    on to 1,000. Needs python-flint. Writes selftest.json and selftest.html into --reports-dir.
    """
    wanted = _reports(reports)
    _check_writable(reports_dir)
    from crosscheck import gate, selftesting

    settings = selftesting.Settings(profile, seed, workers or selftesting.cores(), only)
    with _progress(shown=not (no_progress or quiet)) as tell:
        file = selftesting.verify(settings, tell)
    written = _write(file, wanted, reports_dir)
    _print(file, quiet=quiet)
    if not quiet:
        click.echo("\n".join(f"{kind:<8}{path}" for kind, path in written))
    ctx.exit(gate.of_selftest(file.selftest).code)


def _reports(asked: tuple[str, ...]) -> tuple[tuple[str, Path | None], ...]:
    result = []
    for item in asked:
        name, equals, path = item.partition("=")
        if name not in FORMATS or (equals and not path):
            raise click.UsageError(f"--report: {item!r} is not FORMAT or FORMAT=PATH with one of {', '.join(FORMATS)}")
        result.append((name, Path(path) if path else None))
    return tuple(result) or (("html", None),)


def _check_writable(folder: Path) -> None:
    """Refuse before the hunt what could not be written after it."""
    existing = next((p for p in (folder, *folder.absolute().parents) if p.exists()), Path("/"))
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise click.UsageError(f"--reports-dir {folder}: {existing} is no folder that can be written to")


def _write(file: SelftestFile, wanted: tuple[tuple[str, Path | None], ...], folder: Path) -> list[tuple[str, Path]]:
    """The record always, under its own name; and what was asked for besides."""
    from crosscheck.report import selftest as pages
    from crosscheck.store import selftest as store

    written = [("record", store.write(file, folder))]
    for name, path in wanted:
        if name == "html":
            written.append(("report", pages.write(file, path or folder / pages.PAGE)))
        elif path is not None:
            written.append(("record", store.write_to(file, path)))
    return written


def _print(file: SelftestFile, *, quiet: bool) -> None:
    import shutil

    from crosscheck.report import selftest as pages

    if quiet:
        click.echo(pages.summary(file), nl=False)
        return
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    width = shutil.get_terminal_size((120, 24)).columns if sys.stdout.isatty() else 120
    click.echo(pages.text(file, width=width, color=color), nl=False, color=color)


@contextmanager
def _progress(*, shown: bool) -> Iterator[Tell]:
    """Progress with rate and remaining time on stderr; a line now and then where stderr is no terminal."""
    if not shown:
        yield lambda _so_far: None
    elif sys.stderr.isatty() and "CI" not in os.environ:
        with _bar() as tell:
            yield tell
    else:
        yield _lines()


@contextmanager
def _bar() -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("selftest", total=None, rate="")

        def tell(so_far: SoFar) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:.1f}/s" if speed else ""
            wrong = f" · {so_far.wrong} to look at" if so_far.wrong else ""
            bar.update(task, completed=so_far.done, total=so_far.total, rate=rate + wrong)

        yield tell


def _lines() -> Tell:
    start = last = time.monotonic()

    def tell(so_far: SoFar) -> None:
        nonlocal last
        now = time.monotonic()
        if so_far.done and now - last >= 10.0:
            last = now
            rate = so_far.done / (now - start)
            left = (so_far.total - so_far.done) / rate
            click.echo(f"{so_far.done}/{so_far.total} bugs · {rate:.1f}/s · {left:.0f} s left", err=True)

    return tell

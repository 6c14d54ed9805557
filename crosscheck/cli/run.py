"""`crosscheck run`: verify a subject over random networks, or over one."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crosscheck.cli.config import configured

if TYPE_CHECKING:
    from crosscheck.search import Hunt
    from crosscheck.session import Outcome, Settings

PROFILES = ("quick", "ci", "nightly")
CERTIFY = ("every", "sample", "suspects")


@click.command(short_help="Verify a backprop over random networks.")
@click.argument("subject", default="builtin")
@click.option("--profile", type=click.Choice(PROFILES), default="quick", show_default=True, help="How much to check.")
@click.option("--oracles", help="Comma-separated: ball, torch, jax, differences.  [default: all that are installed]")
@click.option("--certify", type=click.Choice(CERTIFY), default="every", show_default=True, help="Points to prove.")
@click.option(
    "--dtype", default="float64", show_default=True, help="Comma-separated: float64, float32, float16, bfloat16."
)
@click.option("--ops", help="Comma-separated operations to draw from, such as dense,tanh,sse.")
@click.option("--architecture", help='One network; * is a drawn size: "x[*,4] -> dense(8) -> tanh -> sse".')
@click.option("--max-examples", type=click.IntRange(min=0), help="Networks to check.  [default: by profile]")
@click.option("--points", type=click.IntRange(min=1), default=8, show_default=True, help="Value points a network.")
@click.option("--time-budget", type=click.FloatRange(min=0), help="Seconds after which no new network is begun.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed, same cases.")
@click.option("--report", "reports", multiple=True, metavar="FORMAT[=PATH]", help="html, json; repeatable.")
@click.option("--fail-on", "fail_on", multiple=True, help="Also fail on: oracle, undecidable, unchecked.")
@click.option("-x", "first_failure", is_flag=True, help="Stop at the first failure.")
@click.option("-q", "--quiet", is_flag=True, help="Print the last line alone.")
@click.option("-v", "--verbose", is_flag=True, help="Print settings, verdicts and timing too.")
@click.option("--no-progress", is_flag=True, help="No progress on stderr.")
@click.option("--reports-dir", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)
@click.pass_context
def run(ctx: click.Context, /, **options: Any) -> None:
    """Verify SUBJECT: the built-in backprop (default), package.module:callable, or torch, jax, sklearn-mlp."""
    options = configured(ctx, options)
    from crosscheck import session

    settings = _settings(options)
    wanted = _reports(options["reports"])
    _check_writable(options["reports_dir"])
    with _progress(settings, shown=not (options["no_progress"] or options["quiet"])) as advance, _left_as_found():
        outcome = session.verify(settings, advance)
    folder = options["reports_dir"] / _run_name(outcome)
    outcome = session.save(outcome, folder)
    page = _write_reports(outcome, wanted, folder, options["reports_dir"])
    _print(outcome, page, folder, options)
    ctx.exit(outcome.exit.code)


def _settings(options: dict[str, Any]) -> Settings:
    from crosscheck.session import Settings
    from crosscheck.subjects.named import subject_named

    return Settings(
        subject=subject_named(options["subject"]),
        seed=options["seed"],
        profile=options["profile"],
        oracles=_names(options["oracles"]),
        dtypes=_dtypes(options["dtype"]),
        ops=_names(options["ops"]),
        architecture=options["architecture"],
        examples=options["max_examples"],
        points=options["points"],
        time_budget=_seconds(options["time_budget"]),
        fail_on=_fail_on(options["fail_on"]),
        first_failure=options["first_failure"],
        certify=options["certify"],
    )


@contextmanager
def _left_as_found() -> Iterator[None]:
    """The working directory and the standard streams stay those of the user, whatever the subject makes of them."""
    here, out, err = Path.cwd(), sys.stdout, sys.stderr
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err
        os.chdir(here)


def _check_writable(folder: Path) -> None:
    """Refuse before the run what could not be written after it."""
    existing = next((p for p in (folder, *folder.absolute().parents) if p.exists()), Path("/"))
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise click.UsageError(f"--reports-dir {folder}: {existing} is no folder that can be written to")


def _names(text: str | list[str] | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    parts = text.split(",") if isinstance(text, str) else text
    return tuple(part.strip() for part in parts if part.strip())


def _seconds(budget: float | None) -> float | None:
    if budget is not None and not math.isfinite(budget):
        raise click.UsageError(f"--time-budget: {budget} is not a finite number of seconds")
    return budget


def _dtypes(text: str | list[str]) -> tuple[str, ...]:
    from crosscheck.spec.dtypes import DTYPES, dtype_named

    names = _names(text) or ()
    for name in names:
        if name not in DTYPES:
            raise click.UsageError(f"--dtype: {name!r} is not one of {', '.join(DTYPES)}")
        dtype_named(name, "--dtype")
    if not names:
        raise click.UsageError(f"--dtype is empty; name one of {', '.join(DTYPES)}")
    return names


def _fail_on(names: tuple[str, ...]) -> tuple[str, ...]:
    from crosscheck.gate import FAIL_ON

    chosen = tuple(part for name in names for part in _names(name) or ())
    for name in chosen:
        if name not in FAIL_ON:
            raise click.UsageError(f"--fail-on: {name!r} is not one of {', '.join(FAIL_ON)}")
    return chosen


def _reports(asked: tuple[str, ...]) -> tuple[tuple[str, Path | None], ...]:
    from crosscheck.report.write import FORMATS

    result = []
    for item in asked:
        name, equals, path = item.partition("=")
        if name not in FORMATS or (equals and not path):
            raise click.UsageError(f"--report: {item!r} is not FORMAT or FORMAT=PATH with one of {', '.join(FORMATS)}")
        result.append((name, Path(path) if path else None))
    return tuple(result) or (("html", None),)


def _run_name(outcome: Outcome) -> str:
    """Start time, subject and seed; only letters that every file system takes."""
    run = outcome.run_file.run
    stamp = "".join(c for c in outcome.run_file.measured.started[:19] if c.isdigit() or c == "T")
    subject = "".join(c if c.isalnum() or c in "-_" else "-" for c in run.subject)[:60]
    return f"{stamp}-{subject}-{run.seed}"


def _write_reports(
    outcome: Outcome, wanted: tuple[tuple[str, Path | None], ...], folder: Path, root: Path
) -> str | None:
    """Write the formats asked for; the path of the page, which by default is the newest under reports/."""
    from crosscheck.report.write import write

    page = None
    for name, path in wanted:
        if name == "html" and path is None:
            path = root / "index.html"
        written = write(outcome.run_file, name, folder=folder, path=path)
        page = str(written) if name == "html" else page
    return page


def _print(outcome: Outcome, page: str | None, folder: Path, options: dict[str, Any]) -> None:
    import shutil

    from crosscheck.report import terminal
    from crosscheck.report.write import broken_beside

    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    width = shutil.get_terminal_size((120, 24)).columns if sys.stdout.isatty() else 120
    if options["quiet"]:
        click.echo(terminal.summary(outcome.run_file), nl=False)
    else:
        beside = broken_beside(folder) if page is not None else ()
        text = terminal.render(
            outcome.run_file, width=width, color=color, report=page, folder=str(folder), beside=beside
        )
        click.echo(text, nl=False, color=color)
    if options["verbose"]:
        click.echo(terminal.details(outcome.run_file, width=width), nl=False)


@contextmanager
def _progress(settings: Settings, *, shown: bool) -> Iterator[Callable[[int, Hunt], None]]:
    """Progress with rate and remaining time on stderr; a line now and then where stderr is no terminal."""
    if not shown:
        yield lambda _done, _hunt: None
    elif sys.stderr.isatty() and "CI" not in os.environ:
        with _bar(settings) as advance:
            yield advance
    else:
        yield _lines(settings)


@contextmanager
def _bar(settings: Settings) -> Iterator[Callable[[int, Hunt], None]]:
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
        task = bar.add_task(settings.subject.name, total=settings.limits.examples, rate="")

        def advance(done: int, hunt: Hunt) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:.1f}/s" if speed else ""
            failed = f" · {len(hunt.failures)} to look at" if hunt.failures else ""
            bar.update(task, completed=done, rate=rate + failed)

        yield advance


def _lines(settings: Settings) -> Callable[[int, Hunt], None]:
    import time

    start = last = time.monotonic()
    total = settings.limits.examples

    def advance(done: int, _hunt: Hunt) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= 10.0:
            last = now
            rate = done / (now - start)
            click.echo(f"{done}/{total} networks · {rate:.1f}/s · {(total - done) / rate:.0f} s left", err=True)

    return advance

"""`crosscheck gate RUN`: thresholds on a stored run, and nothing else."""

from __future__ import annotations

from pathlib import Path

import click

from crosscheck import gate as rules
from crosscheck.spec.record import Run
from crosscheck.store import runs

FRACTION = click.FloatRange(0, 1)
REPORTS = Path("reports")


@click.command("gate")
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--min-informative", type=FRACTION, metavar="FRACTION", help="Least informative share of the entries.")
@click.option(
    "--max-resolution",
    type=click.FloatRange(0, min_open=True),
    metavar="R",
    help="Largest 95th percentile of the resolution: the relative size of the smallest bug certainly seen.",
)
@click.option("--dtype", help="The dtype that --max-resolution is about; without it, each one.")
@click.option("--min-cases", type=click.IntRange(0), metavar="N", help="Least number of cases.")
@click.option("--require-oracle", multiple=True, metavar="NAME", help="This oracle must have answered; repeatable.")
@click.option(
    "--fail-on", multiple=True, type=click.Choice(list(rules.FAIL_ON)), help="Fail on this verdict too; repeatable."
)
@click.pass_context
def gate(
    ctx: click.Context,
    run: Path | None,
    min_informative: float | None,
    max_resolution: float | None,
    dtype: str | None,
    min_cases: int | None,
    require_oracle: tuple[str, ...],
    fail_on: tuple[str, ...],
) -> None:
    """Hold a stored RUN (a run.json or its folder; by default the newest in reports/) to thresholds.

    Exits 6 where one is not met; a run that failed or verified nothing keeps its own code.
    """
    if dtype is not None and max_resolution is None:
        raise click.UsageError("--dtype says what --max-resolution is about: give that too")
    place = run or runs.latest(REPORTS)
    record = runs.read(place).run
    thresholds = _thresholds(record, min_informative, max_resolution, dtype, min_cases, require_oracle)
    result = rules.judge(record, thresholds, fail_on=fail_on)
    click.echo(f"run  {place}")
    for line in _lines(thresholds):
        click.echo(line)
    click.echo(f"{'PASSED' if result.code == rules.AGREE else 'FAILED'}  exit {result.code}: {result.reason}")
    ctx.exit(result.code)


def _thresholds(
    record: Run,
    min_informative: float | None,
    max_resolution: float | None,
    dtype: str | None,
    min_cases: int | None,
    require_oracle: tuple[str, ...],
) -> list[rules.Threshold]:
    found: list[rules.Threshold] = []
    if min_cases is not None:
        found.append(rules.min_cases(record, min_cases))
    if min_informative is not None:
        found.append(rules.min_informative(record, min_informative))
    if max_resolution is not None:
        found.extend(rules.max_resolution(record, max_resolution, dtype))
    found.extend(rules.require_oracle(record, name) for name in require_oracle)
    return found


def _lines(thresholds: list[rules.Threshold]) -> list[str]:
    width = max((len(t.name) for t in thresholds), default=0)
    return [f"  {'✓ met    ' if t.met else '✗ not met'}  {t.name:<{width}}  {t.found} ({t.asked})" for t in thresholds]

"""`crosscheck replay`: one saved case again."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Run one saved case again.")
@click.argument("case", metavar="ID|FILE")
@click.option("--subject", help="Another subject than that of the run the case belongs to.")
@click.option("--oracles", help="Comma-separated: ball, torch, jax, differences.  [default: all that are installed]")
@click.option("--reports-dir", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)
@click.pass_context
def replay(ctx: click.Context, case: str, subject: str | None, oracles: str | None, reports_dir: Path) -> None:
    """Run the case of a finding (its ID, or a case file) again, and print the chain rule's terms.

    Exits as a run of this one case would.
    """
    import numpy as np

    from crosscheck import calling
    from crosscheck.checking import check
    from crosscheck.diagnosis import describe, slope
    from crosscheck.gate import exit_for
    from crosscheck.report import replay as text
    from crosscheck.search import FAILING
    from crosscheck.spec.case import Case
    from crosscheck.store.tally import Tally
    from crosscheck.subjects.named import subject_named

    path, older = _find(case, reports_dir)
    loaded = Case.load(path)
    name = subject or _subject_of(path) or "builtin"
    chosen = subject_named(name)
    asked = tuple(o.strip() for o in oracles.split(",")) if oracles else None
    called = calling.call_witnesses(asked, chosen.error_model)
    slopes = slope.Slopes()
    with np.errstate(all="ignore"):
        judgement = check(loaded, chosen, called.witnesses)
        where = describe.culprit(loaded.architecture, judgement)
        if judgement.verdict in FAILING:
            slopes = slope.of_failure(loaded, judgement, chosen, called.witnesses, where.tensor, judgement.verdict)
    entries = describe.entries(judgement, where.tensor)
    failed = judgement.suspects or judgement.contract is not None
    message = describe.message(judgement, where) if failed else ""
    if older:
        click.echo(_newest_of(path, older))
    click.echo(text.render(loaded, judgement, name, entries, message, slopes), nl=False)
    tally = Tally()
    tally.add(loaded, judgement)
    ending = exit_for(tally.verdicts, tally.entries(), only_differences_left=called.only_differences_left)
    click.echo(f"exit {ending.code}: {ending.reason}")
    ctx.exit(ending.code)


def _find(case: str, reports: Path) -> tuple[Path, list[Path]]:
    """The file that the argument names, or the newest finding of that id under the reports, and the older ones.

    An id is that of the case: other runs, and other subjects, may have failed at the same.
    """
    path = Path(case)
    if path.is_file():
        return path, []
    if not case.replace("-", "").isalnum():
        raise click.UsageError(f"there is no case file {case}")
    found = sorted(reports.glob(f"*/failures/{case}.npz"), key=lambda p: p.parent.parent.name)
    if not found:
        raise click.UsageError(f"{case!r} is neither a file nor the id of a finding under {reports}/*/failures/")
    return found[-1], found[:-1]


def _newest_of(path: Path, older: list[Path]) -> str:
    others = sorted({_subject_of(p) or "no subject known" for p in older})
    runs = f"{len(older)} older run{'s' if len(older) > 1 else ''}"
    return f"{path}; {runs} ({', '.join(others)}) found the same case: name the file for one of those\n"


def _subject_of(path: Path) -> str | None:
    """The subject of the run that the case file lies in, if it lies in one."""
    from crosscheck.store import runs

    folder = path.resolve().parent.parent
    return runs.read(folder).run.subject if (folder / runs.FILE).is_file() else None

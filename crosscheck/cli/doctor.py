"""`crosscheck doctor`: what works here, and how to get what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from crosscheck.spec.errors import CrosscheckError

WORKS = "works"


@click.command(short_help="Which oracles, dtypes and subjects work here.")
@click.pass_context
def doctor(ctx: click.Context) -> None:
    """Ask every oracle and adapter one small question, and print what it says.

    Exits 0 where at least one framework answers, 5 where only finite differences are left.
    """
    from crosscheck import calling, machine
    from crosscheck.spec.dtypes import DTYPES, dtype_named
    from crosscheck.spec.errors import CrosscheckError
    from crosscheck.subjects.named import ADAPTERS

    for name, version in machine.versions().items():
        click.echo(f"  {name:<14}{version}")
    click.echo("oracles")
    working = 0
    for name, make in calling.MAKERS.items():
        try:
            said = _asked(make())
            working += said == WORKS
        except CrosscheckError as error:
            said = _missing(error)
        click.echo(f"  {name:<14}{said}")
    click.echo(f"  {'differences':<14}works (float64, always there)")
    click.echo("subjects")
    for name, make_subject in ADAPTERS.items():
        try:
            subject = make_subject()
            said = f"works, {len(subject.supports)} operations"
        except CrosscheckError as error:
            said = _missing(error)
        click.echo(f"  {name:<14}{said}")
    click.echo("dtypes, on the CPU; oracles always answer in float64")
    for name in DTYPES:
        try:
            dtype_named(name, "dtypes")
            said = WORKS
        except CrosscheckError as error:
            said = f"missing: {error}"
        click.echo(f"  {name:<14}{said}")
    if not working:
        click.echo("no framework can be asked: a run exits 5 unless --oracles differences is asked for")
        ctx.exit(5)


def _missing(error: CrosscheckError) -> str:
    """Why it does not work; the row has named it."""
    from crosscheck.spec.errors import OracleUnavailable

    return f"missing: {error.reason if isinstance(error, OracleUnavailable) else error}"


def _asked(oracle: object) -> str:
    """The oracle's answer to x² at 3, whose derivative is 6."""
    import numpy as np

    from crosscheck.spec import Case, parse
    from crosscheck.spec.protocols import Oracle

    case = Case(parse("x[1] -> sse"), {}, {"x": np.array([[3.0]])}, np.array([[0.0]]))
    answer: Oracle = oracle  # type: ignore[assignment]
    found = float(answer.references(case).gradients.by_input["x"][0, 0])
    return WORKS if found == 6.0 else f"BROKEN: d(x²)/dx at 3 is 6, it says {found!r}"

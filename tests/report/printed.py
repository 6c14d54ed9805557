"""Example runs as the terminal shows them."""

from __future__ import annotations

import msgspec
from report import example_run

from crosscheck.report import terminal
from crosscheck.spec.record import RunFile


def plain(example: RunFile, width: int = 120, report: str | None = None) -> str:
    return terminal.render(example, width=width, color=False, report=report)


def with_run(example: RunFile, **changes: object) -> RunFile:
    return msgspec.structs.replace(example, run=msgspec.structs.replace(example.run, **changes))


def with_finding(**changes: object) -> RunFile:
    return with_run(example_run.FAILING, findings=(msgspec.structs.replace(example_run.GELU, **changes),))

"""The atlas of accuracy as a page of its own and as text. In a run's page it is a section, `_accuracy.html.j2`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from crosscheck.report import html
from crosscheck.report.layout import colored, wrapped
from crosscheck.report.sections import accuracy, words
from crosscheck.spec.atlas import FILE, Atlas, AtlasFile, Errors
from crosscheck.spec.errors import UsageError
from crosscheck.store.runs import replace

PAGE = "accuracy.html"
# What the section needs besides the page's own style.
STYLE = "accuracy.css"
# Normal numbers begin here: what is lost below them is lost by flushing alone.
TINY = {"float64": 2.0**-1022, "float32": 2.0**-126}
NAME, CELL, AT = 24, 9, 11  # widths of the columns of the text
AT_Z = f" {'at z':<{AT - 1}}"


@dataclass(frozen=True)
class Page:
    """All that the templates read."""

    title: str
    accuracy: accuracy.Section
    record: str
    policy: str
    style: Markup
    script: Markup


def render(file: AtlasFile) -> str:
    """The page for a record; the same record gives the same page."""
    style, script = html._static("report.css") + html._static(STYLE), html._static("report.js")
    page = Page(
        title="Accuracy of values and derivatives",
        accuracy=accuracy.atlas(file),
        record=FILE,
        policy=html.policy(style, script),
        style=Markup(style),
        script=Markup(script),
    )
    return html._environment().get_template("accuracy.html.j2").render(page=page)


def write(file: AtlasFile, path: Path) -> Path:
    """Write the page. Raises UsageError where that cannot be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, render(file).encode())
    except OSError as error:
        raise UsageError(f"report {path}: cannot be written: {error.strerror}") from None
    return path


def text(file: AtlasFile, *, width: int, color: bool) -> str:
    """The tables and what is lost, lines of at most `width` letters where words allow, ending with a newline."""
    found = "\n".join(wrapped(_lines(file), width)) + "\n"
    return colored(found) if color else found


def _lines(file: AtlasFile) -> Iterator[str]:
    found, versions = file.atlas, file.measured.versions
    named = [f"{name} {versions[name]}" for name in ("python-flint", "numpy", "torch", "jax") if name in versions]
    yield f"crosscheck {found.version} · accuracy · {' · '.join(named)}"
    yield from (f"  ! {reason}" for reason in accuracy.missing(found))
    for dtype in found.dtypes:
        yield ""
        yield f"{dtype}: largest errors, in ulps of the certified number, where z and result are normal numbers"
        yield from _table(found, dtype)
        yield ""
        yield f"{dtype}: median errors, in ulps of the certified number, of all results"
        yield from _medians(found, dtype)
    yield ""
    yield from _lost(found)
    yield from accuracy.own(found)


def _table(found: Atlas, dtype: str) -> Iterator[str]:
    names = _names(found)
    yield _head(names)
    yield f"{'':{NAME}}{''.join(f'{n:>{CELL}}' for n in names)}{''.join(f'{n:>{CELL}}{AT_Z}' for n in names)}"
    for op in found.ops:
        columns = accuracy.columns(found, op, dtype)
        values = "".join(f"{accuracy.figure(accuracy.shown(c.value)).text:>{CELL}}" for c in columns)
        yield f"{words.printable(op):{NAME}}{values}{''.join(_slope(c.slope) for c in columns)}"
        if any(c.by_term for c in columns):
            yield f"{'  of the larger term':{NAME + CELL * len(names)}}{''.join(_slope(c.by_term) for c in columns)}"


def _medians(found: Atlas, dtype: str) -> Iterator[str]:
    names = _names(found)
    yield _head(names)
    yield f"{'':{NAME}}{''.join(f'{n:>{CELL}}' for n in names * 2)}"
    for op in found.ops:
        columns = accuracy.columns(found, op, dtype)
        cells = [accuracy.median(e) for e in (*(c.value for c in columns), *(c.slope for c in columns))]
        yield f"{words.printable(op):{NAME}}{''.join(f'{cell:>{CELL}}' for cell in cells)}"


def _head(names: Sequence[str]) -> str:
    return f"{'':{NAME}}{'value':>{CELL}}{'':{CELL * (len(names) - 1)}}{'derivative':>{CELL + 3}}"


def _names(found: Atlas) -> list[str]:
    return [words.printable("by hand" if name == accuracy.OWN else name)[: CELL - 1] for name in found.implementations]


def _slope(errors: Errors | None) -> str:
    worst = accuracy.shown(errors)
    figure = accuracy.figure(worst, digits=4)
    return f"{figure.text:>{CELL}} {figure.where.partition(',')[0]:<{AT - 1}}"


def _lost(found: Atlas) -> Iterator[str]:
    """Where 0 stands for a normal number: of each operation the stretch with the largest loss."""
    for dtype in found.dtypes:
        for name in found.implementations:
            columns = [c for c in found.columns if (c.implementation, c.dtype) == (name, dtype)]
            for what, stretches in (
                ("values", [(c.op, c.lost_values) for c in columns]),
                ("derivatives", [(c.op, c.lost_slopes) for c in columns]),
            ):
                said = [
                    f"{op} {accuracy.stretch(lost[0])}"
                    for op, lost in stretches
                    if lost and accuracy.size(lost[0].largest) >= TINY[dtype]
                ]
                if said:
                    yield words.printable(f"  0 where it is not, {name} {dtype} {what}: {'; '.join(said)}")

"""Lines of text at a width, and their colour: labels in a column, long lines going on under their own text."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterator

LABEL = 8  # the width of the column of labels
LEAST_WIDTH = 40
GAP = " " * 7  # between two things in one row; wider than any padding behind a label
LABELLED = re.compile(r" *[a-z]+ {2,}")
# What never begins a line. No text of a record holds a no-break space: it is not printable (words.printable).
BOUND = re.compile(r" (?=[·%±×])")
NO_BREAK = "\xa0"
# Pattern and style; a style repeats what the text says.
STYLES = (
    (r"(?m)^✗ .*$", "bold red"),
    (r"(?m)^! .*$", "bold yellow"),
    (r"(?m)^  ! .*$", "yellow"),
    (r"(?m)^(PASSED)\b", "bold green"),
    (r"(?m)^(FAILED|CRASHED|GATE NOT MET)\b", "bold red"),
    (r"(?m)^(NOTHING VERIFIED|INTERRUPTED|NOT RUN)\b", "bold yellow"),
    (r"(?m)^  (net|entry|term|likely|known|taylor|replay|said|sides)\b", "cyan"),
)


def wrapped(lines: Iterator[str], width: int) -> Iterator[str]:
    """Long lines go on under their own text; words are never broken, so that paths can be copied."""
    width = max(width, LEAST_WIDTH)
    for line in lines:
        if len(line) <= width:
            yield line.rstrip()
            continue
        yield from _broken(line, width)


def _broken(line: str, width: int) -> Iterator[str]:
    """A wide gap is the first place to break at: what stands after it is a label of its own."""
    indent = _indent(line)
    first, *others = line.split(GAP)
    for piece in (first, *(indent + other.lstrip() for other in others)):
        parts = textwrap.wrap(
            BOUND.sub(NO_BREAK, piece),
            width,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
            replace_whitespace=False,
        )
        yield from (part.replace(NO_BREAK, " ").rstrip() for part in parts)


def _indent(line: str) -> str:
    label = LABELLED.match(line)
    return " " * (label.end() if label else len(line) - len(line.lstrip(" ")) + 2)


def colored(text: str) -> str:
    """The same text in colour, so that no verdict hangs on it."""
    from rich.console import Console
    from rich.text import Text

    styled = Text(text, end="")
    for pattern, style in STYLES:
        styled.highlight_regex(pattern, style)
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="standard", no_color=False, legacy_windows=False)
    console.print(styled, soft_wrap=True, highlight=False, end="")
    return out.getvalue()

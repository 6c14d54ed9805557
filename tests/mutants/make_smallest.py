"""Writes crosscheck/mutants/smallest.py: for each systematic mutant the smallest network that shows it.

PYTHONPATH=.:tests python tests/mutants/make_smallest.py [name-part]        # a minute; a part: of those alone
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from mutants.showing import shows

from crosscheck.mutants import small, smallest
from crosscheck.mutants.mutant import Mutant
from crosscheck.mutants.systematic import MUTANTS
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.op import Value
from crosscheck.spec.ops import OPS

HEAD = '''"""For each systematic mutant the smallest network that shows it. By tests/mutants/make_smallest.py.

Of the networks of `small.networks`; one that is equivalent is shown by none.
"""

# fmt: off
SMALLEST: dict[str, str] = {
'''


@cache
def _networks(op: str, fixed: tuple[tuple[str, Value], ...]) -> list[Architecture]:
    return small.networks(OPS[op], dict(fixed))


def found(mutant: Mutant) -> str | None:
    """The first network of its op on which it differs from the sound rule."""
    (op,) = mutant.ops
    networks = _networks(op, tuple(mutant.fixed.get(op, {}).items()))
    return next((str(network) for network in networks if shows(mutant, network)), None)


def text(table: dict[str, str]) -> str:
    lines = (f"    {name!r}:\n        {network!r},\n" for name, network in table.items())
    return HEAD + "".join(lines).replace("'", '"') + "}\n# fmt: on\n"


def main(part: str) -> None:
    table = {}
    for mutant in MUTANTS:
        network = found(mutant) if part in mutant.name else smallest.SMALLEST.get(mutant.name)
        if network is None:
            print(f"shown by none: {mutant.name}", flush=True)
        else:
            table[mutant.name] = network
    Path(smallest.__file__).write_text(text(table), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")

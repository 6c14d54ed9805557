"""Random cases with one layer of a family in them: shapes, attributes and values of every kind."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from builders import case_of, declared, further

from crosscheck.spec import Case
from crosscheck.spec.op import Value
from crosscheck.strategies.architectures import choices
from crosscheck.strategies.space import Space
from crosscheck.strategies.values import FAMILIES

SIZES = (1, 2, 3, 5)
CHANNELLED = ("batch_norm", "group_norm")


def text(op: str, r: random.Random) -> str:
    """A network with this op, on an input of one to four axes."""
    own: dict[str, Value] = dict(r.choice(choices(Space.of([op]), op)))
    rank = r.choice((2, 3, 4) if op in CHANNELLED else (1, 2, 3, 4))
    shape = [r.choice(SIZES if rank < 4 else SIZES[:3]) for _ in range(rank)]
    if op == "group_norm":
        own["groups"] = r.choice([g for g in SIZES if shape[1] % g == 0])
    if op == "layer_norm":
        own["axes"] = min(int(own["axes"]), rank)
    if op == "embedding":
        own |= {"num": r.choice(SIZES), "dim": r.choice(SIZES)}
    name, of = ("ids", ":int64") if op == "embedding" else ("x", "")
    alone = f"{name}[{','.join(map(str, shape))}]{of}"
    beside = further(op, alone, own)
    start = "; ".join([alone, *map(declared, beside), *(["x"] if beside else [])])
    call = ", ".join([*(item.name for item in beside), *map(_written, own.items())])
    behind = r.choice(("", "-> tanh ", "-> dense(2) "))
    return f"{start} -> {op}({call}) {behind}-> {r.choice(('cotangent', 'sse', 'mse'))}"


def _written(attribute: tuple[str, Value]) -> str:
    name, value = attribute
    return f"{name}={str(value).lower() if isinstance(value, bool) else value}"


def cases(ops: tuple[str, ...], *, seed: int, count: int, points: int = 4) -> Iterator[Case]:
    r = random.Random(seed)
    for number in range(count):
        drawn: Mapping[str, str] = {"family": r.choice(list(FAMILIES)), "dtype": r.choice(("float64", "float32"))}
        yield case_of(text(ops[number % len(ops)], r), seed=number, points=points, **drawn)

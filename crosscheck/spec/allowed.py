"""Which networks a subject may be asked for beside the one that failed: those of its operations, as it fixed them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from crosscheck.spec.architecture import Architecture
from crosscheck.spec.op import Value


@dataclass(frozen=True)
class Allowed(Collection[str]):
    """The operations, and by operation the attributes that are not drawn: of another eps a subject knows nothing."""

    names: frozenset[str]
    fixed: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)

    @classmethod
    def of(cls, ops: Collection[str]) -> Allowed:
        """These operations, with any attributes where nothing is fixed."""
        return ops if isinstance(ops, Allowed) else cls(frozenset(ops))

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def allows(self, architecture: Architecture) -> bool:
        """Whether this network might have been drawn."""
        used = [(node.op, node.attributes) for node in architecture.nodes]
        used.append((architecture.loss.op, architecture.loss.attributes))
        return all(
            op in self.names and all(own.get(name) == value for name, value in self.fixed.get(op, {}).items())
            for op, own in used
        )

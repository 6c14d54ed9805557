"""Backwards that take the network for another than the forward ran: one rule is right, its place is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from msgspec.structs import replace as with_

from crosscheck.backprop import network
from crosscheck.mutants.mutant import Remembering
from crosscheck.spec.architecture import Architecture
from crosscheck.spec.case import Case
from crosscheck.spec.result import Gradients

Taken = Callable[[Architecture], Architecture]


def taken_for(other: Taken) -> Callable[[], Remembering]:
    """The tape of the network that is asked, and the backward of another one with the same links and parameters."""

    def remember(case: Case, gradients: Gradients) -> Gradients:
        architecture = other(case.architecture)
        if architecture == case.architecture:
            return gradients
        with np.errstate(all="ignore"):
            tape = network.forward(case.architecture, case.params, case.inputs, case.targets, weights=case.weights)
            by_param, by_link = network.backward(replace(tape, architecture=architecture))
        links = {item.name: -i - 1 for i, item in enumerate(architecture.inputs)}
        return replace(
            gradients,
            by_param={key: _like(g, by_param.get(key)) for key, g in gradients.by_param.items()},
            by_input={name: _like(g, by_link.get(links[name])) for name, g in gradients.by_input.items()},
            by_node={i: _like(g, by_link.get(i)) for i, g in gradients.by_node.items()},
        )

    return lambda: remember


def _like(sound: Any, found: Any) -> Any:
    if found is None:
        return np.zeros_like(sound)
    return np.ascontiguousarray(np.broadcast_to(found, sound.shape)).astype(sound.dtype)


def without_last(op: str) -> Callable[[], Remembering]:
    """Where the network ends with this activation, the backward goes through it as if it were not there."""

    def other(architecture: Architecture) -> Architecture:
        last = architecture.loss.inputs[0]
        if last < 0 or architecture.nodes[last].op != op:
            return architecture
        nodes = list(architecture.nodes)
        nodes[last] = with_(nodes[last], op="identity", attributes={})
        return with_(architecture, nodes=tuple(nodes))

    return taken_for(other)

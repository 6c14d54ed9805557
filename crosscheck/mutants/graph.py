"""Bugs of the walk over the graph, and of what is remembered from call to call."""

from __future__ import annotations

from crosscheck.backprop.network import Walk
from crosscheck.mutants.mutant import Mutant
from crosscheck.spec.fault import Factor, Fault, Symptom

FAMILY = "graph and state"

MUTANTS = (
    Mutant(
        name="fork: = for +=",
        family=FAMILY,
        what="at a fork the gradient of one use overwrites that of the others",
        faults=(Fault(None, Factor.SUM),),
        symptom=Symptom.OVERWRITTEN,
        smallest="x[1,1] -> add(x) -> sse",
        source="nn-zero-to-hero#52",
        walk=Walk(at_fork=lambda found, more: more),
        beside=("add", "multiply", "tanh"),
    ),
    Mutant(
        name="node back-propagated once a path",
        family=FAMILY,
        what="a node that is used twice passes on what came by the first use once more with the second",
        faults=(Fault(None, Factor.SUM),),
        symptom=Symptom.TWICE,
        smallest="x[1,1] -> add(x) -> sse",
        source="micrograd#2",
        walk=Walk(at_fork=lambda found, more: found + (found + more)),
        beside=("add", "multiply", "tanh"),
    ),
    Mutant(
        name="shared parameter overwritten",
        family=FAMILY,
        what="the gradient of a parameter that two layers share is that of one of them",
        faults=(Fault(None, Factor.SUM),),
        symptom=Symptom.OVERWRITTEN,
        smallest="x[1,1] -> dense(1) -> dense(1, weight=@0.weight, bias=@0.bias) -> sse",
        source="caffe#3254",
        walk=Walk(of_shared=lambda found, more: more),
        beside=("dense", "tanh"),
    ),
)

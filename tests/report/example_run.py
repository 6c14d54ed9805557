"""Records to render: two runs that pass, one of them with odd oracles, one that fails, an empty one, a hostile one."""

from __future__ import annotations

from typing import Any

import msgspec

from crosscheck.spec.record import (
    SCHEMA,
    Agreement,
    Certification,
    Convention,
    Coverage,
    Deviation,
    Entries,
    EntryRecord,
    Exit,
    Finding,
    Measured,
    OracleRecord,
    Resolution,
    Run,
    RunFile,
    Taylor,
)

HOSTILE = (
    "<script>alert('x')</script>\"]]>--></style></title><img src=x onerror=alert(1)> {{ 7*7 }} &amp;\x1b[31m\n\u202e"
)

MEASURED = Measured(
    started="2025-01-31T12:00:00+00:00",
    seconds=41.2,
    seconds_by_part={"subject": 6.1, "ball": 9.4, "torch": 7.7, "jax": 12.5, "differences": 5.5},
    versions={"crosscheck": "0.1.0", "python": "3.11.2", "numpy": "2.1.0", "torch": "2.13.0", "jax": "0.7.0"},
    environment={"cpu": "x86-64, 2 cores", "os": "Linux 6.1", "threads": "1"},
)

COVERAGE = Coverage(
    roles={
        "dense": {"weight": 620_331, "bias": 88_000, "input": 210_000},
        "tanh": {"input": 91_000},
        "gelu": {"input": 120_000},
        "softplus": {"input": 75_000},
        "add": {"input": 0},
    },
    losses={"sse": 160, "softmax_cross_entropy": 120, "cotangent": 120},
    families={"normal": 180, "tiny": 60, "kinks": 80, "saturating": 80},
    dtypes={"float64": 400},
    depths={"1": 120, "2": 140, "3": 90, "10": 50},
    never_compared=("add.input",),
)

PASSING = RunFile(
    run=Run(
        schema=SCHEMA,
        version="0.1.0",
        subject="my_net",
        seed=8841,
        profile="ci",
        settings={"max_examples": 400, "dtype": ["float64"], "ops": None, "workers": 2},
        oracles=(
            OracleRecord(name="ball", answered=400),
            OracleRecord(name="torch", answered=400),
            OracleRecord(name="jax", answered=380, gaps=(("hardsigmoid", "its slope at ±3 is a convention", 20),)),
            OracleRecord(name="differences", answered=400),
        ),
        cases=400,
        points=6400,
        entries=Entries(
            compared=1_204_331,
            informative=975_508,
            uninformative=228_700,
            undecidable=123,
            disagreeing=0,
            not_compared=12,
            undecidable_by_design=100,
            overflowed=3,
            certified=1_204_331,
        ),
        resolution=(
            Resolution(
                dtype="float64",
                median=3e-14,
                p95=2e-9,
                histogram={"-15": 210_000, "-14": 460_000, "-13": 200_000, "-12": 70_000, "-11": 30_000, "-8": 5_508},
            ),
            Resolution(dtype="float64", median=6e-14, p95=4e-9, histogram={"-14": 900_000}, party="torch"),
            Resolution(dtype="float64", median=1e-13, p95=5e-9, histogram={"-13": 900_000}, party="jax"),
        ),
        verdicts={"AGREES": 391, "ORACLE_DISAGREES": 7, "UNDECIDABLE": 2},
        agreement=(
            Agreement(a="subject", b="ball", comparisons=1_204_208, disagreements=0, worst_bounds=0.41, worst_ulps=3.1),
            Agreement(
                a="subject", b="torch", comparisons=1_204_208, disagreements=7, worst_bounds=88, worst_ulps=1.6e7
            ),
            Agreement(a="subject", b="jax", comparisons=1_150_000, disagreements=0, worst_bounds=0.52, worst_ulps=29.7),
            Agreement(a="ball", b="torch", comparisons=1_204_208, disagreements=7, worst_bounds=88, worst_ulps=1.6e7),
            Agreement(a="ball", b="jax", comparisons=1_150_000, disagreements=0, worst_bounds=0.5, worst_ulps=30),
            Agreement(a="torch", b="jax", comparisons=1_150_000, disagreements=7, worst_bounds=88, worst_ulps=1.6e7),
        ),
        findings=(),
        deviations=(
            Deviation(
                witness="torch",
                op="softplus",
                region="z > 20",
                size="1.6e7 ulp",
                source="linear above its threshold of 20",
                cases=7,
            ),
        ),
        coverage=COVERAGE,
        warnings=(),
        exit=Exit(code=0, reason="the subject agrees; in 7 cases an oracle disagrees with the others"),
        certification=Certification(
            arbiter="ball", mode="every", points=6400, left_out=0, most_bits=2048, hulls=14, at_limit=0
        ),
        conventions=(
            Convention(
                op="leaky_relu", at=0.0, low=0.01, high=1.0, values={"subject": 0.01, "torch": 0.01, "jax": 1.0}
            ),
            Convention(op="relu", at=0.0, low=0.0, high=1.0, values={"subject": 0.0, "torch": 0.0, "jax": -0.0}),
        ),
    ),
    measured=MEASURED,
)

# The same without a witness that proves what it says.
PAIRWISE = RunFile(
    run=msgspec.structs.replace(
        PASSING.run,
        entries=msgspec.structs.replace(PASSING.run.entries, certified=0),
        resolution=PASSING.run.resolution[:1],
        certification=None,
        conventions=(),
    ),
    measured=MEASURED,
)

GELU = Finding(
    id="5f1c9a",
    verdict="DISAGREES",
    count=37,
    first_index=12,
    architecture="x[1,1] -> dense(1) -> gelu -> sse",
    minimal=True,
    dtype="float64",
    tensor="0.weight",
    node=0,
    op="dense",
    odd_one_out="subject",
    sides={"claim": ("subject",), "truth": ("ball", "torch", "jax", "differences")},
    message="The gradient of 0.weight does not agree with ball, torch, jax and differences.",
    entries=(
        EntryRecord(
            tensor="0.weight",
            index=(0, 0),
            point=3,
            values={"subject": 0.8412, "ball": 1.0833, "torch": 1.0833, "jax": 1.0833, "differences": 1.0833},
            error=0.2421,
            bound=1.1e-15,
            resolution=2e-15,
            radius=3e-17,
        ),
        EntryRecord(
            tensor="0.weight",
            index=(0, 0),
            point=1,
            values={"subject": 0.5, "ball": 0.5000000001, "torch": 0.5000000001, "jax": None, "differences": None},
            error=1e-10,
            bound=8e-16,
            resolution=None,
        ),
    ),
    diagnosis=("g'(z) lacks z·pdf(z)", "ruled out: factor", "ruled out: transpose", "ruled out: missing sum"),
    terms=(
        ("∂C/∂a", "ok", ""),
        ("∂a/∂z", "wrong", "0.8413, certified 1.0833"),
        ("∂z/∂w", "ok", ""),
    ),
    deviation=None,
    taylor=Taylor(
        claimed=1.0,
        reference=2.0,
        reference_name="ball",
        steps=(1e-2, 1e-3, 1e-4),
        claimed_remainders=(2.4e-3, 2.4e-4, 2.4e-5),
        reference_remainders=(3.1e-5, 3.1e-7, 3.1e-9),
    ),
    case_file="failures/5f1c9a.case",
    worst_case_file=None,
    worst_architecture="x[5,3] -> dense(8) -> gelu -> dense(3) -> gelu -> sse",
    replay="crosscheck replay 5f1c9a",
)

SKIP = msgspec.structs.replace(
    GELU,
    id="c07d11",
    count=4,
    first_index=90,
    architecture="x[2] -> dense(2) -> h0: tanh -> dense(2) -> add(h0) -> dense(3) -> softmax_cross_entropy",
    tensor="2.weight",
    node=2,
    message="The gradient of 2.weight does not agree with ball and torch; jax agrees with it.",
    odd_one_out=None,
    sides={"claim": ("subject", "jax"), "truth": ("ball", "torch")},
    entries=(
        EntryRecord(
            tensor="2.weight",
            index=(1, 0),
            point=0,
            values={"subject": 1.0, "jax": 1.0, "ball": 2.0, "torch": 2.0},
            error=1.0,
            bound=2e-15,
            resolution=1e-14,
        ),
    ),
    diagnosis=(),
    terms=(("∂C/∂a", "wrong", "1, certified 2"), ("∂a/∂z", "follows", ""), ("∂z/∂w", "follows", "")),
    taylor=None,
    case_file=None,
    worst_architecture=None,
    replay="crosscheck replay c07d11",
)

BROKEN = msgspec.structs.replace(
    GELU,
    id="e99f00",
    verdict="BROKE_CONTRACT",
    count=1,
    first_index=200,
    architecture=f"x[1] -> {HOSTILE} -> sse",
    minimal=False,
    tensor=None,
    node=None,
    op=None,
    odd_one_out=None,
    sides={},
    message=f"The subject raised ValueError: {HOSTILE}",
    entries=(),
    diagnosis=(),
    terms=(),
    taylor=None,
    no_taylor="the subject raised, and gave no gradient",
    case_file=None,
    worst_architecture=None,
    replay="crosscheck replay e99f00",
)

# The loss is another than the one asked for: all gradients are held against both.
DECAY = msgspec.structs.replace(
    GELU,
    id="dec4e1",
    verdict="FORWARD_DISAGREES",
    tensor=None,
    node=None,
    op="sse",
    message="the subject's loss is not the sse that was asked for",
    diagnosis=(),
    terms=(),
    entries=(
        msgspec.structs.replace(
            GELU.entries[0], tensor="loss", index=(), values={"subject": 3.5, "ball": 2.0, "torch": 2.0}, error=1.5
        ),
    ),
    taylor=msgspec.structs.replace(GELU.taylor, tensors=("0.weight", "0.bias", "x"), exact=True),
    own_taylor=Taylor(
        claimed=1.98,
        reference=None,
        reference_name=None,
        steps=(0.25, 0.125, 0.0625, 0.03125),
        claimed_remainders=(4e-1, 1e-1, 2.4e-2, 6.1e-3),
        reference_remainders=(),
        loss="own",
        tensors=("0.weight", "0.bias", "x"),
    ),
    case_file="failures/dec4e1.npz",
    worst_architecture=None,
    replay="crosscheck replay dec4e1",
)

# A witness off the truth, in a run that passes.
SOFTPLUS = msgspec.structs.replace(
    GELU,
    id="43ba43",
    verdict="ORACLE_DISAGREES",
    count=5,
    architecture="x[1,1] -> dense(1) -> softplus -> sse",
    odd_one_out="torch",
    sides={"with the subject": ("subject", "ball", "jax", "differences"), "against it": ("torch",)},
    message="torch is off the certified value of the gradient of 0.weight; the subject is not",
    entries=(
        EntryRecord(
            tensor="0.weight",
            index=(0, 0),
            point=0,
            values={"subject": 0.5, "ball": 0.5, "torch": 0.50000001, "jax": 0.5, "differences": 0.5},
            error=1e-8,
            bound=3e-16,
            resolution=5e-15,
            radius=7e-18,
        ),
    ),
    diagnosis=("torch softplus is off at z from 20.6 to 88",),
    terms=(),
    deviation="torch softplus, z > 20: linear above its threshold of 20",
    replay="crosscheck replay 43ba43",
)
# The derived bound is off the truth: nobody is accused.
VOID = msgspec.structs.replace(
    SOFTPLUS,
    id="70107e",
    count=2,
    first_index=301,
    odd_one_out="tolerance",
    sides={"with the subject": ("subject", "ball")},
    message="the stochastic run does not centre on the certified value of the gradient of 0.weight: its bound is void",
    diagnosis=(),
    deviation=None,
    taylor=None,
    replay="crosscheck replay 70107e",
)
ODD = RunFile(run=msgspec.structs.replace(PASSING.run, findings=(SOFTPLUS, VOID)), measured=MEASURED)

FAILING = RunFile(
    run=msgspec.structs.replace(
        PASSING.run,
        entries=msgspec.structs.replace(PASSING.run.entries, informative=974_508, disagreeing=1000),
        verdicts={"AGREES": 358, "DISAGREES": 41, "BROKE_CONTRACT": 1},
        oracles=(OracleRecord(name="ball", answered=400), OracleRecord(name="torch", answered=0)),
        agreement=(
            Agreement(
                a="subject", b="ball", comparisons=1_204_208, disagreements=900, worst_bounds=2e14, worst_ulps=9e14
            ),
            Agreement(
                a="subject", b="torch", comparisons=1_204_208, disagreements=900, worst_bounds=2e14, worst_ulps=9e14
            ),
            Agreement(a="ball", b="torch", comparisons=1_204_208, disagreements=0, worst_bounds=0.5, worst_ulps=3),
            Agreement(a="ball", b="jax", comparisons=0, disagreements=0, worst_bounds=0, worst_ulps=0),
        ),
        findings=(SKIP, GELU, BROKEN),
        deviations=(),
        exit=Exit(code=1, reason="cases with a failing verdict: 1 BROKE_CONTRACT, 41 DISAGREES"),
    ),
    measured=MEASURED,
)

# A slope of two losses, and none.
FORWARD = RunFile(run=msgspec.structs.replace(FAILING.run, findings=(DECAY, BROKEN)), measured=MEASURED)

EMPTY = RunFile(
    run=msgspec.structs.replace(
        PASSING.run,
        settings={},
        oracles=(),
        cases=0,
        points=0,
        entries=Entries(
            compared=0,
            informative=0,
            uninformative=0,
            undecidable=0,
            disagreeing=0,
            not_compared=0,
            undecidable_by_design=0,
        ),
        resolution=(),
        verdicts={},
        agreement=(),
        deviations=(),
        coverage=Coverage(roles={}, losses={}, families={}, dtypes={}, depths={}, never_compared=()),
        exit=Exit(code=5, reason="nothing was verified: no case was checked"),
        certification=None,
        conventions=(),
    ),
    measured=Measured(
        started="2025-01-31T12:00:00+00:00", seconds=0.1, seconds_by_part={}, versions={}, environment={}
    ),
)

# Strings with a meaning of their own, which a hostile record cannot bend.
_FIXED = ("schema", "verdict", "started")


def hostile() -> RunFile:
    """The failing run with HOSTILE added to every string and every key that is free."""
    plain = _spoilt(msgspec.to_builtins(FAILING), "")
    plain["run"]["verdicts"] = FAILING.run.verdicts
    plain["run"]["findings"][0]["architecture"] = GELU.architecture
    return msgspec.convert(plain, RunFile)


def _spoilt(value: Any, name: str) -> Any:
    if isinstance(value, str):
        return value if name in _FIXED else value + HOSTILE
    if isinstance(value, dict):
        is_record = name in (
            "",
            "run",
            "measured",
            "entries",
            "coverage",
            "exit",
            "taylor",
            "own_taylor",
            "certification",
        )
        return {key if is_record else key + HOSTILE: _spoilt(item, key) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_element(item) if isinstance(item, dict) else _spoilt(item, "item") for item in value]
    return value


def _element(item: dict[str, Any]) -> dict[str, Any]:
    return {key: _spoilt(value, key) for key, value in item.items()}

"""How small an error in one gradient entry is found: by crosscheck, and beside it by gradcheck, check_grads, allclose.

    python tests/benchmarks/power.py [--trials 60] [--seed 7] [--reports-dir reports]

One random entry of the built-in's gradient is multiplied by 1 + ε, ε from 1 down to 1e-15. An entry that is exactly 0
is made wrong by ε times the largest entry of its tensor instead; where a whole tensor is 0 nothing can be planted in
it. A trial is one set of random numbers for each ε, and one more whose gradient stays as it is: whoever accuses that
one raises a false alarm (crosscheck also where it accuses any other entry that was left alone). On one small network
every method is asked about the same wrong gradient, the peers in float64, with their defaults. crosscheck is asked on
random networks of all families too, in both dtypes. An error that float32 rounds away counts as not found.

There the judge is taken at his word: an error of more than 1.5 times the resolution that he reports for its entry must
be found, always. Exit 1 where one is not, or where crosscheck accuses a gradient that is sound. Leaves `power.json`.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # read when NumPy, PyTorch or JAX are first imported

import numpy as np  # noqa: E402
from peers import PEERS, Question  # noqa: E402
from planting import POINTS, SIZES, SOUND, Plant, Planted, plants  # noqa: E402

from crosscheck import __version__, calling, machine, session  # noqa: E402
from crosscheck.checking import Witnesses, check  # noqa: E402
from crosscheck.judge.compare import Status  # noqa: E402
from crosscheck.judge.verdict import Judgement  # noqa: E402
from crosscheck.oracles import torch_autograd  # noqa: E402
from crosscheck.report.sections.power import lines  # noqa: E402
from crosscheck.spec.case import Case  # noqa: E402
from crosscheck.spec.notation import parse  # noqa: E402
from crosscheck.spec.power import FILE, SCHEMA, Method, Power, PowerFile, Promise, Rate, Scene  # noqa: E402
from crosscheck.spec.record import Measured  # noqa: E402
from crosscheck.spec.result import Verdict  # noqa: E402
from crosscheck.store.runs import replace  # noqa: E402
from crosscheck.strategies.by_index import Source  # noqa: E402
from crosscheck.strategies.values import make_case  # noqa: E402
from crosscheck.subjects.builtin import Builtin  # noqa: E402

MARGIN = 1.5
DTYPES = ("float64", "float32")
NETWORK = "x[4,8] -> dense(8) -> tanh -> dense(8) -> tanh -> dense(4) -> sse"
FAMILY = "initialised"
ORACLES = ("ball", "torch", "jax", "differences")
OWN = "crosscheck"
PLANTING = (
    "one random gradient entry of the built-in is multiplied by 1 + ε; an entry that is exactly 0 is made wrong by ε "
    "times the largest entry of its tensor"
)
NOTE_ON_ONE = "Values as networks are initialised for training; every method is asked about the same wrong gradients."
NOTE_ON_RANDOM = (
    "An entry that hangs on a kink, or is lost in rounding, shows nothing, and its reported resolution says so; an "
    "entry that is exactly 0 shows any error, in float32 too."
)
# A breach or another forward, where only one entry of a gradient was touched, is an alarm of its own.
NEVER = (Verdict.BROKE_CONTRACT, Verdict.FORWARD_DISAGREES)


@dataclass
class Score:
    """What one method found of each size, and how often it accused what is sound."""

    found: list[int] = field(default_factory=lambda: [0] * len(SIZES))
    trials: list[int] = field(default_factory=lambda: [0] * len(SIZES))
    sound: int = 0
    alarms: int = 0

    def add(self, plant: Plant, *, found: bool) -> None:
        self.trials[plant.place[0]] += 1
        self.found[plant.place[0]] += int(found)

    def add_sound(self, *, accused: bool) -> None:
        self.sound += 1
        self.alarms += int(accused)

    def method(self, name: str, settings: str, dtype: str) -> Method:
        rates = zip(SIZES, self.found, self.trials, strict=True)
        rated = tuple(Rate(size=size, found=found, trials=trials) for size, found, trials in rates)
        return Method(
            name=name,
            settings=settings,
            dtype=dtype,
            rates=rated,
            sound=self.sound,
            alarms=self.alarms,
            own=name == OWN,
        )


@dataclass
class Promises:
    """The errors that the reported resolution promised to show."""

    planted: int = 0
    promised: int = 0
    found: int = 0
    missed: list[str] = field(default_factory=list)

    def add(self, plant: Plant, judgement: Judgement, case: Case, index: int) -> None:
        self.planted += 1
        if not plant.error > MARGIN * promised(judgement, plant):
            return
        self.promised += 1
        if found(judgement, plant):
            self.found += 1
        else:
            said = f"{judgement.verdict.name}, resolution {judgement.tensors[plant.tensor].resolution[plant.place]:.1e}"
            self.missed.append(f"index {index} ({case.family}, {case.dtype}): {plant}: {said}")

    def record(self) -> Promise:
        return Promise(
            margin=MARGIN,
            planted=self.planted,
            promised=self.promised,
            found=self.found,
            missed=tuple(self.missed),
        )


def promised(judgement: Judgement, plant: Plant) -> float:
    """The absolute error that the resolution of the entry stands for: twice the subject's bound, and the radius."""
    tensor, place = judgement.tensors[plant.tensor], plant.place
    if not np.isfinite(tensor.resolution[place]):
        return float("inf")
    if tensor.truth is None or not tensor.truth.answered[place]:
        return 2.0 * min(float(bound[place]) for bound in tensor.bounds.values())
    assert judgement.certified is not None
    assert judgement.certified.reference.radius is not None
    radius = float(judgement.certified.reference.radius[plant.tensor][place])
    return 2.0 * float(tensor.truth.bounds["subject"][place]) - radius


def found(judgement: Judgement, plant: Plant) -> bool:
    tensor = judgement.tensors.get(plant.tensor)
    return tensor is not None and tensor.status[plant.place] == Status.DISAGREE


def alarmed(judgement: Judgement, planted: tuple[Plant, ...]) -> bool:
    """Whether anything but the planted entries is accused, at any point."""
    accused = sum(np.count_nonzero(t.status == Status.DISAGREE) for t in judgement.tensors.values())
    return judgement.verdict in NEVER or accused > sum(found(judgement, plant) for plant in planted)


@dataclass
class Own:
    """crosscheck, as it is asked here: with all its witnesses; what it wrongly accused is kept in words."""

    witnesses: Witnesses
    promises: Promises = field(default_factory=Promises)
    alarms: list[str] = field(default_factory=list)

    def ask(self, case: Case, planted: tuple[Plant, ...], score: Score) -> Judgement:
        with np.errstate(all="ignore"):
            judgement = check(case, Planted(planted), self.witnesses)
        for plant in planted:
            score.add(plant, found=found(judgement, plant))
        accused = alarmed(judgement, planted)
        score.add_sound(accused=accused)
        if accused:
            self.alarms.append(f"{judgement.verdict.name}: {case.family}, {case.dtype}, {case.architecture}")
        return judgement

    def method(self, score: Score, dtype: str) -> Method:
        return score.method(OWN, ", ".join(self.witnesses.names), dtype)


# --- one network, every method ----------------------------------------------------------------------------------


def beside_peers(trials: int, seed: int, crosscheck: Own) -> Scene:
    generator = np.random.default_rng(seed)
    own = {dtype: Score() for dtype in DTYPES}
    peers = [Score() for _ in PEERS]
    for trial in range(trials):
        numbers = int(generator.integers(2**32))
        for dtype, score in own.items():
            case = make_case(parse(NETWORK), family=FAMILY, seed=numbers, points=POINTS, dtype=dtype)
            planted = plants(case, np.random.default_rng((seed, trial)))
            crosscheck.ask(case, planted, score)
            if dtype == "float64":
                _ask_peers(case, planted, peers)
    methods = [crosscheck.method(score, dtype) for dtype, score in own.items()]
    methods += [score.method(p.name, p.settings, "float64") for p, score in zip(PEERS, peers, strict=True)]
    return Scene(networks=NETWORK, methods=tuple(methods), note=NOTE_ON_ONE)


def _ask_peers(case: Case, planted: tuple[Plant, ...], scores: list[Score]) -> None:
    wrong = Planted(planted).gradients(case)
    reference = torch_autograd.gradients(case, case.dtype)
    by_point = {plant.place[0]: plant for plant in planted}
    for point in range(POINTS):
        names = (*case.params, *case.architecture.float_inputs)
        claimed, torch = ({name: of[name][point] for name in names} for of in (wrong, reference))
        question = Question(case.take([point]), claimed, torch)
        for peer, score in zip(PEERS, scores, strict=True):
            accused = peer.accuses(question)
            if point in by_point:
                score.add(by_point[point], found=accused)
            elif point == SOUND:
                score.add_sound(accused=accused)


# --- random networks --------------------------------------------------------------------------------------------


def on_random_networks(networks: int, seed: int, crosscheck: Own) -> Scene:
    methods = []
    for dtype in DTYPES:
        settings = session.Settings(Builtin(), seed=seed, dtypes=(dtype,), points=POINTS)
        source = Source(session.strategy(settings)[0], seed)
        generator, score = np.random.default_rng(seed), Score()
        for index in range(networks):
            case = source.case(index)
            assert case is not None, f"index {index} drew no case"
            planted = plants(case, generator)
            judgement = crosscheck.ask(case, planted, score)
            for plant in planted:
                crosscheck.promises.add(plant, judgement, case, index)
        methods.append(crosscheck.method(score, dtype))
    title = f"{networks} random networks in each dtype, all families of values"
    return Scene(networks=title, methods=tuple(methods), note=NOTE_ON_RANDOM)


def measure(trials: int, seed: int, crosscheck: Own) -> PowerFile:
    started, clock = datetime.now(UTC), time.perf_counter()
    peers = beside_peers(trials, seed, crosscheck)
    first = time.perf_counter() - clock
    random = on_random_networks(trials, seed, crosscheck)
    whole = time.perf_counter() - clock
    power = Power(
        schema=SCHEMA,
        version=__version__,
        seed=seed,
        trials=trials,
        planting=PLANTING,
        peers=peers,
        random=random,
        promise=crosscheck.promises.record(),
    )
    measured = Measured(
        started=started.isoformat(timespec="seconds"),
        seconds=whole,
        seconds_by_part={"one network": first, "random networks": whole - first},
        versions=machine.versions(),
        environment=machine.environment(),
    )
    return PowerFile(power=power, measured=measured)


def page(result: PowerFile, crosscheck: Own) -> Iterator[str]:
    yield from lines(result)
    yield from (f"  ALARM {alarm}" for alarm in crosscheck.alarms)
    yield from (f"  MISSED {missed}" for missed in result.power.promise.missed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=60, help="on the one network, and random networks in each dtype")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--reports-dir", type=Path, default=Path("reports"))
    options = parser.parse_args()
    crosscheck = Own(calling.call_witnesses(ORACLES, None).witnesses)
    result = measure(options.trials, options.seed, crosscheck)
    options.reports_dir.mkdir(parents=True, exist_ok=True)
    replace(options.reports_dir / FILE, result.to_json())
    print("\n".join(page(result, crosscheck)))
    raise SystemExit(0 if result.power.promise.kept and not result.power.alarms else 1)


if __name__ == "__main__":
    main()

"""A self-test from its settings to its record: every chosen bug and control, by as many processes as are asked for."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from crosscheck import __version__, mutants, selftest
from crosscheck.machine import environment, versions
from crosscheck.mutants.equivalent import EQUIVALENT
from crosscheck.selftest import Plan, Timed
from crosscheck.spec.errors import OracleUnavailable, UsageError
from crosscheck.spec.kills import SCHEMA, Selftest, SelftestFile, Sound
from crosscheck.spec.record import Measured

# Networks for each bug at most, and whether it is shrunk, located and named. Nearly all bugs show within 20 networks.
# Of those that show at one width or one batch alone a network in forty shows one: of 120 networks, one seed in twenty
# met none. It costs nothing to go on: those that were caught are hunted no longer.
PROFILES = {"quick": (400, False), "ci": (400, True), "nightly": (1000, True)}
# Read when NumPy is first imported: workers share the cores already.
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Work = Callable[[str, Plan], Timed | Sound]


@dataclass(frozen=True)
class Settings:
    """What was asked. `only` is a part of the names; one worker is this process itself."""

    profile: str = "quick"
    seed: int = 0
    workers: int = 1
    only: str | None = None

    @property
    def plan(self) -> Plan:
        networks, shrink = PROFILES[self.profile]
        return Plan(networks, seed=self.seed, shrink=shrink)


@dataclass(frozen=True)
class SoFar:
    """How far it is: bugs and controls done, of how many, survivors and accused controls among them."""

    done: int
    total: int
    wrong: int


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def verify(settings: Settings, progress: Callable[[SoFar], None] = lambda _so_far: None) -> SelftestFile:
    """Plant what was chosen. Raises SpecError for an `only` that nothing has, OracleUnavailable without python-flint.

    The record of the same settings is the same for any number of workers.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    bugs, controls = selftest.chosen(settings.only)
    _require_truth()
    jobs: list[tuple[Work, str]] = [*((selftest.kill, name) for name in bugs)]
    jobs += [(selftest.sound, name) for name in controls]
    timed: dict[str, Timed] = {}
    heard: dict[str, Sound] = {}
    wrong = 0
    progress(SoFar(0, len(jobs), wrong))
    for done, (name, found) in enumerate(_done(jobs, settings.plan, settings.workers), start=1):
        if isinstance(found, Timed):
            timed[name] = found
            wrong += not found.kill.caught
        else:
            heard[name] = found
            wrong += found.accused is not None
        progress(SoFar(done, len(jobs), wrong))
    result = _record(settings, [timed[name] for name in bugs], [heard[name] for name in controls])
    seconds = {name: (timed[name].hunting, timed[name].shrinking) for name in bugs}
    return SelftestFile(
        selftest=result,
        measured=Measured(
            started=started.isoformat(timespec="seconds"),
            seconds=time.perf_counter() - clock,
            seconds_by_part={
                "hunting": sum(hunting for hunting, _ in seconds.values()),
                "shrinking and diagnosing": sum(shrinking for _, shrinking in seconds.values()),
            },
            versions=versions(),
            environment={**environment(), "workers": str(settings.workers)},
        ),
        seconds=seconds,
    )


def _record(settings: Settings, timed: Sequence[Timed], heard: Sequence[Sound]) -> Selftest:
    plan = settings.plan
    return Selftest(
        schema=SCHEMA,
        version=__version__,
        seed=plan.seed,
        profile=settings.profile,
        most_networks=plan.networks,
        points=plan.points,
        dtype=plan.dtype,
        kills=tuple(item.kill for item in timed),
        controls=tuple(heard),
        equivalent=len(EQUIVALENT),
        left_out=mutants.LEFT_OUT,
    )


def _require_truth() -> None:
    from crosscheck.oracles.ball import Ball

    try:
        Ball()
    except OracleUnavailable as error:
        raise OracleUnavailable(f"without certified truth nobody knows which gradient is wrong: {error}") from None


def _done(jobs: Sequence[tuple[Work, str]], plan: Plan, workers: int) -> Iterator[tuple[str, Timed | Sound]]:
    """Names and what became of them, whichever is ready first."""
    if min(workers, len(jobs)) == 1:
        for work, name in jobs:
            with _about(name):
                found = work(name, plan)
            yield name, found
        return
    with pool_of(min(workers, len(jobs))) as pool:
        futures = {pool.submit(work, name, plan): name for work, name in jobs}
        for future in as_completed(futures):
            with _about(futures[future]):
                found = future.result()
            yield futures[future], found


@contextmanager
def _about(name: str) -> Iterator[None]:
    """An error says which bug or control it came with."""
    try:
        yield
    except BrokenProcessPool:
        raise UsageError(
            "a worker ended without an answer, as it does where memory runs out: fewer --workers"
        ) from None
    except Exception as error:
        error.add_note(f"while {name!r} was planted")
        raise


@contextmanager
def pool_of(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Fresh processes of one thread each; an interrupt ends them at once."""
    others = set(multiprocessing.active_children())
    with _one_thread():
        pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_deaf)
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in set(multiprocessing.active_children()) - others:
                worker.terminate()
            raise
        pool.shutdown()


def _deaf() -> None:
    """A terminal's interrupt reaches every process of the group; the first of them decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _one_thread() -> Iterator[None]:
    """What processes started here inherit."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

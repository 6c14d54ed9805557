"""How long a network takes, with every witness, beside gradcheck and check_grads on the same networks.

    python tests/benchmarks/speed.py [--networks 300] [--cold]

One core, 8 points a network, the networks that `crosscheck run` draws. Two processes: the first starts with an
empty directory for JAX's compiled kernels, the second with the one that the first has filled, and goes on to
the other networks; from the 200th on it also runs the rivals, in the same process. Nothing is asserted:
times belong to a machine. The ratios are what can be compared.
"""

from __future__ import annotations

import time

BEGUN = time.perf_counter()

import argparse  # noqa: E402
import itertools  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import statistics  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from typing import Any  # noqa: E402

FIRST, STEADY = 100, 200
SEED = 7
POINTS = 8
RIVALS = 60  # networks that gradcheck is timed on
HANDFUL = 5  # networks that check_grads is timed on: a second each
# Read when NumPy, PyTorch or JAX are first imported.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}

# --- in the child: hunt, and time each network ------------------------------------------------------------------


def hunted(networks: int) -> dict[str, Any]:
    """Milliseconds of each network, wall and processor, and the seconds of each part up to and after STEADY."""
    from crosscheck import session
    from crosscheck.checking import Witnesses
    from crosscheck.oracles.ball import Ball
    from crosscheck.oracles.jax_grad import JaxGrad
    from crosscheck.oracles.torch_autograd import TorchAutograd
    from crosscheck.search import Hunt, Limits, hunt
    from crosscheck.strategies.by_index import Source
    from crosscheck.subjects.builtin import Builtin

    settings = session.Settings(Builtin(), seed=SEED, examples=networks, points=POINTS)
    witnesses = Witnesses((Ball(), TorchAutograd(), JaxGrad()))
    source = Source(session.strategy(settings)[0], SEED)
    ready = time.perf_counter()
    wall, processor, parts = [ready], [time.process_time()], {}

    def progress(done: int, so_far: Hunt) -> None:
        wall.append(time.perf_counter())
        processor.append(time.process_time())
        if done == STEADY:
            parts.update(so_far.clock.seconds)

    result = hunt(source, settings.subject, witnesses, Limits(networks), progress)
    return {
        "ready_s": ready - BEGUN,
        "wall_ms": _steps(wall),
        "processor_ms": _steps(processor),
        "parts_ms": {
            name: 1e3 * (seconds - parts.get(name, 0.0)) / max(networks - STEADY, 1)
            for name, seconds in result.clock.seconds.items()
        },
        "verdicts": dict(result.tally.verdicts),
    }


def _steps(moments: list[float]) -> list[float]:
    return [1e3 * (b - a) for a, b in itertools.pairwise(moments)]


# --- in the child: the rivals, on one point of each network -----------------------------------------------------


def rivals(networks: int) -> dict[str, list[float]]:
    """Milliseconds a point of torch.autograd.gradcheck, slow and fast, and of jax.test_util.check_grads."""
    from crosscheck import session
    from crosscheck.strategies.by_index import Source
    from crosscheck.subjects.builtin import Builtin

    source = Source(session.strategy(session.Settings(Builtin(), seed=SEED, points=POINTS))[0], SEED)
    steady = range(min(STEADY, networks - 1), networks)[:RIVALS]
    cases = [case for case in map(source.case, steady) if case is not None]
    by_torch = [torch_function(case) for case in cases]
    return {
        "gradcheck, slow": [timed(lambda f=f, x=x: gradcheck(f, x, fast=False)) for f, x in by_torch],
        "gradcheck, fast": [timed(lambda f=f, x=x: gradcheck(f, x, fast=True)) for f, x in by_torch],
        "check_grads": [timed(lambda c=c: check_grads(c)) for c in cases[:HANDFUL]],
    }


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - start)


def torch_function(case: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The loss of the first point as a plain function of its tensors, as a user of gradcheck writes it."""
    import torch

    from crosscheck.oracles.torch_autograd import activations, layers, losses, merges

    architecture, point = case.architecture, case.point(0)
    arrays = {**point.params, **point.inputs}
    target = torch.tensor(point.targets)

    def loss(*tensors: Any) -> Any:
        given = dict(zip(arrays, tensors, strict=True))
        values: list[Any] = []
        for node in architecture.nodes:
            inputs = tuple(values[k] if k >= 0 else given[architecture.inputs[-k - 1].name] for k in node.inputs)
            if node.op in layers.ROWS:
                own = {role: given[key] for role, key in node.params.items()}
                values.append(layers.ROWS[node.op](inputs, own, node.attributes))
            elif node.op in merges.ROWS:
                values.append(merges.ROWS[node.op](inputs, node.attributes))
            else:
                values.append(activations.ROWS[node.op](inputs[0], **node.attributes))
        given_to_loss = losses.Given((values[-1],), target, None)
        return losses.point_loss(architecture.loss.op, architecture.loss.attributes, given_to_loss)

    return loss, tuple(torch.tensor(array, requires_grad=True) for array in arrays.values())


def gradcheck(function: Callable[..., Any], tensors: tuple[Any, ...], *, fast: bool) -> bool:
    import torch

    # At a kink it fails, rightly by its own lights; what is measured is what it costs.
    return bool(torch.autograd.gradcheck(function, tensors, fast_mode=fast, raise_exception=False))


def check_grads(case: Any) -> bool:
    import jax
    from jax.test_util import check_grads as rival

    from crosscheck.oracles.jax_grad import losses, walk

    architecture, point = case.architecture, case.point(0)

    def loss(params: Any, inputs: Any) -> Any:
        outputs = walk.network(architecture, params, inputs, {})
        return losses.point_loss(architecture.loss.op, architecture.loss.attributes, outputs, point.targets, None)

    with jax.enable_x64(True):
        try:
            rival(loss, (point.params, point.inputs), order=1, modes=("rev",))
        except AssertionError:  # as above
            return False
    return True


# --- the page ---------------------------------------------------------------------------------------------------


def child(networks: int, cache: str, *, with_rivals: bool) -> dict[str, Any]:
    command = [sys.executable, __file__, "--networks", str(networks), "--child", "rivals" if with_rivals else "hunt"]
    done = subprocess.run(
        command,
        env=os.environ | ONE_THREAD | {"CROSSCHECK_CACHE": cache},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def first_hundred(found: dict[str, Any]) -> str:
    wall, processor = (sum(found[key][:FIRST]) / 1e3 for key in ("wall_ms", "processor_ms"))
    count = min(FIRST, len(found["wall_ms"]))
    ready = found["ready_s"]
    return f"first {count} networks {wall:6.1f} s ({processor:.1f} s of processor), after {ready:.1f} s of importing"


def page(cold: dict[str, Any], warm: dict[str, Any] | None) -> Iterator[str]:
    yield f"empty cache   {first_hundred(cold)}"
    if warm is None:
        return
    yield f"filled cache  {first_hundred(warm)}"
    steady = {key: warm[key][STEADY:] for key in ("wall_ms", "processor_ms")}
    if not steady["wall_ms"]:
        yield f"fewer than {STEADY + 1} networks: nothing to say of the steady state"
        return
    mean, median = statistics.fmean(steady["wall_ms"]), statistics.median(steady["wall_ms"])
    used = statistics.fmean(steady["processor_ms"])
    times = f"mean {mean:.1f} ms a network of {POINTS} points, median {median:.1f}, of processor {used:.1f}"
    yield f"from the {STEADY}th  {times}"
    yield "              " + ", ".join(
        f"{name} {ms:.1f}" for name, ms in sorted(warm["parts_ms"].items(), key=lambda item: -item[1])
    )
    yield f"              {warm['verdicts']}"
    own = mean / POINTS
    yield f"\nms for one point of one network: crosscheck with torch, jax and differences {own:.2f}; beside it"
    for name, times in warm["rivals"].items():
        rival = statistics.fmean(times)
        yield f"  {name:16} {rival:9.2f}, {rival / own:7.2f} times as much (mean of {len(times)} networks)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=300, help=f"the steady state begins at the {STEADY}th")
    parser.add_argument("--cold", action="store_true", help="only the first 100 networks on an empty cache")
    parser.add_argument("--child", choices=("hunt", "rivals"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        found = hunted(options.networks)
        if options.child == "rivals":
            found["rivals"] = rivals(options.networks)
        print(json.dumps(found))
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(prefix="crosscheck-speed-") as cache:
        cold = child(min(FIRST, options.networks), cache, with_rivals=False)
        warm = None if options.cold else child(options.networks, cache, with_rivals=True)
    print("\n".join(page(cold, warm)))


if __name__ == "__main__":
    main()

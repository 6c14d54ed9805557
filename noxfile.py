"""What can be run: `nox -l` lists it, `nox -s tests` runs one, words after `--` are passed on."""

from __future__ import annotations

from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["tests", "lint", "crosscheck"]

PINS = ("-c", "constraints.txt")
TESTS = ("pytest>=8", "pytest-xdist>=3.5", "jsonschema>=4.20")


def _install(session: nox.Session, *packages: str, extras: str = "all") -> None:
    """crosscheck with its frameworks; the pins keep PyTorch a build for the CPU."""
    session.install(*PINS, "-e", f".[{extras}]" if extras else ".", *packages)


@nox.session
def tests(session: nox.Session) -> None:
    """The fast tests, under five minutes on two cores."""
    _install(session, *TESTS)
    session.run("python", "-m", "pytest", "-n", "2", *session.posargs)


@nox.session
def thorough(session: nox.Session) -> None:
    """The tests that take seconds each: bugs shrunk from many seeds, hundreds of drawn networks, whole runs."""
    _install(session, *TESTS)
    session.run("python", "-m", "pytest", "-m", "thorough", "-n", "2", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """ruff, its format, mypy strict, and the floors of the house."""
    _install(session, "ruff>=0.14", "mypy>=1.18", "import-linter>=2.5", extras="")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports")


@nox.session
def crosscheck(session: nox.Session) -> None:
    """The main job: verify the built-in backprop, both dtypes; leaves reports/index.html.

    What the page shows beside the run is measured first, where it was not before.
    """
    _install(session)
    if not Path("reports/accuracy.json").exists():
        session.run("crosscheck", "accuracy")
    if not Path("reports/power.json").exists():
        session.run("python", "tests/benchmarks/power.py", "--trials", "6")
    session.run("crosscheck", "run", "--dtype", "float64,float32", *session.posargs)


@nox.session
def selftest(session: nox.Session) -> None:
    """Plant every known bug: each must be caught and named: `nox -s selftest -- --profile nightly`.

    With `--peers` among the words, gradcheck, check_grads and allclose are put to the same bugs afterwards.
    """
    _install(session)
    words = [word for word in session.posargs if word != "--peers"]
    session.run("crosscheck", "selftest", *(words or ["--profile", "ci"]))
    if "--peers" in session.posargs:
        session.run("python", "tests/benchmarks/selftest_peers.py")


@nox.session
def demo(session: nox.Session) -> None:
    """scikit-learn's backprop: must end with DISAGREES and exit 1 (its issue 8349)."""
    _install(session)
    session.run("crosscheck", "run", "sklearn-mlp", *session.posargs, success_codes=[1])


@nox.session
def gate(session: nox.Session) -> None:
    """Thresholds on the newest run: `nox -s gate -- --min-informative 0.7`."""
    _install(session, extras="")
    session.run("crosscheck", "gate", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """The long tests: 100,000 points of random networks without a false alarm, in both dtypes."""
    _install(session, *TESTS)
    session.run("python", "-m", "pytest", "-m", "long", "-n", "2", *session.posargs)


@nox.session
def browser(session: nox.Session) -> None:
    """The report in a real browser: Chromium on PATH (or $CHROMIUM), light and dark, wide and narrow, axe."""
    _install(session, *TESTS, "playwright>=1.48", "axe-playwright-python>=0.1.4", extras="")
    session.run("python", "-m", "pytest", "-m", "browser", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Speed beside gradcheck and check_grads, as ratios in one run: `nox -s bench -- --networks 300`."""
    _install(session)
    session.run("python", "tests/benchmarks/speed.py", *session.posargs)


@nox.session
def power(session: nox.Session) -> None:
    """How small a planted error is found, beside gradcheck, check_grads and allclose: `nox -s power -- --trials 10`."""
    _install(session)
    session.run("python", "tests/benchmarks/power.py", *session.posargs)


@nox.session
def calibration(session: nox.Session) -> None:
    """Are the bounds honest: errors against certified truth in units of σ, resolutions, and what a proof costs."""
    _install(session)
    session.run("python", "tests/benchmarks/calibration.py", *session.posargs)
    session.run("python", "tests/benchmarks/resolution.py", *session.posargs)
    session.run("python", "tests/benchmarks/certified.py")


@nox.session
def constants(session: nox.Session) -> None:
    """Measure again the error constants of NumPy, SciPy and the frameworks."""
    _install(session, "python-flint>=0.6")
    session.run("python", "tests/benchmarks/measure_constants.py", *session.posargs)


@nox.session
def minima(session: nox.Session) -> None:
    """What every planted bug shrinks to from several seeds: `nox -s minima -- --seeds 10`."""
    _install(session)
    session.run("python", "tests/benchmarks/minima.py", *session.posargs)

"""A self-test to render: two families, a survivor, a mislocated and a misnamed bug, controls, two other checkers."""

from __future__ import annotations

from msgspec.structs import replace

from crosscheck.spec.kills import SCHEMA, Kill, Peer, Selftest, SelftestFile, Sound
from crosscheck.spec.record import Measured

LOSSES, KINKS = "losses", "kinks and singular points"


def kill(name: str, family: str, networks: int | None, **changes: object) -> Kill:
    found = Kill(
        name=name, family=family, source="classic", op="mse", symptom="FACTOR", networks=networks, verdict="DISAGREES"
    )
    told = {
        "place": "mse ∂C/∂a",
        "located": True,
        "mute_place": "mse ∂C/∂a",
        "mute_located": True,
        "likely": "the factor 2 of a square is missing",
        "named": True,
        "smallest": "x[1,1] -> mse",
        "layers": 1,
        "evaluations": 7,
    }
    return replace(found, **(told | changes))


FACTOR = kill("mse: factor 2 missing", LOSSES, 1)
TIMES = kill("mse: times the outputs", LOSSES, 6, source="scikit-learn#8349", named=False, likely=None)
ELSEWHERE = kill("relu: 1 at 0", KINKS, 3, op="relu", place="walk ∂z/∂a [1]", located=False, layers=3)
MUTE = kill("abs: sign of -0", KINKS, 4, op="abs", mute_place=None, mute_located=False, smallest="x[1,1] -> abs -> sse")
SURVIVOR = Kill(
    name="state: forgets", family=KINKS, source="classic", op=None, symptom="STATE", networks=None, verdict=None
)
QUIET = Sound(
    name="softmax by its Jacobian", why="the same sum, written out", source="classic", networks=60, entries=912
)
FLAGGED = replace(QUIET, name="gelu by tanh", accused="DISAGREES on x[1,1] -> gelu -> sse", networks=2)
PEERS = (
    Peer(
        name="gradcheck, slow",
        settings="eps 1e-6, atol 1e-5, rtol 1e-3",
        caught=4,
        asked=5,
        alarms=1,
        sound=20,
        by_family={LOSSES: (2, 2), KINKS: (2, 3)},
    ),
    Peer(
        name="check_grads",
        settings="order 1, modes rev",
        caught=1,
        asked=1,
        alarms=0,
        sound=5,
        by_family={LOSSES: (1, 1)},
    ),
)
SOUND = Selftest(
    schema=SCHEMA,
    version="0.1.0",
    seed=8,
    profile="ci",
    most_networks=60,
    points=4,
    dtype="float64",
    kills=(FACTOR, TIMES, ELSEWHERE, MUTE),
    controls=(QUIET,),
    equivalent=11,
    left_out=(("jax#22398", "logsumexp has no weights b"),),
)
BROKEN = replace(SOUND, kills=(*SOUND.kills, SURVIVOR), controls=(QUIET, FLAGGED), peers=PEERS)
MEASURED = Measured(
    started="2025-01-31T12:00:00+00:00",
    seconds=41.2,
    seconds_by_part={"hunting": 30.0, "shrinking and diagnosing": 11.2},
    versions={"crosscheck": "0.1.0", "numpy": "2.1.0"},
    environment={"os": "Linux 6.1", "cores": "2"},
)
SECONDS = {kill.name: (0.5, 1.25) for kill in BROKEN.kills}
FILE = SelftestFile(selftest=SOUND, measured=MEASURED, seconds=SECONDS)
FAILED = SelftestFile(selftest=BROKEN, measured=MEASURED, seconds=SECONDS)
EMPTY = replace(FILE, selftest=replace(SOUND, kills=(), seed=0))

"""A record of detection power to render: two methods on one network, crosscheck alone on random ones."""

from __future__ import annotations

from crosscheck.spec.power import SCHEMA, Method, Power, PowerFile, Promise, Rate, Scene
from crosscheck.spec.record import Measured

SIZES = (1.0, 0.1, 0.01, 1e-3, 1e-4)
NETWORK = "x[4,8] -> dense(8) -> tanh -> sse"


def method(name: str, found: tuple[int, ...], *, trials: int = 20, alarms: int = 0, own: bool = False) -> Method:
    rates = tuple(Rate(size=size, found=n, trials=trials) for size, n in zip(SIZES, found, strict=True))
    settings = "ball, torch" if own else "eps 1e-6"
    return Method(name=name, settings=settings, dtype="float64", rates=rates, sound=trials, alarms=alarms, own=own)


OWN = method("crosscheck", (20, 20, 20, 19, 0), own=True)
PEER = method("gradcheck, slow", (20, 1, 0, 0, 0), alarms=2)
POWER = Power(
    schema=SCHEMA,
    version="0.1.0",
    seed=7,
    trials=20,
    planting="one random entry is multiplied by 1 + ε",
    peers=Scene(networks=NETWORK, methods=(OWN, PEER)),
    random=Scene(networks="20 random networks", methods=(OWN,)),
    promise=Promise(margin=1.5, planted=1720, promised=980, found=980),
)
MEASURED = Measured(
    started="2025-01-31T12:00:00+00:00",
    seconds=41.2,
    seconds_by_part={"one network": 30.0, "random networks": 11.2},
    versions={"crosscheck": "0.1.0", "numpy": "2.1.0"},
    environment={"os": "Linux 6.1", "cores": "2"},
)
FILE = PowerFile(power=POWER, measured=MEASURED)

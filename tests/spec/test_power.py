"""The record of detection power: what was written is read back, and what cannot be is refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from report import power_example

from crosscheck.spec.errors import SpecError
from crosscheck.spec.power import FILE, PowerFile, Promise


def changed(**fields: object) -> bytes:
    return replace(power_example.FILE, power=replace(power_example.POWER, **fields)).to_json()


def test_what_was_written_is_read_back() -> None:
    data = power_example.FILE.to_json()
    assert data.endswith(b"}\n")
    assert PowerFile.from_json(data) == power_example.FILE
    assert PowerFile.from_json(data).to_json() == data


def test_it_is_loaded_from_its_file(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(power_example.FILE.to_json())
    assert PowerFile.load(tmp_path / FILE) == power_example.FILE
    with pytest.raises(SpecError, match=r"nowhere\.json: cannot be read: No such file"):
        PowerFile.load(tmp_path / "nowhere.json")


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b'{"power": {}}'])
def test_what_is_no_record_is_refused(data: bytes) -> None:
    with pytest.raises(SpecError, match=r"^power\.json: this is no record of detection power"):
        PowerFile.from_json(data)


def test_an_unknown_field_is_refused() -> None:
    plain = msgspec.json.decode(power_example.FILE.to_json())
    plain["power"]["mood"] = "good"
    with pytest.raises(SpecError, match="mood"):
        PowerFile.from_json(msgspec.json.encode(plain))


def test_another_schema_is_refused() -> None:
    with pytest.raises(SpecError, match=r"schema is 'crosscheck-power-9'; this crosscheck reads 'crosscheck-power-1'"):
        PowerFile.from_json(changed(schema="crosscheck-power-9"))


def test_more_found_than_planted_is_refused() -> None:
    impossible = power_example.method("gradcheck", (21, 0, 0, 0, 0))
    with pytest.raises(SpecError, match="gradcheck has 21 of 20; a part is from 0 to all"):
        PowerFile.from_json(changed(peers=replace(power_example.POWER.peers, methods=(impossible,))))


def test_methods_shown_different_errors_are_refused() -> None:
    other = replace(power_example.PEER, rates=power_example.PEER.rates[:2])
    with pytest.raises(SpecError, match="were shown errors of different sizes"):
        PowerFile.from_json(changed(peers=replace(power_example.POWER.peers, methods=(power_example.OWN, other))))


@pytest.mark.parametrize("counts", [(10, 11, 5), (10, 5, 6), (10, 5, -1)])
def test_promises_that_do_not_nest_are_refused(counts: tuple[int, int, int]) -> None:
    planted, promised, found = counts
    made = Promise(margin=1.5, planted=planted, promised=promised, found=found)
    with pytest.raises(SpecError, match="each is a part of the one before"):
        PowerFile.from_json(changed(promise=made))


def test_a_promise_about_nothing_is_not_kept() -> None:
    assert power_example.POWER.promise.kept
    assert not Promise(margin=1.5, planted=10, promised=0, found=0).kept
    assert not Promise(margin=1.5, planted=10, promised=5, found=4).kept


def test_only_crosscheck_s_own_alarms_count() -> None:
    assert power_example.PEER.alarms == 2
    assert power_example.POWER.alarms == 0
    loud = replace(power_example.OWN, alarms=3)
    assert replace(power_example.POWER, random=replace(power_example.POWER.random, methods=(loud,))).alarms == 3

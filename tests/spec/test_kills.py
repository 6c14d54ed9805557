"""The record of a self-test: what was written is read back, what cannot be is refused, and when it has passed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from report import selftest_example
from report.selftest_example import BROKEN, FAILED, FLAGGED, KINKS, LOSSES, SOUND, SURVIVOR

from crosscheck import gate
from crosscheck.spec.errors import SpecError, UsageError
from crosscheck.spec.kills import FILE, SelftestFile
from crosscheck.store import selftest as store


def changed(**fields: object) -> bytes:
    return replace(FAILED, selftest=replace(BROKEN, **fields)).to_json()


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    assert store.write(FAILED, tmp_path / "new") == tmp_path / "new" / FILE
    assert SelftestFile.load(tmp_path / "new" / FILE) == FAILED
    assert (tmp_path / "new" / FILE).read_bytes() == FAILED.to_json()
    assert SelftestFile.from_json(FAILED.to_json()).to_json() == FAILED.to_json()


def test_a_place_that_cannot_be_written_or_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"file.*cannot be written"):
        store.write(FAILED, tmp_path / "file")
    with pytest.raises(SpecError, match=r"nowhere\.json: cannot be read: No such file"):
        SelftestFile.load(tmp_path / "nowhere.json")


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"selftest": {}}'])
def test_what_is_no_record_is_refused(data: bytes) -> None:
    with pytest.raises(SpecError, match=r"^selftest\.json: this is no record of a self-test"):
        SelftestFile.from_json(data)


def test_an_unknown_field_and_another_schema_are_refused() -> None:
    plain = msgspec.json.decode(FAILED.to_json())
    plain["selftest"]["mood"] = "good"
    with pytest.raises(SpecError, match="mood"):
        SelftestFile.from_json(msgspec.json.encode(plain))
    with pytest.raises(SpecError, match=r"'crosscheck-selftest-9'; this crosscheck reads 'crosscheck-selftest-1'"):
        SelftestFile.from_json(changed(schema="crosscheck-selftest-9"))


@pytest.mark.parametrize("networks", [0, -1, 61])
def test_a_bug_is_caught_on_a_network_that_there_was(networks: int) -> None:
    impossible = replace(selftest_example.FACTOR, networks=networks)
    with pytest.raises(SpecError, match=f"'mse: factor 2 missing' was caught after {networks} networks, must be from"):
        SelftestFile.from_json(changed(kills=(impossible,)))


@pytest.mark.parametrize(
    "counts", [{"caught": 6}, {"alarms": 21}, {"caught": -1}, {"by_family": {LOSSES: (3, 2), KINKS: (2, 3)}}]
)
def test_a_peer_cannot_find_more_than_it_was_asked(counts: dict[str, object]) -> None:
    peer = replace(selftest_example.PEERS[0], **counts)
    with pytest.raises(SpecError, match=r"gradcheck, slow has .* a part is from 0 to all"):
        SelftestFile.from_json(changed(peers=(peer,)))


def test_families_stand_in_the_order_in_which_they_were_met() -> None:
    mixed = replace(SOUND, kills=(SOUND.kills[2], SOUND.kills[0], SOUND.kills[3], SOUND.kills[1]))
    assert list(mixed.families) == [KINKS, LOSSES]
    assert [kill.name for kill in mixed.families[KINKS]] == ["relu: 1 at 0", "abs: sign of -0"]


def test_it_passes_when_every_bug_was_caught_and_no_control_accused() -> None:
    assert SOUND.passed
    assert gate.of_selftest(SOUND).code == 0
    assert BROKEN.survivors == (SURVIVOR,)
    assert BROKEN.flagged == (FLAGGED,)


@pytest.mark.parametrize(
    ("changes", "code", "reason"),
    [
        ({"kills": (*SOUND.kills, SURVIVOR)}, 1, "planted bugs that got through: 1"),
        ({"controls": (FLAGGED,)}, 1, "controls that are right and were accused: 1"),
        ({"kills": ()}, 5, "no bug was planted: nothing shows that one would be caught"),
        ({"kills": (), "controls": (FLAGGED,)}, 1, "controls that are right and were accused: 1"),
    ],
)
def test_anything_else_is_no_pass(changes: dict[str, object], code: int, reason: str) -> None:
    found = replace(SOUND, **changes)
    assert not found.passed
    ending = gate.of_selftest(found)
    assert (ending.code, ending.reason) == (code, reason)

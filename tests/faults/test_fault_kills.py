"""A writer that is killed, interrupted, ended or refused by the disk, at each named place and at any other."""

from __future__ import annotations

import random
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from fault_script import STEPS, acknowledged, faults_of, states

from indexes.fail_points import ACTIONS, FAIL_POINTS

Server = Callable[..., list[int]]
LAST = len(STEPS)
IN_SCRIPT = [name for name in FAIL_POINTS if not name.startswith(("snapshot.", "restore."))]
TIMES = 4
ENDS = {"kill": -signal.SIGKILL, "terminate": -signal.SIGTERM, "interrupt": 130, "full": 28}


@pytest.fixture(scope="module")
def reached(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Counter[str]:
    """How often a whole script reaches each place."""
    folder = tmp_path_factory.mktemp("faults") / "index"
    assert server({"task": "script", "folder": folder, "log": f"{folder}.log"}) == [0]
    assert faults_of(folder, LAST, LAST, states()) == []
    return Counter(Path(f"{folder}.log").read_text(encoding="utf-8").split())


def test_there_are_enough_places_and_the_script_reaches_each(reached: Counter[str]) -> None:
    assert len(FAIL_POINTS) >= 16
    assert len(set(FAIL_POINTS)) == len(FAIL_POINTS)
    assert set(IN_SCRIPT) == set(reached)


def assert_whole(server: Server, folder: Path) -> None:
    """What is there is what was acknowledged, perhaps with the step under way, and the script goes on from there."""
    done = acknowledged(folder)
    assert faults_of(folder, done, min(done + 1, LAST), states()) == []
    assert server({"task": "script", "folder": folder}) == [0]
    assert faults_of(folder, LAST, LAST, states()) == []
    for kind in ("dense", "lexical"):
        names = [path.name for path in (folder / kind).iterdir()]
        assert len(names) == 1, f"{names}: what a killed run left is cleared away"


def fail(server: Server, place: Path, setting: str) -> None:
    folder = place / "index"
    [status] = server({"task": "script", "folder": folder, "fail": setting})
    assert status == ENDS[setting.partition("=")[2]], setting
    assert_whole(server, folder)


@pytest.mark.parametrize("name", IN_SCRIPT)
def test_killed(server: Server, place: Path, reached: Counter[str], name: str) -> None:
    fail(server, place, f"{name}*{(reached[name] + 1) // 2}=kill")


@pytest.mark.torture
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("time", range(TIMES))
@pytest.mark.parametrize("name", IN_SCRIPT)
def test_killed_each_time(server: Server, place: Path, reached: Counter[str], name: str, time: int) -> None:
    count = reached[name]
    fail(server, place, f"{name}*{1 + round(time * (count - 1) / (TIMES - 1))}=kill")


@pytest.mark.torture
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("action", [action for action in ACTIONS if action != "kill"])
@pytest.mark.parametrize("name", IN_SCRIPT)
def test_interrupted_ended_or_refused(
    server: Server, place: Path, reached: Counter[str], name: str, action: str
) -> None:
    fail(server, place, f"{name}*{(reached[name] + 1) // 2}={action}")


@pytest.mark.parametrize(("name", "action"), [("commit.document", "interrupt"), ("publish.filled", "terminate"),
                                              ("commit.sealed", "full"), ("publish.manifest", "full")])  # fmt: skip
def test_interrupted_ended_or_refused_here(
    server: Server, place: Path, reached: Counter[str], name: str, action: str
) -> None:
    fail(server, place, f"{name}*{(reached[name] + 1) // 2}={action}")


def kill_at_random(server: Server, place: Path, seed: int) -> int:
    """Kill the script three times; return how often it had not come to its end before."""
    chance, folder, struck = random.Random(seed), place / "index", 0
    place.mkdir(exist_ok=True)
    for _ in range(3):
        [status] = server({"task": "script", "folder": folder, "kill_after": chance.uniform(0.0, 0.6)})
        assert status in (0, -signal.SIGKILL)
        struck += status != 0
        done = acknowledged(folder)
        assert faults_of(folder, done, min(done + 1, LAST), states()) == []
    assert_whole(server, folder)
    return struck


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_random(server: Server, place: Path, seed: int) -> None:
    kill_at_random(server, place, seed)


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_killed_at_random_often(server: Server, place: Path, figure: Callable[[str], None]) -> None:
    """Until two hundred kills struck: on a fast machine some come too late."""
    struck = runs = 0
    while struck < 200:
        struck += kill_at_random(server, place / str(runs), 4 + runs)
        runs += 1
        shutil.rmtree(place / str(runs - 1))
        assert runs < 400, f"only {struck} of {3 * runs} kills struck"
    figure(f"{struck} of {3 * runs} random kills struck before the end")


# Snapshots --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["snapshot.copied", "snapshot.written"])
def test_killed_while_a_snapshot_is_made(server: Server, place: Path, name: str) -> None:
    folder = place / "index"
    assert server({"task": "script", "folder": folder, "until": 3}) == [0]
    assert server({"task": "snapshot", "folder": folder}) == [0]
    before = Path(f"{folder}.snapshot").read_bytes()
    assert server({"task": "snapshot", "folder": folder, "fail": name}) == [-signal.SIGKILL]
    assert Path(f"{folder}.snapshot").read_bytes() == before, "the old file is whole"
    assert faults_of(folder, 3, 3, states()) == []


@pytest.mark.parametrize("action", ["kill", "interrupt", "full"])
@pytest.mark.parametrize("setting", ["restore.checked", "restore.copying", "restore.done"])
def test_failing_while_a_snapshot_is_restored(server: Server, place: Path, setting: str, action: str) -> None:
    folder = place / "index"
    assert server({"task": "script", "folder": folder, "until": 3}) == [0]
    assert server({"task": "snapshot", "folder": folder}) == [0]
    assert server({"task": "script", "folder": folder, "until": 7}) == [0]
    [status] = server({"task": "restore", "folder": folder, "fail": f"{setting}={action}"})
    assert status == ENDS[action]
    # Wholly the old or wholly the restored one; what lies between is no generation of either.
    old, restored = faults_of(folder, 7, 7, states()), faults_of(folder, 3, 3, states())
    assert [] in (old, restored), (old, restored)
    assert server({"task": "restore", "folder": folder}) == [0]
    assert faults_of(folder, 3, 3, states()) == []
    assert not list(folder.glob(".restore-*"))

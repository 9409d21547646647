"""Real processes, really killed: whatever is killed and whenever, the campaign ends with the same tables.

Results are reproducible (a seed in the Protocol), so that the final tables can be compared with those of an
undisturbed campaign. `test_histories.py` runs many more histories, without processes.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import psutil
import pytest

from alchemiscale_lake.gufe_adapter import dump_network
from alchemiscale_lake.store import Lake
from tests.example_networks import harmonic_network
from tests.forks import ForkServer
from tests.long import LONG

REPOSITORY = Path(__file__).parents[2]
N_EDGES = 4
#: Enough to be killed in the engine, few enough to be fast.
SETTINGS = {"n_samples": 20, "n_windows": 2, "protocol_seed": 7}
SEED = 20250601
N_GROUPS = 7


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("network") / "network.json"
    dump_network(harmonic_network(4, N_EDGES, **SETTINGS), path)
    return path


@dataclass(frozen=True)
class Undisturbed:
    """The final tables of an undisturbed campaign, and the fault points it passed."""

    tables: dict[str, list[tuple[object, ...]]]
    points: Counter[str]


@pytest.fixture(scope="module")
def undisturbed(forks: ForkServer, network: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    drive(forks, folder / "lake", network, "--points", str(folder / "points.json"))
    points = Counter(json.loads((folder / "points.json").read_text()))
    return Undisturbed(final_tables(folder / "lake"), points)


def drive(forks: ForkServer, lake: Path, network: Path, *options: str, fault: str | None = None) -> int:
    """Run the driver to its end, or until it is killed."""
    env = {k: v for k, v in os.environ.items() if k != "ALCHEMISCALE_LAKE_FAULT"}
    if fault is not None:
        env["ALCHEMISCALE_LAKE_FAULT"] = fault
    done = forks.run("tests.faults.driver", str(lake), str(network), *options, environment=env)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def final_tables(lake: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return what must be equal at the end: states, results, and numbers at all three levels."""
    frames = Lake.open(lake).snapshot()
    states = Lake.open(lake).task_log.states().tasks
    results = frames["results"].collect()
    assert results["task"].is_unique().all(), "a Task has two results"
    assert set(frames["unit_results"].collect()["attempt"]) == set(results["attempt"])

    def rows(table: str, *columns: str) -> list[tuple[object, ...]]:
        frame = frames[table]
        if "round" in frame.collect_schema():
            frame = frame.filter(pl.col("round") == pl.col("round").max())
        return sorted(frame.select(columns).collect().rows(), key=repr)

    return {
        "status": sorted(states.select("transformation", "status").rows()),
        "results": rows("results", "transformation", "ok", "estimate_kcal_mol", "uncertainty_kcal_mol"),
        "legs": rows("transformation_estimates", "transformation", "n_results", "value_kcal_mol"),
        "edges": rows("edge_estimates", "ligand_i", "ligand_j", "value_kcal_mol"),
        "ligands": rows("network_estimates", "ligand", "value_kcal_mol", "uncertainty_kcal_mol"),
    }


def rounded(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return [tuple(round(v, 9) if isinstance(v, float) else v for v in row) for row in rows]


def assert_the_same_end(lake: Path, undisturbed: Undisturbed) -> None:
    ended = final_tables(lake)
    assert [status for _, status in ended["status"]] == ["complete"] * N_EDGES
    for name, rows in undisturbed.tables.items():
        # sums run in the order in which Transformations were recorded, so their last digits may differ
        assert rounded(ended[name]) == rounded(rows), name


def test_the_undisturbed_campaign_is_what_was_asked_for(undisturbed: Undisturbed) -> None:
    assert [status for _, status in undisturbed.tables["status"]] == ["complete"] * N_EDGES
    assert len(undisturbed.tables["results"]) == len(undisturbed.tables["edges"]) == N_EDGES
    assert len(undisturbed.tables["ligands"]) == 4
    assert len(undisturbed.points) >= 30, "there are fault points between the writes"


@pytest.mark.parametrize("group", range(N_GROUPS))
@pytest.mark.parametrize("seed", [SEED, *(pytest.param(SEED + 100 * n, marks=LONG) for n in range(1, 6))])
def test_killed_between_any_two_writes(
    seed: int, group: int, forks: ForkServer, network: Path, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """SIGKILL at every fault point, each in one of the groups; a campaign is killed until it ends."""
    draw = random.Random(seed + group)
    # from early to late, so that the progress after one kill does not skip the next
    points = list(undisturbed.points.items())[group::N_GROUPS]
    lakes, missed = [tmp_path / "lake"], []
    for name, passages in points:
        if drive(forks, lakes[-1], network, fault=f"{name}@{draw.randint(1, min(passages, 2))}") == 0:
            # the campaign ended before the point: use a new one for this kill and the next
            lakes.append(tmp_path / f"lake{len(lakes)}")
            if drive(forks, lakes[-1], network, fault=f"{name}@1") == 0:
                missed.append(name)
    for lake in lakes:
        assert drive(forks, lake, network) == 0
        assert_the_same_end(lake, undisturbed)
    assert len(missed) <= 1, f"of {points} these were not reached: {missed}"


@pytest.mark.parametrize("n_races", [1, pytest.param(10, marks=LONG)])
def test_two_dispatchers_race_and_one_is_killed(
    n_races: int, network: Path, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    draw = random.Random(SEED + n_races)
    for i in range(n_races):
        lake = tmp_path / f"lake{i}"
        Lake.create(lake)
        command = [sys.executable, "-m", "tests.faults.driver", str(lake), str(network), "--lease-s", "3"]
        racers = [subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE) for _ in range(2)]
        wait_for(lambda lake=lake: "running" in statuses(lake), racers)
        time.sleep(draw.uniform(0.0, 1.0))
        racers[0].kill()
        racers[0].wait()
        assert racers[1].wait(timeout=600) == 0, racers[1].stderr.read() if racers[1].stderr else ""
        for racer in racers:
            if racer.stderr:
                racer.stderr.close()
        assert_the_same_end(lake, undisturbed)


# --- the command, with Prefect and Dask -----------------------------------------------------------


@dataclass
class Command:
    """`alchemiscale-lake run` in its own session, with its descendants."""

    process: subprocess.Popen[bytes]

    def below(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def find(self, *words: str) -> list[psutil.Process]:
        found = []
        for process in self.below():
            try:
                line = " ".join(process.cmdline())
            except psutil.Error:
                continue
            if all(word in line for word in words):
                found.append(process)
        return found


@pytest.fixture
def start(tmp_path: Path, network: Path) -> Iterator[Callable[..., Command]]:
    started: list[Command] = []

    def run(*options: str) -> Command:
        command = [sys.executable, "-m", "alchemiscale_lake", "run", "--lake", str(tmp_path / "lake"), "--workers", "2"]
        with (tmp_path / f"run{len(started)}.log").open("wb") as log:
            process = subprocess.Popen([*command, *options], cwd=REPOSITORY, stdout=log, stderr=log)
        started.append(Command(process))
        return started[-1]

    yield run
    for command in started:
        for process in [*command.below(), command.process]:
            with_suppressed(process.kill)
        command.process.wait()


def with_suppressed(action: Callable[[], object]) -> None:
    with contextlib.suppress(psutil.Error, ProcessLookupError):
        action()


def statuses(lake: Path) -> set[str]:
    try:
        return set(Lake.open(lake).task_log.states().tasks["status"])
    except Exception:  # it is just being created
        return set()


def wait_for(ready: Callable[[], object], processes: list[subprocess.Popen[bytes]], timeout_s: float = 600.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not ready():
        assert time.monotonic() < deadline, "waited in vain"
        assert all(p.poll() is None for p in processes), "it ended before it could be killed"
        time.sleep(0.05)


KILLS = ["flow", "worker", "child", "fork server", "api", "flow"]
N_REPEATS = 4


def test_the_command_is_killed_wherever_it_hurts(
    start: Callable[..., Command], undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """One campaign, six kills, `run --resume` after those that end the command."""
    draw = random.Random(SEED + 2)
    lake, slow = tmp_path / "lake", tmp_path / "slow.json"
    dump_network(harmonic_network(4, N_EDGES, duration_s=2.0, **SETTINGS), slow)
    # one Task's unit, its fork server and its worker may be hit one after another
    retries = ("--unit-retries", "3")
    command = start(str(slow), "--scope", "org-campaign-project", "-t", str(N_REPEATS), *retries)
    killed = []
    for kill in KILLS:
        if not can_be_killed(command, kill, lake):
            break  # on a slow machine the campaign may end before the last kills
        time.sleep(draw.uniform(0.0, 1.0))
        killed.append(kill)
        for victim in draw.sample(found := victims(command, kill), k=min(1, len(found))):
            with_suppressed(victim.kill)
        if kill == "flow":  # the command recovers from the others itself
            wait_until_gone(command)
            command = start("--resume", *retries)
    assert command.process.wait(timeout=600) == 0, log_of(tmp_path)
    assert len(killed) >= 4, log_of(tmp_path)
    ended = final_tables(lake)
    assert [status for _, status in ended["status"]] == ["complete"] * N_EDGES * N_REPEATS, log_of(tmp_path)
    assert {row[2:] for row in rounded(ended["results"])} == {row[2:] for row in rounded(undisturbed.tables["results"])}
    assert rounded([row[:2] for row in ended["ligands"]]) == rounded([row[:2] for row in undisturbed.tables["ligands"]])


def can_be_killed(command: Command, kill: str, lake: Path) -> bool:
    """Wait until a Task is running and something of that kind exists; return False if the command ended before."""
    deadline = time.monotonic() + 300.0
    while command.process.poll() is None:
        if "running" in statuses(lake) and victims(command, kill):
            return True
        assert time.monotonic() < deadline, f"no {kill} was there to be killed"
        time.sleep(0.05)
    return False


def log_of(folder: Path) -> str:
    logs = [path.read_text()[-2000:] for path in sorted(folder.glob("run*.log"))]
    command = [sys.executable, "-m", "alchemiscale_lake", "failures", "--lake", str(folder / "lake"), "--traceback"]
    failures = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return "\n".join([*logs, failures.stdout, failures.stderr])


def victims(command: Command, kill: str) -> list[psutil.Process]:
    """Return processes of one kind that can be killed."""
    fork_servers = command.find("execution.fork_server")
    parents: dict[str, Callable[[], list[psutil.Process | None]]] = {
        "flow": lambda: [psutil.Process(command.process.pid)],
        "worker": lambda: [z.parent() for z in fork_servers],
        "fork server": lambda: list(fork_servers),
        "child": lambda: [c for z in fork_servers for c in z.children()],
        "api": lambda: list(command.find("alchemiscale_lake.prefect_api.server_process")),
    }
    with contextlib.suppress(psutil.Error):
        return [p for p in parents[kill]() if p is not None]
    return []


def wait_until_gone(command: Command) -> None:
    """A killed command leaves no process behind."""
    below = command.below()
    command.process.wait(timeout=600)
    _, left = psutil.wait_procs(below, timeout=300)
    assert left == [], [p.cmdline() for p in left]

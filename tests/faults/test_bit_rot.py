"""Flipped bits at random places of every kind of file: none undetected by `verify`, none fatal to a reader."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.cli import main
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks, set_tasks_priority
from alchemiscale_lake.store import Lake, maintain
from tests.long import LONG
from tests.plain import SCOPE, leave_result, plain_chain

REPOSITORY = Path(__file__).parents[2]
#: Flips of one child process.
BATCH = 150


@pytest.fixture(scope="module")
def pristine() -> Iterator[Path]:
    """Return a small lake with every kind of file: entries, checkpoints, snapshots, data files, objects, receipts."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:
        lake = Lake.create(Path(folder) / "lake")
        network = submit_network(lake, plain_chain([("a", "b"), ("b", "c")]), SCOPE, caller=Caller("ana")).network
        tasks = ensure_tasks(lake, network, 2, caller=Caller("ana"))
        for claim in claim_tasks(lake, "p", 4, lease_s=600, caller=Caller("d")):
            leave_result(lake, AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope))
        gather_network(lake, network)
        (late,) = ensure_tasks(lake, network, 3, caller=Caller("ana"))[:1]
        for priority in range(1, 25):
            set_tasks_priority(lake, [late], priority, caller=Caller("ana"))
        maintain(lake)
        assert tasks
        yield Path(folder) / "lake"


def kind_of(path: str) -> str:
    """Return the kind of a file, by its path."""
    if path.startswith("tables/"):
        name = path.rpartition("/")[2]
        if "_delta_log" not in path:
            return "data file"
        return "hint" if name == "_last_checkpoint" else ("checkpoint" if "checkpoint" in name else "entry")
    return "object" if path.startswith("attempts/") and not path.endswith("receipt.arrow") else path.rpartition("/")[2]


def flips_of(place: Path, n: int) -> list[tuple[str, int, int]]:
    """Draw the same number of flips for every kind of file."""
    draw = random.Random(20261129)
    kinds: dict[str, list[Path]] = {}
    for path in sorted(p for p in place.rglob("*") if p.is_file() and p.stat().st_size):
        if path.name == "receipt.arrow" and not path.read_bytes().startswith(b"alchemiscale-lake receipt"):
            continue  # from an older version, without a digest
        kinds.setdefault(kind_of(path.relative_to(place).as_posix()), []).append(path)
    flips = []
    for i in range(n):
        files = kinds[sorted(kinds)[i % len(kinds)]]
        file = draw.choice(files)
        flips.append((file.relative_to(place).as_posix(), draw.randrange(file.stat().st_size), draw.randrange(8)))
    return flips


def play(place: Path, flips: list[tuple[str, int, int]], tmp_path: Path) -> list[list[str]]:
    """Read them in child processes; if one is ended by a signal, its current flip is the cause."""
    outcomes: list[list[str]] = []
    for start in range(0, len(flips), BATCH):
        batch = flips[start : start + BATCH]
        (tmp_path / "flips.json").write_text(json.dumps(batch))
        command = [sys.executable, "-m", "tests.faults.rotten_reader", str(place), str(tmp_path / "flips.json")]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=600)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 0, f"a reader ended with {done.returncode} at {lines[-1:]}: {done.stderr[-2000:]}"
        outcomes += lines[1::2]
    return outcomes


@pytest.mark.parametrize("n_flips", [150, pytest.param(5000, marks=LONG)])
def test_no_flipped_bit_is_unnoticed_or_fatal(n_flips: int, pristine: Path, tmp_path: Path) -> None:
    place = tmp_path / "lake"
    shutil.copytree(pristine, place)
    flips = flips_of(place, n_flips)
    outcomes = play(place, flips, tmp_path)
    assert len(outcomes) == len(flips)
    told = Counter((kind_of(path), *outcome) for (path, *_), outcome in zip(flips, outcomes, strict=True))
    print("\n".join(f"{n:5d} {kind}: {' / '.join(outcome)}" for (kind, *outcome), n in sorted(told.items())))
    fatal = [
        (f, o) for f, o in zip(flips, outcomes, strict=True) if o[1].startswith("!") or o[0] not in ("whole", "damaged")
    ]
    assert not fatal, fatal[:5]
    unnoticed = [(f, o) for f, o in zip(flips, outcomes, strict=True) if o[0] == "whole" and o[1] != "right"]
    assert not unnoticed, unnoticed[:5]


def test_an_intact_lake_verifies_and_damage_is_reported_with_the_remedy(pristine: Path, tmp_path: Path) -> None:
    place = tmp_path / "lake"
    shutil.copytree(pristine, place)
    done = CliRunner().invoke(main, ["verify", "--lake", str(place)])
    assert (done.exit_code, done.stdout) == (0, ""), done.output
    assert "none is damaged" in done.stderr
    (data_file,) = list(place.glob("tables/results/**/part-*.parquet"))[:1]
    (kept,) = list(place.glob("attempts/**/kept.txt"))[:1]
    (receipt,) = list(place.glob("attempts/**/receipt.arrow"))[:1]
    entry = sorted(place.glob("tables/tasks/_delta_log/*.json"))[0]
    for path in (data_file, kept, receipt, entry):
        path.write_bytes(path.read_bytes()[:-40] + b"x" * 40)
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    done = CliRunner().invoke(main, ["verify", "--lake", str(place), "--tsv"])
    assert done.exit_code == 1, done.output
    told = {line.split("\t")[0] for line in done.stdout.splitlines()[1:]}
    assert {path.relative_to(place).as_posix() for path in (data_file, kept, receipt, entry)} <= told
    assert "restore it from a backup" in done.stdout
    assert before == {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}, "it is read-only"


def test_a_missing_file_is_damage(pristine: Path, tmp_path: Path) -> None:
    place = tmp_path / "lake"
    shutil.copytree(pristine, place)
    missing = [next(place.glob("tables/tasks/**/part-*.parquet")), next(place.glob("attempts/**/result.json.zst"))]
    for path in missing:
        path.unlink()
    done = CliRunner().invoke(main, ["verify", "--lake", str(place), "--tsv"])
    assert done.exit_code == 1
    for path in missing:
        assert path.name in done.stdout

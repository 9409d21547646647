"""A power cut during a campaign: everything acknowledged exists afterwards, after a repair.

Once with a real file system: ext4 in a file, mounted as a loop device and copied while it is written to, which is the
state of a disk at that instant; its journal is replayed when the copy is mounted. And once, everywhere, with a
simulated disk that loses what was not fsynced.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from alchemiscale_lake.store import Lake, repair
from tests.disk import Disk
from tests.faults.power_driver import campaign, lost, recover
from tests.long import LONG

REPOSITORY = Path(__file__).parents[2]
IMAGE_BYTES = 48 * 2**20

Notes = list[tuple[str, str]]


def after_the_cut(folder: Path, notes: Notes) -> int:
    """Repair a lake, recover it and check it; return how much was damaged."""
    then = time.time() - 3600
    for path in folder.glob("tables/*/_delta_log/*"):
        os.utime(path, (then, then))
    report = repair(Lake.open(folder), tell=lambda _: None)
    lake = Lake.open(folder)
    recover(lake)
    assert lost(Lake.open(folder), notes) == []
    return len(report.losses)


def test_what_was_not_fsynced_may_go(lake: Lake, tmp_path: Path) -> None:
    """A cut before each of some fsyncs: names lost, or files empty or halved."""
    assert lake.local_path is not None
    notes: Notes = []
    cuts: list[tuple[Path, Notes]] = []
    every = 11

    def cut(_: str) -> None:
        n = len(disk.fsynced)
        if n % every == every - 1:
            target = tmp_path / "cuts" / f"{n:05d}"
            kind = n // every % 3
            known = list(notes)
            disk.cut(target, names=kind > 0, half=kind > 1)
            cuts.append((target, known))

    with Disk(lake.local_path, cut) as disk:
        campaign(lake.local_path, lambda kind, name: notes.append((kind, name)), 4)
    assert len(cuts) >= 20
    torn = sum(after_the_cut(target, known) for target, known in cuts)
    assert torn > 0, "no cut tore anything: they prove nothing"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    made = subprocess.run(["mkfs.ext4", "-q", "-F", str(path)], capture_output=True, check=False) if tools() else None
    if made is None or made.returncode:
        pytest.skip("no ext4 can be made here; the other test stands for this one")
    return path


def tools() -> bool:
    return shutil.which("mkfs.ext4") is not None and shutil.which("mount") is not None


@contextmanager
def mounted(image: Path, at: Path) -> Iterator[Path]:
    at.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-o", "loop", str(image), str(at)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no image can be mounted here ({done.stderr.strip()}); the other test stands for this one")
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


def copy_of(image: Path) -> bytes:
    """Return the current state of the disk; read again until nothing was written meanwhile."""
    data = image.read_bytes()
    while (again := image.read_bytes()) != data:
        data = again
    return data


@pytest.mark.parametrize("n_cuts", [10, pytest.param(200, marks=LONG)])
def test_an_ext4_is_cut_while_a_campaign_runs(
    n_cuts: int, image: Path, tmp_path: Path, empty_lake_folder: Path
) -> None:
    notes = tmp_path / "notes"
    notes.touch()
    with mounted(image, tmp_path / "mnt") as disk:
        shutil.copytree(empty_lake_folder, disk / "lake")
        os.sync()
        command = [sys.executable, "-m", "tests.faults.power_driver", str(disk / "lake"), str(notes)]
        with (tmp_path / "errors").open("wb") as errors:
            writers = [subprocess.Popen(command, cwd=REPOSITORY, stderr=errors) for _ in range(2)]
        try:
            copies = list(cuts_while_they_write(n_cuts, image, notes, writers))
        finally:
            for writer in writers:
                writer.kill()
                writer.wait()
    for data, known in copies:
        image.write_bytes(data)
        with mounted(image, tmp_path / "after") as disk:
            after_the_cut(disk / "lake", known)


def cuts_while_they_write(
    n_cuts: int, image: Path, notes: Path, writers: list[subprocess.Popen[bytes]]
) -> Iterator[tuple[bytes, Notes]]:
    """Yield the state of the disk at random instants, and what was acknowledged by then."""
    chance, seen = random.Random(2), 0
    for _ in range(n_cuts):
        while len(known := noted(notes)) < seen + 4:
            assert all(writer.poll() is None for writer in writers), (notes.parent / "errors").read_text()
            time.sleep(0.01)
        time.sleep(chance.random() * 0.2)
        for writer in writers:
            writer.send_signal(signal.SIGSTOP)
        known = noted(notes)
        seen = len(known)
        yield copy_of(image), known
        for writer in writers:
            writer.send_signal(signal.SIGCONT)


def noted(notes: Path) -> Notes:
    lines = notes.read_text().splitlines(keepends=True)
    return [(kind, name) for kind, _, name in (line.strip().partition(" ") for line in lines if line.endswith("\n"))]

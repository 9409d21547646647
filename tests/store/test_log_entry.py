"""Entries of a log."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from alchemiscale_lake.store import Lake
from alchemiscale_lake.store.delta_log import PREVIOUS, entry_name
from tests.disk import Disk
from tests.store.recorded_disk import create


def test_a_checkpoint_appears_whole(lake: Lake, tmp_path: Path) -> None:
    assert lake.local_path is not None
    with Disk(lake.local_path) as disk:
        for i in range(20):
            create(lake, str(i))
        disk.cut(tmp_path / "cut", names=True)
    log = Path("tables/task_log/_delta_log")
    whole = (lake.local_path / log / "00000000000000000020.checkpoint.parquet").read_bytes()
    seen = {tree.get(f"{log}/00000000000000000020.checkpoint.parquet", whole) for tree in disk.cuts()}
    assert seen == {whole}
    for entry in (tmp_path / "cut" / log).glob("*.json"):
        if entry.name < entry_name(20):
            entry.unlink()
    assert Lake.open(tmp_path / "cut").task_log.states().seq == 20


def test_each_entry_names_its_predecessor(lake: Lake) -> None:
    for i in range(3):
        create(lake if i % 2 else Lake.open(lake.url), str(i))
    assert lake.local_path is not None
    entries = [p.read_bytes() for p in sorted(lake.local_path.joinpath("tables/task_log/_delta_log").glob("*.json"))]
    told = [json.loads(entry.splitlines()[0])["commitInfo"].get(PREVIOUS) for entry in entries]
    assert told == [None, *(hashlib.sha256(entry).hexdigest() for entry in entries[:-1])]

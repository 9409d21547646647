"""One flipped bit in a file with a digest is undone exactly; nothing else is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store.damage import Damage
from alchemiscale_lake.store.log_entry import OWN, PREVIOUS, entry_name
from alchemiscale_lake.store.restoration import broken_links, restored
from tests.lakes import new_lake

LOG = "_delta_log"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a table with three commits, and a checkpoint after the third."""
    lake = new_lake(tmp_path_factory.mktemp("restoration") / "lake")
    table = lake.table("assays")
    for i in range(3):
        table.append_new(TABLES["assays"].sample(1, ligand=f"l{i}"))
    table.log.checkpoint(table.snapshot())
    assert lake.local_path is not None
    return lake.local_path / table.folder


@pytest.fixture
def table(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template, tmp_path / "assays")
    return tmp_path / "assays"


def flipped(path: Path, at: int, bit: int = 0) -> bytes:
    """Flip a bit of a file; return its content before."""
    data = path.read_bytes()
    changed = bytearray(data)
    changed[at] ^= 1 << bit
    path.write_bytes(changed)
    return data


def of_entry(version: int) -> Damage:
    return Damage(f"{LOG}/{entry_name(version)}", "a damaged entry", version)


@pytest.mark.parametrize("version", [1, 3])
def test_an_entry_by_the_next_one_or_by_itself(table: Path, version: int) -> None:
    path = table / LOG / entry_name(version)
    assert len(path.read_bytes()) < 4096
    data = flipped(path, path.read_bytes().index(b'"size"') + 9)

    assert restored(table, of_entry(version)) == data


def test_a_data_file_by_its_name(table: Path) -> None:
    path = sorted(table.rglob("part-*.parquet"))[0]
    damage = Damage(str(path.relative_to(table)), "a changed file")
    data = flipped(path, 100, bit=7)
    assert restored(table, damage) == data

    flipped(path, 200)
    assert restored(table, damage) is None, "two bits"
    path.unlink()
    assert restored(table, damage) is None, "no file"


def test_a_file_without_a_digest_is_not_restored(table: Path) -> None:
    (table / "part-0.parquet").write_bytes(b"PAR1")
    assert restored(table, Damage("part-0.parquet", "a changed file")) is None


def test_the_newest_checkpoint_by_its_description(table: Path) -> None:
    (path,) = (table / LOG).glob("*.checkpoint.parquet")
    damage = Damage(f"{LOG}/{path.name}", "a damaged checkpoint", 3)
    data = flipped(path, 50, bit=3)
    assert restored(table, damage) == data

    (table / LOG / "_last_checkpoint").unlink()
    assert restored(table, damage) is None


def test_an_entry_that_is_whole_but_not_what_the_next_one_records(table: Path) -> None:
    """Such as one that was exchanged for that of another table."""
    assert broken_links(table / LOG) == []
    path = table / LOG / entry_name(2)
    data = path.read_bytes()
    path.write_bytes(data.replace(OWN.encode(), b"x" * len(OWN)).replace(b"l1", b"l9"))

    (found,) = broken_links(table / LOG)
    assert found == Damage(f"{LOG}/{path.name}", "a changed entry", 2)


def test_entries_that_are_damaged_or_whose_next_one_is_unknown_are_left_to_others(table: Path) -> None:
    flipped(table / LOG / entry_name(1), 1)  # not JSON any more
    last = table / LOG / entry_name(3)
    last.write_bytes(last.read_bytes().replace(PREVIOUS.encode(), b"x" * len(PREVIOUS)))
    flipped(table / LOG / entry_name(2), -1)

    assert broken_links(table / LOG) == []

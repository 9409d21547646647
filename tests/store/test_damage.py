"""Damage in the log and the data files of a table in a folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import damage as module
from alchemiscale_lake.store.damage import (
    Damage,
    checkpoint_digest,
    damage_of_file,
    damage_of_log,
    damage_of_tail,
    is_whole_parquet,
)
from alchemiscale_lake.store.log_entry import entry_name
from tests.lakes import new_lake

NEWEST, CHECKPOINT = 4, 2
CHECKPOINT_NAME = f"_delta_log/{CHECKPOINT:020d}.checkpoint.parquet"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a table with four commits of a file each and a checkpoint after the second."""
    lake = new_lake(tmp_path_factory.mktemp("damage") / "lake")
    table = lake.table("assays")
    for i in range(NEWEST):
        table.append_new(TABLES["assays"].sample(1, ligand=f"l{i}"))
        if i + 1 == CHECKPOINT:
            table.log.checkpoint(table.snapshot())
    assert table.snapshot().version() == NEWEST
    assert lake.local_path is not None
    return lake.local_path / table.folder


@pytest.fixture
def table(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "_BETWEEN_LOOKS_S", 0.0)
    shutil.copytree(template, tmp_path / "assays")
    return tmp_path / "assays"


def entry(table: Path, version: int) -> Path:
    return table / "_delta_log" / entry_name(version)


def added(table: Path, version: int) -> tuple[str, int]:
    """Return path and size of the data file of an entry."""
    actions = [json.loads(line) for line in entry(table, version).read_text().splitlines()]
    (add,) = [action["add"] for action in actions if "add" in action]
    return add["path"], add["size"]


def flip(path: Path, at: int = -40) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(data)


def tail(table: Path, known: int = -1, n_files: int = 100) -> Damage | None:
    return damage_of_tail(table, NEWEST, known, n_files)


def test_an_intact_table_has_none(table: Path) -> None:
    assert damage_of_log(table / "_delta_log") == []
    assert tail(table) is None
    assert checkpoint_digest(table / "_delta_log", CHECKPOINT) is not None
    assert checkpoint_digest(table / "_delta_log", CHECKPOINT - 1) is None


DAMAGES: dict[str, Callable[[Path], object]] = {
    "an empty entry": lambda path: path.write_bytes(bytes(100)),
    "a damaged entry": lambda path: path.write_bytes(path.read_bytes()[:-30]),
    "a missing entry": Path.unlink,
}


@pytest.mark.parametrize("what", DAMAGES)
@pytest.mark.parametrize("version", [CHECKPOINT + 1, NEWEST])
def test_entries_above_the_checkpoint_count(table: Path, what: str, version: int) -> None:
    DAMAGES[what](entry(table, version))

    expected = Damage(f"_delta_log/{entry_name(version)}", what, version)
    is_last = what == "a missing entry" and version == NEWEST
    assert damage_of_log(table / "_delta_log") == ([] if is_last else [expected])
    # an entry that is gone was removed by maintenance: deltalake does not open a log with a gap
    assert tail(table) == (None if what == "a missing entry" else expected)


def test_entries_below_the_checkpoint_do_not_count(table: Path) -> None:
    DAMAGES["a damaged entry"](entry(table, CHECKPOINT))
    entry(table, CHECKPOINT - 1).unlink()
    assert damage_of_log(table / "_delta_log") == []
    assert tail(table) is None


def test_a_damaged_checkpoint_is_damage_and_the_entries_below_count(table: Path) -> None:
    flip(table / CHECKPOINT_NAME)
    DAMAGES["a damaged entry"](entry(table, CHECKPOINT - 1))

    bad = Damage(CHECKPOINT_NAME, "a damaged checkpoint", CHECKPOINT)
    assert damage_of_log(table / "_delta_log") == [
        bad,
        Damage(f"_delta_log/{entry_name(CHECKPOINT - 1)}", "a damaged entry", CHECKPOINT - 1),
    ]
    assert tail(table) == bad
    assert tail(table, known=CHECKPOINT) is None, "checked before"


def test_a_checkpoint_without_a_digest_is_only_opened(table: Path) -> None:
    """As one of an older version, or one whose description is damaged."""
    (table / "_delta_log/_last_checkpoint").write_bytes(b"{")
    assert damage_of_log(table / "_delta_log") == []

    (table / CHECKPOINT_NAME).write_bytes(b"PAR1 no parquet PAR1")
    assert [one.what for one in damage_of_log(table / "_delta_log")] == ["a damaged checkpoint"]
    assert not is_whole_parquet(table / CHECKPOINT_NAME)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (Path.unlink, "a missing file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "a truncated file"),
        (lambda path: path.write_bytes(b""), "a truncated file"),
        (lambda path: path.write_bytes(bytes(path.stat().st_size)), "a truncated file"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "a changed file"),
        (lambda path: flip(path, 0), "a changed file"),
        (lambda path: flip(path, -1), "a changed file"),
    ],
)
def test_ends_and_length_of_a_data_file(table: Path, change: Callable[[Path], object], what: str) -> None:
    path, n_bytes = added(table, NEWEST)
    assert damage_of_file(table, path, n_bytes, read=True) is None
    change(table / path)

    assert damage_of_file(table, path, n_bytes) == Damage(path, what)
    assert tail(table, n_files=1) == Damage(path, what)


def test_the_content_of_a_data_file_is_checked_only_if_it_is_read(table: Path) -> None:
    path, n_bytes = added(table, NEWEST)
    flip(table / path, 30)

    assert damage_of_file(table, path, n_bytes) is None
    assert damage_of_file(table, path, n_bytes, read=True) == Damage(path, "a changed file")


def test_files_of_the_newest_entries_count_only(table: Path) -> None:
    path, _ = added(table, NEWEST - 1)
    (table / path).unlink()

    assert tail(table, n_files=1) is None
    assert tail(table, n_files=2) == Damage(path, "a missing file")
    assert tail(table, known=NEWEST - 1) is None


def test_a_file_that_a_later_entry_removes_does_not_count(tmp_path: Path) -> None:
    log = tmp_path / "_delta_log"
    log.mkdir()
    add = {"add": {"path": "part-0.parquet", "size": 9, "partitionValues": {}, "stats": "{}"}}
    remove = {"remove": {"path": "part-0.parquet"}}
    for version, action in enumerate((add, remove)):
        (log / entry_name(version)).write_text(json.dumps(action))

    assert damage_of_tail(tmp_path, 0, -1, 100) == Damage("part-0.parquet", "a missing file")
    assert damage_of_tail(tmp_path, 1, -1, 100) is None


def test_damage_names_its_file() -> None:
    assert str(Damage("_delta_log/1.json", "an empty entry", 1)) == "an empty entry (_delta_log/1.json)"

"""Lakes of earlier formats open, return the same answers, are checked, and get newer tables with their first row."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from alchemiscale_lake.cli import main
from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.schemas import FORMAT, TABLES
from alchemiscale_lake.store import Lake

ARCHIVE = Path(__file__).parents[1] / "data" / "lake-format-1.tar.xz"
LATER = [name for name, schema in TABLES.items() if schema.since > 1]
#: Output of the version that wrote it.
RANKING = {"a": -8.054507848293131, "b": -6.34549215170687, "c": -8.1502720115482}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return the folder of a lake of format 1: a triangle with two results per Transformation."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "lake"


def run(*words: str) -> str:
    done = CliRunner().invoke(main, [*words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_archive_lacks_what_came_later(old: Path) -> None:
    assert json.loads((old / "lake.json").read_text())["format"] == 1
    assert LATER
    assert max(schema.since for schema in TABLES.values()) == FORMAT
    assert {p.name for p in (old / "tables").iterdir()} == set(TABLES) - set(LATER)


def test_it_answers_the_same(old: Path) -> None:
    lake = Lake.open(old)

    ranking = ask(connect(lake), "ligand_ranking")

    assert dict(ranking.select("ligand", "value_kcal_mol").iter_rows()) == pytest.approx(RANKING, abs=1e-12)
    for name in LATER:
        assert lake.table(name).scan().collect().is_empty()
        assert connect(lake).sql(f"from {name}").columns == TABLES[name].names
    assert "6" in run("status", "--lake", str(old), "--tsv")
    assert run("gather", "triangle", "--report", "dg", "--lake", str(old), "--tsv").count("\n") == 4


def test_it_is_checked_and_kept_up(old: Path) -> None:
    run("verify", "--lake", str(old))
    run("maintain", "--lake", str(old))
    run("maintain", "--repair", "--dry-run", "--lake", str(old))

    assert LATER[0] not in {p.name for p in (old / "tables").iterdir()}, "reading and upkeep create nothing"


@pytest.mark.parametrize("name", LATER)
def test_a_table_that_came_later_is_created_with_its_first_row(old: Path, name: str) -> None:
    lake = Lake.open(old)
    assert name not in lake.tables

    assert lake.table(name).append_new(TABLES[name].sample(2)) == 2

    assert name in lake.tables
    assert Lake.open(old).table(name).scan().select(pl.len()).collect().item() == 2
    run("verify", "--lake", str(old))


def test_a_table_that_is_lost_from_a_lake_of_today_is_damage(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    shutil.rmtree(tmp_path / "lake" / "tables" / LATER[0])

    done = CliRunner().invoke(main, ["verify", "--lake", str(lake.local_path)])

    assert done.exit_code != 0
    assert LATER[0] in done.output

"""A lake of every format opens, returns the same answers, is kept up, gets what came later, and can be migrated."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner

from alchemiscale_lake.cli import main
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.schemas import FORMAT, TABLES
from alchemiscale_lake.store import Lake, migrate
from tests.old_lakes import answers, answers_of, make
from tests.schema_formats import archive_of, kept

FORMATS = [n for n in range(1, FORMAT + 1) if archive_of(n).exists()]
LATER = [name for name, schema in TABLES.items() if schema.since > 1]
#: Output of the version that wrote format 1.
RANKING = {"a": -8.054507848293131, "b": -6.34549215170687, "c": -8.1502720115482}


def unpacked(format_: int, folder: Path) -> Path:
    with tarfile.open(archive_of(format_)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "lake"


@pytest.fixture(params=FORMATS, ids="format {}".format)
def any_old(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[int, Path]:
    """Return a format and the folder of its lake."""
    return request.param, unpacked(request.param, tmp_path)


@pytest.fixture
def oldest(tmp_path: Path) -> Path:
    return unpacked(1, tmp_path)


def run(*words: str) -> str:
    done = CliRunner().invoke(main, [*words])
    assert done.exit_code == 0, done.output
    return done.stdout


def expected(format_: int) -> dict[str, Any]:
    return json.loads(answers_of(format_).read_text())  # type: ignore[no-any-return]


def assert_same_answers(lake: Lake, format_: int) -> None:
    found = answers(lake)
    assert found.keys() == expected(format_).keys()
    for question, rows in expected(format_).items():
        assert numbers_apart(found[question]) == numbers_apart(rows), question


def numbers_apart(rows: Any) -> Any:
    """Round floats, whose last digits depend on the order of sums."""
    if isinstance(rows, list):
        return [numbers_apart(row) for row in rows]
    return round(rows, 9) if isinstance(rows, float) else rows


# --- every format ---------------------------------------------------------------------------------


def test_it_has_the_tables_of_its_format(any_old: tuple[int, Path]) -> None:
    format_, folder = any_old
    assert json.loads((folder / "lake.json").read_text())["format"] == format_
    assert {p.name for p in (folder / "tables").iterdir()} == set(kept(format_))
    lake = Lake.open(folder)
    for name, declared in kept(format_).items():
        in_delta = {field.name for field in lake.table(name).snapshot().schema().fields}
        assert in_delta == set(declared["columns"]), name


def test_it_answers_the_same_as_it_is(any_old: tuple[int, Path]) -> None:
    format_, folder = any_old
    lake = Lake.open(folder)
    assert_same_answers(lake, format_)
    connection = connect(lake)
    for name, schema in TABLES.items():
        assert lake.table(name).scan().collect_schema().names() == schema.names
        assert connection.sql(f"from {name}").columns == schema.names


def test_it_answers_the_same_after_migration(any_old: tuple[int, Path]) -> None:
    format_, folder = any_old
    report = migrate(folder, tell=lambda _: None)

    assert (report.before, report.after) == (format_, FORMAT)
    lake = Lake.open(folder)
    assert_same_answers(lake, format_)
    assert set(lake.tables) == set(TABLES)
    for name, schema in TABLES.items():
        assert {field.name for field in lake.table(name).snapshot().schema().fields} >= set(schema.names)
    run("verify", "--lake", str(folder))


def test_it_is_checked_and_kept_up(any_old: tuple[int, Path]) -> None:
    _, folder = any_old
    before = {p.name for p in (folder / "tables").iterdir()}
    run("verify", "--lake", str(folder))
    run("maintain", "--lake", str(folder))
    run("maintain", "--repair", "--dry-run", "--lake", str(folder))

    assert {p.name for p in (folder / "tables").iterdir()} == before, "reading and upkeep create nothing"


def test_it_is_gathered_again(any_old: tuple[int, Path]) -> None:
    """With today's code: the numbers of the edges stay what they were."""
    _, folder = any_old
    lake = Lake.open(folder)
    before = edges(lake)
    for network in lake.table("networks").scan().collect()["network"]:
        gather_network(lake, network)

    assert edges(Lake.open(folder)) == before


def edges(lake: Lake) -> dict[tuple[str, str, str], float | None]:
    rows = ask(connect(lake), "latest_edges").select("network", "ligand_i", "ligand_j", "value_kcal_mol").rows()
    return {(network, i, j): None if value is None else round(value, 9) for network, i, j, value in rows}


def test_the_lakes_hold_what_they_should() -> None:
    """Questions without rows would compare nothing."""
    newest = expected(FORMATS[-1])
    assert all(newest.values())
    assert {status for _, status, _ in newest["Tasks"]} == {
        "waiting", "running", "complete", "error", "invalid", "deleted"
    }  # fmt: skip
    assert len(newest["networks"]) == 2


def test_the_script_makes_a_lake_like_the_kept_one(tmp_path: Path) -> None:
    """So that it works when the next format needs it."""
    found = answers(make(tmp_path / "lake"))
    assert {name: len(rows) for name, rows in found.items()} == {
        name: len(rows) for name, rows in expected(FORMATS[-1]).items()
    }


# --- format 1 -------------------------------------------------------------------------------------


def test_the_ranking_is_that_of_the_version_that_wrote_it(oldest: Path) -> None:
    ranking = ask(connect(Lake.open(oldest)), "ligand_ranking")

    assert dict(ranking.select("ligand", "value_kcal_mol").iter_rows()) == pytest.approx(RANKING, abs=1e-12)
    assert "6" in run("status", "--lake", str(oldest), "--tsv")
    assert run("gather", "triangle", "--report", "dg", "--lake", str(oldest), "--tsv").count("\n") == 4


@pytest.mark.parametrize("name", LATER)
def test_a_table_that_came_later_is_created_with_its_first_row(oldest: Path, name: str) -> None:
    lake = Lake.open(oldest)
    assert name not in lake.tables

    assert lake.table(name).append_new(TABLES[name].sample(2)) == 2

    assert name in lake.tables
    assert Lake.open(oldest).table(name).scan().select(pl.len()).collect().item() == 2
    run("verify", "--lake", str(oldest))


def test_a_table_that_is_lost_from_a_lake_of_today_is_damage(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    shutil.rmtree(tmp_path / "lake" / "tables" / LATER[0])

    done = CliRunner().invoke(main, ["verify", "--lake", str(lake.local_path)])

    assert done.exit_code != 0
    assert LATER[0] in done.output

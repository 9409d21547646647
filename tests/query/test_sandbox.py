"""Every documented way out of a DuckDB query: closed by default, open on request."""

from __future__ import annotations

import stat
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from alchemiscale_lake.cli import main
from alchemiscale_lake.errors import QueryError
from alchemiscale_lake.query import Connection, connect, read_sql
from alchemiscale_lake.store import Lake
from tests.campaign import small_campaign

#: Statements with files below `{dir}`: `in.csv`, `in.json`, `in.parquet`, `other.db` and `dump/` exist.
FILES = {
    "copy to csv": "copy (select 1) to '{dir}/out.csv'",
    "copy to parquet": "copy networks to '{dir}/out.parquet' (format parquet)",
    "copy over the lake": "copy (select 1) to '{dir}/lake.json'",
    "export": "export database '{dir}/exported'",
    "read_csv": "from read_csv('{dir}/in.csv')",
    "sniff_csv": "from sniff_csv('{dir}/in.csv')",
    "read_json": "from read_json('{dir}/in.json')",
    "read_ndjson_objects": "from read_ndjson_objects('{dir}/in.json')",
    "read_parquet": "from read_parquet('{dir}/in.parquet')",
    "parquet_metadata": "from parquet_metadata('{dir}/in.parquet')",
    "read_text": "from read_text('{dir}/in.csv')",
    "read_blob": "from read_blob('{dir}/in.csv')",
    "glob": "from glob('{dir}/*')",
    "file as a table": "from '{dir}/in.csv'",
    "query_table": "from query_table('{dir}/in.csv')",
    "subquery": "select * from networks where name in (select content from read_text('{dir}/in.csv'))",
    "attach": "attach '{dir}/other.db' as other",
    "attach new": "attach '{dir}/made.db' as made",
    "two statements": "select 1; copy (select 1) to '{dir}/out.csv'",
    "set": "set threads = 1",
    "set global": "set global memory_limit = '1GB'",
    "reset": "reset memory_limit",
    "pragma": "pragma threads = 1",
    "temporary files": "set temp_directory = '{dir}/spill'",
    "profile": "set profiling_output = '{dir}/profile.txt'",
    "pragma profiling": "pragma enable_profiling",
    "logging": "call enable_logging(storage = 'file', storage_path = '{dir}/log')",
    "variable of Python": "from names_of_people",
}
#: Not run where they are allowed: there is nothing here to load or fetch (or DuckDB fails itself).
ELSEWHERE = {
    "import": "import database '{dir}/dump'",
    "pragma import": "pragma import_database('{dir}/dump')",
    "install": "install nosuch from '{dir}'",
    "force install": "force install nosuch from '{dir}'",
    "load": "load '{dir}/nosuch.duckdb_extension'",
    "load by name": "load nosuch",
    "http": "from read_csv('http://127.0.0.1:9/in.csv')",
    "s3": "from read_parquet('s3://bucket/in.parquet')",
    "secret": "create secret (type s3, key_id 'a', secret 'b')",
    "unlock": "set lock_configuration = false",
    "reopen": "set enable_external_access = true",
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return small_campaign(tmp_path_factory.mktemp("sandbox") / "lake").lake


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in.csv").write_text("a,b\n1,2\n")
    (tmp_path / "in.json").write_text('{"a": 1}\n')
    (tmp_path / "lake.json").write_text("{}")
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "in.parquet")
    (tmp_path / "dump").mkdir()
    (tmp_path / "dump" / "schema.sql").write_text("create table dumped (a integer);")
    (tmp_path / "dump" / "load.sql").write_text("insert into dumped values (1);")
    return tmp_path


def _contents(folder: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


def _run(connection: Connection, sql: str) -> pl.DataFrame:
    names_of_people = pl.DataFrame({"name": ["Ada"]})
    assert len(names_of_people)
    return read_sql(connection, sql)


@pytest.mark.parametrize("way", [*FILES, *ELSEWHERE])
def test_a_way_out_is_closed(lake: Lake, folder: Path, way: str) -> None:
    before = _contents(folder)

    with pytest.raises(QueryError) as refused:
        _run(connect(lake), (FILES | ELSEWHERE)[way].format(dir=folder))

    assert _contents(folder) == before
    assert "\n" not in str(refused.value) or way == "variable of Python"
    assert "--unsafe" in str(refused.value) or way == "variable of Python"


@pytest.mark.parametrize("way", FILES)
def test_a_way_out_is_open_to_who_asks(lake: Lake, folder: Path, way: str) -> None:
    connection = connect(lake, unsafe=True)
    if way == "variable of Python":
        # DuckDB looks in the frame that calls it
        names_of_people = pl.DataFrame({"name": ["Ada"]})
        assert connection.sql("from names_of_people").pl().equals(names_of_people)
        return

    _run(connection, FILES[way].format(dir=folder))


def test_what_a_query_may_do(lake: Lake) -> None:
    connection = connect(lake)

    assert len(connection.sql("from networks").pl()) == len(connection.sql("from networks").fetchall()) == 2
    assert connection.sql("from networks").to_arrow_table().num_rows == 2
    connection.execute("create table kept as select name from networks; create view shown as from kept")
    assert len(read_sql(connection, "from shown")) == 2
    connection.register("people", pl.DataFrame({"name": ["Ada"]}))
    assert read_sql(connection, "select p.name from people p, networks").height == 2
    assert read_sql(connection, "explain select 1").height == 1


def test_a_wrong_statement_is_not_blamed_on_the_sandbox(lake: Lake) -> None:
    with pytest.raises(QueryError) as wrong:
        read_sql(connect(lake), "select nosuch from networks")

    assert "unsafe" not in str(wrong.value)


def test_a_large_query_spills_to_a_private_folder_that_goes_with_the_connection(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alchemiscale_lake.query.sandbox._MEMORY", "60MB")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    connection = connect(lake)

    [spill] = tmp_path.iterdir()
    largest = read_sql(connection, "select max(x) m from (select x from range(3000000) t(x) order by hash(x))")

    assert largest["m"].item() == 2_999_999
    assert stat.S_IMODE(spill.stat().st_mode) == 0o700
    del connection
    assert not list(tmp_path.iterdir())


def test_where_no_folder_can_be_made_queries_do_without(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nosuch"))

    assert len(read_sql(connect(lake), "from networks")) == 2


def test_the_command_refuses_in_one_line_and_obeys_unsafe(lake: Lake, folder: Path) -> None:
    sql = FILES["copy over the lake"].format(dir=folder)

    refused = CliRunner().invoke(main, ["query", "--lake", str(lake.local_path), sql])
    allowed = CliRunner().invoke(main, ["query", "--lake", str(lake.local_path), "--unsafe", sql])

    assert refused.exit_code == 1
    assert refused.stderr.count("\n") == 1
    assert "query --unsafe" in refused.stderr
    assert allowed.exit_code == 0
    assert (folder / "lake.json").read_text() != "{}"

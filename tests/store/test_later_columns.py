"""Columns that came later than a table: NULL until its next writer adds them, beside writers that do not know them."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from alchemiscale_lake.errors import DamagedError, SchemaError
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.query import connect
from alchemiscale_lake.schemas import FORMAT, TABLES, Column, TableSchema
from alchemiscale_lake.schemas._base import INT, STRING, STRINGS, TIME
from alchemiscale_lake.store import Lake, TableUpkeep, UpkeepSettings, check_table, maintain
from alchemiscale_lake.store.log_entry import read_entry

NAME = "networks"
EXTRA = (
    Column("creator_note", STRING, "A note.", nullable=True, since=FORMAT + 1),
    Column("labels", STRINGS, "Labels.", nullable=True, since=FORMAT + 1),
    Column("seen_at", TIME, "Last seen.", nullable=True, since=FORMAT + 1),
    Column("n_seen", INT, "How often.", nullable=True, since=FORMAT + 1),
)
LATER = replace(TABLES[NAME], columns=(*TABLES[NAME].columns, *EXTRA))
TYPES = ["VARCHAR", "VARCHAR[]", "TIMESTAMP WITH TIME ZONE", "BIGINT"]


@pytest.fixture
def old(place: str) -> str:
    """Return a lake of today's format, with two networks."""
    assert Lake.open(place).table(NAME).append_new(old_rows("a", "b")) == 2
    return place


@pytest.fixture
def later(old: str, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Open it with a version whose table has more columns."""
    monkeypatch.setitem(TABLES, NAME, LATER)
    return Lake.open(old)


def old_rows(*keys: str) -> pl.DataFrame:
    return pl.DataFrame(TABLES[NAME].sample(len(keys), network=list(keys))).select(
        [c.name for c in TABLES[NAME].columns if c not in EXTRA]
    )


def new_rows(*keys: str) -> pl.DataFrame:
    return pl.DataFrame(LATER.sample(len(keys), network=list(keys), labels=[["x"]] * len(keys)))


def notes(lake: Lake) -> dict[str, str | None]:
    return dict(lake.table(NAME).scan().select("network", "creator_note").collect().iter_rows())


def columns_in_delta(lake: Lake) -> set[str]:
    return {field.name for field in lake.table(NAME).snapshot().schema().fields}


def test_until_a_write_they_are_null_in_polars(later: Lake) -> None:
    frame = later.table(NAME).scan()

    assert frame.collect_schema() == pl.DataFrame(LATER.arrow.empty_table()).schema
    assert frame.collect().select(c.name for c in EXTRA).null_count().row(0) == (2,) * len(EXTRA)
    assert frame.select("n_seen").collect().height == 2, "also when nothing else is read"
    assert frame.filter(pl.col("n_seen").is_null()).select(pl.len()).collect().item() == 2
    assert frame.filter(pl.col("n_seen") > 0).collect().is_empty()
    assert not columns_in_delta(later) & {c.name for c in EXTRA}, "reading changes nothing"


def test_until_a_write_they_are_null_in_duckdb_and_through_views(later: Lake) -> None:
    connection = connect(later, unsafe=True)
    connection.execute(f"create view one as select network, creator_note, labels, seen_at, n_seen from {NAME}")
    connection.execute("create view two as select a.*, b.n_seen as other from one a join one b using (network)")

    names = ", ".join(c.name for c in EXTRA)
    kinds = ", ".join(f"typeof({c.name})" for c in EXTRA)
    assert connection.sql(f"select distinct {kinds} from two").fetchall() == [tuple(TYPES)]
    assert connection.sql(f"select {names} from two").fetchall() == [(None,) * len(EXTRA)] * 2
    assert connection.sql("select count(*) from two where other is null and labels is null").fetchall() == [(2,)]
    recursive = "with recursive r as (select 1 as n, n_seen from one union all select n + 1, n_seen from r where n < 3)"
    assert connection.sql(f"{recursive} select count(*), count(n_seen) from r").fetchall() == [(6, 0)]


def test_a_named_query_over_the_table_is_answered(later: Lake) -> None:
    assert connect(later).sql("select count(*) from network_states").fetchall() == [(2,)]


def test_the_first_write_adds_them(later: Lake) -> None:
    assert later.table(NAME).append_new(new_rows("c")) == 1

    assert notes(later) == {"a": None, "b": None, "c": "creator_note-0"}
    assert columns_in_delta(later) == set(LATER.names)
    assert connect(later).sql(f"select count(*) from {NAME} where creator_note is null").fetchall() == [(2,)]
    assert check_table(later, NAME).flaws == []


def test_an_older_version_continues_to_read_and_write(later: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    later.table(NAME).append_new(new_rows("c"))
    monkeypatch.setitem(TABLES, NAME, replace(LATER, columns=LATER.columns[: -len(EXTRA)]))
    older = Lake.open(later.url)

    assert older.table(NAME).append_new(old_rows("d")) == 1
    assert older.table(NAME).scan().collect_schema().names() == TABLES[NAME].names
    assert notes(later) == {"a": None, "b": None, "c": "creator_note-0", "d": None}
    assert later.table(NAME).append_new(new_rows("d")) == 0, "still one row per key"


def test_writers_of_both_versions_at_once_lose_no_row(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    older = [Lake.open(old).table(NAME) for _ in range(2)]
    monkeypatch.setitem(TABLES, NAME, LATER)
    newer = [Lake.open(old).table(NAME) for _ in range(3)]

    def write(i: int) -> int:
        n = 0
        for j in range(4):
            keys = [f"{i}-{j}", f"shared-{j}"]
            rows = old_rows(*keys) if i < len(older) else new_rows(*keys)
            n += (older + newer)[i].append_new(rows)
        return n

    with ThreadPoolExecutor(5) as pool:
        written = sum(pool.map(write, range(5)))

    networks = Lake.open(old).table(NAME).scan().select("network", "n_seen").collect()
    assert networks["network"].is_unique().all()
    assert len(networks) == written + 2 == 5 * 4 + 4 + 2
    known = networks.filter(pl.col("network").str.contains("^[234]-"))
    assert len(known) == 12
    assert known["n_seen"].null_count() == 0


def test_a_writer_that_is_killed_between_columns_and_rows_is_no_loss(later: Lake) -> None:
    class CutError(BaseException):
        pass

    def cut(name: str) -> None:
        if name == f"columns:{NAME}:added":
            raise CutError

    with fault_hook(cut), pytest.raises(CutError):
        later.table(NAME).append_new(new_rows("c"))
    assert notes(later) == {"a": None, "b": None}

    assert Lake.open(later.url).table(NAME).append_new(new_rows("c")) == 1
    assert check_table(later, NAME).flaws == []


def test_compaction_keeps_them(later: Lake) -> None:
    for key in "cdefgh":
        later.table(NAME).append_new(new_rows(key))

    report = maintain(later, UpkeepSettings(), tell=lambda _: None)

    (done,) = (table for table in report.tables if table.table == NAME)
    assert isinstance(done, TableUpkeep)
    assert done.files_after == 1
    assert {key for key, note in notes(later).items() if note is None} == {"a", "b"}
    assert len(notes(later)) == 8


def test_a_replaced_table_gets_them(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshots = TABLES["task_snapshots"]
    extra = Column("n_seen", INT, "How often.", nullable=True, since=FORMAT + 1)
    monkeypatch.setitem(TABLES, "task_snapshots", replace(snapshots, columns=(*snapshots.columns, extra)))
    table = Lake.open(old).table("task_snapshots")

    assert table.replace(table.schema.sample(2, attempt=None), number=1)

    assert table.scan().select("n_seen").collect().to_series().to_list() == [1, 2]


def test_a_column_that_the_format_has_but_the_table_lacks_is_damage(later: Lake) -> None:
    of_next_format = Lake(later._location, FORMAT + 1)

    with pytest.raises(DamagedError, match=r"no column creator_note, .*every lake of format .* has it.*verify"):
        of_next_format.table(NAME).scan()
    with pytest.raises(DamagedError):
        of_next_format.table(NAME).append_new(new_rows("c"))


def test_no_flipped_bit_of_the_schema_goes_unnoticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Lake.create(tmp_path / "lake")
    monkeypatch.setitem(TABLES, NAME, LATER)
    Lake.open(tmp_path / "lake").table(NAME).add_columns()
    entry = (tmp_path / "lake/tables" / NAME / "_delta_log/00000000000000000001.json").read_bytes()
    assert read_entry(entry) is not None
    at = entry.index(b'"schemaString"')
    schema = range(at, entry.index(b'"partitionColumns"'))

    for i in schema:
        for bit in range(8):
            flipped = bytearray(entry)
            flipped[i] ^= 1 << bit
            actions = read_entry(bytes(flipped))
            assert actions is None or json.loads(_schema(actions)) == json.loads(_schema(read_entry(entry)))


def _schema(entry: object) -> str:
    return next(a["metaData"]["schemaString"] for a in entry if "metaData" in a)  # type: ignore[attr-defined]


def test_a_path_that_readers_would_expand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake.create(tmp_path / "a=b" / "lake")
    lake.table(NAME).append_new(old_rows("a", "b"))
    monkeypatch.setitem(TABLES, NAME, LATER)
    later = Lake.open(lake.url)
    assert notes(later) == {"a": None, "b": None}

    later.table(NAME).append_new(new_rows("c"))

    assert notes(later) == {"a": None, "b": None, "c": "creator_note-0"}
    count = later.table(NAME).scan().filter(pl.col("n_seen").is_null()).select(pl.len()).collect().item()
    assert count == 2
    shutil.rmtree(tmp_path / "a=b")


def test_a_later_column_must_be_nullable() -> None:
    required = Column("creator_note", STRING, "A note.", since=2)
    with pytest.raises(SchemaError, match=r"'creator_note'.*declare it nullable"):
        TableSchema(name="t", doc="T.", columns=(TABLES[NAME].columns[0], required), key=("scope",))

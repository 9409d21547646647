"""Values of a new column for existing rows: file by file, once, beside writers, and on after a kill."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import polars as pl
import pytest

from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake, UpkeepSettings, check_table, maintain, migrate
from alchemiscale_lake.store.migrations import Step, add_new, fill
from tests.next_formats import ADDED, next_formats

SCOPES = ("a-b-c", "a-b-d")


class CutError(BaseException):
    """A kill, as far as this process can suffer one."""


def in_capitals(rows: pl.DataFrame) -> pl.DataFrame:
    """Names in capitals; None for one that has no capitals."""
    return rows.select(note=pl.when(pl.col("name") != "?").then(pl.col("name").str.to_uppercase()))


def run(lake: Lake, to: int, tell: Callable[[str], None]) -> None:
    add_new(lake, to, tell)
    fill(lake.table("networks"), ["note"], in_capitals)


FILLING = Step(ADDED, "note of networks", run)


@pytest.fixture
def lake(place: str) -> Iterator[Lake]:
    """Return a lake that lacks the values, in three files of two partitions."""
    lake = Lake.open(place)
    for scope, names in ((SCOPES[0], ["a", "?"]), (SCOPES[1], ["b"]), (SCOPES[1], ["c"])):
        keys = [f"{scope}-{name}" for name in names]
        lake.table("networks").append_new(TABLES["networks"].sample(len(names), scope=scope, name=names, network=keys))
    with next_formats(FILLING):
        yield Lake.open(place)


def notes(lake: Lake) -> dict[str, str | None]:
    return dict(lake.table("networks").scan().select("name", "note").collect().iter_rows())


def test_existing_rows_get_their_values(lake: Lake) -> None:
    migrate(lake.url, tell=lambda _: None)

    assert notes(lake) == {"a": "A", "?": None, "b": "B", "c": "C"}
    assert check_table(lake, "networks").flaws == []
    version = lake.table("networks").snapshot().version()
    assert fill(lake.table("networks"), ["note"], in_capitals) == 0
    assert lake.table("networks").snapshot().version() == version, "nothing to do, nothing written"


def test_values_that_are_there_are_kept(lake: Lake) -> None:
    row = TABLES["networks"].sample(1, network="new", name="d", note="written with the row")
    lake.table("networks").append_new(row)

    assert fill(lake.table("networks"), ["note"], in_capitals) == 3
    assert notes(lake) == {"a": "A", "?": None, "b": "B", "c": "C", "d": "written with the row"}


def test_a_kill_between_two_files_is_continued(lake: Lake) -> None:
    def cut(name: str) -> None:
        if name == "fill:networks":
            raise CutError

    for expected in (1, 2, 3):
        with fault_hook(cut), pytest.raises(CutError):
            migrate(lake.url, tell=lambda _: None)
        assert sum(note is not None for note in notes(lake).values()) == expected
    assert migrate(lake.url, tell=lambda _: None).after == ADDED
    assert notes(lake) == {"a": "A", "?": None, "b": "B", "c": "C"}


def test_writers_and_maintenance_beside_it_lose_nothing(lake: Lake) -> None:
    table = lake.table("networks")
    table.add_columns()
    for i in range(12):
        table.append_new(TABLES["networks"].sample(1, network=f"n{i}", name=f"x{i}", note=None))
    done = threading.Event()

    def write() -> None:
        i = 0
        while not done.is_set():
            row = TABLES["networks"].sample(1, network=f"w{i}", name=f"w{i}", note="own")
            Lake.open(lake.url).table("networks").append_new(row)
            maintain(Lake.open(lake.url), UpkeepSettings(), tell=lambda _: None)
            i += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        fill(table, ["note"], in_capitals)
    finally:
        done.set()
        writer.join()
    found = notes(lake)
    assert [name for name, note in found.items() if note is None] == ["?"]
    assert {f"x{i}" for i in range(12)} <= found.keys()
    assert all(note == "own" for name, note in found.items() if name.startswith("w"))
    assert table.scan().select("network").collect()["network"].is_unique().all()

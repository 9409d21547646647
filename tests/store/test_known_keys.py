"""Which rows of a batch are new, and which data files are read to find out."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.schemas._base import TableSchema
from alchemiscale_lake.store import Lake
from alchemiscale_lake.store.known_keys import KnownKeys

ASSAYS = TABLES["assays"]
#: Its keys are names of two columns, in no partition.
UNPARTITIONED = TABLES["cost_models"]


class Readings:
    """Keys known of one table, and the files read for them."""

    def __init__(self, lake: Lake, schema: TableSchema) -> None:
        self.table = lake.table(schema.name)
        self.paths: list[str] = []
        self.keys = KnownKeys(schema, self._read)

    def _read(self, paths: Sequence[str], columns: Sequence[str]) -> Sequence[pl.DataFrame]:
        self.paths += paths
        return self.table._read(paths, columns)

    def new(self, rows: pl.DataFrame) -> pl.DataFrame:
        self.paths.clear()
        return self.keys.new(rows, self.table.snapshot())


def assays(*ligands: str, scope: str = "a-b-c") -> pl.DataFrame:
    return pl.DataFrame(ASSAYS.sample(len(ligands), ligand=list(ligands), scope=scope, source="lab"))


@pytest.fixture
def known(lake: Lake) -> Readings:
    return Readings(lake, ASSAYS)


def test_each_file_is_read_once(known: Readings) -> None:
    known.table.append_new(assays("a", "m", "z"))

    assert known.new(assays("b", "y"))["ligand"].to_list() == ["b", "y"]
    assert len(known.paths) == 1
    assert known.new(assays("c"))["ligand"].to_list() == ["c"]
    assert known.paths == []
    known.table.append_new(assays("c"))
    assert known.new(assays("c")).is_empty()
    assert len(set(known.paths)) == 1, "the new file alone, whose rows are then compared with the keys themselves"


def test_files_whose_range_has_none_of_the_keys_are_not_read(known: Readings) -> None:
    known.table.append_new(assays("a", "b", "c"))
    known.table.append_new(assays("x", "y", "z"))

    assert len(known.new(assays("d", "w"))) == 2
    assert known.paths == [], "d is above the first file, w below the second"
    assert known.new(assays("d", "y"))["ligand"].to_list() == ["d"]
    assert len(set(known.paths)) == 1


def test_files_of_other_partitions_are_not_read(known: Readings) -> None:
    known.table.append_new(assays("a", "c", scope="a-b-other"))

    assert known.new(assays("a", "b", "c"))["ligand"].to_list() == ["a", "b", "c"]
    assert known.paths == []


def test_compacted_files_are_forgotten(known: Readings) -> None:
    from alchemiscale_lake.store.compaction import Crowd, compact

    for ligand in "abcd":
        known.table.append_new(assays(ligand, "z" + ligand))
    known.new(assays("m"))
    assert len(known.keys._of_file) == 4

    compact(known.table, known.table.snapshot(), Crowd(at_least=2))

    assert known.new(assays("a", "m"))["ligand"].to_list() == ["m"]
    assert list(known.keys._of_file) == list(dict.fromkeys(known.paths))


def test_keys_with_one_digest_are_told_apart(known: Readings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        KnownKeys,
        "_digests",
        lambda self, rows: (
            rows.select(pl.lit(7, pl.UInt64)).to_series().extend_constant(7, max(len(rows) - 1, 0)).to_numpy()
        ),
    )
    known.table.append_new(assays("a", "z"))

    assert known.new(assays("b", "z"))["ligand"].to_list() == ["b"]


def test_a_table_without_partitions(lake: Lake) -> None:
    known = Readings(lake, UNPARTITIONED)
    rows = pl.DataFrame(UNPARTITIONED.sample(3))
    known.table.append_new(rows.head(2))

    assert known.new(rows).equals(rows.tail(1))


@settings(deadline=None, max_examples=15)
@given(
    batches=st.lists(
        st.lists(st.text("abé\0", max_size=3).filter(bool), min_size=1, max_size=6, unique=True), max_size=4
    )
)
def test_the_same_rows_are_new_as_by_a_join(batches: list[list[str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    from tests.lakes import new_lake

    known = Readings(new_lake(tmp_path_factory.mktemp("keys") / "lake"), ASSAYS)
    seen: set[str] = set()
    for ligands in batches:
        new = known.new(assays(*ligands))["ligand"].to_list()
        assert new == [ligand for ligand in ligands if ligand not in seen]
        known.table.append_new(assays(*ligands))
        seen.update(ligands)

"""Paths of a table in a folder whose name has characters that URIs encode."""

from __future__ import annotations

from pathlib import Path

from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store.decoded_table import listed_files
from tests.lakes import new_lake


def test_paths_are_those_of_the_file_system(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "my lake é")
    table = lake.table("assays")
    for i in range(2):
        table.append_new(TABLES["assays"].sample(1, scope="a-b-c", ligand=f"l{i}"))
    delta = table.snapshot()

    assert {Path(uri) for uri in delta.file_uris()} == set((tmp_path / "my lake é").glob("tables/assays/*/*.parquet"))
    assert "my lake é" in delta.table_uri

    files = listed_files(delta)
    assert files["partition.scope"].to_list() == ["a-b-c"] * 2
    assert sorted(files["min.ligand"]) == ["l0", "l1"]
    assert files["size_bytes"].to_list() == [(Path(table.log.folder).parent / p).stat().st_size for p in files["path"]]  # type: ignore[arg-type]

"""Names of data files."""

from __future__ import annotations

import hashlib

from alchemiscale_lake.store import Lake
from alchemiscale_lake.store.data_files import digest_of_name, is_as_written
from tests.store.recorded_disk import create


def test_file_names_contain_a_digest_of_the_content(lake: Lake) -> None:
    create(lake, "a", "b")
    assert lake.local_path is not None
    (path,) = (lake.local_path / "tables" / "task_log").rglob("*.parquet")
    data = path.read_bytes()
    assert digest_of_name(path.name) == hashlib.sha256(data).hexdigest()[:32]
    assert is_as_written(str(path), data)
    assert is_as_written(str(path), data[:-1] + b"x") is False
    assert is_as_written("part-00000-1749e6e2-f4e6-4941-9eb0-c9b3b35120c1-c000.snappy.parquet", data) is None

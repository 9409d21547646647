"""Files are read the same in one process and in several; each object is returned once."""

from __future__ import annotations

from pathlib import Path

import pytest

from alchemiscale_lake.networks.reading import FileReading, read_all
from tests.quickrun_files import QuickrunNetwork


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    network = QuickrunNetwork([("ana", "bob"), ("bob", "cid")])
    written = [network.write(tmp_path, *leg, [(1.0, 0.1), (2.0, 0.1)], "single") for leg in network.legs()]
    bad = tmp_path / "bad.json"
    bad.write_text('{"estimate": 1')
    return [*written[:2], bad, *written[2:], tmp_path / "gone.json"]


def told(readings: list[FileReading]) -> list[tuple[object, ...]]:
    return [(r.path, r.digest, r.n_bytes, r.at if r.digest else None, r.file, r.problem) for r in readings]


def test_several_processes_read_as_one_does(paths: list[Path]) -> None:
    alone = list(read_all(paths, frozenset()))
    together = list(read_all(paths, frozenset(), processes=2))

    assert told(together) == told(alone)
    assert {obj.key for r in together for obj in r.objects} == {obj.key for r in alone for obj in r.objects}
    assert [r.problem is None for r in alone] == [True, True, False, True, True, False]


def test_every_object_is_reported_once(paths: list[Path]) -> None:
    keys = [obj.key for reading in read_all(paths, frozenset()) for obj in reading.objects]

    assert len(keys) == len(set(keys))
    assert sum(key.startswith("SmallMoleculeComponent") for key in keys) == 3


def test_what_is_known_is_not_parsed(paths: list[Path]) -> None:
    first = next(iter(read_all(paths[:1], frozenset())))
    assert first.digest is not None

    (again,) = read_all(paths[:1], frozenset([first.digest]))

    assert (again.digest, again.file, again.objects, again.problem) == (first.digest, None, (), None)

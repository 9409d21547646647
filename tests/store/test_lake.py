from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from alchemiscale_lake.errors import (
    DamagedError,
    DamagedMarkerError,
    LakeError,
    LakeExistsError,
    LakeVersionError,
    MissingMarkerError,
    MissingTableError,
    NotALakeError,
    NotFoundError,
    SettingsError,
)
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.schemas import FORMAT, TABLES
from alchemiscale_lake.store import Lake


def test_create_then_open_by_path_and_by_url(tmp_path: Path) -> None:
    created = Lake.create(tmp_path / "a lake")
    assert created.url == (tmp_path / "a lake").as_uri()
    for place in (tmp_path / "a lake", str(tmp_path / "a lake"), created.url):
        opened = Lake.open(place)
        assert opened.url == created.url
        assert opened.local_path == tmp_path / "a lake"
    migrations = created.table("migrations").scan().collect()
    assert migrations["format"].to_list() == [FORMAT]


def test_a_relative_place_is_taken_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Lake.create("./lake").local_path == tmp_path / "lake"


def test_every_table_is_there_and_empty(lake: Lake) -> None:
    frames = lake.snapshot()
    assert set(frames) == set(TABLES)
    for name, frame in frames.items():
        assert frame.collect_schema().names() == TABLES[name].names
        assert frame.select("*").collect().height == (1 if name == "migrations" else 0)


def test_create_refuses_a_lake_a_file_and_a_folder_in_use(tmp_path: Path, lake: Lake) -> None:
    assert lake.local_path is not None
    with pytest.raises(LakeExistsError, match="open it instead"):
        Lake.create(lake.local_path)
    assert Lake.create(lake.local_path, exist_ok=True).url == lake.url
    (tmp_path / "file").write_text("x")
    with pytest.raises(LakeExistsError, match="is a file"):
        Lake.create(tmp_path / "file")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "thesis.tex").write_text("x")
    with pytest.raises(LakeExistsError, match=r"thesis\.tex"):
        Lake.create(tmp_path / "used")
    assert [p.name for p in (tmp_path / "used").iterdir()] == ["thesis.tex"]


def test_open_refuses_a_folder_that_is_not_a_lake(tmp_path: Path) -> None:
    with pytest.raises(NotALakeError, match="there is no lake at"):
        Lake.open(tmp_path / "nothing")
    with pytest.raises(NotALakeError, match="there is no lake at"):
        Lake.open(tmp_path)
    (tmp_path / "lake.json").write_text("{")
    with pytest.raises(NotALakeError, match="does not belong to a lake"):
        Lake.open(tmp_path)
    (tmp_path / "lake.json").write_text('{"colour": "blue"}')
    with pytest.raises(NotALakeError, match="does not belong to a lake"):
        Lake.open(tmp_path)


def test_open_refuses_a_newer_format(lake: Lake) -> None:
    assert lake.local_path is not None
    (lake.local_path / "lake.json").write_text(json.dumps({"format": FORMAT + 1, "made_by": "99.0"}))
    with pytest.raises(
        LakeVersionError,
        match=rf"format {FORMAT + 1} of .* 99\.0; this is .* up to {FORMAT}: install version 99\.0 or newer",
    ):
        Lake.open(lake.url)


def test_an_interrupted_creation_is_not_a_lake_and_can_be_repeated(tmp_path: Path) -> None:
    class CutError(BaseException):
        pass

    def cut(name: str) -> None:
        if name == "lake:before-marker":
            raise CutError

    with fault_hook(cut), pytest.raises(CutError):
        Lake.create(tmp_path / "lake")
    with pytest.raises(NotALakeError):
        Lake.open(tmp_path / "lake")
    Lake.create(tmp_path / "lake")
    assert Lake.open(tmp_path / "lake").table("migrations").scan().collect().height == 1


@pytest.mark.parametrize("place", ["", "gs://bucket/x", "s3://", "https://example.org/lake"])
def test_places_that_cannot_hold_a_lake(place: str) -> None:
    with pytest.raises(SettingsError):
        Lake.open(place)


def test_credentials_in_a_url_are_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        Lake.open("s3://user:secret@bucket/prefix")
    assert "secret" not in str(caught.value)


def test_an_unknown_table_is_named(lake: Lake) -> None:
    with pytest.raises(NotFoundError, match="no table 'tranformations'"):
        lake.table("tranformations")


def gone(table: Path) -> None:
    table.rename(table.parent / "elsewhere")


def without_log(table: Path) -> None:
    (table / "_delta_log").rename(table / "elsewhere")


def with_empty_log(table: Path) -> None:
    without_log(table)
    (table / "_delta_log").mkdir()


def without_first_entry(table: Path) -> None:
    (table / "_delta_log" / f"{0:020}.json").unlink()


def with_cut_entry(table: Path) -> None:
    (table / "_delta_log" / f"{1:020}.json").write_bytes(b'{"add":')


@pytest.mark.parametrize(
    ("damage", "error", "says"),
    [
        (gone, MissingTableError, "table 'results' is missing at .*restore it from a backup.*verify"),
        (without_log, DamagedError, "the log of table 'results' is missing .*restore it from a backup.*verify"),
        (with_empty_log, DamagedError, "the log of table 'results' is missing .*restore it from a backup.*verify"),
        (without_first_entry, DamagedError, "table 'results' is damaged: a missing entry .*maintain --repair"),
        (with_cut_entry, DamagedError, "table 'results' is damaged: a damaged entry .*maintain --repair"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_damaged_table_is_told_apart(
    lake: Lake, damage: Callable[[Path], None], error: type[LakeError], says: str
) -> None:
    assert lake.local_path is not None
    lake.table("results").append_new(TABLES["results"].sample())
    damage(lake.local_path / "tables" / "results")

    with pytest.raises(error, match=says) as caught:
        Lake.open(lake.url).table("results").scan()
    assert type(caught.value) is error


@pytest.mark.parametrize(("left", "error"), [(None, MissingMarkerError), ("{", DamagedMarkerError)])
def test_a_damaged_marker_is_told_apart(lake: Lake, left: str | None, error: type[LakeError]) -> None:
    assert lake.local_path is not None
    marker = lake.local_path / "lake.json"
    marker.unlink()
    if left is not None:
        marker.write_text(left)

    with pytest.raises(error, match=f"maintain --repair --lake {lake.local_path}`"):
        Lake.open(lake.url)


def test_a_table_that_is_missing_in_a_bucket_is_told_apart(bucket_lake: str) -> None:
    lake = Lake.create(bucket_lake, exist_ok=True)
    lake.objects.delete(lake.objects.list("tables/results"))

    with pytest.raises(MissingTableError):
        lake.table("results").scan()


def test_a_file_system_without_hard_links_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)

    with pytest.raises(SettingsError, match="has no hard links"):
        Lake.create(tmp_path / "new" / "lake")
    assert list(tmp_path.iterdir()) == []

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from alchemiscale_lake.prefect_api import server_files as _state
from alchemiscale_lake.store import Lake


@dataclass
class Bucket:
    url: str
    local_path: None = None


def test_a_folder_keeps_its_server_inside(lake: Lake) -> None:
    assert lake.local_path is not None
    assert _state.state_dir(lake) == lake.local_path / "prefect"


def test_a_bucket_has_a_folder_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    places = [_state.state_dir(cast(Any, Bucket(url))) for url in ("s3://a/b", "s3://a/b", "s3://a-b")]

    assert places[0] == places[1] != places[2]
    assert all(place.is_relative_to(tmp_path) for place in places)


def test_no_template_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    assert not _state.copy_template(tmp_path / "prefect.db")
    assert not (tmp_path / "prefect.db").exists()


def test_the_template_is_a_consistent_copy_of_an_open_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = sqlite3.connect(tmp_path / "source.db")
    source.execute("PRAGMA journal_mode=WAL")
    source.execute("CREATE TABLE t (x)")
    source.execute("INSERT INTO t VALUES (7)")
    source.commit()

    _state.keep_template(tmp_path / "source.db")
    assert _state.copy_template(tmp_path / "copy.db")

    source.close()
    copy = sqlite3.connect(tmp_path / "copy.db")
    assert copy.execute("SELECT x FROM t").fetchall() == [(7,)]
    copy.close()
    assert [p.name for p in _state.cache_dir().iterdir()] == ["template.db"]


def test_without_a_home_there_is_still_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(_state.Path, "home", homeless)
    monkeypatch.setattr(_state.tempfile, "gettempdir", lambda: str(tmp_path))

    assert _state.cache_dir().is_relative_to(tmp_path)


def test_the_database_is_opened_where_it_lies(tmp_path: Path) -> None:
    from sqlalchemy.engine import make_url

    for name in ("plain", "q?", "#h", "a%20b", "100%", "a=b c", "é", "it's"):
        database = tmp_path / name / "prefect.db"
        assert make_url(_state.database_url(database)).database == str(database)
        assert not make_url(_state.database_url(database)).query

from __future__ import annotations

import time
from pathlib import Path

import pytest

from alchemiscale_lake.errors import NotALakeError
from alchemiscale_lake.execution import kept_lake as module
from alchemiscale_lake.execution.kept_lake import kept_lake
from alchemiscale_lake.store import Lake


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_kept", {})


def test_a_lake_is_opened_once_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = Lake.create(tmp_path / "lake").url
    first = kept_lake(url)
    assert kept_lake(url) is first

    now_s = time.monotonic()
    monkeypatch.setattr(module.time, "monotonic", lambda: now_s + 61.0)

    assert kept_lake(url) is not first, "it may have been migrated"


def test_lakes_that_are_no_longer_used_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (Lake.create(tmp_path / name).url for name in ("one", "two"))
    kept_lake(one)
    now_s = time.monotonic()
    monkeypatch.setattr(module.time, "monotonic", lambda: now_s + 61.0)
    kept_lake(two)

    assert list(module._kept) == [two]


def test_what_is_not_a_lake_is_refused_each_time(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(NotALakeError):
            kept_lake(str(tmp_path))

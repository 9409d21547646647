"""The cache on disk: bounded, checked, shared, and never in the way."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from alchemiscale_lake.client.result_cache import ResultCache, client_cache
from alchemiscale_lake.errors import SettingsError


def files(cache: ResultCache) -> list[Path]:
    return [path for path in cache.folder.rglob("*") if path.is_file()]


def use(cache: ResultCache, name: str, at: float) -> None:
    """Pretend that an entry was used last at a time."""
    os.utime(cache._path(name), (at, at))


def test_an_entry_is_found_by_others(tmp_path: Path) -> None:
    ResultCache(tmp_path / "cache").put("result 1", b"one")
    other = ResultCache(tmp_path / "cache")

    assert other.get("result 1") == b"one"
    assert other.get("result 2") is None
    assert (other.n_hits, other.n_misses) == (1, 1)


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 40])
def test_a_damaged_entry_is_dropped(tmp_path: Path, damage: bytes) -> None:
    cache = ResultCache(tmp_path)
    cache.put("result 1", b"one")
    (path,) = files(cache)
    path.write_bytes(damage)

    assert cache.get("result 1") is None
    assert not path.exists()
    cache.put("result 1", b"one")
    assert cache.get("result 1") == b"one"


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path, 10_000)
    for number in range(8):
        cache.put(f"result {number}", bytes(1000))
        use(cache, f"result {number}", 1000.0 + number)
    assert cache.get("result 0") is not None  # used now
    left = tmp_path / "00" / "dead.part"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(bytes(500))
    os.utime(left, (10.0, 10.0))
    for number in range(8, 10):
        cache.put(f"result {number}", bytes(1000))

    assert sum(path.stat().st_size for path in files(cache)) <= 10_000
    assert not left.exists()
    assert cache.get("result 1") is None
    assert cache.get("result 0") is not None
    assert cache.get("result 9") is not None


def test_many_entries_stay_within_the_limit(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path, 20_000)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: cache.put(f"result {number}", bytes(900)), range(200)))

    assert 10_000 < sum(path.stat().st_size for path in files(cache)) <= 20_000
    cache.put("too large", bytes(19_000))
    assert cache.get("too large") is None


def fill(folder: Path) -> list[bool]:
    """Read and write the same entries as others do; return whether each had its own content."""
    cache, sound = ResultCache(folder, 30_000), []
    for number in [*range(40), *range(40)]:
        content = f"{number}".encode() * 500
        found = cache.get(f"result {number}")
        sound.append(found is None or found == content)
        cache.put(f"result {number}", content)
    return sound


def test_processes_share_it_without_a_lock(tmp_path: Path) -> None:
    with ProcessPoolExecutor(3, mp_context=get_context("fork")) as processes:
        answers = list(processes.map(fill, [tmp_path] * 3))

    assert all(all(sound) for sound in answers)
    assert not list(tmp_path.rglob("*.part"))


def test_a_folder_that_cannot_be_used_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = ResultCache(tmp_path / "file")

    cache.put("result 1", b"one")

    assert cache.get("result 1") is None


def test_arguments_and_environment_say_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALCHEMISCALE_LAKE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    default = client_cache(far=True)
    assert default is not None
    assert (default.folder, default.limit_bytes) == (tmp_path / "alchemiscale-lake", 2**30)
    assert client_cache() is None, "a lake in a folder is as near as its cache"
    assert client_cache(far=True, wanted=False) is None
    assert client_cache(wanted=True) is not None
    monkeypatch.setenv("ALCHEMISCALE_LAKE_CACHE", str(tmp_path / "here"))
    monkeypatch.setenv("ALCHEMISCALE_LAKE_CACHE_BYTES", "2MiB")
    named = client_cache()
    assert named is not None
    assert (named.folder, named.limit_bytes) == (tmp_path / "here", 2**21)
    argued = client_cache(tmp_path / "there", 5, far=True)
    assert argued is not None
    assert (argued.folder, argued.limit_bytes) == (tmp_path / "there", 5)
    monkeypatch.setenv("ALCHEMISCALE_LAKE_CACHE", "off")
    assert client_cache(far=True) is None
    monkeypatch.setenv("ALCHEMISCALE_LAKE_CACHE_BYTES", "much")
    with pytest.raises(SettingsError, match="ALCHEMISCALE_LAKE_CACHE_BYTES"):
        client_cache()


def test_a_negative_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="0 \\(no cache\\) or more"):
        client_cache(tmp_path, -1)
    assert client_cache(tmp_path, 0) is None

from __future__ import annotations

import hashlib
import random
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alchemiscale_lake.errors import DamagedError, NotFoundError, ObjectTooLargeError, StorageError
from alchemiscale_lake.store import Location, ObjectStore


@pytest.fixture(params=["folder", "bucket"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    bucket = request.param == "bucket"
    return ObjectStore(Location.parse(request.getfixturevalue("bucket") if bucket else tmp_path / "with space"))


def test_put_get_list_delete(objects: ObjectStore) -> None:
    objects.put("a/b/one.txt", b"1")
    objects.put("a/two.txt", b"2")
    objects.put("a/two.txt", b"22")
    assert objects.get("a/two.txt") == b"22"
    assert objects.list("a") == ["a/b/one.txt", "a/two.txt"]
    assert objects.list("a/b/") == ["a/b/one.txt"]
    assert objects.list("nowhere") == []
    objects.delete(["a/two.txt", "a/never.txt"])
    assert not objects.exists("a/two.txt")
    with pytest.raises(NotFoundError, match=r"a/two\.txt"):
        objects.get("a/two.txt")


def test_a_folder_is_no_object(objects: ObjectStore) -> None:
    objects.put("a/b/one.txt", b"1")
    for path in ("a/b", "a/b/one.txt/two", "nowhere/one.txt"):
        assert not objects.exists(path)
        with pytest.raises(NotFoundError):
            objects.get(path)


def test_an_object_above_the_limit_is_not_read(objects: ObjectStore) -> None:
    objects.put("a/one.txt", b"1234")
    assert objects.get("a/one.txt", limit=4) == b"1234"
    with pytest.raises(ObjectTooLargeError, match="4 bytes, more than 3"):
        objects.get("a/one.txt", limit=3)


def test_put_exclusive_lets_one_of_many_win(objects: ObjectStore) -> None:
    won: list[int] = []

    def put(i: int) -> None:
        if objects.put_exclusive("x/receipt.arrow", str(i).encode() * 1000):
            won.append(i)

    threads = [threading.Thread(target=put, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert objects.get("x/receipt.arrow") == str(won[0]).encode() * 1000
    assert objects.list("x") == ["x/receipt.arrow"]


@pytest.mark.parametrize("objects", ["folder"], indirect=True)
def test_a_cut_write_leaves_no_object(objects: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(Exception, match="No space left"):
        objects.put_exclusive("x/receipt.arrow", b"data")
    monkeypatch.undo()
    assert objects.list("x") == []
    assert objects.put_exclusive("x/receipt.arrow", b"data")


def test_listing_has_sizes_times_and_incomplete_writes(objects: ObjectStore, tmp_path: Path) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    objects.put("a/one", b"1")
    objects.put("a/b/.0123.part", b"half")
    found = {o.path: o for o in objects.list_with_times("a")}
    assert {(path, o.n_bytes, o.is_temporary) for path, o in found.items()} == {
        ("a/one", 1, False),
        ("a/b/.0123.part", 4, True),
    }
    assert all(before <= o.modified_at <= datetime.now(UTC) + timedelta(seconds=2) for o in found.values())
    assert objects.list("a") == ["a/one"]


def test_many_objects_are_deleted_together(objects: ObjectStore) -> None:
    paths = [f"many/{i:04d}" for i in range(30)]
    for path in paths:
        objects.put(path, b"")
    objects.delete([*paths[:20], "many/never"])
    assert objects.list("many") == paths[20:]
    objects.delete([])


@pytest.mark.parametrize("objects", ["folder"], indirect=True)
def test_what_cannot_be_deleted_is_an_error(objects: ObjectStore) -> None:
    objects.put("folder/x", b"")
    with pytest.raises(StorageError, match="cannot delete folder"):
        objects.delete(["folder"])


@pytest.mark.parametrize("objects", ["folder"], indirect=True)
def test_empty_folders_are_pruned_and_others_not(objects: ObjectStore, tmp_path: Path) -> None:
    objects.put("a/b/c/x", b"")
    objects.put("a/d/y", b"")
    objects.delete(["a/b/c/x"])
    objects.prune("a")
    assert sorted(p.name for p in (tmp_path / "with space" / "a").iterdir()) == ["d"]


def test_no_flip_in_an_object_with_a_digest_goes_unnoticed(tmp_path: Path) -> None:
    chance, objects = random.Random(3), ObjectStore(Location.parse(tmp_path))
    data = chance.randbytes(3000)
    digest = hashlib.sha256(data).hexdigest()
    objects.put("attempts/s/a/result.json.zst", data)
    assert objects.get("attempts/s/a/result.json.zst", digest=digest) == data

    for _ in range(2000):
        damaged = bytearray(data)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        (tmp_path / "attempts/s/a/result.json.zst").write_bytes(damaged)
        with pytest.raises(DamagedError, match="attempts/s/a/result"):
            objects.get("attempts/s/a/result.json.zst", digest=digest)

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from alchemiscale_lake.errors import NotFoundError
from alchemiscale_lake.store import Location, ObjectStore


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return ObjectStore(Location.parse(tmp_path / "with space"))


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


def test_a_cut_write_leaves_no_object(objects: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(Exception, match="No space left"):
        objects.put_exclusive("x/receipt.arrow", b"data")
    monkeypatch.undo()
    assert objects.list("x") == []
    assert objects.put_exclusive("x/receipt.arrow", b"data")

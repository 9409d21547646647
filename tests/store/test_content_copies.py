"""Copies of kept content: complete with the right digest, or not there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from alchemiscale_lake.errors import DamagedError, NotFoundError, StorageError
from alchemiscale_lake.store.content_copies import copy_content

CONTENT = bytes(range(256)) * 4
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Source:
    """Content in blocks of 100 bytes, which may end early."""

    def __init__(self, content: bytes = CONTENT, ends_at: int | None = None, error: Exception | None = None) -> None:
        self.content, self.ends_at, self.error = content, ends_at, error
        self.starts: list[int] = []

    def __call__(self, start: int) -> Iterator[bytes]:
        self.starts.append(start)
        for at in range(start, len(self.content), 100):
            if self.ends_at is not None and at >= self.ends_at:
                assert self.error is not None
                raise self.error
            yield self.content[at : at + 100]


def copied(source: Callable[[int], Iterator[bytes]], target: Path, **options: Any) -> bool:
    return copy_content(source, target, what="traj.nc", digest=DIGEST, n_bytes=len(CONTENT), **options)


def test_content_appears_once_under_its_name(tmp_path: Path) -> None:
    source, told, target = Source(), list[int](), tmp_path / "a" / "b" / "traj.nc"

    assert copied(source, target, tell=told.append)
    assert target.read_bytes() == CONTENT
    assert (sum(told), [path.name for path in target.parent.iterdir()]) == (len(CONTENT), ["traj.nc"])
    assert not copied(source, target, tell=told.append), "it is there"
    assert (sum(told), source.starts) == (2 * len(CONTENT), [0])


def test_an_interrupted_copy_is_continued_where_it_ended(tmp_path: Path) -> None:
    source, told, target = Source(ends_at=500, error=StorageError("gone")), list[int](), tmp_path / "traj.nc"
    with pytest.raises(StorageError):
        copied(source, target)
    assert not target.exists()

    source.ends_at = None
    assert copied(source, target, tell=told.append)
    assert (source.starts, told[0], sum(told)) == ([0, 500], 500, len(CONTENT))
    assert target.read_bytes() == CONTENT


def test_other_content_of_the_same_size_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "traj.nc"
    target.write_bytes(bytes(len(CONTENT)))

    assert copied(Source(), target)
    assert target.read_bytes() == CONTENT


def test_damaged_content_never_appears_and_the_next_try_starts_anew(tmp_path: Path) -> None:
    target = tmp_path / "traj.nc"
    with pytest.raises(DamagedError, match=r"traj\.nc in the lake"):
        copied(Source(b"x" + CONTENT[1:]), target)
    assert list(tmp_path.iterdir()) == []

    source = Source()
    assert copied(source, target)
    assert source.starts == [0]


def test_nothing_is_left_of_content_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        copied(Source(ends_at=200, error=NotFoundError("deleted")), tmp_path / "traj.nc")
    assert list(tmp_path.iterdir()) == []


def test_a_name_as_long_as_a_name_can_be(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 255)
    assert copied(Source(), target)
    assert target.read_bytes() == CONTENT

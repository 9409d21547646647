"""Folders of kept content as they are in the lake, and the deletion of content that nothing needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.store import Location, ObjectStore
from alchemiscale_lake.store.content_folders import condemn, content_folders, read_content_folder, remove_content

ONE, TWO = "1" * 64, "2" * 64
A, B = "a" * 32, "b" * 32


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    store = ObjectStore(Location.parse(tmp_path / "lake"))
    for path, data in {
        f"o-c-p/{ONE}/data": b"123",
        f"o-c-p/{ONE}/data-{B}": b"123",
        f"o-c-p/{ONE}/{A}.use": b"",
        f"o-c-p/{ONE}/{B}.use": b"",
        f"o-c-p/{ONE}/data-{A}.part": b"1",
        f"o-c-q/{TWO}/data": b"4",
        f"o-c-q/{TWO}/condemned": b"",
    }.items():
        store.put(f"files/{path}", data)
    return store


def test_a_folder_has_its_copies_marks_and_unfinished_writes(objects: ObjectStore) -> None:
    folder = read_content_folder(objects, "o-c-p", ONE)

    assert folder.contents == {f"files/o-c-p/{ONE}/data": 3, f"files/o-c-p/{ONE}/data-{B}": 3}
    assert set(folder.marks) == {A, B}
    assert set(folder.unfinished) == {f"files/o-c-p/{ONE}/data-{A}.part"}
    assert folder.condemned_at is None
    assert folder.path == f"files/o-c-p/{ONE}"


def test_folders_are_listed_by_scope_as_they_are_read_one_by_one(objects: ObjectStore) -> None:
    found = {(one.scope, one.digest): one for one in content_folders(objects)}

    assert set(found) == {("o-c-p", ONE), ("o-c-q", TWO)}
    assert all(one == read_content_folder(objects, *which) for which, one in found.items())
    assert found["o-c-q", TWO].condemned_at is not None
    assert [one.digest for one in content_folders(objects, "o-c-q")] == [TWO]
    assert list(content_folders(objects, "o-c-other")) == []


def test_files_that_are_not_content_are_ignored(objects: ObjectStore) -> None:
    """Such as those that a file browser or a file server leaves."""
    for path in (".DS_Store", "o-c-p/.nfs0001"):
        objects.put(f"files/{path}", b"x")

    assert {one.digest for one in content_folders(objects)} == {ONE, TWO}


def test_an_attempt_that_comes_before_the_condemnation_is_seen(objects: ObjectStore) -> None:
    before = read_content_folder(objects, "o-c-p", ONE)
    late = "c" * 32
    objects.put(f"{before.path}/{late}.use", b"")

    after = condemn(objects, before)

    assert late in after.marks
    assert after.condemned_at is not None


def test_the_time_of_the_first_condemnation_stays(objects: ObjectStore) -> None:
    folder = read_content_folder(objects, "o-c-q", TWO)
    assert condemn(objects, folder).condemned_at == folder.condemned_at


def test_content_goes_before_its_marks_and_later_copies_stay(objects: ObjectStore) -> None:
    folder = condemn(objects, read_content_folder(objects, "o-c-p", ONE))
    later = f"{folder.path}/data-{'d' * 32}"
    objects.put(later, b"123")
    between: list[list[str]] = []

    def look(name: str) -> None:
        if name == "content:deleted":
            between.append(objects.list(folder.path))

    with fault_hook(look):
        remove_content(objects, folder)

    marks = [f"{folder.path}/{attempt}.use" for attempt in (A, B)]
    assert between == [sorted([*marks, f"{folder.path}/condemned", later])]
    left = read_content_folder(objects, "o-c-p", ONE)
    assert (set(left.contents), left.marks, left.unfinished) == ({later}, {}, {})
    assert left.condemned_at == folder.condemned_at

"""Content of kept files: once per Scope and digest, and a copy of its own where it is about to be deleted."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from alchemiscale_lake.errors import ContentError
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.store import Lake, is_content_path, keep_content
from alchemiscale_lake.store.kept_content import CONDEMNED, KeptContent, content_folder

SCOPE = "a-b-c"
FIRST, SECOND = "1" * 32, "2" * 32
CONTENT = b"trajectory"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "traj.nc"
    path.write_bytes(CONTENT)
    return path


def once(call: Callable[[], object]) -> object:
    return call()


def keep(lake: Lake, attempt: str, path: Path, scope: str = SCOPE) -> KeptContent:
    return keep_content(lake.objects, scope, attempt, path, patiently=once)


def test_the_same_content_is_stored_once_per_scope(lake: Lake, file: Path) -> None:
    folder = content_folder(SCOPE, DIGEST)

    assert keep(lake, FIRST, file) == KeptContent(f"{folder}/data", DIGEST, len(CONTENT), new=True)
    assert keep(lake, SECOND, file) == KeptContent(f"{folder}/data", DIGEST, len(CONTENT), new=False)
    assert keep(lake, FIRST, file, "a-b-other").new
    assert lake.objects.list(folder) == [f"{folder}/{FIRST}.use", f"{folder}/{SECOND}.use", f"{folder}/data"]


def test_content_that_is_about_to_be_deleted_is_not_relied_on(lake: Lake, file: Path) -> None:
    keep(lake, FIRST, file)
    lake.objects.put(f"{content_folder(SCOPE, DIGEST)}/{CONDEMNED}", b"")

    kept = keep(lake, SECOND, file)
    lake.objects.delete([f"{content_folder(SCOPE, DIGEST)}/data"])

    assert kept.new
    assert lake.objects.get(kept.object_path, digest=DIGEST) == CONTENT
    assert is_content_path(kept.object_path, SCOPE, DIGEST)


def test_the_mark_is_there_before_the_content_is_looked_for(lake: Lake, file: Path) -> None:
    """Whoever condemns content and then finds no mark may delete it."""
    seen: list[list[str]] = []
    with fault_hook(lambda name: seen.append(lake.objects.list("files")) if name == "content:use-marked" else None):
        keep(lake, FIRST, file)
    assert seen == [[f"{content_folder(SCOPE, DIGEST)}/{FIRST}.use"]]


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        ("files/a-b-c/{digest}/data", True),
        ("files/a-b-c/{digest}/data-" + FIRST, True),
        ("files/a-b-c/{digest}/other", False),
        ("files/a-b-d/{digest}/data", False),
        ("files/a-b-c/{digest}/../../x/data", False),
        ("attempts/a-b-c/1/data", False),
    ],
)
def test_paths_of_content(path: str, fits: bool) -> None:
    assert is_content_path(path.format(digest=DIGEST), SCOPE, DIGEST) is fits
    assert not is_content_path("files/a-b-c/../data", SCOPE, "..")


def test_links_and_pipes_are_not_content(lake: Lake, file: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(file)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"symbolic links|Too many levels"):
        keep(lake, FIRST, tmp_path / "link")
    with pytest.raises(ContentError, match="not a regular file"):
        keep(lake, FIRST, tmp_path / "pipe")
    assert lake.objects.list("files") == []

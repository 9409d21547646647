"""Large objects, block by block: complete with their digest, or not there."""

from __future__ import annotations

import fcntl
import hashlib
import io
from pathlib import Path

import pytest

from alchemiscale_lake.errors import DamagedError, NotFoundError, SettingsError, StorageError
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.store import Location, ObjectStore
from alchemiscale_lake.store import object_streams as module
from alchemiscale_lake.store.object_streams import file_digest

CONTENT = bytes(range(256)) * 3 + b"end"


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", 100)


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return ObjectStore(Location.parse(tmp_path / "lake"))


def put(objects: ObjectStore, content: bytes = CONTENT, promised: bytes | None = None) -> None:
    promised = content if promised is None else promised
    digest = hashlib.sha256(promised).hexdigest()
    objects.put_stream("files/x", io.BytesIO(content), n_bytes=len(promised), digest=digest)


def names(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "lake" / "files").iterdir())


@pytest.mark.parametrize("content", [b"", b"1", CONTENT, bytes(1000), bytes(150) + b"x" + bytes(349)])
def test_what_is_put_is_read_from_any_byte_on(objects: ObjectStore, content: bytes, tmp_path: Path) -> None:
    put(objects, content)
    put(objects, content)

    for start in (0, 1, 100, len(content), len(content) + 5):
        blocks = list(objects.read_stream("files/x", start=start))
        assert b"".join(blocks) == content[start:]
        assert max(map(len, blocks), default=0) <= 100
        assert objects.read_range("files/x", start, 120) == content[start : start + 120]
    assert names(tmp_path) == ["x"]
    assert file_digest(io.BytesIO(content)) == hashlib.sha256(content).hexdigest()


def test_content_that_changed_does_not_appear(objects: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="changed while it was stored"):
        put(objects, CONTENT, promised=CONTENT + b"more")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "left", [CONTENT[:250], CONTENT[:100] + b"rubbish" * 20, CONTENT + b"a longer one", b"x" + CONTENT[1:]]
)
def test_an_interrupted_copy_is_continued_whatever_it_left(objects: ObjectStore, left: bytes, tmp_path: Path) -> None:
    objects.put("files/x.part", left)
    put(objects)
    assert objects.get("files/x") == CONTENT
    assert names(tmp_path) == ["x"]


def test_nothing_is_there_until_all_is(objects: ObjectStore) -> None:
    seen: list[tuple[str, bool]] = []
    with fault_hook(lambda name: seen.append((name, objects.exists("files/x")))):
        put(objects)
    assert {name for name, _ in seen} == {"objects:block-copied", "objects:copied"}
    assert not any(there for _, there in seen)


def test_two_writers_at_once_do_not_share_a_copy(objects: ObjectStore, tmp_path: Path) -> None:
    objects.put("files/x.part", b"of another")
    with (tmp_path / "lake/files/x.part").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        put(objects)
        assert (tmp_path / "lake/files/x.part").read_bytes() == b"of another"
    assert objects.get("files/x") == CONTENT


@pytest.mark.parametrize("path", ["../x", "files/../../x", "/etc/x", "files//x", "./x"])
def test_no_path_leads_out_of_the_lake(objects: ObjectStore, path: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"outside")
    digest = hashlib.sha256(b"1").hexdigest()
    for call in (
        lambda: list(objects.read_stream(path)),
        lambda: objects.read_range(path, 0, 1),
        lambda: objects.put_stream(path, io.BytesIO(b"1"), n_bytes=1, digest=digest),
    ):
        with pytest.raises(StorageError, match="not a path within the lake"):
            call()
    assert (tmp_path / "x").read_bytes() == b"outside"


def test_what_is_missing_is_not_found(objects: ObjectStore) -> None:
    objects.put("files/x", b"1")
    for path in ("files/y", "files", "files/x/y"):
        with pytest.raises(NotFoundError, match=f"the lake has no object {path}"):
            list(objects.read_stream(path))
        with pytest.raises(NotFoundError):
            objects.read_range(path, 0, 1)


def test_a_folder_signs_no_urls(objects: ObjectStore) -> None:
    with pytest.raises(SettingsError, match="files/x has no URL"):
        objects.signed_url("files/x", valid_s=60)


@pytest.mark.parametrize("size", [None, -1, 50, 5000])
def test_the_end_of_a_file_that_changed_is_an_error_before_a_bucket_has_it(size: int | None) -> None:
    right = module._Checked(io.BytesIO(CONTENT), hashlib.sha256(CONTENT).hexdigest(), "x")
    wrong = module._Checked(io.BytesIO(CONTENT), hashlib.sha256(b"other").hexdigest(), "x")

    def read_all(source: io.RawIOBase) -> bytes:
        parts = [source.read(size) or b""]
        while size is not None and size > 0 and len(parts[-1]) == size:
            parts.append(source.read(size) or b"")
        return b"".join(parts)

    assert read_all(right) == CONTENT
    with pytest.raises(DamagedError):
        read_all(wrong)

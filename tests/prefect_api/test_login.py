from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemiscale_lake.errors import StorageError
from alchemiscale_lake.prefect_api.login import login_file, make_login, make_private, read_login, read_own

NOBODY = 65534


@pytest.fixture
def open_place() -> Iterator[Path]:
    """Return a folder that every user of this machine can enter, like many home folders."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_login_is_random_and_stays(tmp_path: Path) -> None:
    first, second = make_login(tmp_path / "a"), make_login(tmp_path / "b")

    assert first != second
    assert first.startswith("lake:")
    assert len(first) > 40
    assert make_login(tmp_path / "a") == read_login(tmp_path / "a") == first


def test_no_other_user_can_read_it(open_place: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    before = os.umask(0)
    try:
        login = make_login(open_place / "prefect")
    finally:
        os.umask(before)
    (open_place / "control").write_text("control")

    def read(path: Path) -> str:
        other = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        return subprocess.run(["cat", path], capture_output=True, text=True, check=False, **other).stdout  # type: ignore[call-overload,no-any-return]

    assert read(open_place / "control") == "control"
    assert login not in read(login_file(open_place / "prefect"))
    # nor if the folder is made accessible by mistake
    (open_place / "prefect").chmod(0o755)
    assert login not in read(login_file(open_place / "prefect"))


def test_one_that_others_could_read_is_replaced(tmp_path: Path) -> None:
    before = make_login(tmp_path)
    login_file(tmp_path).chmod(0o644)

    assert make_login(tmp_path) != before
    assert login_file(tmp_path).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "lake:short", "nonsense", "a:b\nc:d", "lake:" + "ä" * 40])
def test_an_invalid_login_is_replaced(tmp_path: Path, content: str) -> None:
    login_file(tmp_path).touch(mode=0o600)
    login_file(tmp_path).write_text(content)

    with pytest.raises(StorageError, match="not the login"):
        read_login(tmp_path)
    assert make_login(tmp_path) == read_login(tmp_path)


def test_a_folder_of_an_earlier_version_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "prefect"
    folder.mkdir(mode=0o755)

    assert make_private(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_links_files_and_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "file").touch()

    assert not make_private(tmp_path / "link")
    assert not make_private(tmp_path / "file")
    assert (tmp_path / "target").stat().st_mode & 0o777 == 0o755
    with pytest.raises(StorageError, match="cannot be made private"):
        make_login(tmp_path / "link")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)

    assert read_own(tmp_path / "pipe") is None

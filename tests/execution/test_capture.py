from __future__ import annotations

import os
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alchemiscale_lake.execution.capture import read_capped


def test_nothing_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert read_capped(tmp_path / "empty", 10) is None
    assert read_capped(tmp_path / "missing", 10) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(min_size=1, max_size=300), limit=st.integers(2, 200))
def test_head_and_tail_are_kept(tmp_path: Path, content: bytes, limit: int) -> None:
    path = tmp_path / "text"
    path.write_bytes(content)
    kept = read_capped(path, limit)
    assert kept is not None
    if len(content) <= limit:
        assert kept == content
    else:
        half = limit // 2
        left_out = len(content) - 2 * half
        assert kept == content[:half] + b"\n[... %d bytes omitted ...]\n" % left_out + content[-half:]


def test_links_and_pipes_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "stdout.txt").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "stderr.txt")
    assert read_capped(tmp_path / "stdout.txt", 10) is None
    assert read_capped(tmp_path / "stderr.txt", 10) is None

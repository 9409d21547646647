"""Files written durably: what is fsynced, and in which order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from alchemiscale_lake import durable
from tests.disk import Disk


def test_a_replaced_file_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    with Disk(tmp_path) as disk:
        durable.replace_file(tmp_path / "a", b"old")
        durable.replace_file(tmp_path / "a", b"new")
    seen = [cut.get("a") for cut in disk.cuts()]
    assert set(seen) == {None, b"old", b"new"}
    assert seen == sorted(seen, key=[None, b"old", b"new"].index)
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_file_for_running_processes_is_whole_for_them_and_costs_no_fsync(tmp_path: Path) -> None:
    durable.replace_file(tmp_path / "a", b"old")
    with Disk(tmp_path) as disk:
        durable.replace_unsynced(tmp_path / "a", b"new")
        assert (tmp_path / "a").read_bytes() == b"new"
    assert disk.fsynced == []
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_of_two_links_one_counts_and_lasts(tmp_path: Path) -> None:
    with Disk(tmp_path) as disk:
        assert durable.link_file(tmp_path / "a", b"1")
        assert not durable.link_file(tmp_path / "a", b"2")
    assert disk.cuts()[-1]["a"] == b"1"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_new_folders_last_with_what_is_in_them(tmp_path: Path) -> None:
    with Disk(tmp_path) as disk:
        durable.make_folder(tmp_path / "x" / "y" / "z")
        durable.replace_file(tmp_path / "x" / "y" / "z" / "a", b"1")
    assert disk.cuts()[-1] == {"x/y/z/a": b"1"}
    assert not disk.fsynced_twice


def test_what_fails_leaves_the_old_file_and_no_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    durable.replace_file(tmp_path / "a", b"old")

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        durable.replace_file(tmp_path / "a", b"new")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a": b"old"}

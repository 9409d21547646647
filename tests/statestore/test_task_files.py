"""Kept files of a Task: listed, copied, continued, checked."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest
from click.testing import CliRunner

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.cli import main
from alchemiscale_lake.errors import DamagedError, SettingsError
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.statestore.kept_sizes import kept_sizes
from alchemiscale_lake.statestore.lake_verification import check_digests
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_files import copy_file, task_files
from alchemiscale_lake.statestore.task_operations import create_tasks, network_transformations
from alchemiscale_lake.store import Lake, keep_content
from tests.example_networks import harmonic_network

SCOPE = "org-campaign-project"
TASK = f"Task-{'a' * 32}-{SCOPE}"


def kept_in(place: str | Path, tmp_path: Path, task: str = TASK) -> tuple[Lake, bytes]:
    """Return a lake with a Task that kept a file in each of two attempts, and was refused one; and their content."""
    lake, data = Lake.open(place), os.urandom(3 * 2**20)
    (tmp_path / "a.nc").write_bytes(data)
    attempts = [uuid.uuid4().hex for _ in range(2)]
    for attempt in attempts:
        kept = keep_content(lake.objects, SCOPE, attempt, tmp_path / "a.nc", patiently=lambda call: call())
        where = {"scope": SCOPE, "attempt": attempt, "unit": "u"}
        row = {"n_bytes": kept.n_bytes, "digest": kept.digest, "object_path": kept.object_path, "kept_by": "permanent"}
        lake.table("result_files").append_new([where | row | {"path": "permanent/00-u/a.nc"}])
        refused = {"path": "permanent/00-u/b.nc", "n_bytes": 9, "kept_by": "permanent", "reason": "too large"}
        lake.table("refused_files").append_new([where | refused])
    ended = TABLES["results"].sample(2, scope=SCOPE, attempt=attempts, task=task, ok=True, origin_attempt=None)
    lake.table("results").append_new(ended)
    return lake, data


def test_files_are_listed_with_those_that_were_refused(place: str, tmp_path: Path) -> None:
    lake, _ = kept_in(place, tmp_path)
    files = task_files(lake, TASK)
    assert files.select("path", "reason").rows() == 2 * [
        ("permanent/00-u/a.nc", None),
        ("permanent/00-u/b.nc", "too large"),
    ]
    assert task_files(lake, TASK, pattern="*/b.*")["n_bytes"].to_list() == [9, 9]
    assert task_files(lake, TASK, attempt=files["attempt"][0])["attempt"].n_unique() == 1
    assert task_files(lake, f"Task-{'b' * 32}-{SCOPE}").is_empty()


def test_a_copy_is_continued_and_checked(place: str, tmp_path: Path) -> None:
    lake, data = kept_in(place, tmp_path)
    file, target, told = task_files(lake, TASK).row(0, named=True), tmp_path / "out" / "a.nc", list[int]()
    target.parent.mkdir()
    partial = target.with_name(f".a.nc.{file['digest'][:16]}.part")
    partial.write_bytes(data[:1000])

    assert copy_file(lake, file, target, tell=told.append)
    assert target.read_bytes() == data
    assert (told[0], sum(told)) == (1000, len(data))
    assert not copy_file(lake, file, target)
    assert list(target.parent.iterdir()) == [target]

    partial.write_bytes(b"wrong")
    target.unlink()
    with pytest.raises(DamagedError, match="SHA-256"):
        copy_file(lake, file, target)
    assert list(target.parent.iterdir()) == []


def test_content_that_files_share_counts_once(place: str, tmp_path: Path) -> None:
    lake, data = kept_in(place, tmp_path)
    sizes = kept_sizes(lake, [TASK], of_scopes=True)
    assert (sizes.by_task, sizes.by_scope) == ({TASK: len(data)}, {SCOPE: len(data)})
    assert kept_sizes(lake, [TASK], of_scopes=False).by_scope is None


def test_damage_of_a_kept_file_is_found(place: str, tmp_path: Path) -> None:
    lake, _ = kept_in(place, tmp_path)
    assert not check_digests(lake, "result_files").flaws
    lake.objects.put(task_files(lake, TASK)["object_path"][0], b"rotten")
    (flaw,) = check_digests(lake, "result_files").flaws
    assert "SHA-256" in flaw.what


def test_the_command_lists_and_copies(tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    user = Caller.this_user()
    network = submit_network(lake, harmonic_network(2, 1), SCOPE, caller=user).network
    (task,) = create_tasks(lake, network_transformations(lake, network)[:1], caller=user)
    _, data = kept_in(lake.url, tmp_path, task)
    monkeypatch.setenv("ALCHEMISCALE_LAKE", lake.url)
    monkeypatch.chdir(tmp_path)

    listed = CliRunner().invoke(main, ["files", "list", task, "--tsv"])
    copied = [CliRunner().invoke(main, ["files", "get", task, "-o", "kept", "--pattern", "*.nc"]) for _ in range(2)]
    missing = CliRunner().invoke(main, ["files", "get", task, "--pattern", "*.xtc"])
    story = CliRunner().invoke(main, ["tasks", "show", task])

    assert (listed.exit_code, listed.stdout.count("too large")) == (0, 2), listed.output
    assert [one.exit_code for one in copied] == [0, 0], copied[0].output
    assert (tmp_path / "kept" / "permanent" / "00-u" / "a.nc").read_bytes() == data
    assert ["copied 1 file" in copied[0].stderr, "copied 0 files" in copied[1].stderr] == [True, True]
    assert missing.exit_code == 1
    assert "no kept file" in missing.stderr
    shown = " ".join(story.stdout.split())
    assert "permanent/00-u/a.nc 3145728 bytes files/" in shown
    assert "permanent/00-u/b.nc 9 bytes, not in the lake: too large" in shown


def test_a_bucket_signs_urls(bucket_lake: str, tmp_path: Path) -> None:
    import urllib.request

    lake, data = kept_in(bucket_lake, tmp_path)
    url = lake.objects.signed_url(task_files(lake, TASK)["object_path"][0], valid_s=600)
    assert "X-Amz-Signature" in url
    assert urllib.request.urlopen(url, timeout=60).read() == data


def test_a_folder_has_no_urls(lake: Lake) -> None:
    with pytest.raises(SettingsError, match="files get"):
        lake.objects.signed_url("files/x", valid_s=1)

"""Files that come with an extended result, and where they are found."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from alchemiscale_lake.settings import FileRules
from alchemiscale_lake.statestore.extended_files import extended_files
from alchemiscale_lake.statestore.result_recording import GoodResult
from alchemiscale_lake.store import Lake, now_utc

SCOPE = "org-campaign-project"
TOKEN = "a" * 32
TASK = f"Task-{TOKEN}-{SCOPE}"
ATTEMPT = uuid.uuid4().hex


@pytest.fixture
def kept(lake: Lake) -> Lake:
    paths = ("permanent/00-sim/a.nc", "shared/00-sim/a.nc", "shared/00-sim/b.nc", "scratch/00-sim-2/c.log")
    paths += ("00-sim-1/exception.txt", "permanent/00-sim/pruned.nc")
    row = {"scope": SCOPE, "unit": "u", "n_bytes": 3, "digest": "d", "kept_by": "permanent"}
    rows = [row | {"attempt": ATTEMPT, "path": path, "object_path": f"files/{path}"} for path in paths]
    other = row | {"attempt": uuid.uuid4().hex, "path": "permanent/00-sim/x.nc", "object_path": "files/x"}
    lake.table("result_files").append_new([*rows, other])
    key = {"scope": SCOPE, "attempt": ATTEMPT, "path": paths[-1]}
    lake.table("pruned_files").append_new([key | {"pruned_at": now_utc(), "pruned_by": "ada", "reason": "old"}])
    return lake


def test_files_have_the_location_that_register_returned(kept: Lake) -> None:
    files = extended_files(kept, {TASK: GoodResult("path", "digest", ATTEMPT)}, FileRules())[TASK]
    assert {file.location: file.object_path for file in files} == {
        f"{TOKEN}/00-sim/a.nc": "files/permanent/00-sim/a.nc",
        f"{TOKEN}/00-sim/b.nc": "files/shared/00-sim/b.nc",
        f"{TOKEN}/00-sim/c.log": "files/scratch/00-sim-2/c.log",
    }


@pytest.mark.parametrize(("patterns", "n"), [((), 0), (("permanent/*",), 1), (("*.nc",), 2)])
def test_only_those_that_are_wanted(kept: Lake, patterns: tuple[str, ...], n: int) -> None:
    found = extended_files(kept, {TASK: GoodResult("path", "digest", ATTEMPT)}, FileRules(extended=patterns))
    assert len(found.get(TASK, ())) == n


def test_a_result_without_files(lake: Lake, tmp_path: Path) -> None:
    assert extended_files(lake, {TASK: GoodResult("path", None, ATTEMPT)}, FileRules()) == {}

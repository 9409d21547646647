"""Assignments in the lake, until a job runs them."""

from __future__ import annotations

import json

import pytest

from alchemiscale_lake.errors import LakeVersionError, NotFoundError
from alchemiscale_lake.execution import Assignment, AttemptSpec, Resources
from alchemiscale_lake.execution.stored_assignment import load_assignment, new_assignment_id, store_assignment
from alchemiscale_lake.settings import FileRules, KeepPatterns, Monitors
from alchemiscale_lake.store import Lake
from tests.execution.messages import SCOPE, SPEC


def test_an_assignment_is_loaded_as_it_was_stored(own_lake: Lake) -> None:
    assignment = Assignment(
        lake=own_lake.url,
        pool="slurm",
        attempts=(
            SPEC,
            AttemptSpec(
                "b",
                "Task-2",
                "T-2",
                SCOPE,
                "some/path",
                resources=Resources(2, 10**9, 0.25),
                duration_s=12.5,
            ),
        ),
        resources=Resources(8, 2**34, 2.0),
        unit_needs={"SimulationUnit": Resources(1, None, 0.5)},
        monitors=Monitors(gpu_memory=0.9, window_s=5.0),
        timeout_s=100.0,
        stuck_after_s=7200.0,
        files=FileRules(keep={"*": KeepPatterns(shared=("*.nc",))}, per_scope_bytes=2**30),
        retire_before_s=300.0,
    )
    assert load_assignment(own_lake, store_assignment(own_lake, assignment)) == assignment


def test_an_assignment_of_another_version_is_refused(own_lake: Lake) -> None:
    own_lake.objects.put("assignments/x.json", b'{"format": 99}')
    with pytest.raises(LakeVersionError, match="format 99"):
        load_assignment(own_lake, "x")
    with pytest.raises(NotFoundError):
        load_assignment(own_lake, "y")


def test_an_assignment_stored_before_there_were_secrets_is_loaded(own_lake: Lake) -> None:
    stored = store_assignment(own_lake, Assignment(own_lake.url, "p", (SPEC,)))
    path = f"assignments/{stored}.json"
    content = json.loads(own_lake.objects.get(path)) | {"format": 1}
    del content["assignment"]["process_per_unit"], content["assignment"]["attempts"][0]["secret"]
    own_lake.objects.put(path, json.dumps(content).encode())

    assert load_assignment(own_lake, stored) == Assignment(own_lake.url, "p", (SPEC,))


def test_only_the_owner_of_a_lake_reads_its_assignments(own_lake: Lake) -> None:
    store_assignment(own_lake, Assignment(own_lake.url, "p", (SPEC,)))

    assert own_lake.local_path is not None
    # a reader could sign receipts of the attempts
    assert (own_lake.local_path / "assignments").stat().st_mode & 0o007 == 0
    assert new_assignment_id() != new_assignment_id()

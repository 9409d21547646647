"""Flow runs of a work pool at a real Prefect server, without a worker."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from alchemiscale_lake.errors import SettingsError, StorageError
from alchemiscale_lake.store import Lake
from tests.engines.work_pools import make_work_pool

# the API comes first: Prefect reads its address on import, which is why flows are imported late here
pytestmark = pytest.mark.usefixtures("api")


def test_the_deployment_is_made_once_and_bound_to_its_work_pool(lake: Lake) -> None:
    from alchemiscale_lake.engines.flow_runs import open_flow_runs

    make_work_pool("first")
    make_work_pool("second")
    with open_flow_runs("twice", "first") as one, open_flow_runs("twice", "first") as two:
        assert one.deployment == two.deployment
        assert {"env", "working_dir"} <= one.job_variables
        assert "work pool 'first' has no worker" in str(one.obstacle())

    with pytest.raises(SettingsError, match="belongs to work pool 'first'"), open_flow_runs("twice", "second"):
        pass


def test_more_flow_runs_than_one_page(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    from alchemiscale_lake.engines import flow_runs as _flow_runs

    monkeypatch.setattr(_flow_runs, "_PAGE", 2)
    make_work_pool("pages")
    with _flow_runs.open_flow_runs("pages", "pages") as runs:
        asked: dict[str, Any] = {"name": "a", "parameters": {"lake": lake.url}, "job_variables": {}}
        created = [runs.create(f"id-{i}", [f"attempt-{i}"], **asked) for i in range(4)]
        again = runs.create("id-0", ["attempt-0"], **asked)
        runs.cancel(created[3].id)
        runs.give_up(created[2].id, "lost")

        assert again.id == created[0].id
        assert {run.id for run in runs.live()} == {created[0].id, created[1].id}
        assert sorted(run.state for run in runs.read([c.id for c in created])) == [
            "CANCELLED",
            "CRASHED",
            "SCHEDULED",
            "SCHEDULED",
        ]
        assert created[1].attempts == ("attempt-1",)


def test_what_is_asked_after_the_end_is_an_error_of_storage(lake: Lake) -> None:
    """The owner of a handle waits and asks again on errors of storage, and breaks off on others."""
    from alchemiscale_lake.engines.flow_runs import open_flow_runs

    make_work_pool("closed")
    with open_flow_runs("closed", "closed") as runs:
        assert runs.live() == []

    asked: dict[str, Any] = {"name": "a", "parameters": {"lake": lake.url}, "job_variables": {}}
    requests = [
        runs.live,
        runs.obstacle,
        lambda: runs.read([uuid.uuid4()]),
        lambda: runs.cancel(uuid.uuid4()),
        lambda: runs.create("id", ["attempt"], **asked),
    ]
    for request in requests:
        with pytest.raises(StorageError, match="is closed"):
            request()


def test_other_mistakes_are_not_taken_for_it() -> None:
    from alchemiscale_lake.engines.flow_runs import _answering

    with pytest.raises(RuntimeError, match="dictionary changed size"), _answering():
        raise RuntimeError("dictionary changed size during iteration")

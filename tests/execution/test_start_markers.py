"""Start markers tell a worker that died from one that never started."""

from __future__ import annotations

from dataclasses import replace

from alchemiscale_lake.execution import Assignment
from alchemiscale_lake.execution.start_markers import has_started, write_start_marker
from alchemiscale_lake.store import Lake
from tests.execution.messages import SCOPE, SPEC


def test_every_attempt_of_an_assignment_is_marked_and_no_other(own_lake: Lake) -> None:
    second = replace(SPEC, attempt="second")
    write_start_marker(own_lake, Assignment(own_lake.url, "p", (SPEC, second)))

    assert has_started(own_lake, SCOPE, SPEC.attempt)
    assert has_started(own_lake, SCOPE, "second")
    assert not has_started(own_lake, SCOPE, "third")
    assert not has_started(own_lake, "other-campaign-project", SPEC.attempt)

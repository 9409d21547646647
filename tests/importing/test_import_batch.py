"""Keys of an import follow from its content, so that importing again finds what is there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.ids import Scope, ScopedKey
from alchemiscale_lake.importing.import_batch import (
    PlannedResult,
    imported_network_key,
    object_path,
    stable_id,
    task_of,
)
from alchemiscale_lake.networks.imported import ResultRecord

SCOPE = Scope.parse("org-campaign-project")
RECORD = ResultRecord(
    "a", ok=True, estimate_kcal_mol=1.0, uncertainty_kcal_mol=0.1, exception=None, failed_unit=None, units=()
)
PLANNED = PlannedResult(SCOPE, "Transformation-1", "file 1", RECORD, "imports/x", datetime(2026, 1, 1, tzinfo=UTC))


def test_ids_stay_the_same_for_ever() -> None:
    # rows of lakes have them: with other ids, every import would be repeated
    assert stable_id("a", "b") == "7e18f737311b2dc3b2f269dd78396b03"


@given(st.lists(st.text("ab", min_size=1), min_size=2, max_size=3))
def test_ids_tell_their_parts_apart(parts: list[str]) -> None:
    assert stable_id(*parts) != stable_id("".join(parts))


def test_a_task_is_a_calculation_of_a_transformation_in_a_scope() -> None:
    key = ScopedKey.from_str(PLANNED.task)

    assert (key.gufe_key.split("-")[0], str(key.scope)) == ("Task", str(SCOPE))
    other = Scope.parse("org-campaign-other")
    assert len({task_of(s, t, i) for s in (SCOPE, other) for t in ("T-1", "T-2") for i in ("x", "y")}) == 8
    assert PLANNED.transformation_key == f"Transformation-1-{SCOPE}"


@pytest.mark.parametrize("change", [{"ok": False}, {"estimate_kcal_mol": 1.1}, {"uncertainty_kcal_mol": None}])
def test_another_outcome_of_a_task_is_another_attempt(change: dict[str, float | None]) -> None:
    changed = replace(PLANNED, record=replace(RECORD, **change))  # type: ignore[arg-type]

    assert changed.task == PLANNED.task
    assert changed.attempt != PLANNED.attempt
    moved = replace(PLANNED, object_path="imports/y", at=datetime(2027, 1, 1, tzinfo=UTC))
    assert moved.attempt == PLANNED.attempt, "the same result from another file"


def test_a_network_is_known_by_its_name_and_a_file_by_its_content() -> None:
    assert imported_network_key("tyk2") == imported_network_key("tyk2") != imported_network_key("p38")
    assert object_path(SCOPE, "digest", ".json") == f"imports/{SCOPE}/digest.json.zst"

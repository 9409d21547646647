"""Tasks are found by whatever a person has at hand, and only where they may look."""

from __future__ import annotations

from pathlib import Path

import pytest

from alchemiscale_lake.errors import NotFoundError
from alchemiscale_lake.statestore.task_attempts import find_task
from tests.campaign import SCOPE, Campaign

OTHER = "other-c-p"
ATTEMPT = "a" * 32


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    """Two Tasks of one Transformation, and one of another Scope with an attempt."""
    made = Campaign.at(tmp_path / "lake")
    made.new_tasks(made.network("here", [("a", "b")]), ["a_b_other"] * 2)
    network = made.network("there", [("secret", "b")], scope=OTHER)
    (task,) = made.new_tasks(network, ["secret_b_other"], scope=OTHER)
    made.result(task, 1.0, 0.1, attempt=ATTEMPT)
    return made


def test_by_key_beginning_name_and_attempt(campaign: Campaign) -> None:
    first, second, other = sorted(campaign.tasks)

    assert find_task(campaign.lake, first) == (first, None)
    assert find_task(campaign.lake, "Task-0002") == (second, None)
    assert find_task(campaign.lake, "a_b_other-r1") == (second, None)
    assert find_task(campaign.lake, ATTEMPT) == (other, ATTEMPT)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Task-000", "3 Tasks begin with 'Task-000'"),
        ("a_b_othr-r1", "did you mean 'a_b_other-r1'"),
        ("a_b_other-r7", "there is no Task 'a_b_other-r7'"),
        ("nonsense", "`alchemiscale-lake tasks --keys` lists Tasks"),
    ],
)
def test_what_fits_no_task_or_several_says_so(campaign: Campaign, text: str, message: str) -> None:
    with pytest.raises(NotFoundError, match=message):
        find_task(campaign.lake, text)


@pytest.mark.parametrize("text", ["Task-0003", f"Task-0003-{OTHER}", "secret_b_other-r0", "secret_b_othr-r0", ATTEMPT])
def test_nothing_outside_of_the_scopes_is_found_or_named(campaign: Campaign, text: str) -> None:
    if text != "secret_b_othr-r0":
        assert find_task(campaign.lake, text)[0].endswith(OTHER)
    with pytest.raises(NotFoundError) as error:
        find_task(campaign.lake, text, scopes=[SCOPE])
    said = error.value.message.replace(repr(text), "")
    assert "secret" not in said
    assert OTHER not in said
    assert find_task(campaign.lake, "Task-0002", scopes=[SCOPE])[0].endswith(SCOPE)

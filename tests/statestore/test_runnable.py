"""Tasks whose Protocol is not installed here are detected before they are claimed, and left alone."""

from __future__ import annotations

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import MissingClassError
from alchemiscale_lake.flow_steps.dispatch_setup import set_up_dispatch
from alchemiscale_lake.ids import Scope
from alchemiscale_lake.statestore.claims import Selection, claim_tasks
from alchemiscale_lake.statestore.runnable import Runnable, not_runnable
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake
from tests.example_networks import noop_network
from tests.plain import SCOPE, plain_chain

ELSEWHERE = "org-campaign-elsewhere"


@pytest.fixture
def mixed(lake: Lake) -> Lake:
    """Return a network that can run here, with four Tasks, and one that cannot, with two."""
    here = submit_network(lake, noop_network(), ELSEWHERE).network
    ensure_tasks(lake, here, 1, caller=Caller("ana"))
    absent = submit_network(lake, plain_chain([("a", "b"), ("b", "c")]), SCOPE).network
    ensure_tasks(lake, absent, 1, caller=Caller("ana"))
    return lake


def test_what_cannot_run_here_is_counted_and_named(mixed: Lake) -> None:
    found = not_runnable(mixed, Selection())
    assert found is not None
    assert (found.n_tasks, len(found.transformations)) == (2, 2)
    assert found.n_others > 0
    assert "of package nowhere cannot be imported here" in found.why[0]
    assert not_runnable(mixed, Selection(scopes=(Scope.parse(ELSEWHERE),))) is None


def test_a_pool_of_this_machine_claims_only_what_it_can_run(mixed: Lake, caplog: pytest.LogCaptureFixture) -> None:
    plan = set_up_dispatch(mixed, "local", Selection())
    assert "2 Tasks cannot run here and stay waiting" in caplog.text
    claims = claim_tasks(mixed, "local", 100, lease_s=60, caller=Caller("t"), selection=plan.settings.selection)
    assert claims
    assert {claim.scope for claim in claims} == {ELSEWHERE}
    waiting = mixed.task_log.states().tasks
    left = plan.settings.selection.tasks(mixed.task_log.states())
    assert set(waiting.filter(waiting["scope"] == SCOPE)["status"]) == {"waiting"}
    assert SCOPE not in set(left["scope"]), "nobody waits for them"


def test_where_nothing_can_run_it_is_refused(mixed: Lake) -> None:
    with pytest.raises(MissingClassError, match=r"2 Tasks cannot run here and stay waiting: .*nowhere"):
        set_up_dispatch(mixed, "local", Selection(scopes=(Scope.parse(SCOPE),)))


def test_a_dispatcher_that_waits_for_more_is_not_refused(mixed: Lake) -> None:
    plan = set_up_dispatch(mixed, "local", Selection(scopes=(Scope.parse(SCOPE),)), is_patient=True)

    assert plan.settings.runs_here
    assert plan.settings.selection.without == frozenset()


def test_what_is_submitted_later_is_left_alone_too(mixed: Lake, caplog: pytest.LogCaptureFixture) -> None:
    runnable, now = Runnable(mixed), Selection()
    before = runnable.only(now.candidates(mixed.task_log.states().claimable()))
    assert set(before["scope"]) == {ELSEWHERE}
    later = submit_network(mixed, plain_chain([("c", "d")]), "org-campaign-later").network
    ensure_tasks(mixed, later, 3, caller=Caller("ana"))
    also = submit_network(mixed, noop_network(), "org-campaign-later").network
    ensure_tasks(mixed, also, 1, caller=Caller("ana"))

    after = runnable.only(now.candidates(mixed.task_log.states().claimable()))

    assert len(after) == 2 * len(before)
    assert caplog.text.count("stay waiting") == 1, "once for each class that is missing"


def test_a_class_that_is_installed_later_is_found(mixed: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    runnable = Runnable(mixed, clock=lambda: clock[0])
    candidates = Selection().candidates(mixed.task_log.states().claimable())
    before = len(runnable.only(candidates))
    monkeypatch.setattr("alchemiscale_lake.gufe_adapter.missing_among", lambda names: {})

    runnable.refresh()
    still = len(runnable.only(candidates))
    clock[0] += 600.0
    runnable.refresh()

    assert before == still < len(candidates)
    assert len(runnable.only(candidates)) == len(candidates)

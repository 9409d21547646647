"""Tasks whose Protocol is not installed here are found before they are claimed, and left alone."""

from __future__ import annotations

import pytest

from alchemiscale_lake.errors import MissingClassError
from alchemiscale_lake.ids import Scope
from alchemiscale_lake.ledger.claims import Selection, claim_tasks
from alchemiscale_lake.ledger.runnable import not_runnable
from alchemiscale_lake.ledger.submit import submit_network
from alchemiscale_lake.ledger.tasks import ensure_tasks
from alchemiscale_lake.store import Lake
from flows._plans import plan_dispatch
from tests.networks import noop_network
from tests.plain import SCOPE, plain_chain

ELSEWHERE = "org-campaign-elsewhere"


@pytest.fixture
def mixed(lake: Lake) -> Lake:
    """A network that can run here, with four Tasks, and one that cannot, with two."""
    here = submit_network(lake, noop_network(), ELSEWHERE).network
    ensure_tasks(lake, here, 1, creator="ana")
    absent = submit_network(lake, plain_chain([("a", "b"), ("b", "c")]), SCOPE).network
    ensure_tasks(lake, absent, 1, creator="ana")
    return lake


def test_what_cannot_run_here_is_counted_and_named(mixed: Lake) -> None:
    found = not_runnable(mixed, Selection())
    assert found is not None
    assert (found.n_tasks, len(found.transformations)) == (2, 2)
    assert found.n_others > 0
    assert "of package nowhere cannot be imported here" in found.why[0]
    assert not_runnable(mixed, Selection(scopes=(Scope.parse(ELSEWHERE),))) is None


def test_a_pool_of_this_machine_claims_only_what_it_can_run(mixed: Lake, caplog: pytest.LogCaptureFixture) -> None:
    plan = plan_dispatch(mixed, "local", Selection())
    assert "2 Task(s) cannot run here and stay waiting" in caplog.text
    claims = claim_tasks(mixed, "local", 100, lease_s=60, actor="t", selection=plan.settings.selection)
    assert claims
    assert {claim.scope for claim in claims} == {ELSEWHERE}
    waiting = mixed.task_log.states().tasks
    left = plan.settings.selection.tasks(mixed.task_log.states())
    assert set(waiting.filter(waiting["scope"] == SCOPE)["status"]) == {"waiting"}
    assert SCOPE not in set(left["scope"]), "nobody waits for them"


def test_where_nothing_can_run_it_is_refused(mixed: Lake) -> None:
    with pytest.raises(MissingClassError, match=r"2 Task\(s\) cannot run here and stay waiting: .*nowhere"):
        plan_dispatch(mixed, "local", Selection(scopes=(Scope.parse(SCOPE),)))

"""Who asks, and what they may do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from alchemiscale_lake.caller import Caller, Right
from alchemiscale_lake.costs.cost_models import train_cost_model
from alchemiscale_lake.errors import PermissionDeniedError
from alchemiscale_lake.ids import Scope
from alchemiscale_lake.importing.assays import import_assays
from alchemiscale_lake.statestore.host_records import quarantine_host, readmit_host
from alchemiscale_lake.statestore.network_state import set_network_state, set_network_weight
from alchemiscale_lake.statestore.new_tasks import create_tasks, ensure_tasks
from alchemiscale_lake.statestore.restarts import (
    add_task_restart_patterns,
    clear_task_restart_patterns,
    remove_task_restart_patterns,
    set_task_restart_patterns_allowed_restarts,
)
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import (
    action_tasks,
    cancel_tasks,
    set_tasks_priority,
    set_tasks_status,
    set_tasks_weight,
)
from alchemiscale_lake.store import Lake, now_utc
from tests.plain import SCOPE, plain_chain

OWNER = Caller("ana")
GUEST = Caller("guest", ((Scope.parse(SCOPE), "read"), (Scope("other"), "write")), request="r-1")


@pytest.mark.parametrize(
    ("right", "scope", "allowed"),
    [
        ("read", "org-campaign-project", True),
        ("write", "org-campaign-project", False),
        ("write", "other-a-b", True),
        ("read", "other-a-b", True),
        ("domain", "other-a-b", False),
        ("read", "*-*-*", False),
        ("write", "other-*-*", True),
    ],
)
def test_a_right_includes_the_lower_ones_and_the_scopes_below(right: Right, scope: str, allowed: bool) -> None:
    caller = Caller("g", ((Scope("org", "campaign", "project"), "read"), (Scope("other"), "write")))
    assert caller.may(right, scope) is allowed


def test_the_user_of_this_process_may_do_everything() -> None:
    assert Caller.this_user().may("admin", "*-*-*")


def test_refusals_name_the_caller_the_right_and_the_scopes() -> None:
    with pytest.raises(PermissionDeniedError, match=r"guest has no 'write' right in a-b-c, a-b-d; nothing was changed"):
        GUEST.require_for("write", ["X-1-a-b-d", "X-1-a-b-c", "X-2-a-b-c", "X-1-other-b-c"])


VERBS: dict[str, Callable[[Lake, str, Path], object]] = {
    "submit": lambda lake, network, path: submit_network(lake, plain_chain([("a", "b")]), SCOPE, caller=GUEST),
    "create": lambda lake, network, path: create_tasks(lake, [network], caller=GUEST),
    "ensure": lambda lake, network, path: ensure_tasks(lake, network, 1, caller=GUEST),
    "action": lambda lake, network, path: action_tasks(lake, [], network, caller=GUEST),
    "cancel": lambda lake, network, path: cancel_tasks(lake, [], network, caller=GUEST),
    "weight": lambda lake, network, path: set_tasks_weight(lake, [f"Task-1-{SCOPE}"], network, 1.0, caller=GUEST),
    "priority": lambda lake, network, path: set_tasks_priority(lake, [f"Task-1-{SCOPE}"], 1, caller=GUEST),
    "status": lambda lake, network, path: set_tasks_status(lake, [f"Task-1-{SCOPE}"], "waiting", caller=GUEST),
    "network state": lambda lake, network, path: set_network_state(lake, [network], "inactive", caller=GUEST),
    "network weight": lambda lake, network, path: set_network_weight(lake, [network], 1.0, caller=GUEST),
    "add patterns": lambda lake, network, path: add_task_restart_patterns(lake, network, ["x"], 1, caller=GUEST),
    "set patterns": lambda lake, network, path: set_task_restart_patterns_allowed_restarts(
        lake, network, ["x"], 1, caller=GUEST
    ),
    "remove patterns": lambda lake, network, path: remove_task_restart_patterns(lake, network, ["x"], caller=GUEST),
    "clear patterns": lambda lake, network, path: clear_task_restart_patterns(lake, network, caller=GUEST),
    "quarantine": lambda lake, network, path: quarantine_host(lake, "h", now_utc() + timedelta(hours=1), caller=GUEST),
    "readmit": lambda lake, network, path: readmit_host(lake, "h", caller=GUEST),
    "assays": lambda lake, network, path: import_assays(lake, path, SCOPE, caller=GUEST),
    "train": lambda lake, network, path: train_cost_model(lake, caller=GUEST),
}


def files(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_writes_without_the_right(lake: Lake, tmp_path: Path, verb: str) -> None:
    network = submit_network(lake, plain_chain([("a", "b")]), SCOPE, caller=OWNER).network
    assays = tmp_path / "assays.csv"
    assays.write_text("ligand,value\na,-1.0\n")
    before = files(tmp_path)
    with pytest.raises(PermissionDeniedError, match=r"guest has no '(write|admin)' right"):
        VERBS[verb](lake, network, assays)
    assert files(tmp_path) == before

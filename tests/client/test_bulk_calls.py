"""A call of the client about many Tasks asks the lake once, and writes one commit to each table that it changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alchemiscale_lake import Caller, ScopedKey
from alchemiscale_lake.client import InProcess, LakeClient
from alchemiscale_lake.statestore.submit import submit_network
from tests.lakes import new_lake
from tests.plain import SCOPE, plain_chain

Bulk = Callable[["Observed"], object]


class Counted(InProcess):
    """Counts the calls that it carries."""

    n_calls = 0

    def call(self, name: str, /, **arguments: Any) -> Any:
        self.n_calls += 1
        return super().call(name, **arguments)


class Observed:
    """A lake with 300 Tasks of a network, and its client."""

    def __init__(self, folder: Path) -> None:
        self.lake = new_lake(folder)
        self.transport = Counted(self.lake, Caller("ana"))
        self.client = LakeClient(transport=self.transport)
        self.networks = [
            ScopedKey.from_str(submit_network(self.lake, plain_chain(pairs, name=name), SCOPE).network)
            for name, pairs in (("ab", [("a", "b"), ("b", "c")]), ("cd", [("c", "d")]))
        ]
        self.network = self.networks[0]
        self.transformations = self.client.get_network_transformations(self.network) * 150
        self.tasks = self.client.create_transformations_tasks(self.transformations)

    def versions(self) -> Counter[str]:
        return Counter({name: self.lake.table(name).snapshot().version() for name in self.lake.tables})


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Observed:
    return Observed(tmp_path_factory.mktemp("bulk") / "lake")


#: Methods that change, in an order in which each has something to do, and the tables that they change.
CHANGES: dict[str, tuple[Bulk, set[str]]] = {
    "create": (lambda o: o.client.create_transformations_tasks(o.transformations), {"tasks", "task_log"}),
    "action": (lambda o: o.client.action_tasks(o.tasks, o.network), {"task_log"}),
    "weight": (lambda o: o.client.action_tasks(o.tasks, o.network, weight=[0.3] * 300), {"task_log"}),
    "priority": (lambda o: o.client.set_tasks_priority(o.tasks, 3, batch_size=10), {"task_log"}),
    "cancel": (lambda o: o.client.cancel_tasks(o.tasks, o.network, reason="r"), {"task_log"}),
    "status": (lambda o: o.client.set_tasks_status(o.tasks, "invalid", batch_size=10), {"task_log"}),
    "ensure": (lambda o: o.client.ensure_tasks(o.network, 400), {"tasks", "task_log"}),
    "states": (lambda o: o.client.set_networks_state(o.networks, ["inactive", "invalid"]), {"network_log"}),
    "weights": (lambda o: o.client.set_networks_weight(o.networks, [0.1, 0.2]), {"network_log"}),
}
READS: dict[str, Bulk] = {
    "status": lambda o: o.client.get_tasks_status(o.tasks, batch_size=10),
    "priority": lambda o: o.client.get_tasks_priority(o.tasks, batch_size=10),
    "progress": lambda o: o.client.get_tasks_progress(o.tasks),
    "details": lambda o: o.client.get_tasks_details(o.tasks),
    "query": lambda o: o.client.query_tasks(SCOPE),
    "of a network": lambda o: o.client.get_network_tasks(o.network),
    "actioned": lambda o: o.client.get_networks_actioned_tasks(o.networks, task_weights=True),
    "counts": lambda o: o.client.get_networks_status(o.networks),
    "states": lambda o: o.client.get_networks_state(o.networks),
    "weights": lambda o: o.client.get_networks_weight(o.networks),
}


def test_a_change_of_many_is_one_call_and_one_commit(observed: Observed) -> None:
    for name, (change, tables) in CHANGES.items():
        before, asked = observed.versions(), observed.transport.n_calls

        change(observed)

        assert observed.versions() - before == Counter(dict.fromkeys(tables, 1)), name
        assert observed.transport.n_calls == asked + 1, name


@pytest.mark.parametrize("name", READS)
def test_a_question_about_many_is_one_call(observed: Observed, name: str) -> None:
    before, asked = observed.versions(), observed.transport.n_calls

    READS[name](observed)

    assert observed.versions() == before
    assert observed.transport.n_calls == asked + 1

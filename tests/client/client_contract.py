"""Contract tests for the client, as a mixin: written against a transport, so that another one can run them.

class TestInProcess(ClientContract):
    def transport(self, lake): return InProcess(lake, Caller("ada"))
"""

from __future__ import annotations

import enum
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from alchemiscale_lake import Caller, Scope, ScopedKey
from alchemiscale_lake.client import LakeClient, ResultFormat, Transport
from alchemiscale_lake.client.client_part import RefusedWarning
from alchemiscale_lake.errors import (
    InvalidArgumentError,
    InvalidKeyError,
    InvalidScopeError,
    InvalidTransitionError,
    LakeError,
    NotFoundError,
    QueryError,
    StrategyError,
)
from alchemiscale_lake.execution import Assignment, AttemptSpec, Resources, execute_assignment
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.receipts import find_receipts
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.store import Lake
from tests.example_networks import harmonic_network

SCOPE = Scope.from_str("org-campaign-project")
OTHER = Scope.from_str("org-campaign-other")
NOBODY = ScopedKey.from_str(f"Task-{'0' * 32}-{SCOPE}")
NOWHERE = ScopedKey.from_str(f"AlchemicalNetwork-{'0' * 32}-{SCOPE}")


class ClientContract:
    """Inherit this and define how calls are carried; pytest does the rest."""

    def transport(self, lake: Lake) -> Transport:
        """Return a transport to a lake."""
        raise NotImplementedError

    @pytest.fixture
    def client(self, lake: Lake) -> LakeClient:
        return LakeClient(transport=self.transport(lake))

    @pytest.fixture
    def network(self, client: LakeClient) -> ScopedKey:
        """Return a network of three ligands in a triangle."""
        return client.create_network(harmonic_network(3, 3, n_samples=20), SCOPE, visualize=False)

    def run(self, lake: Lake, folder: Path) -> None:
        """Execute everything that can be claimed, really, and record it."""
        while claims := claim_tasks(lake, "here", 10, lease_s=3600, caller=Caller("d")):
            secret = lake.receipt_key.secret_of
            specs = tuple(
                AttemptSpec(c.attempt, c.task, c.transformation, c.scope, secret=secret(c.attempt)) for c in claims
            )
            execute_assignment(Assignment(lake.url, "here", specs, Resources(cores=1), work_root=str(folder)))
            found = find_receipts(lake, {spec.attempt: spec.scope for spec in specs})
            record_receipts(lake, found, caller=Caller("d"))

    # --- Scopes and networks ----------------------------------------------------------------------

    def test_scopes_are_those_with_networks(self, client: LakeClient, network: ScopedKey) -> None:
        client.create_network(harmonic_network(2), OTHER, visualize=False)

        assert client.get_scopes() == client.list_scopes() == [OTHER, SCOPE]

    def test_a_network_comes_back_as_it_was(self, client: LakeClient) -> None:
        network = harmonic_network(3, 3)
        key = client.create_network(network, SCOPE, visualize=False)

        assert key.gufe_key == str(network.key)
        assert key.scope == SCOPE
        assert client.get_network(key, visualize=False) == network
        assert client.get_network(str(key), visualize=False) == network
        assert client.create_network(network, SCOPE, visualize=False) == key

    def test_a_wildcard_is_no_place_for_a_network(self, client: LakeClient) -> None:
        with pytest.raises(InvalidScopeError, match="wildcard"):
            client.create_network(harmonic_network(2), Scope("org"), visualize=False)
        assert client.get_scopes() == []

    def test_existence(self, client: LakeClient, network: ScopedKey) -> None:
        (task,) = client.create_tasks(client.get_network_transformations(network)[0])

        assert client.check_exists(network)
        assert client.check_exists(str(task))
        assert not client.check_exists(NOWHERE)
        assert not client.check_exists(NOBODY)

    def test_keys_of_objects(self, client: LakeClient, network: ScopedKey) -> None:
        stored = client.get_network(network, visualize=False)

        assert client.get_scoped_key(stored, SCOPE) == network
        assert not client.check_exists(client.get_scoped_key(stored, str(OTHER)))
        with pytest.raises(InvalidScopeError, match="wildcard"):
            client.get_scoped_key(stored, Scope("org"))

    def test_words_may_be_members_of_an_enumeration(self, client: LakeClient, network: ScopedKey) -> None:
        # as alchemiscale's: its text is that of the member, not of the word
        Word = enum.Enum("Word", {"invalid": "invalid", "inactive": "inactive"}, type=str)  # noqa: N806
        assert str(Word.invalid) != "invalid"
        tasks = client.create_tasks(client.get_network_transformations(network)[0], count=2)

        assert client.set_tasks_status(tasks, Word.invalid) == tasks
        assert client.query_tasks(status=Word.invalid) == sorted(tasks, key=str)
        client.set_network_state(network, Word.inactive)
        assert client.get_network_state(network) == "inactive"

    def test_members_lead_to_each_other(self, client: LakeClient, network: ScopedKey) -> None:
        stored = client.get_network(network, visualize=False)
        transformations = client.get_network_transformations(network)
        systems = client.get_network_chemicalsystems(network)

        assert {key.gufe_key for key in transformations} == {str(edge.key) for edge in stored.edges}
        assert {key.gufe_key for key in systems} == {str(node.key) for node in stored.nodes}
        for key in transformations:
            edge = client.get_transformation(key, visualize=False)
            ends = client.get_transformation_chemicalsystems(key)
            assert [end.gufe_key for end in ends] == [str(edge.stateA.key), str(edge.stateB.key)]
            assert all(key in client.get_chemicalsystem_transformations(end) for end in ends)
            assert client.get_transformation_networks(key) == [network]
        for key in systems:
            assert client.get_chemicalsystem(key, visualize=False).key == key.gufe_key
            assert client.get_chemicalsystem_networks(key) == [network]

    def test_names_and_states_are_regular_expressions(self, client: LakeClient) -> None:
        one, two = (
            client.create_network(harmonic_network(n, name=name), SCOPE, visualize=False)
            for n, name in ((2, "tyk2_a"), (3, "tyk2_b"))
        )
        far = client.create_network(harmonic_network(2, name="tyk2_a"), OTHER, state="inactive", visualize=False)

        assert client.query_networks() == [one, two]
        assert client.query_networks("tyk2_.*", SCOPE) == [one, two]
        assert client.query_networks("tyk2") == []
        assert client.query_networks(state=None) == [one, two, far]
        assert client.query_networks(state="in.*", scope="org-campaign-*") == [far]
        with pytest.raises(InvalidKeyError, match="regular expression"):
            client.query_networks("tyk2_(")

    def test_transformations_and_systems_are_found_by_name(self, client: LakeClient, network: ScopedKey) -> None:
        transformations, systems = (
            client.get_network_transformations(network),
            client.get_network_chemicalsystems(network),
        )
        name = client.get_transformation(transformations[1], visualize=False).name
        system = client.get_chemicalsystem(systems[1], visualize=False).name

        assert client.query_transformations(scope=SCOPE) == transformations
        assert client.query_transformations(name) == [transformations[1]]
        assert client.query_transformations(scope=OTHER) == []
        assert client.query_chemicalsystems() == systems
        assert client.query_chemicalsystems(system, SCOPE) == [systems[1]]
        assert client.query_chemicalsystems("nobody") == []

    def test_states_of_networks(self, client: LakeClient, network: ScopedKey) -> None:
        assert client.get_network_state(network) == "active"
        assert client.set_network_state(network, "inactive", reason="summer") == network
        assert client.set_networks_state([NOWHERE, network], ["active", "invalid"]) == [None, network]
        assert client.get_networks_state([network, NOWHERE]) == ["invalid", None]
        with pytest.raises(LakeError, match="asleep"):
            client.set_network_state(network, "asleep")
        with pytest.raises(InvalidKeyError, match="2 networks but 1 state"):
            client.set_networks_state([network, NOWHERE], ["active"])

    def test_many_networks_are_set_in_one_commit_or_not_at_all(self, client: LakeClient, lake: Lake) -> None:
        one, two = (client.create_network(harmonic_network(n), SCOPE, visualize=False) for n in (2, 3))
        before = lake.network_log.seq()

        assert client.set_networks_state([one, two], ["inactive", "invalid"]) == [one, two]
        assert client.get_networks_state([one, two]) == ["inactive", "invalid"]
        assert lake.network_log.seq() == before + 1
        with pytest.raises(LakeError, match="asleep"):
            client.set_networks_state([one, two], ["active", "asleep"])
        with pytest.raises(LakeError):
            client.set_networks_weight([one, two], [0.1, 1.5])
        with pytest.raises(LakeError, match="asleep"):
            client.create_network(harmonic_network(4), SCOPE, state="asleep", visualize=False)
        assert lake.network_log.seq() == before + 1
        assert client.query_networks(state=None) == [one, two]

    def test_weights_of_networks(self, client: LakeClient, network: ScopedKey) -> None:
        assert client.get_network_weight(network) == 0.5
        assert client.set_network_weight(network, 0.9) == network
        assert client.set_networks_weight([NOWHERE, network], [0.1, 0.2]) == [None, network]
        assert client.get_networks_weight([network, NOWHERE]) == [0.2, None]
        with pytest.raises(LakeError):
            client.set_network_weight(network, 1.5)

    # --- Tasks ------------------------------------------------------------------------------------

    def test_tasks_are_created_and_found(self, client: LakeClient, network: ScopedKey) -> None:
        first, second, _ = client.get_network_transformations(network)
        tasks = client.create_tasks(first, count=2)
        mixed = client.create_transformations_tasks([second, first, second])

        assert [client.get_task_transformation(task) for task in mixed] == [second, first, second]
        assert client.get_network_tasks(network) == sorted([*tasks, *mixed], key=str)
        assert client.get_transformation_tasks(first) == sorted([*tasks, mixed[1]], key=str)
        assert client.query_tasks(SCOPE, "waiting") == client.get_network_tasks(network)
        assert client.query_tasks(OTHER) == client.query_tasks(status="running") == []
        assert client.get_task_networks(tasks[0]) == [network]
        assert client.get_tasks_status([tasks[0], NOBODY]) == ["waiting", None]
        with pytest.raises(InvalidKeyError, match="waiting"):
            client.query_tasks(status="wating")

    def test_every_task_gets_the_scope_of_its_transformation(self, client: LakeClient, network: ScopedKey) -> None:
        far = client.create_network(harmonic_network(2), OTHER, visualize=False)
        (there,) = client.get_network_transformations(far)
        here = client.get_network_transformations(network)[0]

        tasks = client.create_transformations_tasks([there, here, there])

        assert [task.scope for task in tasks] == [OTHER, SCOPE, OTHER]

    def test_extending_tasks_are_a_tree(self, client: LakeClient, network: ScopedKey) -> None:
        transformation = client.get_network_transformations(network)[0]
        (root,) = client.create_tasks(transformation)
        (child, other) = client.create_tasks(transformation, extends=root, count=2)
        (grandchild,) = client.create_transformations_tasks([transformation], extends=[child])

        graph = client.get_transformation_tasks(transformation, return_as="graph")
        below = client.get_transformation_tasks(transformation, extends=root)

        assert set(graph.edges) == {(child, root), (other, root), (grandchild, child)}
        assert below == sorted([child, other, grandchild], key=str)
        with pytest.raises(InvalidKeyError, match="graph"):
            client.get_transformation_tasks(transformation, return_as="tree")
        client.set_tasks_status([root], "deleted")
        with pytest.raises(InvalidTransitionError):
            client.create_tasks(transformation, extends=root)

    def test_tasks_are_ensured_once(self, client: LakeClient, network: ScopedKey) -> None:
        created = client.ensure_tasks(network, 2, weight=0.7)

        assert len(created) == 6
        assert client.ensure_tasks(network, 2) == []
        assert client.get_network_actioned_tasks(network, task_weights=True) == dict.fromkeys(
            sorted(created, key=str), 0.7
        )

    def test_actions(self, client: LakeClient, network: ScopedKey) -> None:
        transformation = client.get_network_transformations(network)[0]
        tasks = client.create_tasks(transformation, count=3)

        assert client.action_tasks(tasks, network, weight=[0.1, 0.2, 0.3]) == tasks
        assert client.action_tasks(tasks, network) == tasks
        assert client.get_network_actioned_tasks(network) == sorted(tasks, key=str)
        assert client.get_networks_actioned_tasks([NOWHERE, network])[0] == []
        assert client.get_task_actioned_networks(tasks[1]) == [network]
        assert client.get_task_actioned_networks(tasks[1], task_weights=True) == {network: 0.2}
        assert client.cancel_tasks(tasks[:1], network) == tasks[:1]
        with pytest.warns(RefusedWarning, match="not actioned on"):
            assert client.cancel_tasks(tasks[:1], network) == [None]
        assert client.get_network_actioned_tasks(network, True) == {
            task: weight
            for task, weight in sorted(zip(tasks, (0.1, 0.2, 0.3), strict=True), key=str)
            if task != tasks[0]
        }

    def test_what_is_refused_is_said(self, client: LakeClient, network: ScopedKey) -> None:
        (task,) = client.create_tasks(client.get_network_transformations(network)[0])

        with pytest.warns(RefusedWarning, match="1 of 2 Tasks refused: the lake has no such Task"):
            assert client.action_tasks([NOBODY, task], network) == [None, task]
        with pytest.warns(RefusedWarning):
            assert client.set_tasks_status([task, NOBODY], "invalid", reason="test") == [task, None]
        with pytest.warns(RefusedWarning):
            assert client.set_tasks_status([task], "waiting") == [None]

    def test_impossible_values_are_errors(self, client: LakeClient, lake: Lake, network: ScopedKey) -> None:
        tasks = client.create_tasks(client.get_network_transformations(network)[0], count=2)
        before = lake.task_log.states().seq
        versions = lake.network_log.seq()
        for change in (
            lambda: client.action_tasks(tasks, network, 1.5),
            lambda: client.action_tasks(tasks, network, [0.5, -1]),
            lambda: client.action_tasks(tasks, network, "0.5"),
            lambda: client.set_tasks_priority(tasks, 0),
            lambda: client.set_tasks_priority(tasks, 1.5),
            lambda: client.set_tasks_priority(tasks, "2"),
            lambda: client.set_tasks_priority(tasks, True),
            lambda: client.set_tasks_priority(tasks, [2, None]),
            lambda: client.set_tasks_priority(tasks, [2]),
            lambda: client.set_tasks_status(tasks, "running"),
            lambda: client.set_tasks_status(tasks, "asleep"),
            lambda: client.set_tasks_status(str(tasks[0]), "invalid"),
            lambda: client.get_tasks_status(tasks[0]),
            lambda: client.create_tasks(tasks[0], count=-1),
            lambda: client.create_tasks(tasks[0], count=1.5),
            lambda: client.ensure_tasks(network, -1),
            lambda: client.ensure_tasks(network, "2"),
            lambda: client.ensure_tasks(network, 3, weight=7),
            lambda: client.get_network_results(network, return_as="nonsense"),
            lambda: client.set_network_weight(network, 1.5),
            lambda: client.set_network_weight(network, None),
            lambda: client.set_network_weight(network, "0.5"),
            lambda: client.set_networks_state([network], ["asleep"]),
        ):
            with pytest.raises(InvalidArgumentError) as error:
                change()
            assert isinstance(error.value, ValueError)
        other = str(network).replace("AlchemicalNetwork", "NotANetwork")
        for ask in (client.get_network_actioned_tasks, lambda key: client.cancel_tasks(tasks, key)):
            with pytest.raises(LakeError):
                ask(other)
        assert lake.task_log.states().seq == before
        assert lake.network_log.seq() == versions

    def test_priorities(self, client: LakeClient, network: ScopedKey) -> None:
        tasks = client.create_tasks(client.get_network_transformations(network)[0], count=2)

        assert client.get_tasks_priority([*tasks, NOBODY]) == [10, 10, None]
        assert client.set_tasks_priority(tasks[:1], 2) == tasks[:1]
        assert client.get_tasks_priority(tasks) == [2, 10]
        assert client.set_tasks_priority(tasks, [3, 599]) == tasks
        assert client.get_tasks_priority(tasks) == [3, 599]

    def test_counts(self, client: LakeClient, network: ScopedKey, capsys: pytest.CaptureFixture[str]) -> None:
        transformation = client.get_network_transformations(network)[0]
        tasks = client.create_tasks(transformation, count=3)
        client.set_tasks_status(tasks[:1], "invalid")
        counts = {"waiting": 2, "invalid": 1}

        assert client.get_scope_status(visualize=False) == client.get_network_status(network, visualize=False) == counts
        assert client.get_transformation_status(transformation, visualize=False) == counts
        assert client.get_networks_status([NOWHERE, network]) == [{}, counts]
        assert client.get_scope_status(OTHER, visualize=False) == {}
        assert capsys.readouterr().out == ""
        client.get_network_status(network)
        assert re.search(r"waiting +2\n", capsys.readouterr().out)
        client.set_network_state(network, "inactive")
        assert client.get_scope_status(SCOPE, visualize=False) == {}
        assert client.get_scope_status(SCOPE, visualize=False, network_state=None) == counts

    # --- results ----------------------------------------------------------------------------------

    def test_results_in_every_form(self, client: LakeClient, lake: Lake, network: ScopedKey, tmp_path: Path) -> None:
        first, second, third = client.get_network_transformations(network)
        tasks = client.create_transformations_tasks([first, first, second])
        client.action_tasks(tasks, network)
        self.run(lake, tmp_path / "work")

        raw = client.get_transformation_results(first, ResultFormat.PROTOCOL_DAG_RESULTS, visualize=False)
        one = client.get_transformation_results(first, visualize=False)
        each = client.get_transformation_results(first, return_as="ProtocolResults", visualize=False)
        whole = client.get_network_results(network, visualize=False)
        by_task = client.get_task_results(tasks[2], visualize=False)

        assert len(raw) == len(each) == 2
        assert all(result.ok() for result in raw)
        low, high = sorted(kcal_mol(e) for e in each)
        assert low < kcal_mol(one) < high
        assert set(whole) == {first, second, third}
        assert whole[third] is None
        assert kcal_mol(whole[first]) == kcal_mol(one)
        assert len(by_task) == 1
        assert sorted(str(t) for t, _ in client.iter_network_results(network)) == [str(first), str(first), str(second)]
        assert client.get_network_results(network, "ProtocolDAGResults", visualize=False)[third] == []
        assert client.get_network_failures(network, visualize=False) == {first: [], second: [], third: []}
        with pytest.warns(DeprecationWarning, match="return_as"):
            again = client.get_transformation_results(first, return_protocoldagresults=True, visualize=False)
        assert again == raw

    def test_failures_have_their_tracebacks(self, client: LakeClient, lake: Lake, tmp_path: Path) -> None:
        network = client.create_network(harmonic_network(2, fail="raise"), SCOPE, visualize=False)
        (transformation,) = client.get_network_transformations(network)
        (task,) = client.ensure_tasks(network, 1)
        self.run(lake, tmp_path / "work")

        (failure,) = client.get_task_failures(task, visualize=False)
        assert "InjectedFailureError" in failure.protocol_unit_failures[0].traceback
        assert len(client.get_transformation_failures(transformation, visualize=False)) == 1
        assert client.get_transformation_results(transformation, visualize=False) is None
        assert client.get_tasks_status([task]) == ["error"]

    def test_restart_patterns(self, client: LakeClient, lake: Lake, tmp_path: Path) -> None:
        network = client.create_network(harmonic_network(2, fail="raise"), SCOPE, visualize=False)
        client.ensure_tasks(network, 1)
        self.run(lake, tmp_path / "work")

        assert client.add_task_restart_patterns(network, ["InjectedFailure.*", "CUDA"], 2) == network
        assert client.query_tasks(status="waiting") == client.query_tasks()
        client.set_task_restart_patterns_allowed_restarts(network, ["CUDA"], 5)
        assert client.get_task_restart_patterns(network) == {"InjectedFailure.*": 2, "CUDA": 5}
        with pytest.warns(RefusedWarning, match="1 of 2 patterns refused: the network does not have 'OpenCL'"):
            client.set_task_restart_patterns_allowed_restarts(network, ["CUDA", "OpenCL"], 5)
        with pytest.warns(RefusedWarning, match="'OpenCL'"):
            client.remove_task_restart_patterns(network, "OpenCL")
        client.remove_task_restart_patterns(network, "CUDA")
        assert client.get_task_restart_patterns(network) == {"InjectedFailure.*": 2}
        client.clear_task_restart_patterns(network)
        assert client.get_task_restart_patterns(network) == {}

    # --- how Tasks are doing, and why they failed --------------------------------------------------

    def test_history_progress_and_details(
        self, client: LakeClient, lake: Lake, network: ScopedKey, tmp_path: Path
    ) -> None:
        first, second, _ = client.get_network_transformations(network)
        done, waiting = client.create_transformations_tasks([first, second])
        client.action_tasks([done], network, weight=0.7)
        self.run(lake, tmp_path / "work")

        (attempt,) = client.get_task_history(done)
        units = attempt.units_total
        assert (attempt.outcome, attempt.manager_name, attempt.compute_service_id) == ("complete", "here", "d")
        assert attempt.units_completed == units > 1
        assert attempt.datetime_claimed <= attempt.datetime_start <= attempt.datetime_end
        assert attempt.protocoldagresultref == attempt.attempt
        assert client.get_task_history(waiting) == []
        assert client.get_tasks_progress([waiting, done, NOBODY]) == [None, (units, units), None]
        details = client.get_tasks_details([NOBODY, done, waiting])
        assert details[0] is None
        assert (details[1].status, details[1].num_claims, details[1].networks) == ("complete", 1, {})
        assert details[1].most_recent_attempt == attempt
        assert details[1].current_claim is None
        assert (details[2].status, details[2].creator, details[2].most_recent_attempt) == ("waiting", "ada", None)
        assert details[2].datetime_status_changed >= details[2].datetime_created
        story = client.get_task_story(done)
        assert [event["event"] for event in story["events"]] == ["created", "actioned", "claimed", "completed"]
        assert [(result["attempt"], result["ok"]) for result in story["results"]] == [(attempt.attempt, True)]
        assert client.get_stalled_tasks().is_empty()
        versions = client.get_package_versions(network, package="gufe")
        assert versions["n_results"].to_list() == [1]
        assert versions.equals(client.get_package_versions(scope=SCOPE, package="gufe"))

    def test_output_and_tracebacks_of_a_failed_task(self, client: LakeClient, lake: Lake, tmp_path: Path) -> None:
        network = client.create_network(harmonic_network(2, fail="raise", talk=True), SCOPE, visualize=False)
        (task,) = client.ensure_tasks(network, 1)
        assert client.get_task_stdout(task) == {}
        self.run(lake, tmp_path / "work")
        client.set_tasks_status([task], "waiting", reason="again")
        self.run(lake, tmp_path / "work")

        newest, oldest = client.get_task_history(task)
        assert client.get_task_history(task, limit=1) == [newest]
        assert oldest.datetime_end <= newest.datetime_claimed
        out, err, log = (ask(task) for ask in (client.get_task_stdout, client.get_task_stderr, client.get_task_logs))
        assert out["sample-000"] == "sample-000 speaks on stdout\n"
        assert "sample-000 speaks on stderr\n" in err["sample-000"]
        assert "sample-000 speaks through logging\n" in log["sample-000"]
        assert client.get_task_stdout(task, oldest.attempt)["setup"] == "setup speaks on stdout\n"
        logs = client.get_result_logs(newest.attempt, order="time")
        assert sorted(logs) == sorted(client.get_result_logs(newest.attempt))
        assert logs.count("speaks through logging") == len(log)
        tracebacks = client.get_task_tracebacks(task)
        injected = [one["attempt"] for one in tracebacks if "InjectedFailureError" in (one["traceback"] or "")]
        assert list(dict.fromkeys(injected)) == [newest.attempt, oldest.attempt]
        assert {one["attempt"] for one in client.get_task_tracebacks(task, limit=1)} == {newest.attempt}
        (cause,) = client.get_failure_causes(network).iter_rows(named=True)
        assert (cause["tasks"], cause["n"], cause["unit"]) == (1, 2, "sample-000")
        assert sum(host["count"] for host in cause["hosts"]) == 2
        with pytest.raises(InvalidKeyError, match="'time'"):
            client.get_result_logs(newest.attempt, order="size")
        with pytest.raises(NotFoundError, match="has no attempt 'x'"):
            client.get_task_stdout(task, "x")
        client.set_tasks_status([task], "deleted")
        assert client.get_failure_causes(network).is_empty()
        assert len(client.get_failure_causes(everything=True)) == 1

    # --- Strategies -------------------------------------------------------------------------------

    def test_a_strategy_asks_for_tasks(self, client: LakeClient, network: ScopedKey) -> None:
        assert client.get_network_strategy(network) is None
        assert client.get_network_strategy_status(network) is None
        assert client.set_network_strategy_awake(network) is None

        assert (
            client.set_network_strategy(
                network, "fixed-repeats", settings={"repeats": 2}, task_scaling="proportional", sleep_interval=0
            )
            == network
        )
        strategy = client.get_network_strategy(network)
        assert (strategy.settings.repeats, client.get_network_strategy_status(network)) == (2, "awake")
        report = client.advance_network(network)
        state = client.get_network_strategy_state(network)

        assert (report["state"], report["n_tasks"]) == ("asked", len(client.get_network_tasks(network)))
        assert (state.iterations, state.mode, state.max_tasks_per_transformation) == (1, "partial", 3)
        assert client.set_network_strategy_awake(network) == network
        assert client.set_network_strategy(network, None) is None
        assert client.get_network_strategy_state(network) is None
        with pytest.raises(StrategyError, match="fixed-repeats"):
            client.set_network_strategy(network, "fixed-repeat")

    # --- numbers ----------------------------------------------------------------------------------

    def test_numbers(self, client: LakeClient, lake: Lake, network: ScopedKey, tmp_path: Path) -> None:
        client.ensure_tasks(network, 2)
        assert client.forecast(network)["n_waiting"].sum() == 6
        self.run(lake, tmp_path / "work")
        counts = client.wait(network, visualize=False)
        report = client.gather(network)

        assert counts == {"complete": 6}
        assert report["n_estimated"] == 3
        estimates = client.estimates(network)
        assert estimates["ligand"].n_unique() == len(estimates) == report["n_ligands"]
        assert abs(client.ranking(network, top=1)["p_best"].sum() - 1.0) < 1e-9
        assert len(client.edges(network)) == 3
        relation = client.sql("select count(*) as n from results where scope = $scope", scope=str(SCOPE))
        assert relation.fetchall() == [(6,)]
        assert relation.pl()["n"].to_list() == [6]
        with pytest.raises(QueryError, match="resluts"):
            client.sql("select * from resluts")

    def test_waiting_has_an_end(self, client: LakeClient, network: ScopedKey) -> None:
        client.ensure_tasks(network, 1)

        with pytest.raises(LakeError, match="3 Tasks wait or run"):
            client.wait(network, timeout_s=0.0, poll_s=0.01, visualize=False)
        assert client.wait(network, until=lambda counts: counts["waiting"] == 3, visualize=False) == {"waiting": 3}

    # --- what is missing --------------------------------------------------------------------------

    def test_what_the_lake_lacks_is_named(self, client: LakeClient) -> None:
        for ask in (
            lambda: client.get_network(NOWHERE, visualize=False),
            lambda: client.get_network_transformations(NOWHERE),
            lambda: client.get_task_transformation(NOBODY),
            lambda: client.get_network_tasks(NOWHERE),
            lambda: client.ensure_tasks(NOWHERE, 1),
            lambda: client.get_task_history(NOBODY),
            lambda: client.get_task_story(NOBODY),
            lambda: client.get_task_stdout(NOBODY),
            lambda: client.get_task_tracebacks(NOBODY),
            lambda: client.get_failure_causes(NOWHERE),
        ):
            with pytest.raises(NotFoundError, match=r"0{32}"):
                ask()
        with pytest.raises(InvalidKeyError, match="is not a ScopedKey"):
            client.get_network("tyk2")


def kcal_mol(result: Any) -> float:
    """Return the estimate of a ProtocolResult as a number, with and without units."""
    estimate = result.get_estimate()
    return float(getattr(estimate, "m", estimate))


def public_methods() -> list[str]:
    """Return the names of the client's public methods."""
    return [name for name, _ in inspect.getmembers(LakeClient, callable) if not name.startswith("_")]

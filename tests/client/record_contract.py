"""Contract tests for records of Tasks and results, reasons, shares and copies, to be mixed with `ClientContract`."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from alchemiscale_lake import Author, Caller, Deposit, Scope, ScopedKey
from alchemiscale_lake.archives import read_manifest
from alchemiscale_lake.client import LakeClient
from alchemiscale_lake.errors import InvalidNetworkError, InvalidScopeError, MissingDependencyError, NotFoundError
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.store import Lake
from tests.client.client_contract import NOBODY, OTHER, SCOPE
from tests.example_networks import harmonic_network

HAS_ARCHIVES = importlib.util.find_spec("gufe.archival") is not None
ELSEWHERE = Scope.from_str("org-other-project")


class RecordContract:
    """Inherit this beside `ClientContract`, which has the fixtures."""

    run: Callable[[Lake, Path], None]

    def read_as_guest(self, lake: Lake, task: ScopedKey) -> None:
        """Read the result of a Task as somebody who may read nothing but its Scope."""
        guest = LakeClient(lake, caller=Caller("guest", ((task.scope, "read"),)))
        assert guest.get_task_results(task, visualize=False)[0].ok()

    def test_the_reason_of_a_change_is_kept(self, client: LakeClient, lake: Lake, network: ScopedKey) -> None:
        (task,) = client.create_tasks(client.get_network_transformations(network)[0])
        client.action_tasks([task], network, weight=0.2, reason="urgent")
        client.set_tasks_priority([task], 3, reason="paper")
        client.set_networks_weight([network], [0.4], reason="less")
        claim_tasks(lake, "here", 1, lease_s=3600, caller=Caller("d"))
        client.cancel_tasks([task], network, reason="wrong protonation")
        (details,) = client.get_tasks_details([task])
        client.set_tasks_status([task], "invalid", reason="bad inputs")

        events = client.get_task_story(task)["events"]
        assert {event["event"]: event["reason"] for event in events} == {
            "created": None,
            "actioned": "urgent",
            "priority": "paper",
            "claimed": None,
            "cancelled": "wrong protonation",
            "released": "no longer actioned on any active network: wrong protonation",
            "status": "bad inputs",
        }
        (attempt,) = client.get_task_history(task)
        assert (attempt.outcome, attempt.reason) == ("released", details.reason)
        assert details.reason.endswith(": wrong protonation")
        assert details.status == "waiting"
        assert client.get_tasks_details([task])[0].reason == "bad inputs"
        assert client.sql("select reason from network_log where event = 'weight'").fetchall() == [("less",)]

    def test_an_archive_of_a_network(self, client: LakeClient, network: ScopedKey, tmp_path: Path) -> None:
        about = Deposit(title="Two", authors=[Author("Lovelace, Ada")], related=[("cites", "10.1/x")])
        path = client.archive(network, tmp_path / "two.zip", scrub=["all"], deposit=about, visualize=False)
        manifest = read_manifest(path)
        assert (manifest.title, len(manifest.networks)) == ("Two", 1)
        assert read_manifest(client.archive([network], path, visualize=False)).networks[0].network == str(network)
        with pytest.raises(NotFoundError):
            client.archive(NOBODY, path, visualize=False)

    def test_records_of_results(self, client: LakeClient, lake: Lake, tmp_path: Path) -> None:
        network = client.create_network(harmonic_network(2, talk=True), SCOPE, visualize=False)
        task, waiting = client.ensure_tasks(network, 2)
        client.set_tasks_priority([waiting], 20)
        self.run(lake, tmp_path / "work")

        (record,) = client.get_task_result_recs(task)
        (attempt,) = client.get_task_history(task)
        assert client.get_task_result_recs(task, ok=False) == []
        assert (record.ok, record.creator, record.task, record.exception) == (True, "d", task, None)
        assert (record.scoped_key, record.datetime_created) == (attempt.attempt, attempt.datetime_end)
        assert record.uncertainty_kcal_mol > 0
        assert record.n_bytes > 0
        units = client.get_result_unit_recs(record)
        assert units == client.get_result_unit_recs(record.scoped_key)
        assert [unit.name for unit in units][:2] == ["setup", "sample-000"]
        assert all(unit.ok and unit.start_time <= unit.end_time for unit in units)
        spoke = units[1]
        assert (spoke.has_logs, spoke.has_stdout, spoke.has_stderr) == (True, True, True)
        assert "sample-000 speaks through logging" in client.get_result_unit_logs(spoke)
        assert client.get_result_unit_stdout(spoke) == {"stdout.txt": "sample-000 speaks on stdout\n"}
        assert "sample-000 speaks on stderr" in client.get_result_unit_stderr(spoke)["stderr.txt"]
        assert client.get_result_logs(record) == client.get_result_logs(record.scoped_key)
        for ask in (lambda: client.get_task_result_recs(NOBODY), lambda: client.get_result_unit_recs(str(task))):
            with pytest.raises(NotFoundError):
                ask()

    def test_an_archive_of_gufe(self, client: LakeClient, lake: Lake, tmp_path: Path) -> None:
        stored = harmonic_network(2)
        network = client.create_network(stored, SCOPE, visualize=False)
        client.ensure_tasks(network, 2)
        if not HAS_ARCHIVES:
            with pytest.raises(MissingDependencyError, match="conda-forge"):
                client.get_network_archive(network, visualize=False)
            return
        self.run(lake, tmp_path / "work")
        other = ScopedKey(f"AlchemicalNetwork-{'0' * 32}", SCOPE)
        archive, none = client.get_network_archives([network, other], [{"doi": 1}, None], visualize=False)
        assert (archive.network, archive.metadata, none) == (stored, {"doi": 1}, None)
        ((transformation, results),) = archive.transformation_results
        assert transformation in stored.edges
        assert sorted(results) == sorted(
            client.get_transformation_results(
                client.get_network_transformations(network)[0], return_as="ProtocolDAGResults", visualize=False
            )
        )
        assert type(archive).from_json(content=archive.to_json()) == archive

    def test_what_an_archive_cannot_have(self, client: LakeClient) -> None:
        network = client.create_network(harmonic_network(2), SCOPE, visualize=False)
        for networks, metadata, match in (
            ([network, network], None, "duplicate"),
            ([network], [], "same length"),
            ([network], {"a": 1}, "Metadata.*list"),
            ([network], [3], "Metadata.*dict"),
            ([network], [{"a": object()}], "serialize"),
        ):
            with pytest.raises(ValueError, match=match):
                client.get_network_archives(networks, metadata, visualize=False)

    def test_what_a_unit_did_not_write_is_none(self, client: LakeClient, lake: Lake, tmp_path: Path) -> None:
        network = client.create_network(harmonic_network(2), SCOPE, visualize=False)
        (task,) = client.ensure_tasks(network, 1)
        self.run(lake, tmp_path / "work")

        (record,) = client.get_task_result_recs(task, ok=True)
        unit = client.get_result_unit_recs(record)[0]
        assert not unit.has_stdout
        assert client.get_result_unit_stdout(unit) is None

    def test_the_share_of_a_scope(self, client: LakeClient, lake: Lake) -> None:
        for scope, n in ((SCOPE, 1), (OTHER, 3), (ELSEWHERE, 4)):
            network = client.create_network(harmonic_network(2), scope, visualize=False)
            client.ensure_tasks(network, n)
        assert client.get_scope_compute_share(SCOPE) == 0.0
        claim_tasks(lake, "here", 10, lease_s=3600, caller=Caller("d"))

        assert client.get_scope_compute_share(SCOPE) == 0.25
        assert client.get_scope_compute_share(OTHER) == 0.75
        assert client.get_scope_compute_share(Scope("org", "campaign")) == 0.5
        assert client.get_scope_compute_share("org-*-*") == 1.0
        assert client.get_scope_compute_share(Scope("orgs")) == 0.0
        with pytest.raises(InvalidScopeError, match="organisation"):
            client.get_scope_compute_share(Scope())

    def test_networks_are_copied_and_merged(self, client: LakeClient, lake: Lake, tmp_path: Path) -> None:
        one, two = (
            client.create_network(harmonic_network(n, name=f"n{n}", n_samples=20), SCOPE, visualize=False)
            for n in (2, 3)
        )
        client.ensure_tasks(one, 1)
        self.run(lake, tmp_path / "work")

        copy = client.copy_network(one, OTHER, state="inactive", visualize=False)
        merged = client.merge_networks([one, two], "both", OTHER, visualize=False)
        everything = client.merge_scopes([SCOPE], ELSEWHERE, visualize=False)

        assert (copy.gufe_key, copy.scope, client.get_network_state(copy)) == (one.gufe_key, OTHER, "inactive")
        (task,) = client.get_network_tasks(copy)
        self.read_as_guest(lake, task)
        assert client.get_task_result_recs(task)[0].ok
        assert client.query_networks("both") == [merged]
        assert len(client.get_network_transformations(merged)) == len(
            {*client.get_network_transformations(one), *client.get_network_transformations(two)}
        )
        assert [network.gufe_key for network in everything] == [one.gufe_key, two.gufe_key]
        assert all(network.scope == ELSEWHERE for network in everything)
        with pytest.raises(InvalidNetworkError, match="at least two"):
            client.merge_networks([one], "both", OTHER, visualize=False)
        with pytest.raises(InvalidScopeError, match="wildcard"):
            client.copy_network(one, Scope("org"), visualize=False)

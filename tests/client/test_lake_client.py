"""The client in process, and over a transport that carries text only."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from alchemiscale_lake import Caller, Scope, import_results
from alchemiscale_lake.client import InProcess, LakeClient, Transport
from alchemiscale_lake.errors import NotALakeError, NotFoundError, PermissionDeniedError
from alchemiscale_lake.store import Lake
from tests.client.client_contract import OTHER, SCOPE, ClientContract, public_methods
from tests.client.file_contract import FileContract
from tests.client.record_contract import RecordContract
from tests.example_networks import harmonic_network
from tests.kept_files import FileKeeper
from tests.lakes import new_lake

OF_ALCHEMISCALE = """
action_tasks add_task_restart_patterns cancel_tasks check_exists clear_task_restart_patterns create_network
create_tasks create_transformations_tasks get_chemicalsystem get_chemicalsystem_networks
get_chemicalsystem_transformations get_network get_network_actioned_tasks get_network_archive
get_network_archives get_network_chemicalsystems get_network_failures get_network_results get_network_state
get_network_status get_network_strategy get_network_strategy_state get_network_strategy_status get_network_tasks
get_network_transformations get_network_weight get_networks_actioned_tasks get_networks_state
get_networks_status get_networks_weight get_scope_status get_scoped_key get_scopes get_task_actioned_networks
get_task_failures get_task_networks get_task_restart_patterns get_task_results get_task_transformation
get_tasks_priority get_tasks_status get_transformation get_transformation_chemicalsystems
get_transformation_failures get_transformation_networks get_transformation_results get_transformation_status
get_transformation_tasks list_scopes query_chemicalsystems query_networks query_tasks query_transformations
remove_task_restart_patterns set_network_state set_network_strategy set_network_strategy_awake
set_network_weight set_networks_state set_networks_weight set_task_restart_patterns_allowed_restarts
set_tasks_priority set_tasks_status
""".split()  # noqa: SIM905


class AsText:
    """Carries calls as text, as HTTPS would."""

    place = "text"

    def __init__(self, inner: Transport) -> None:
        self.inner = inner

    def call(self, name: str, /, **arguments: Any) -> Any:
        return carried(self.inner.call(name, **carried(arguments)))


def carried(value: Any) -> Any:
    """Return a value after its way through JSON; bytes as base64."""
    text = json.dumps(value, default=lambda raw: {"bytes": base64.b64encode(raw).decode()})
    return json.loads(text, object_hook=lambda d: base64.b64decode(d["bytes"]) if d.keys() == {"bytes"} else d)


class TestInProcess(ClientContract, RecordContract, FileContract):
    def transport(self, lake: Lake) -> Transport:
        return InProcess(lake, Caller("ada"))


class TestAsText(ClientContract, RecordContract, FileContract):
    def transport(self, lake: Lake) -> Transport:
        return AsText(InProcess(lake, Caller("ada")))


def test_all_methods_of_alchemiscale_are_here() -> None:
    assert len(OF_ALCHEMISCALE) == 63
    assert set(OF_ALCHEMISCALE) <= set(public_methods())


def test_the_lake_comes_from_the_environment(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALCHEMISCALE_LAKE", lake.url)
    assert LakeClient().get_scopes() == []
    monkeypatch.delenv("ALCHEMISCALE_LAKE")
    with pytest.raises(NotFoundError, match="ALCHEMISCALE_LAKE"):
        LakeClient()
    with pytest.raises(NotALakeError, match="nothing"):
        LakeClient(tmp_path / "nothing")


def test_a_caller_sees_and_changes_only_the_scopes_granted(lake: Lake) -> None:
    ours = LakeClient(lake)
    here, there = (ours.create_network(harmonic_network(2), scope, visualize=False) for scope in (SCOPE, OTHER))
    ours.ensure_tasks(there, 2)
    guest = LakeClient(lake, caller=Caller("guest", ((SCOPE, "read"), (Scope.from_str("org-campaign-empty"), "read"))))

    assert guest.get_scopes() == [SCOPE]
    assert guest.query_networks() == [here]
    assert guest.query_tasks() == guest.query_transformations(scope=OTHER) == []
    assert guest.get_scope_status(visualize=False, network_state=None) == {}
    assert guest.sql("select count(*) from networks").fetchall() == [(1,)]
    (foreign, _) = ours.get_network_tasks(there)
    with pytest.raises(NotFoundError) as error:
        guest.get_task_stdout(foreign)
    assert str(OTHER) not in error.value.message.replace(repr(str(foreign)), "")
    assert guest.get_stalled_tasks(quiet_s=0.0).is_empty()
    assert guest.get_failure_causes().is_empty()
    for ask in (
        lambda: guest.get_task_history(foreign),
        lambda: guest.get_tasks_details([foreign]),
        lambda: guest.get_task_result_recs(foreign),
        lambda: guest.get_scope_compute_share(OTHER),
        lambda: guest.get_scope_compute_share("org-*-*"),
        lambda: guest.copy_network(here, OTHER, visualize=False),
        lambda: guest.get_tasks_progress([foreign]),
        lambda: guest.get_task_tracebacks(foreign),
        lambda: guest.get_task_story(foreign),
        lambda: guest.get_failure_causes(there),
        lambda: guest.get_package_versions(there),
        lambda: guest.get_package_versions(),
        lambda: guest.get_network(there, visualize=False),
        lambda: guest.get_network_tasks(there),
        lambda: guest.estimates(there),
        lambda: guest.get_networks_status([here, there]),
        lambda: guest.ensure_tasks(here, 1),
        lambda: guest.set_network_weight(here, 0.1),
        lambda: guest.create_network(harmonic_network(3), Scope.from_str("org-campaign-new"), visualize=False),
    ):
        with pytest.raises(PermissionDeniedError):
            ask()


def test_an_imported_table_has_numbers_and_no_protocol_dag_result(tmp_path: Path) -> None:
    table = tmp_path / "edges.csv"
    table.write_text("ligand_i,ligand_j,value_kcal_mol,uncertainty_kcal_mol\na,b,1.5,0.2\n")
    lake = new_lake(tmp_path / "lake")
    (network,) = import_results(lake, [table], "org-campaign-project").networks
    client = LakeClient(lake)

    with pytest.raises(NotFoundError, match="imported from a file of another kind"):
        client.get_network_results(network, visualize=False)


def test_a_bucket_gives_urls_and_blocks(bucket_lake: str, tmp_path: Path) -> None:
    import urllib.request

    client = LakeClient(bucket_lake)
    network = client.create_network(harmonic_network(2), SCOPE, visualize=False)
    (task,) = client.ensure_tasks(network, 1)
    FileKeeper(Lake.open(bucket_lake), tmp_path / "kept").kept(str(task), b"content")
    (url,) = client.get_file_urls(task, valid_s=600).values()
    assert urllib.request.urlopen(url, timeout=60).read() == b"content"
    (copied,) = client.get_files(task, folder=tmp_path, visualize=False)
    assert copied.read_bytes() == b"content"

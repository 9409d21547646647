"""A stored network grows by ligands in one call, and pays only for what is new."""

from __future__ import annotations

from pathlib import Path

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import NotFoundError, PermissionDeniedError
from alchemiscale_lake.ids import Scope
from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.statestore.network_extension import extend_network
from alchemiscale_lake.statestore.network_members import network_transformations
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake
from tests.example_networks import legs_network
from tests.gufe_adapter.test_extension import NEW, chain, write_sdf
from tests.lakes import new_lake

SCOPE = "org-campaign-project"
ADA = Caller("ada")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return new_lake(tmp_path / "lake")


def test_the_grown_network_contains_the_former_one_and_is_its_revision(lake: Lake) -> None:
    network = submit_network(lake, legs_network(), SCOPE).network
    ensure_tasks(lake, network, 2, caller=ADA)

    done = extend_network(lake, network, NEW, "grown", planner=chain, caller=ADA)

    assert done.submission is not None
    grown = done.submission
    assert (done.ligands, len(done.edges), grown.n_new_transformations) == (("new1", "new2"), 4, 4)
    assert set(network_transformations(lake, grown.network)) > set(network_transformations(lake, network))
    assert len(ensure_tasks(lake, grown.network, 2, caller=ADA)) == 8, "only the new ones"
    rows = ask(connect(lake), "network_growth")
    columns = ("name", "revision", "made_by", "grown_from", "n_new_ligands", "n_new_tasks")
    assert rows.select(columns).rows() == [
        ("legs", 1, "submit", None, 3, 12),
        ("grown", 2, "extend", network, 2, 8),
    ]
    assert not extend_network(lake, network, NEW, "grown", planner=chain, caller=ADA).submission.new  # type: ignore[union-attr]


def test_a_dry_run_names_the_edges_and_writes_nothing(lake: Lake, tmp_path: Path) -> None:
    network = submit_network(lake, legs_network(), SCOPE).network
    versions = {name: lake.table(name).snapshot().version() for name in lake.tables}
    ligands = write_sdf(tmp_path / "new.sdf", "april")
    done = extend_network(lake, network, ligands, "grown", planner=chain, caller=ADA, dry_run=True)
    assert done.edges == ("rbfe_lig0_complex_april_complex", "rbfe_lig0_solvent_april_solvent")
    assert done.submission is None
    assert {name: lake.table(name).snapshot().version() for name in lake.tables} == versions


def test_a_missing_network_and_a_missing_right_are_refused(lake: Lake) -> None:
    network = submit_network(lake, legs_network(), SCOPE).network
    with pytest.raises(NotFoundError, match="has no network"):
        extend_network(lake, network.replace("project", "other"), NEW, "grown", planner=chain, caller=ADA)
    reader = Caller("bob", ((Scope.from_str(SCOPE), "read"),))
    with pytest.raises(PermissionDeniedError, match="write"):
        extend_network(lake, network, NEW, "grown", planner=chain, caller=reader)

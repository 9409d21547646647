"""Results of Transformations that the Scope has under other keys are theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gufe
import pytest

from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.importing.imports import import_results
from alchemiscale_lake.query import find_network
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.store import Lake
from tests.contracts.protocol_contract import run_dag
from tests.example_networks import harmonic_network
from tests.quickrun_files import QuickrunNetwork

SCOPE = "org-campaign-project"


class RenamedNetwork(QuickrunNetwork):
    """The same calculations under other names of ChemicalSystems and Transformations: no key of them is the same."""

    def system(self, name: str, phase: str) -> dict[str, Any]:
        return super().system(name, phase) | {"name": f"renamed {name}"}

    def transformation(self, a: str, b: str, phase: str) -> dict[str, Any]:
        return super().transformation(a, b, phase) | {"name": f"renamed_{a}_{b}_{phase}", "metadata": {}}


@pytest.fixture
def planned() -> QuickrunNetwork:
    return QuickrunNetwork([("ana", "bob")])


@pytest.fixture
def renamed() -> QuickrunNetwork:
    return RenamedNetwork([("ana", "bob")])


def transformations(lake: Lake) -> set[str]:
    return set(lake.table("transformations").scan().collect()["transformation"])


def with_results(lake: Lake) -> set[str]:
    return set(lake.table("results").scan().collect()["transformation"])


def test_results_that_contain_their_systems_are_recognised(
    lake: Lake, planned: QuickrunNetwork, renamed: QuickrunNetwork, tmp_path: Path
) -> None:
    submitted = submit_network(lake, planned.write_network(tmp_path / "network.json"), SCOPE)
    for leg in renamed.legs():
        renamed.write(tmp_path / "r", *leg, [(1.0, 0.1)])

    report = import_results(lake, [tmp_path / "r"], SCOPE)

    assert (report.networks, report.n_transformations, report.n_good) == ((submitted.network,), 0, 2)
    assert with_results(lake) == transformations(lake)


def test_a_network_submitted_after_its_results_has_them(
    lake: Lake, planned: QuickrunNetwork, renamed: QuickrunNetwork, tmp_path: Path
) -> None:
    for leg in renamed.legs():
        renamed.write(tmp_path / "r", *leg, [(1.0, 0.1)])
    import_results(lake, [tmp_path / "r"], SCOPE)

    submitted = submit_network(lake, planned.write_network(tmp_path / "network.json"), SCOPE)

    assert (submitted.n_new_transformations, submitted.n_known_calculations) == (0, 2)
    assert gather_network(lake, submitted.network).n_estimated == 2


def test_the_keys_of_a_network_that_is_stored_under_others_are_recognised(
    lake: Lake, planned: QuickrunNetwork, renamed: QuickrunNetwork, tmp_path: Path
) -> None:
    """A failure has nothing but the keys of its states."""
    submit_network(lake, planned.write_network(tmp_path / "network.json"), SCOPE)
    submit_network(lake, renamed.write_network(tmp_path / "renamed.json"), SCOPE, name="renamed")
    renamed.write(tmp_path / "r", "ana", "bob", "complex", ["no"])

    report = import_results(lake, [tmp_path / "r"], SCOPE, network="renamed")

    assert (report.n_failed, report.n_transformations, report.notes) == (1, 0, ())
    assert len(transformations(lake)) == 2
    assert with_results(lake) < transformations(lake)


def test_a_network_file_under_other_keys_gets_its_results_once(
    lake: Lake, planned: QuickrunNetwork, renamed: QuickrunNetwork, tmp_path: Path
) -> None:
    submitted = submit_network(lake, planned.write_network(tmp_path / "network.json"), SCOPE)
    for leg in planned.legs():
        planned.write(tmp_path / "r", *leg, [(1.0, 0.1)])
    import_results(lake, [tmp_path / "r"], SCOPE)
    for leg in renamed.legs():
        renamed.write(tmp_path / "again", *leg, [(2.0, 0.1)])

    report = import_results(
        lake, [tmp_path / "again"], SCOPE, network_file=renamed.write_network(tmp_path / "renamed.json"), network="n"
    )

    assert (report.n_transformations, report.n_good) == (0, 2)
    assert len(transformations(lake)) == 2
    assert set(report.networks) == {submitted.network, find_network(lake, "n")}
    for network in report.networks:
        gather_network(lake, network)
    estimates = lake.table("transformation_estimates").scan().collect()
    assert set(estimates["n_results"]) == {2}


def test_a_protocol_dag_result_is_found_by_the_key_that_names_its_file(lake: Lake, tmp_path: Path) -> None:
    network = harmonic_network(2, n_samples=20)
    (edge,) = network.edges
    other = gufe.Transformation(edge.stateA, edge.stateB, edge.protocol, edge.mapping, name="another name")
    file = tmp_path / f"{other.key}.json"
    file.write_bytes(gufe_adapter.dumps_chain(run_dag(other, tmp_path / "work")))
    submit_network(lake, network, SCOPE)
    submit_network(lake, gufe.AlchemicalNetwork([other]), SCOPE)

    import_results(lake, [file], SCOPE)

    assert other.key != edge.key
    assert with_results(lake) == {f"{edge.key}-{SCOPE}"}

"""ProtocolDAGResults as others keep them: keyed chains, of Protocols that are here and that are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.importing.imports import import_results
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.store import Lake
from tests.contracts.protocol_contract import run_dag
from tests.example_networks import harmonic_network
from tests.quickrun_files import QuickrunNetwork, Repeat

SCOPE = "org-campaign-project"


def result(lake: Lake) -> dict[str, Any]:
    (row,) = lake.table("results").scan().collect().to_dicts()
    return dict(row)


def test_the_protocol_is_asked_for_its_number(lake: Lake, tmp_path: Path) -> None:
    network = harmonic_network(2, n_samples=20)
    (transformation,) = network.edges
    dag_result = run_dag(transformation, tmp_path / "work")
    file = tmp_path / f"{transformation.key}.json.zst"
    file.write_bytes(zstandard.ZstdCompressor().compress(gufe_adapter.dumps_chain(dag_result)))
    submitted = submit_network(lake, network, SCOPE)

    report = import_results(lake, [file], SCOPE)

    numbers = gufe_adapter.estimate(transformation, [dag_result])
    row = result(lake)
    assert report.networks == (submitted.network,)
    assert (row["estimate_kcal_mol"], row["uncertainty_kcal_mol"]) == (
        numbers.value_kcal_mol,
        numbers.uncertainty_kcal_mol,
    )
    assert row["transformation"] == f"{transformation.key}-{SCOPE}"
    assert row["n_units"] == len(dag_result.protocol_unit_results)


def dag_chain(network: QuickrunNetwork, repeats: list[Repeat], **label: Any) -> bytes:
    """A ProtocolDAGResult of openfe's classes, which are nowhere here."""
    units = network.result("ana", "bob", "complex", repeats)["unit_results"]
    network.transformation("ana", "bob", "complex")
    root = {
        "name": "",
        "protocol_units": [],
        "protocol_unit_results": [{":gufe-key:": key} for key in units],
        "transformation_key": None,
        "extends_key": None,
        "__qualname__": "ProtocolDAGResult",
        "__module__": "gufe.protocols.protocoldag",
        ":version:": 1,
    } | label
    return json.dumps([*network.objects.items(), *units.items(), ("ProtocolDAGResult-1", root)]).encode()


@pytest.mark.parametrize(
    ("repeats", "value", "uncertainty"),
    [([(1.0, 0.1)], 1.0, 0.1), ([(1.0, 0.1), (2.0, 0.1)], 1.5, 0.5**0.5)],
    ids=["one repeat", "two repeats"],
)
def test_openfes_relative_numbers_need_nothing(
    lake: Lake, tmp_path: Path, repeats: list[Repeat], value: float, uncertainty: float
) -> None:
    folder = tmp_path / "r"
    folder.mkdir()
    (folder / "result.json").write_bytes(dag_chain(QuickrunNetwork([("ana", "bob")]), repeats))

    report = import_results(lake, [folder], SCOPE)

    row = result(lake)
    assert (report.n_good, report.n_transformations, report.n_without_estimate, report.notes) == (1, 1, 0, ())
    assert (row["estimate_kcal_mol"], row["uncertainty_kcal_mol"]) == pytest.approx((value, uncertainty))
    replicates = lake.table("replicates").scan().sort("replicate").collect()
    found = list(replicates.select("value_kcal_mol", "uncertainty_kcal_mol").iter_rows())
    assert found == (repeats if len(repeats) > 1 else [])


def test_a_number_that_needs_missing_outputs_is_missing_and_reported(lake: Lake, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    chain = json.loads(dag_chain(QuickrunNetwork([("ana", "bob")]), [(1.0, 0.1)]))
    for _, fields in chain:
        if "outputs" in fields:
            fields["outputs"].pop("unit_estimate", None)
    file.write_text(json.dumps(chain))

    report = import_results(lake, [file], SCOPE)

    assert (report.n_good, report.n_without_estimate) == (1, 1)
    assert report.notes[0].startswith(f"{file}: stored without an estimate: ")
    assert result(lake)["estimate_kcal_mol"] is None


def test_its_label_places_it_in_a_network_that_the_scope_has(lake: Lake, tmp_path: Path) -> None:
    network = QuickrunNetwork([("ana", "bob")])
    submit_network(lake, network.write_network(tmp_path / "network.json"), SCOPE)
    key = network.key(network.transformation("ana", "bob", "solvent"))
    file = tmp_path / "result.json"
    file.write_bytes(dag_chain(QuickrunNetwork([("ana", "bob")]), [(1.0, 0.1)], transformation_key=key))

    import_results(lake, [file], SCOPE)

    assert result(lake)["transformation"] == f"{key}-{SCOPE}"


def test_failed_ones_are_failed_results(lake: Lake, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    file.write_bytes(dag_chain(QuickrunNetwork([("ana", "bob")]), ["it blew up"]))

    report = import_results(lake, [file], SCOPE)

    row = result(lake)
    assert (report.n_good, report.n_failed) == (0, 1)
    assert (row["ok"], row["exception"]) == (False, "ValueError: it blew up")

"""Warehouses of openfe: the outputs of units become ProtocolDAGResults."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from alchemiscale_lake.errors import ResultFileError
from alchemiscale_lake.importing.imports import import_results
from alchemiscale_lake.networks.chain import parse_chain
from alchemiscale_lake.networks.nested import ObjectPool
from alchemiscale_lake.networks.result_files import find_result_files, read_raw, read_result_file
from alchemiscale_lake.store import Lake
from tests.quickrun_files import QuickrunNetwork, Repeat

SCOPE = "org-campaign-project"


def warehouse(root: Path, *legs: tuple[str, str, str, Sequence[Repeat]], ended: int = 99) -> Path:
    """A warehouse of a network; of each leg, so many units ended."""
    network = QuickrunNetwork([("ana", "bob")])
    for name in ("setup", "tasks", "result", "protocol_dags", "shared"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for a, b, phase, repeats in legs:
        results = network.result(a, b, phase, repeats)["unit_results"]
        network.transformation(a, b, phase)
        units = [fields["source_key"] for fields in results.values()]
        for unit in units:
            (root / "tasks" / unit).write_text(json.dumps({"inputs": {}, "__qualname__": unit.partition("-")[0]}))
        for key, fields in list(results.items())[:ended]:
            (root / "result" / key).write_text(json.dumps(fields))
        dag = {
            "name": f"{a}_{b}_{phase}", "protocol_units": [{":gufe-key:": unit} for unit in units],
            "transformation_key": f"Transformation-{phase}", "extends_key": None, "__qualname__": "ProtocolDAG",
        }  # fmt: skip
        (root / "protocol_dags" / f"ProtocolDAG-{phase}").write_text(json.dumps(dag))
    for key, fields in network.objects.items():
        (root / "setup" / key).write_text(json.dumps(fields))
    return root


def test_results_of_units_are_joined_with_what_was_planned(tmp_path: Path) -> None:
    root = warehouse(tmp_path / "w", ("ana", "bob", "complex", [(1.0, 0.1), (2.0, 0.1)]))

    (path,) = find_result_files([root])
    raw = read_raw(path)
    file = read_result_file(raw, ObjectPool())

    (result,) = file.results
    assert (file.format, file.ends.transformation) == ("protocol_dag_result", "Transformation-complex")
    assert (result.estimate_kcal_mol, result.uncertainty_kcal_mol, len(result.units)) == (1.5, 0.5**0.5, 6)
    assert file.ends.content is not None
    keys = [obj.key for obj in parse_chain(raw.text)]
    assert all(keys.index(needed) < k for k, obj in enumerate(parse_chain(raw.text)) for needed in obj.refers_to)


def test_a_warehouse_is_imported_and_may_grow(lake: Lake, tmp_path: Path) -> None:
    root = warehouse(tmp_path / "w", ("ana", "bob", "complex", [(1.0, 0.1)]))
    first = import_results(lake, [tmp_path], SCOPE, network="w")
    warehouse(root, ("ana", "bob", "solvent", [(1.0, 0.1)]))

    second = import_results(lake, [root], SCOPE, network="w")

    assert (first.n_good, second.n_files, second.n_known_files, second.n_good) == (1, 2, 1, 1)


def test_what_has_not_ended_is_left_out_and_named(lake: Lake, tmp_path: Path) -> None:
    root = warehouse(tmp_path / "w", ("ana", "bob", "complex", [(1.0, 0.1)]))
    warehouse(root, ("ana", "bob", "solvent", [(1.0, 0.1)]), ended=2)

    report = import_results(lake, [root], SCOPE)

    assert report.n_good == 1
    assert report.notes == (
        f"{root}/protocol_dags/ProtocolDAG-solvent: not finished, 2 of 3 units have a result; import the folder again "
        "later",
    )
    with pytest.raises(ResultFileError, match=r"nothing was imported:\n.*not finished"):
        import_results(lake, [root / "protocol_dags" / "ProtocolDAG-solvent"], SCOPE)


def test_a_unit_that_failed_ends_its_dag(tmp_path: Path) -> None:
    root = warehouse(tmp_path / "w", ("ana", "bob", "complex", ["it blew up"]))

    (result,) = read_result_file(read_raw(find_result_files([root])[0]), ObjectPool()).results

    assert (result.ok, result.exception) == (False, "ValueError: it blew up")


def test_an_object_missing_from_a_warehouse_is_named(tmp_path: Path) -> None:
    root = warehouse(tmp_path / "w", ("ana", "bob", "complex", [(1.0, 0.1)]))
    next((root / "setup").glob("ProteinComponent-*")).unlink()

    with pytest.raises(ResultFileError, match="the warehouse has no ProteinComponent-"):
        read_raw(find_result_files([root])[0])

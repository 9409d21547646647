"""Tables in JSON: records, and the files of openfe-benchmarks."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from alchemiscale_lake.errors import ContentError, ResultFileError
from alchemiscale_lake.importing.imports import import_results
from alchemiscale_lake.networks.edge_table import EdgeTable, read_edge_table
from alchemiscale_lake.networks.json_tables import is_json_table, table_text
from alchemiscale_lake.store import Lake
from tests.quickrun_files import QuickrunNetwork, kcal


def read(value: Any) -> tuple[EdgeTable, tuple[str, ...]]:
    text, notes = table_text(json.dumps(value, indent=4).encode(), "x.json")
    return read_edge_table(text, "x.json"), notes


EDGE = {
    "ligand_a": "ejm, 50", "ligand_b": "#42", "system_group": "jacs_set", "system_name": "tyk2", "ddg": kcal(-0.3),
    "ddg_uncertainty": kcal(0.1), "dgs_complex": [-19.1, -19.2, None], "dgs_solvent": [-18.5, -18.6, -18.7],
}  # fmt: skip


def test_edges_of_benchmarks_have_their_repeats() -> None:
    table, notes = read({"dg": [{"ligand": "a", "dg": kcal(0.1)}], "ddg": [EDGE]})

    assert [
        (v.ligand_a, v.ligand_b, v.system, v.phase, v.repeat, v.value_kcal_mol, v.numbered) for v in table.values
    ] == [
        ("ejm, 50", "#42", "jacs_set/tyk2", "complex", 0, -19.1, True),
        ("ejm, 50", "#42", "jacs_set/tyk2", "complex", 1, -19.2, True),
        ("ejm, 50", "#42", "jacs_set/tyk2", "solvent", 0, -18.5, True),
        ("ejm, 50", "#42", "jacs_set/tyk2", "solvent", 1, -18.6, True),
        ("ejm, 50", "#42", "jacs_set/tyk2", "solvent", 2, -18.7, True),
    ]
    assert notes == ("x.json: left out: computed free energies of ligands, which follow from edges (1)",)


def test_measured_ligands_of_benchmarks_are_experiment() -> None:
    table, _ = read({"21 (Xtal)": {"dg": kcal(-13.07), "reference": "doi"}, "22": {"dg": kcal(-12.0)}})

    assert [(v.ligand, v.value_kcal_mol) for v in table.ligands] == [("21 (Xtal)", -13.07), ("22", -12.0)]


def test_records_that_gather_writes_are_read() -> None:
    table, _ = read([{"ligand_i": "a", "ligand_j": "b", "DDG(i->j) (kcal/mol)": 1.5, "uncertainty (kcal/mol)": None}])

    assert [(v.ligand_a, v.ligand_b, v.value_kcal_mol) for v in table.values] == [("a", "b", 1.5)]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"dg": [{"ligand": "a"}], "ddg": []}, r"free energies of ligands \(1\) and no edges"),
        ({"ddg": [{"ligand_a": "a", "ligand_b": "b"}]}, "no values of legs"),
        ({"a": {"dg": {"magnitude": 1, "unit": "meter"}}}, "an energy has the unknown unit 'meter'"),
    ],
)
def test_what_cannot_be_read_is_refused(value: Any, said: str) -> None:
    with pytest.raises(ResultFileError, match=said):
        read(value)


def test_results_and_networks_are_no_tables(tmp_path: Path) -> None:
    network = QuickrunNetwork([("ana", "bob")])

    assert not is_json_table(network.write_network(tmp_path / "network.json"))
    assert not is_json_table(network.write(tmp_path, "ana", "bob", "complex", [(1.0, 0.1)], packed=True))


def test_a_benchmark_is_imported_and_known_again(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "computational_results.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"dg": [], "ddg": [EDGE]}).encode()))
    import_results(lake, [path], "org-campaign-*")

    again = import_results(lake, [path], "org-campaign-*")

    assert (again.n_good, again.n_known) == (0, 5)


TABLE = "ligand_i,ligand_j,value\ncafé,b,1.5\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_are_utf_8_or_utf_16_with_a_mark(encoding: str) -> None:
    text, _ = table_text(TABLE.encode(encoding), "x.csv")

    assert [v.ligand_a for v in read_edge_table(text, "x.csv").values] == ["café"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (TABLE.encode("latin-1"), r"x\.csv:2: not UTF-8 at byte 27 .*; save it as CSV UTF-8"),
        (TABLE.encode("utf-16-le"), r"x\.csv: not text, it has NUL bytes from byte 1; .* save it as CSV UTF-8"),
        (b"\0" * 100, r"x\.csv: not text, it has NUL bytes from byte 0; the file is damaged"),
    ],
)
def test_other_encodings_are_refused_with_the_remedy(data: bytes, said: str) -> None:
    with pytest.raises(ContentError, match=said):
        table_text(data, "x.csv")

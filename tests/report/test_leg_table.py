"""The report of legs: openfe's rows, columns, values and signs, from the objects of the results."""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from alchemiscale_lake.cli import main
from alchemiscale_lake.importing.imports import import_results
from alchemiscale_lake.query import connect
from alchemiscale_lake.report.leg_table import legs_table
from alchemiscale_lake.report.tables import EstimateTable
from alchemiscale_lake.store import Lake
from tests.lakes import new_lake
from tests.real_data import real_case

SCOPE = "org-campaign-project"
HEADER = ("leg", "ligand", "DG (kcal/mol)", "MBAR uncertainty (kcal/mol)")
#: Printed by openfe 1.12: estimates of the units, and the corrections that are not zero.
ABFE = [
    ("complex", "1", 38.12585833444442, 1.0749358791564338),
    ("complex", "1", 38.963437211682205, 0.8388709501474071),
    ("complex", "1", 39.74112806826327, 1.4523705076851274),
    ("solvent", "1", 9.553804725648222, 1.9262456209605223),
    ("solvent", "1", 10.638577906747235, 1.850782153843929),
    ("solvent", "1", 10.072505536711875, 1.7595042276384434),
    ("standard_state_correction", "1", -9.156610663374021, 0.0),
    ("standard_state_correction", "1", -9.193134806716179, 0.0),
    ("standard_state_correction", "1", -8.99183219841284, 0.0),
]
AHFE = [
    ("solvent", "benzene", -1.6389659304488668, 0.15858774534481787),
    ("solvent", "ligandA", 7.013763208433852, 1.120671576688711),
    ("solvent", "ligandA", 6.432047148632974, 1.108233775970431),
    ("solvent", "ligandA", 6.874168646666236, 0.9984612242188209),
    ("vacuum", "benzene", -2.392584945619364, 0.00026550810663754316),
    ("vacuum", "ligandA", 4.147945875339974, 0.00663620470290796),
    ("vacuum", "ligandA", 4.133877938464886, 0.0071556622239857415),
    ("vacuum", "ligandA", 4.145437521323392, 0.00615964115590088),
]
CASES = [("abfe_protocolresult_chain.json.gz", ABFE), ("absolute_sign", AHFE)]


def imported(folder: Path, *files: Path) -> tuple[Lake, str]:
    lake = new_lake(folder)
    (network,) = import_results(lake, files, SCOPE, network="n").networks
    return lake, network


def legs(lake: Lake, network: str) -> EstimateTable:
    return legs_table(lake, connect(lake), network)


def order_of(leg: str, of: Sequence[Any]) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in of if row[0] == leg)


@pytest.mark.parametrize(("case", "rows"), CASES, ids=["ABFE", "AHFE"])
def test_legs_are_rows_with_openfes_columns_values_and_signs(tmp_path: Path, case: str, rows: list[Any]) -> None:
    found = legs(*imported(tmp_path / "lake", real_case(case)))

    assert found.table.columns == HEADER
    assert found.table.rows == rows
    assert (found.n_failed, found.remarks) == (0, ())


def test_the_command_writes_a_table_that_is_refused_with_the_reason(tmp_path: Path) -> None:
    imported(tmp_path / "lake", real_case("absolute_sign"))
    file = tmp_path / "legs.tsv"

    done = CliRunner().invoke(main, ["gather", "--lake", str(tmp_path / "lake"), "--report", "legs", "-o", str(file)])
    back = CliRunner().invoke(main, ["import-results", str(file), "--lake", str(tmp_path / "other"), "--scope", SCOPE])

    assert (done.exit_code, back.exit_code) == (0, 1), done.output
    assert f"wrote {file} ({len(AHFE)} rows, 0 failed)" in done.stderr
    assert "legs.tsv: legs of Protocols that run several (ABFE, AHFE, SepTop)" in back.stderr


@pytest.mark.skipif(importlib.util.find_spec("openfecli") is None, reason="runs openfe's own gather")
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # openfe leaves its files open
def test_openfe_prints_the_same_rows(tmp_path: Path) -> None:
    from openfecli.commands.gather_abfe import _generate_dg_raw, _get_legs_from_result_jsons

    files = [real_case("absolute_sign") / "benzene.json", tmp_path / "ligandA.json"]
    files[1].write_bytes(gzip.decompress((real_case("absolute_sign") / "ligandA.json.gz").read_bytes()))

    ours = legs(*imported(tmp_path / "lake", *files)).table
    theirs = _generate_dg_raw(_get_legs_from_result_jsons(files), allow_partial=False)

    assert tuple(theirs.columns) == ours.columns
    printed = [(leg, ligand, float(value)) for leg, ligand, value, _ in theirs.itertuples(index=False)]
    own = [(leg, ligand, value) for leg, ligand, value, _ in ours.rows]
    for leg in ("solvent", "vacuum"):
        assert [row[:2] for row in order_of(leg, printed)] == [row[:2] for row in order_of(leg, own)]
        for (*_, value), (*_, mine) in zip(order_of(leg, printed), order_of(leg, own), strict=True):
            assert value == pytest.approx(mine, abs=0.06)


def test_relative_and_absolute_results_have_columns_of_their_own(tmp_path: Path) -> None:
    relative = tmp_path / "edges.csv"
    relative.write_text("ligand_i,ligand_j,value,uncertainty\nbenzene,ligandA,-1.5,0.1\n")

    found = legs(*imported(tmp_path / "lake", relative, real_case("absolute_sign") / "benzene.json")).table

    assert found.columns[:4] == ("leg", "ligand", "ligand_i", "ligand_j")
    assert [row[1:4] for row in found.rows if row[0] == "solvent"] == [("benzene", None, None)]
    assert (None, "benzene", "ligandA") in [row[1:4] for row in found.rows]


def test_results_without_legs_are_shown_whole_with_the_reason(tmp_path: Path) -> None:
    lake, network = imported(tmp_path / "lake", real_case("absolute_sign") / "benzene.json")
    (path,) = lake.table("results").scan().collect()["object_path"].unique()
    for file in (tmp_path / "lake").rglob(Path(path).name):
        file.unlink()

    found = legs(lake, network)

    assert [row[0] for row in found.table.rows] == ["hydration"]
    assert found.table.rows[0][2] == pytest.approx(-0.7536190151704971)
    assert found.remarks[0].startswith("1 result is shown whole, since its legs cannot be read: ")

"""Tables: openfe's headers, rounding to the uncertainty, what failed and what is missing, disconnected networks."""

from __future__ import annotations

import gzip
import io
import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from syrupy.assertion import SnapshotAssertion

from alchemiscale_lake.cli import main
from alchemiscale_lake.errors import EstimationError
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.query import connect
from alchemiscale_lake.report import (
    REPORTS,
    EstimateTable,
    Table,
    ddg_table,
    dg_table,
    lay_out,
    raw_table,
    round_to_uncertainty,
)
from alchemiscale_lake.report.summary import summarise
from alchemiscale_lake.report.table_files import table_bytes
from alchemiscale_lake.store import Lake
from tests.campaign import SCOPE, Campaign, small_campaign
from tests.real_data import real_case

NETWORK = f"AlchemicalNetwork-tyk2-{SCOPE}"


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    made = small_campaign(tmp_path_factory.mktemp("report") / "lake")
    gather_network(made.lake, NETWORK)
    return made


def on_terminal(table: Table, width: int = 100) -> str:
    console = Console(width=width, force_terminal=False, color_system=None)
    screen = lay_out(table, width)
    with console.capture() as captured:
        console.print(screen.rich())
    return captured.get() + "".join(f"{note}\n" for note in screen.notes)


@pytest.mark.parametrize("report", REPORTS)
def test_reports_as_files_and_on_a_terminal(campaign: Campaign, report: str, snapshot: SnapshotAssertion) -> None:
    estimates = REPORTS[report](connect(campaign.lake), NETWORK)

    assert estimates.table.tsv(digits=9) == snapshot(name="tsv")
    assert on_terminal(estimates.table, 80) == snapshot(name="80 columns")
    assert on_terminal(estimates.table, 200) == snapshot(name="200 columns")
    assert (estimates.counted, estimates.remarks) == snapshot(name="said")


def test_headers_are_openfes(campaign: Campaign) -> None:
    con = connect(campaign.lake)

    openfes = ("ligand", "DG(MLE) (kcal/mol)", "uncertainty (kcal/mol)")
    assert dg_table(con, NETWORK).table.columns == (*openfes, "experiment (kcal/mol)")
    assert ddg_table(con, NETWORK).table.columns == (
        "ligand_i",
        "ligand_j",
        "DDG(i->j) (kcal/mol)",
        "uncertainty (kcal/mol)",
    )
    assert raw_table(con, NETWORK).table.columns == (
        "leg",
        "ligand_i",
        "ligand_j",
        "DG(i->j) (kcal/mol)",
        "MBAR uncertainty (kcal/mol)",
    )


def test_a_disconnected_network_stops_dg_and_may_be_taken_part_by_part(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("parts", [("a", "b"), ("c", "d")])
    for task in campaign.new_tasks(network, ["a_b_other", "c_d_other"]):
        campaign.result(task, 1.0, 0.1)
    gather_network(campaign.lake, network)
    con = connect(campaign.lake)

    with pytest.raises(EstimationError, match=r"2 parts .* --report ddg.*--allow-partial"):
        dg_table(con, network)
    partial = dg_table(con, network, allow_partial=True).table

    assert partial.columns[-1] == "component"
    assert [(row[0], row[1], row[-1]) for row in partial.rows] == [
        ("a", -0.5, 0),
        ("b", 0.5, 0),
        ("c", -0.5, 1),
        ("d", 0.5, 1),
    ]
    assert ddg_table(con, network).counted == "2 edges, 0 failed"


def test_a_network_with_two_kinds_has_a_column_for_it(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("kinds", [("a", "b")], ("vacuum", "solvent", "complex"))
    for task in campaign.new_tasks(network, [f"a_b_{phase}" for phase in ("vacuum", "solvent", "complex")]):
        campaign.result(task, 1.0, 0.1)
    gather_network(campaign.lake, network)

    table = ddg_table(connect(campaign.lake), network).table

    assert table.columns[0] == "kind"
    assert [row[0] for row in table.rows] == ["binding", "hydration"]


def test_without_results_the_next_step_is_reported(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("fresh", [("a", "b")])
    con = connect(campaign.lake)

    with pytest.raises(EstimationError, match="no edges between ligands"):
        ddg_table(con, network)
    gather_network(campaign.lake, network)
    with pytest.raises(EstimationError, match=r"no edge of .* has a result yet; see `alchemiscale-lake status .*`"):
        dg_table(connect(campaign.lake), network)


@pytest.mark.parametrize(
    ("value", "uncertainty", "shown"),
    [
        (17.418, 0.058, ("17.418", "0.058")),
        (17.418, 0.096, ("17.418", "0.096")),
        (17.418, 0.0997, ("17.42", "0.10")),
        (17.418, 12.0, ("17", "12")),
        (17.418, 123.0, ("20", "120")),
        (-0.0004, 0.2, ("0.00", "0.20")),
        (1.23456789, 0.0, ("1.235", "0")),
        (1.5, None, ("1.5", "")),
        ("Error", "Error", ("Error", "Error")),
    ],
)
def test_rounding_to_the_uncertainty(value: float, uncertainty: float, shown: tuple[str, str]) -> None:
    assert round_to_uncertainty(value, uncertainty) == shown


@given(st.floats(-1e4, 1e4), st.floats(1e-6, 1e3))
def test_rounding_never_moves_a_value_by_more_than_the_uncertainty_shown(value: float, uncertainty: float) -> None:
    shown, error = round_to_uncertainty(value, uncertainty)

    assert abs(float(shown) - value) <= float(error) * 0.5000001
    assert abs(float(error) - uncertainty) <= uncertainty * 0.5


def test_tsv_keeps_one_line_per_row_and_full_precision() -> None:
    table = Table(("a", "b"), [("x\ty\nz\\", 0.1 + 0.2), (None, True), (["p", "q"], 3)])

    assert table.tsv() == 'a\tb\n"x\\ty\\nz\\\\"\t0.30000000000000004\n\ttrue\n["p", "q"]\t3\n'


def test_names_are_no_markup_on_a_terminal() -> None:
    assert "[bold]lig[/bold]" in on_terminal(Table(("ligand",), [("[bold]lig[/bold]",)]))


# --- good results without an estimate ---------------------------------------------------------------


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, str]:
    """Edges from `a`: one good (b), one of plain MD (c), one that failed (d), and one with a leg of either (e)."""
    made = Campaign.at(tmp_path_factory.mktemp("mixed") / "lake")
    network = made.network("mixed", [("a", other) for other in "bcde"], ("complex", "solvent"))
    for other, phase in product("bcde", ("complex", "solvent")):
        (task,) = made.new_tasks(network, [f"a_{other}_{phase}"])
        if other == "d" or (other == "e" and phase == "complex"):
            made.result(task, ok=False)
        else:
            value = 1.0 if other == "b" else None
            made.result(task, value, value)
    gather_network(made.lake, network)
    return made.lake, network


def cells(estimates: EstimateTable) -> dict[str, set[str]]:
    """What stands where the number would, by ligand j."""
    columns = estimates.table.columns
    at = columns.index("ligand_j" if "ligand_j" in columns else "ligand")
    found: dict[str, set[str]] = {}
    for row in estimates.table.rows:
        number = row[next(k for k, name in enumerate(columns) if name in estimates.table.precision_of)]
        found.setdefault(row[at], set()).add(number if isinstance(number, str) else "number")
    return found


def test_a_result_without_an_estimate_is_not_an_error(mixed: tuple[Lake, str]) -> None:
    lake, network = mixed
    con = connect(lake)

    raw, ddg, dg = raw_table(con, network), ddg_table(con, network), dg_table(con, network)

    assert cells(raw) == {"b": {"number"}, "c": {"-"}, "d": {"Error"}, "e": {"-", "Error"}}
    assert cells(ddg) == {"b": {"number"}, "c": {"-"}, "d": {"Error"}, "e": {"Error"}}
    assert cells(dg) == {"a": {"number"}, "b": {"number"}, "c": {"-"}, "d": {"Error"}, "e": {"Error"}}
    assert [estimates.n_failed for estimates in (raw, ddg, dg)] == [3, 2, 2]
    assert "3 results have no estimate (-), although nothing failed" in " ".join(raw.remarks)
    assert "1 edge has no estimate (-)" in " ".join(ddg.remarks)
    assert "1 ligand has no estimate (-)" in " ".join(dg.remarks)


def test_the_summary_distinguishes_an_error_from_no_estimate(mixed: tuple[Lake, str]) -> None:
    lake, network = mixed

    rows = summarise(lake, network).table.rows

    assert {ligand: value for ligand, value, *_ in rows if isinstance(value, str)} == {
        "c": "-",
        "d": "Error",
        "e": "Error",
    }


def test_no_estimate_is_null_in_files_for_programs_and_a_name_is_not(mixed: tuple[Lake, str]) -> None:
    lake, network = mixed
    table = ddg_table(connect(lake), network).table
    named = replace(table, rows=[("-", *row[1:]) for row in table.rows])

    records = json.loads(table_bytes(named, "ddg.json"))

    assert [record["ligand_i"] for record in records] == ["-"] * 4
    assert [record["DDG(i->j) (kcal/mol)"] is None for record in records] == [False, True, True, True]
    frame = pl.read_parquet(io.BytesIO(table_bytes(named, "ddg.parquet")))
    assert frame["DDG(i->j) (kcal/mol)"].null_count() == 3
    assert frame["ligand_i"].to_list() == ["-"] * 4


def test_plain_md_of_openfe_prints_no_error(tmp_path: Path) -> None:
    content = gzip.decompress(real_case("MDProtocol_json_results.gz").read_bytes())
    (tmp_path / "md.json").write_bytes(content)
    environment = {"ALCHEMISCALE_LAKE": str(tmp_path / "lake")}
    imported = CliRunner().invoke(
        main, ["import-results", str(tmp_path / "md.json"), "--scope", SCOPE], env=environment
    )
    assert imported.exit_code == 0, imported.stderr

    gathered = CliRunner().invoke(main, ["gather", "--report", "raw"], env=environment)

    assert gathered.exit_code == 0
    assert gathered.stdout.splitlines()[1:] == ["vacuum\tligandA\t\t-\t-"]
    assert "1 result has no estimate (-), although nothing failed" in gathered.stderr


@pytest.mark.parametrize(
    ("n_results", "words"), [(3, "an error that the repeats of an edge share"), (1, "are not checked")]
)
def test_edges_come_with_the_notes_on_their_uncertainties(tmp_path: Path, n_results: int, words: str) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("star", [("a", "b"), ("a", "c")], ("complex", "solvent"))
    for edge in ("a_b", "a_c"):
        for phase, value in (("complex", 3.0), ("solvent", 1.0)):
            for repeat in range(n_results):
                (task,) = campaign.new_tasks(network, [f"{edge}_{phase}"])
                campaign.result(task, value + 0.2 * repeat, 0.1, end_task=False)
    gather_network(campaign.lake, network)

    remarks = ddg_table(connect(campaign.lake), network).remarks

    assert sum(words in remark for remark in remarks) == 1


def test_experimental_values_without_an_uncertainty_have_two_decimals() -> None:
    values = [(-9.0, None), (-9.7, 0.0), (-11.2847, None), (-8.123, 0.31)]
    given = Table(("x", "sd"), values, precision_of={"x": "sd"}, decimals={"x": 2})
    alone = Table(("x",), [(value,) for value, _ in values], decimals={"x": 2})

    assert [given.cells(row)[0] for row in values[:3]] == ["-9.00", "-9.70", "-11.28"]
    assert given.cells(values[3]) == ["-8.12", "0.31"]
    assert [alone.cells(row)[0] for row in alone.rows] == ["-9.00", "-9.70", "-11.28", "-8.12"]

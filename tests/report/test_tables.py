"""Tables: openfe's headers, rounding to the uncertainty, what failed and what is missing, disconnected networks."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from syrupy.assertion import SnapshotAssertion

from alchemiscale_lake.errors import EstimationError
from alchemiscale_lake.ledger.estimates import gather_network
from alchemiscale_lake.query import connect
from alchemiscale_lake.report import REPORTS, Table, ddg_table, dg_table, lay_out, raw_table, round_to_uncertainty
from tests.campaign import SCOPE, Campaign, small_campaign

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

    with pytest.raises(EstimationError, match=r"2 parts .* --report=ddg.*--allow-partial"):
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


def test_a_network_with_two_kinds_says_which(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("kinds", [("a", "b")], ("vacuum", "solvent", "complex"))
    for task in campaign.new_tasks(network, [f"a_b_{phase}" for phase in ("vacuum", "solvent", "complex")]):
        campaign.result(task, 1.0, 0.1)
    gather_network(campaign.lake, network)

    table = ddg_table(connect(campaign.lake), network).table

    assert table.columns[0] == "kind"
    assert [row[0] for row in table.rows] == ["binding", "hydration"]


def test_without_results_the_next_step_is_told(tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "lake")
    network = campaign.network("fresh", [("a", "b")])
    con = connect(campaign.lake)

    with pytest.raises(EstimationError, match="no edges between ligands"):
        ddg_table(con, network)
    gather_network(campaign.lake, network)
    with pytest.raises(EstimationError, match=r"no edge of .* has a result yet; see `alchemiscale-lake status`"):
        dg_table(connect(campaign.lake), network)


@pytest.mark.parametrize(
    ("value", "uncertainty", "shown"),
    [
        (17.418, 0.058, ("17.418", "0.058")),
        (17.418, 0.096, ("17.418", "0.096")),
        (17.418, 0.0997, ("17.42", "0.10")),
        (17.418, 12.0, ("17", "12")),
        (17.418, 123.0, ("20", "120")),
        (-0.0004, 0.2, ("-0.00", "0.20")),
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

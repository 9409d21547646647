"""Models other than maximum likelihood, on a network with known true values."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from alchemiscale_lake.cli import main
from alchemiscale_lake.errors import EstimationError
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.report.other_models import model_table
from tests.campaign import Campaign

LIGANDS = "abcdef"
PAIRS = [(a, b) for i, a in enumerate(LIGANDS) for b in LIGANDS[i + 1 :]]
TRUTH = {ligand: float(place) for place, ligand in enumerate(LIGANDS)}


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return Campaign.at(tmp_path / "lake")


def gathered(campaign: Campaign, *, gross: float = 0.0) -> str:
    """Return a clique of ligands whose edges are correct except for the first."""
    network = campaign.network("net", PAIRS, ("other",))
    for a, b in PAIRS:
        (task,) = campaign.new_tasks(network, [f"{a}_{b}_other"])
        error = gross if (a, b) == PAIRS[0] else 0.0
        campaign.result(task, TRUTH[b] - TRUTH[a] + error, 0.1, end_task=False)
    gather_network(campaign.lake, network, rule="own")
    return network


def test_a_gross_edge_is_named_and_moves_robust_values_less(campaign: Campaign) -> None:
    network = gathered(campaign, gross=5.0)
    con = connect(campaign.lake)

    found = model_table(con, network, "robust")

    likelihood = dict(ask(con, "ligand_ranking", network=network).select("ligand", "value_kcal_mol").iter_rows())
    robust = {row[0]: row[1] for row in found.table.rows}
    assert abs(robust["b"] - robust["a"] - 1.0) < 0.1
    assert likelihood["b"] - likelihood["a"] - 1.0 > 1.0
    assert found.remarks[0].startswith("edges with reduced weight: a -> b (0.0")
    assert found.counted == "6 ligands, 0 failed"


def test_experiment_as_a_prior_takes_part_with_its_uncertainty(campaign: Campaign) -> None:
    campaign.assay("a", -10.0, kind="direct", uncertainty=0.2)
    campaign.assay("f", -3.0, kind="direct", uncertainty=0.2)
    network = gathered(campaign)

    found = model_table(connect(campaign.lake), network, "bayesian")

    # edges state f - a = 5 with a variance of 0.1**2 / 3, assays 7 with 2 * 0.2**2
    weights = (3 / 0.1**2, 1 / (2 * 0.2**2))
    expected = (5.0 * weights[0] + 7.0 * weights[1]) / sum(weights)
    values = {row[0]: row[1] for row in found.table.rows}
    assert values["f"] - values["a"] == pytest.approx(expected, abs=1e-9)
    assert (values["f"] + values["a"]) / 2 == pytest.approx(-6.5, abs=1e-9)
    assert found.remarks[0] == "2 measured ligands used as a prior, with the uncertainty of each; values are absolute"


def test_what_is_missing_is_said(campaign: Campaign) -> None:
    empty = campaign.network("empty", [("x", "y")], ("other",))
    gather_network(campaign.lake, empty)
    network = gathered(campaign)

    with pytest.raises(EstimationError, match=r"no ligand of .* has an experimental value"):
        model_table(connect(campaign.lake), network, "bayesian")
    with pytest.raises(EstimationError, match=r"no edge of .* has a value and an uncertainty"):
        model_table(connect(campaign.lake), empty, "robust")


def test_the_command_shows_a_model_and_records_nothing(campaign: Campaign) -> None:
    network = gathered(campaign)
    rounds = len(campaign.lake.table("network_estimates").scan().collect())
    words = ["gather", network, "--rule", "own", "--lake", campaign.lake.url]

    shown = CliRunner().invoke(main, [*words, "--model", "robust"])
    refused = CliRunner().invoke(main, [*words, "--model", "robust", "--report", "ddg"])

    assert shown.exit_code == 0, shown.output
    assert shown.stdout.splitlines()[0].startswith("ligand\tDG (kcal/mol)\t")
    assert "nothing was stored" in shown.stderr
    assert len(campaign.lake.table("network_estimates").scan().collect()) == rounds
    assert refused.exit_code == 2

"""Rankings of a network in a lake."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from alchemiscale_lake.errors import EstimationError
from alchemiscale_lake.estimates import estimate_versions as estimate_versions
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.estimates.model_errors import choose_model_error
from alchemiscale_lake.estimates.ranked_ligands import rank_network
from alchemiscale_lake.estimators.network.ranking import rank_nodes
from alchemiscale_lake.estimators.statistics.model_error import PUBLISHED_BINDING
from alchemiscale_lake.query import connect
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake
from tests.campaign import SCOPE, Campaign

EDGES = {("a", "b"): 0.1, ("b", "c"): 0.3, ("c", "d"): -0.2, ("d", "a"): -0.1, ("x", "y"): 0.05}


@pytest.fixture
def network(lake: Lake) -> str:
    """Return a square of close ligands, a separate pair, and one edge that has not run."""
    campaign = Campaign(lake)
    network = campaign.network("square", [*EDGES, ("x", "z")])
    for (a, b), value in EDGES.items():
        for task in campaign.new_tasks(network, [f"{a}_{b}_other"] * 2):
            campaign.result(task, value, 0.2)
    return network


def test_each_component_is_ranked_by_its_covariance(lake: Lake, network: str) -> None:
    gather_network(lake, network)

    ranked = rank_network(connect(lake), network, top=2)

    square = ranked.ligands.filter(pl.col("component") == 0)
    assert ranked.ligands["component"].to_list() == [0, 0, 0, 0, 1, 1]
    assert square["expected_rank"].is_sorted()
    sums = ranked.ligands.group_by("component", maintain_order=True).agg(pl.col("p_best", "p_top").sum())
    np.testing.assert_allclose(sums.select("p_best", "p_top").to_numpy(), [[1.0, 2.0], [1.0, 2.0]])
    rows = lake.table("network_estimates").scan().filter(pl.col("component") == 0).sort("node").collect()
    expected = rank_nodes(rows["value_kcal_mol"], np.array(rows["covariance_kcal2_mol2"].to_list()), top=2)
    found = dict(square.select("ligand", "p_best").iter_rows())
    assert [found[ligand] for ligand in rows["ligand"]] == expected.p_best.tolist()
    assert (ranked.n_without, ranked.max_standard_error) == (1, 0.005)


def test_without_a_covariance_the_edges_give_the_same_ranks(
    lake: Lake, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gather_network(lake, network)
    kept = rank_network(connect(lake), network).ligands
    lake.table("network_estimates").append_new(
        lake.table("network_estimates")
        .scan()
        .with_columns(round=pl.lit(2, pl.Int64), covariance_kcal2_mol2=pl.lit(None, pl.List(pl.Float64)))
        .collect()
    )
    edges = lake.table("edge_estimates").scan().with_columns(round=pl.lit(2, pl.Int64)).collect()
    lake.table("edge_estimates").append_new(edges)

    ranked = rank_network(connect(lake), network)

    assert ranked.max_standard_error == pytest.approx(0.5 / 2_000**0.5)
    assert ranked.ligands["ligand"].to_list() == kept["ligand"].to_list()
    np.testing.assert_allclose(ranked.ligands["p_best"], kept["p_best"], atol=0.06)
    assert estimate_versions.MAX_COVARIANCE_LIGANDS == 1000  # as the docstring says


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "can be ranked: none has a value; .*alchemiscale-lake gather"), (1.0, "run more repeats")],
)
def test_a_network_that_cannot_be_ranked_is_reported_with_the_remedy(
    lake: Lake, value: float | None, said: str
) -> None:
    network = f"AlchemicalNetwork-none-{SCOPE}"
    rows = TABLES["network_estimates"].sample(1, network=network, value_kcal_mol=value, uncertainty_kcal_mol=None)
    lake.table("network_estimates").append_new(rows)
    lake.table("networks").append_new(TABLES["networks"].sample(1, scope=SCOPE, network=network))

    with pytest.raises(EstimationError, match=said):
        rank_network(connect(lake), network)


def test_a_model_error_is_drawn_for_every_component_where_it_is_asked_for(lake: Lake, network: str) -> None:
    gather_network(lake, network)
    con = connect(lake)
    plain = rank_network(con, network)

    ranked = rank_network(con, network, model_error=5.0)

    assert plain.model_errors == ()
    assert [(one.component, one.error.sd_kcal_mol, one.source) for one in ranked.model_errors] == [
        (0, 5.0, "as asked for"),
        (1, 5.0, "as asked for"),
    ]
    assert ranked.ligands["p_best"].max() < plain.ligands["p_best"].max()  # type: ignore[operator]


def test_an_automatic_model_error_without_benchmarks_and_assays_is_refused(lake: Lake, network: str) -> None:
    gather_network(lake, network)

    with pytest.raises(
        EstimationError, match=r"no model error for direct: .* 0 ligands have assays, where 5 are needed"
    ):
        rank_network(connect(lake), network, model_error="auto")


@pytest.mark.parametrize("n_assays", [0, 1, 2, 6])
def test_assays_and_benchmarks_give_the_model_error_of_binding(n_assays: int) -> None:
    group = pl.DataFrame(
        {
            "kind": "binding",
            "component": 0,
            "value_kcal_mol": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
            "uncertainty_kcal_mol": 0.1,
            "experiment_kcal_mol": [0.1, 1.1, 2.0, 3.0, 4.1, 5.1][:n_assays] + [None] * (6 - n_assays),
            "experiment_uncertainty_kcal_mol": None,
        },
        schema_overrides={"experiment_kcal_mol": pl.Float64},
    )

    chosen = choose_model_error("auto", group, None)

    assert chosen is not None
    assert (chosen.error == PUBLISHED_BINDING) == (n_assays < 2)
    assert chosen.source.startswith("published" if n_assays < 2 else f"{n_assays} ligands with assays, and published")
    assert chosen.error.sd_kcal_mol <= 0.93

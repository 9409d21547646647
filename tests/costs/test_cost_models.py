from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.costs.cost_history import cost_history, usual_gpus, with_targets
from alchemiscale_lake.costs.cost_models import cost_models, model_at_hand, newest_model, read_model, train_cost_model
from alchemiscale_lake.costs.cost_rows import cost_rows
from alchemiscale_lake.errors import EstimationError, NotFoundError
from alchemiscale_lake.store import Lake
from tests.campaign import Campaign
from tests.cost_lake import add_hosts, law_gpu_hours, leg, openfe_lake, result


def test_without_a_result_there_is_the_physical_prior(lake: Lake) -> None:
    done = train_cost_model(lake)

    assert not done.trained
    assert not newest_model(lake).is_trained
    assert newest_model(lake).card.n_rows == 0
    with pytest.raises(EstimationError, match="there is nothing to train on"):
        train_cost_model(lake, force=True)


def test_a_model_is_kept_and_read_as_it_was_trained(lake: Lake) -> None:
    legs = openfe_lake(lake)

    done = train_cost_model(lake, caller=Caller("ada"))

    assert (done.trained, done.why, done.n_results) == (True, "the first model", 36)
    row = cost_models(lake).row(0, named=True)
    assert (row["actor"], row["n_rows"], row["n_results"], row["n_transformations"]) == ("ada", 36, 36, 36)
    assert row["n_targets"] == 6
    assert row["gpu_models"] == ["NVIDIA L40S"]
    assert row["protocols"] == ["RelativeHybridTopologyProtocol"]
    assert row["confidence_fraction"] == 0.9
    assert 0.0 <= row["error_fraction"] < row["constant_error_fraction"]
    assert "numpy" in json.loads(row["versions_json"])
    read = newest_model(lake)
    assert read.name == row["model"]
    frame = with_targets(pl.DataFrame(legs)).with_columns(gpu_model=pl.lit("NVIDIA L40S"), packing=pl.lit(1.0))
    trained, again = (model.model.predict_distribution(cost_rows(frame)) for model in (done.known, read))
    assert again.median == pytest.approx(trained.median, rel=1e-6)
    truth = np.array([law_gpu_hours(row, "NVIDIA L40S") for row in legs])
    assert np.median(np.abs(again.median / truth - 1)) < 0.1
    assert ((again.low < truth) & (truth < again.high)).mean() > 0.8
    assert not again.extrapolates.any()


def test_it_is_due_again_after_a_fifth_more_results(lake: Lake) -> None:
    legs = openfe_lake(lake)
    first = train_cost_model(lake).known.name

    again = train_cost_model(lake)
    assert (again.trained, again.known.name) == (False, first)
    assert again.why == "there is little new data: 36 results now, 36 when it was trained"

    lake.table("results").append_new([result(legs[0], 100 + i) for i in range(7)])
    assert not train_cost_model(lake).trained
    lake.table("results").append_new([result(legs[0], 200)])
    more = train_cost_model(lake)
    assert (more.trained, more.why) == (True, "44 results now, 36 when the last model was trained")
    assert newest_model(lake).name == more.known.name != first
    assert cost_models(lake)["model"].to_list() == [more.known.name, first]


def test_three_results_of_a_new_kind_make_training_due_immediately(lake: Lake) -> None:
    legs = openfe_lake(lake)
    train_cost_model(lake)

    lake.table("results").append_new([result(legs[0], 100 + i, "NVIDIA A100-SXM4-80GB") for i in range(3)])

    done = train_cost_model(lake)
    assert (done.trained, done.why) == (True, "results of NVIDIA A100-SXM4-80GB, which the last model has not seen")
    assert not train_cost_model(lake).trained
    assert train_cost_model(lake, force=True).trained


def test_a_model_of_an_older_release_is_shown_and_replaced(lake: Lake) -> None:
    openfe_lake(lake)
    train_cost_model(lake)
    row = lake.table("cost_models").scan().collect().to_dicts()[0]
    older = row["parameters_json"].replace('"format": 2', '"format": 1')
    newest = row["trained_at"] + timedelta(days=1)
    lake.table("cost_models").append_new([row | {"model": "old", "trained_at": newest, "parameters_json": older}])

    assert read_model(lake, "old").card == read_model(lake, row["model"]).card
    assert not newest_model(lake).is_trained
    assert model_at_hand(lake, cost_history(lake)).is_trained
    done = train_cost_model(lake)

    assert (done.trained, done.why) == (True, "the last model is from an older release")


def test_a_model_is_found_by_the_beginning_of_its_name(lake: Lake) -> None:
    openfe_lake(lake)
    name = train_cost_model(lake).known.name
    train_cost_model(lake, force=True)

    assert name is not None
    assert read_model(lake, name[:8]).name == name
    assert read_model(lake).name != name
    with pytest.raises(NotFoundError, match="there is no cost model 'nothing'"):
        read_model(lake, "nothing")
    with pytest.raises(NotFoundError, match="matches"):
        read_model(lake, "")


def test_what_is_evidence(lake: Lake) -> None:
    row, harmonic = leg("a"), leg("b", protocol_qualname="HarmonicProtocol")
    lake.table("transformations").append_new([row, harmonic])
    add_hosts(lake)
    lake.table("results").append_new(
        [
            result(row, 1, wall_time_s=7200.0, gpu_time_s=1800.0),  # a quarter of a GPU
            result(row, 2, gpu_time_s=None, host=None),  # imported: GPU unknown
            result(row, 3, wall_time_s=0.0),
            result(row, 4, ok=False, exception="it failed"),
            result(harmonic, 5, wall_time_s=36.0, gpu_time_s=None),
            result(harmonic, 6, wall_time_s=36.0, gpu_time_s=None, host=None),
            result(leg("gone"), 7),
        ]
    )

    history = cost_history(lake)

    assert history.n_results == 5
    found = {r["ended_at"].hour: (r["hours"], r["gpu_model"], r["packing"]) for r in history.rows.to_dicts()}
    assert sorted(found.values()) == [(0.01, "cpu", 1.0), (0.01, "cpu", 1.0), (0.5, "NVIDIA L40S", 4.0)]
    assert usual_gpus(history.rows, "pool") == {"cluster": "NVIDIA L40S"}


def test_a_cpu_campaign_trains_too(lake: Lake) -> None:
    campaign = Campaign(lake)
    network = campaign.network("n", [("a", "b"), ("b", "c")])
    for i, task in enumerate(campaign.new_tasks(network, ["a_b_other", "b_c_other"] * 3)):
        campaign.result(task, 1.0, 0.1, wall_time_s=50.0 + i, gpu_time_s=None)

    known = train_cost_model(lake).known

    assert known.card.protocols == {"HarmonicProtocol": 6}
    assert cost_models(lake)["gpu_models"].to_list() == [["cpu"]]


def test_scopes_share_a_model_and_no_names(lake: Lake) -> None:
    secret = leg("a", scope="secret-campaign-project", target=3)
    lake.table("transformations").append_new([secret])
    add_hosts(lake)
    lake.table("results").append_new([result(secret, i) for i in range(1, 6)])

    train_cost_model(lake)

    said = json.dumps(lake.table("cost_models").scan().collect().to_dicts(), default=str)
    assert "secret" not in said
    assert "ProteinComponent" not in said
    assert "SmallMolecule" not in said
    same_protein = with_targets(pl.DataFrame([secret, leg("a", target=3)]))
    assert same_protein["system"].n_unique() == 2

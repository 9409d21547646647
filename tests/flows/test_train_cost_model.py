from __future__ import annotations

from pathlib import Path

from alchemiscale_lake.costs.cost_models import newest_model
from alchemiscale_lake.flows.train_cost_model import train_cost_model
from alchemiscale_lake.prefect_api.local_api import Api
from alchemiscale_lake.store import Lake
from tests.cost_lake import openfe_lake
from tests.prefect_requests import post


def test_the_flow_trains_when_it_is_due_and_shows_the_card(api: Api, tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    assert not train_cost_model(lake=lake.url).trained
    openfe_lake(lake, n_targets=3)

    first = train_cost_model(lake=lake.url)
    again = train_cost_model(lake=lake.url)

    assert (first.trained, again.trained) == (True, False)
    assert newest_model(lake).name == first.known.name == again.known.name
    found = post(api, "artifacts/filter", artifacts={"key": {"any_": ["cost-model"]}})
    shown = {each["description"]: each["data"] for each in found}
    assert len(shown) == 3
    assert "no model was trained: no result has a measured cost" in shown
    (card,) = [data for said, data in shown.items() if said.startswith(f"trained model {first.known.name}")]
    assert "RelativeHybridTopologyProtocol (18)" in card

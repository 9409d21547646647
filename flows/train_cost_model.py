"""Flow `train_cost_model`: train a cost model from new results; schedule it every few hours."""

from __future__ import annotations

from prefect import flow

from ..caller import Caller
from ..costs.cost_models import Training
from ..costs.cost_models import train_cost_model as train
from ..flow_steps.artifacts import publish_table
from ..prefect_api.credentials import load_credentials
from ..report.cost import model_table, training_line
from ..store import Lake

__all__ = ["train_cost_model"]


@flow(
    name="train-cost-model",
    description="Train a cost model from new results.",
    flow_run_name="train-cost-model",
    persist_result=False,
)
def train_cost_model(lake: str = "./lake", force: bool = False) -> Training:
    """Train a cost model, if there are a fifth more results than the last model had.

    Three results of a Protocol or GPU model that the last model has not seen are also enough.

    Args:
        lake: Lake: a folder on the machine where the flow runs, or the URL of a bucket.
        force: Train even if there are fewer than a fifth more results.
    """
    load_credentials()
    training = train(Lake.open(lake), force=force, caller=Caller("train-cost-model"))
    table = model_table(training.known)
    rows = [{"fact": fact, "value": None if value is None else str(value)} for fact, value in table.rows]
    publish_table("cost-model", rows, description=training_line(training))
    return training

"""Flow `submit_network`: store a network file in the lake, and optionally create Tasks."""

from __future__ import annotations

from prefect import flow

from ..caller import Caller
from ..flow_steps.artifacts import code, publish_markdown
from ..ids import Scope
from ..networks import read_network
from ..plurals import count
from ..prefect_api.credentials import load_credentials
from ..statestore.submit import Submission
from ..statestore.submit import submit_network as submit
from ..statestore.task_operations import ensure_tasks
from ..store import Lake

__all__ = ["submit_network"]


@flow(
    name="submit-network",
    description="Store a network in the lake, and optionally create Tasks.",
    flow_run_name="submit-{scope}",
    persist_result=False,
)
def submit_network(
    network: str, scope: str, lake: str = "./lake", name: str | None = None, tasks_per_transformation: int = 0
) -> Submission:
    """Store a network, and create and action Tasks up to a number per Transformation.

    Args:
        network: File or folder of the network, on the machine where the flow runs.
        scope: Scope to store the network in, as org-campaign-project.
        lake: Lake: a folder on the machine where the flow runs, or the URL of a bucket. Created if it does not exist.
        name: Name of the network in the lake. Empty: the network's own name.
        tasks_per_transformation: Number of Tasks per Transformation, including existing ones. 0 creates none.
    """
    load_credentials()
    given, where = read_network(network), Scope.parse(scope).require_specific()  # bad input must leave no empty lake
    place = Lake.create(lake, exist_ok=True)
    submission = submit(place, given, where, name=name)
    if tasks_per_transformation:
        ensure_tasks(place, submission.network, tasks_per_transformation, caller=Caller("submit-network"))
    publish_markdown(
        f"{submission.name or 'network'}-submitted",
        f"{code(submission.network)}\n\n{count(submission.n_transformations, 'Transformation')} "
        f"({submission.n_new_transformations} new), {count(submission.n_new_objects, 'new object')}."
        + (f"\n\n{submission.note_on_keys}." if submission.note_on_keys else ""),
        description="Stored objects",
    )
    return submission

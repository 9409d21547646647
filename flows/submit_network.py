"""Flow `submit_network`: a network file becomes rows of the lake, and Tasks if asked for."""

from __future__ import annotations

from prefect import flow

from alchemiscale_lake.ledger.submit import Submission
from alchemiscale_lake.ledger.submit import submit_network as submit
from alchemiscale_lake.ledger.tasks import ensure_tasks
from alchemiscale_lake.store import Lake

from ._artifacts import code, publish_markdown
from ._credentials import load_credentials

__all__ = ["submit_network"]


@flow(name="submit-network", flow_run_name="submit-{scope}", persist_result=False)
def submit_network(
    network: str, scope: str, lake: str = "./lake", name: str | None = None, tasks_per_transformation: int = 0
) -> Submission:
    """Store a network, and see to it that each of its Transformations has so many Tasks, actioned.

    Parameters
    ----------
    network : str
        File or folder, as seen from the machine where the flow runs.
    scope : str
        `org-campaign-project`.
    lake : str
        Folder or URL; created if there is none.
    name : str, optional
        Name of the network in the lake; its own by default.
    tasks_per_transformation : int
        0 creates none.
    """
    load_credentials()
    place = Lake.create(lake, exist_ok=True)
    submission = submit(place, network, scope, name=name)
    if tasks_per_transformation:
        ensure_tasks(place, submission.network, tasks_per_transformation, creator="submit-network")
    publish_markdown(
        f"{submission.name or 'network'}-submitted",
        f"{code(submission.network)}\n\n{submission.n_transformations} Transformations "
        f"({submission.n_new_transformations} new), {submission.n_new_objects} new objects.",
        description="What the submission stored",
    )
    return submission

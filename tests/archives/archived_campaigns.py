"""Campaigns to archive: an invented one with everything that a table can have, and one that really ran."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.execution import Assignment, AttemptSpec, Resources, execute_assignment
from alchemiscale_lake.query import connect, read_sql
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.new_tasks import ensure_tasks
from alchemiscale_lake.statestore.receipts import find_receipts
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.store import Lake
from tests.example_networks import harmonic_network

__all__ = ["ADA", "ANSWERS", "SCOPE", "answers", "real_campaign"]

SCOPE = "org-campaign-project"
ADA = Caller("ada")
#: Questions that have the same answer in a lake and in one that an archive of it was imported into: numbers of commits
#: and the state of the network differ.
ANSWERS = {
    "ranking": "select * exclude (as_of_seq) from ligand_ranking order by all",
    "edges": "select * from latest_edges order by all",
    "findings": "select * from latest_findings order by all",
    "results": "select * from results order by all",
    "units": "select * from unit_results order by all",
    "replicates": "select * from replicates order by all",
    "failures": "select * from failures order by all",
    "legs": "select * exclude (as_of_seq) from current_transformation_estimates order by all",
    "states": "select task, status, priority, attempt from task_states order by all",
    "actions": "select task, network, weight from actions order by all",
    "history": 'select task, event, status, reason, actor, "at" from task_log order by all',
    "assays": "select * from current_assays order by all",
    "rounds": "select * exclude (as_of_seq, plan_seq) from strategy_rounds order by all",
    "hosts": "select * from hosts order by all",
    "packages": "select * from package_versions order by all",
    "objects": "select scope, key, digest from gufe_objects order by all",
    "strategies": 'select network, event, strategy, pattern, max_retries, actor, "at" from network_log '
    "where reason is null or reason not like 'imported %' order by all",
}


def answers(lake: Lake) -> dict[str, pl.DataFrame]:
    connection = connect(lake)
    return {name: read_sql(connection, sql) for name, sql in ANSWERS.items()}


def real_campaign(lake: Lake, folder: Path) -> str:
    """Run a small network to its end, but for one Task that waits; return the network's ScopedKey."""
    network = submit_network(lake, harmonic_network(3, 3, n_samples=20, name="triangle"), SCOPE, caller=ADA).network
    ensure_tasks(lake, network, 1, caller=ADA)
    claims = claim_tasks(lake, "here", 10, lease_s=3600, caller=ADA)
    secret = lake.receipt_key.secret_of
    specs = tuple(AttemptSpec(c.attempt, c.task, c.transformation, c.scope, secret=secret(c.attempt)) for c in claims)
    execute_assignment(Assignment(lake.url, "here", specs, Resources(cores=1), work_root=str(folder)))
    record_receipts(lake, find_receipts(lake, {spec.attempt: spec.scope for spec in specs}), caller=ADA)
    ensure_tasks(lake, network, 2, caller=ADA)
    claim_tasks(lake, "here", 1, lease_s=3600, caller=ADA)
    gather_network(lake, network)
    return network

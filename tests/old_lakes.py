"""A lake of each format, kept for ever, with its answers to fixed questions: `tests/data/lake-format-<n>.*`.

`python -m tests.old_lakes` makes the one of the current format, once: two networks, Tasks in every status, results,
replicates, failures, estimates, findings, assays, hosts, and decisions of users. Make it before a version is released;
from then on, a change of any table needs the next format.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tarfile
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.importing.assays import import_assays
from alchemiscale_lake.query import connect
from alchemiscale_lake.schemas import FORMAT
from alchemiscale_lake.schemas.receipt import Receipt
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.host_records import quarantine_host
from alchemiscale_lake.statestore.network_state import set_network_state, set_network_weight
from alchemiscale_lake.statestore.restarts import add_task_restart_patterns
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import (
    cancel_tasks,
    ensure_tasks,
    set_tasks_priority,
    set_tasks_status,
)
from alchemiscale_lake.store import Lake, maintain
from tests.plain import leave_receipt, plain_chain, plain_receipt
from tests.schema_formats import archive_of

__all__ = ["QUESTIONS", "answers", "answers_of", "make"]

#: SQL that every lake must answer for ever. If a view changes its columns, its question changes, never the answer.
QUESTIONS = {
    "Tasks": "select scope, status, count(*) from task_states group by all",
    "priorities": "select task, priority, extends from task_states where status = 'waiting'",
    "actions": "select network, status, weight, count(*) from actions group by all",
    "networks": "select scope, name, state, weight, n_transformations from network_states",
    "progress": "select name, n_waiting, n_running, n_complete, n_error, n_invalid, n_deleted from network_status",
    "results": "select task, attempt, estimate_kcal_mol, uncertainty_kcal_mol, wall_time_s, ended_at "
    "from counted_results",
    "failures": "select task, unit, exception, hostname from failures",
    "units": "select attempt, unit, name, ok, exception from unit_results",
    "replicates": "select attempt, replicate, value_kcal_mol, uncertainty_kcal_mol from replicates",
    "legs": "select name, phase, value_kcal_mol, uncertainty_kcal_mol, n_results, values_kcal_mol, rule "
    "from current_transformation_estimates",
    "edges": "select network, ligand_i, ligand_j, value_kcal_mol, uncertainty_kcal_mol, rule, status from latest_edges",
    "ligands": "select network, kind, rank, ligand, value_kcal_mol, uncertainty_kcal_mol, absolute from ligand_ranking",
    "findings": "select network, checked, kind, subject, value_kcal_mol, flagged from latest_findings",
    "experiments": "select network, kind, ligand, experiment_kcal_mol from newest_experiments",
    "compared": "select network, ligand, value_kcal_mol, experiment_kcal_mol from compared_ligands where newest",
    "hosts": "select hostname, n_cores, gpu_model, os from hosts",
    "decisions about hosts": "select hostname, event, actor, reason, ends_at from host_log",
    "decisions about networks": "select network, event, state, weight, pattern, max_retries, actor from network_log",
    "objects": "select scope, key, qualname, gufe_version from gufe_objects",
    "history": "select format, what from migrations where format = 1 or what = 'created'",
}
ADA = Caller("ada")
SCOPES = ("org-campaign-project", "org-other-project")
ASSAYS = "ligand,value_kcal_mol,uncertainty_kcal_mol\na,-8.0,0.2\nb,-6.5,0.2\nc,-8.3,0.3\n"
REPEATS = ((1.0, 0.1), (1.4, 0.1), (1.3, None))


def answers(lake: Lake) -> dict[str, list[list[Any]]]:
    """Answer every question; rows in a fixed order, times as text."""
    connection = connect(lake)
    found = {}
    for name, sql in QUESTIONS.items():
        rows = connection.sql(sql).fetchall()
        found[name] = sorted((json.loads(json.dumps(row, default=str)) for row in rows), key=str)
    return found


def answers_of(format_: int) -> Path:
    """Return where the answers of a lake are kept."""
    return archive_of(format_).with_suffix("").with_suffix(".json")


def make(folder: Path) -> Lake:
    """Make a lake of the current format."""
    lake = Lake.create(folder)
    _triangle(lake, folder)
    _every_status(lake)
    maintain(lake, tell=lambda _: None)
    # a tail of the log beyond its snapshot
    waiting = lake.task_log.states().tasks.filter(status="waiting")["task"]
    set_tasks_priority(lake, [min(waiting)], 3, caller=ADA)
    return lake


def _triangle(lake: Lake, folder: Path) -> None:
    """A network that was computed: all results, experiment, estimates in two versions, findings."""
    network = submit_network(
        lake, plain_chain([("a", "b"), ("b", "c"), ("a", "c")], name="triangle"), SCOPES[0], caller=ADA
    )
    ensure_tasks(lake, network.network, 2, caller=ADA)
    estimates = iter((1.5, 1.6, -1.8, -1.7, -0.2, 0.4))
    while claims := claim_tasks(lake, "here", 3, lease_s=3600, caller=ADA):
        specs = [AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope) for claim in claims]
        receipts = [
            _left(lake, plain_receipt(spec, estimate=next(estimates), hostname=f"node-{i}"))
            for i, spec in enumerate(specs)
        ]
        record_receipts(lake, receipts, caller=ADA)
        gather_network(lake, network.network)
    experiment = folder / "experiment.csv"
    experiment.write_text(ASSAYS)
    import_assays(lake, experiment, SCOPES[0], caller=ADA, source="a paper")
    experiment.unlink()
    gather_network(lake, network.network)
    set_network_weight(lake, [network.network], 0.75, caller=ADA)
    set_network_state(lake, [network.network], "inactive", caller=ADA)


def _left(lake: Lake, receipt: Receipt) -> Receipt:
    """Store what a worker leaves: the result's object, its files, the receipt."""
    result = dict(receipt.result)
    if result["object_path"] is not None:
        result |= _stored(lake, result["object_path"], b"a result")
    files = [{**file, **_stored(lake, str(file["object_path"]), b"a file")} for file in receipt.files]
    receipt = replace(receipt, result=result, files=files)
    leave_receipt(lake, receipt)
    return receipt


def _stored(lake: Lake, path: str, content: bytes) -> dict[str, Any]:
    lake.objects.put_exclusive(path, content)
    return {"digest": hashlib.sha256(content).hexdigest(), "n_bytes": len(content)}


def _every_status(lake: Lake) -> None:
    """A network under way: Tasks in every status, repeats within a result, decisions of users."""
    pairs = [(f"l{i}", f"l{i + 1}") for i in range(7)]
    network = submit_network(lake, plain_chain(pairs, name="under way"), SCOPES[1], caller=ADA).network
    ensure_tasks(lake, network, 1, caller=ADA)
    claims = claim_tasks(lake, "cluster", 3, lease_s=3600, caller=ADA)
    specs = [AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope) for claim in claims]
    good, bad = plain_receipt(specs[0], estimate=1.2333333333333334), plain_receipt(specs[1], ok=False)
    rows = [
        {"scope": SCOPES[1], "attempt": good.attempt, "replicate": i, "value_kcal_mol": v, "uncertainty_kcal_mol": u}
        for i, (v, u) in enumerate(REPEATS)
    ]
    receipts = [_left(lake, replace(good, replicates=rows)), _left(lake, bad)]
    record_receipts(lake, receipts, caller=ADA)
    waiting = sorted(lake.task_log.states().tasks.filter(status="waiting")["task"])
    set_tasks_status(lake, waiting[:1], "invalid", caller=ADA, reason="wrong charges")
    set_tasks_status(lake, waiting[1:2], "deleted", caller=ADA)
    cancel_tasks(lake, waiting[3:4], network, caller=ADA)
    add_task_restart_patterns(lake, network, ["OutOfMemory"], 2, caller=ADA)
    quarantine_host(lake, "node-1", datetime(2030, 1, 1, tzinfo=UTC), caller=ADA, reason="broken GPU")
    gather_network(lake, network)


def main() -> None:
    if archive_of(FORMAT).exists():
        sys.exit(f"a lake of format {FORMAT} is kept already ({archive_of(FORMAT)}); a kept lake is never replaced")
    with tempfile.TemporaryDirectory() as aside:
        lake = make(Path(aside) / "lake")
        rows = answers(lake)
        with tarfile.open(archive_of(FORMAT), "w:xz") as archive:
            archive.add(Path(aside) / "lake", "lake")
    answers_of(FORMAT).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""A campaign that records acknowledgements: `python -m tests.faults.power_driver LAKE NOTES`.

Tasks are created, claimed, processed, recorded and folded, in batches, until this is killed. Each operation is
recorded in the file NOTES, outside the lake, once its call has returned.
"""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Callable
from pathlib import Path

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.receipts import find_receipts
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.statestore.unrecorded_receipts import forgotten_receipts, record_forgotten
from alchemiscale_lake.store import Lake
from tests.plain import SCOPE, leave_receipt, plain_chain, plain_receipt

Note = Callable[[str, str], object]


def campaign(place: str | Path, note: Note, turns: int) -> None:
    """Run some turns; `note(kind, name)` is called with each acknowledged operation."""
    lake = Lake.open(place)
    network = submit_network(
        lake, plain_chain([("a", "b"), ("b", "c"), ("a", "c")]), SCOPE, caller=Caller("driver")
    ).network
    note("network", network)
    who = uuid.uuid4().hex[:8]
    for turn in range(turns):
        for task in ensure_tasks(lake, network, 2 * (turn + 1), caller=Caller("driver")):
            note("task", task)
        lake.objects.put(f"plots/{who}-{turn}.txt", who.encode())
        note("object", f"plots/{who}-{turn}.txt")
        for claim in (claims := claim_tasks(lake, "here", 3, lease_s=3600, caller=Caller(f"driver:{who}"))):
            note("claim", claim.attempt)
            leave_receipt(
                lake, plain_receipt(AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope))
            )
            note("receipt", claim.attempt)
        found = find_receipts(lake, {claim.attempt: claim.scope for claim in claims})
        for recorded in record_receipts(lake, found, caller=Caller(f"driver:{who}")):
            note("recorded", recorded.attempt)
            note("complete", recorded.task)
        if turn % 4 == 3:
            lake.task_log.fold()


def recover(lake: Lake) -> None:
    """Record all receipts, as maintenance and a dispatcher's start do."""
    held = {s.attempt: s.scope for s in lake.task_log.states().running().values() if s.attempt is not None}
    record_forgotten(lake, {**held, **forgotten_receipts(lake)}, caller=Caller("driver"))


def lost(lake: Lake, notes: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return acknowledged operations that are missing."""
    states = lake.task_log.states().tasks
    results = lake.table("results").scan().collect()
    assert results["attempt"].is_unique().all(), "an attempt was recorded twice"
    networks = set(lake.table("networks").scan().collect()["network"])
    there = {
        "network": networks,
        "task": set(states["task"]),
        "object": set(lake.objects.list("plots")),
        "receipt": set(results["attempt"]),
        "recorded": set(results["attempt"]),
        "complete": set(states.filter(status="complete")["task"]),
        "claim": set(lake.table("task_log").scan().collect()["of_attempt"]),
    }
    return [(kind, name) for kind, name in notes if name not in there[kind]]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("lake")
    parser.add_argument("notes", type=Path)
    given = parser.parse_args()
    with given.notes.open("a", buffering=1) as file:
        campaign(given.lake, lambda kind, name: file.write(f"{kind} {name}\n"), 1_000)


if __name__ == "__main__":
    main()

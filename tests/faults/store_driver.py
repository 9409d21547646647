"""A campaign without execution, to be killed: `python -m tests.faults.store_driver LAKE`.

All operations that write: submit, create Tasks, claim, leave receipts, record, gather, fold, maintenance. Run again,
it continues. With `--points FILE` it records the fault points that it passes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from datetime import timedelta
from pathlib import Path

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.receipts import find_receipts
from alchemiscale_lake.statestore.result_recording import record_receipts, unrecorded_attempts
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake, maintain, now_utc
from tests.claims import end_claims
from tests.plain import SCOPE, leave_receipt, plain_chain, plain_receipt


def campaign(place: str) -> None:
    """Run everything, from the current state."""
    lake = Lake.create(place, exist_ok=True)
    network = submit_network(
        lake, plain_chain([("a", "b"), ("b", "c"), ("a", "c")]), SCOPE, caller=Caller("driver")
    ).network
    ensure_tasks(lake, network, 2, caller=Caller("driver"))
    # leftovers of a killed one: receipts are recorded, the other Tasks released
    held = {s.attempt: s for s in lake.task_log.states().running().values() if s.attempt is not None}
    left = {attempt: state.scope for attempt, state in held.items()} | unrecorded_attempts(lake)
    record_receipts(lake, find_receipts(lake, left), caller=Caller("driver"))
    end_claims(lake, {attempt: state.task for attempt, state in held.items()}, caller=Caller("driver"), reason="killed")
    while claims := claim_tasks(lake, "here", 2, lease_s=60, caller=Caller("driver")):
        for claim in claims:
            spec = AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope)
            leave_receipt(lake, plain_receipt(spec))
        found = find_receipts(lake, {claim.attempt: claim.scope for claim in claims})
        record_receipts(lake, found, caller=Caller("driver"))
    gather_network(lake, network)
    maintain(lake, now=now_utc() + timedelta(days=8))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("lake")
    parser.add_argument("--points", type=Path)
    given = parser.parse_args()
    passed: list[str] = []
    with fault_hook(passed.append) if given.points else contextlib.nullcontext():
        campaign(given.lake)
    if given.points:
        given.points.write_text(json.dumps(passed))


if __name__ == "__main__":
    main()

"""Cost of fsync: `submit`, recording and dispatching in a folder, with and without it.

The same calls alternate, in fresh lakes on the same disk (TMPDIR must be on it); the reference is the same process
with `os.fsync` replaced by a no-op, which is only for measuring. Dispatching runs no-op Tasks through claims, receipts
and records, without an engine, so only the cost of the store remains. Run it with ``python -m
benchmarks.bench_durability``.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.statestore.claims import Claim, claim_tasks
from alchemiscale_lake.statestore.receipts import find_receipts
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake

from . import _table

NAME = "durability"
TARGET = "what fsync costs is reported; no target"

_SCOPE = "org-campaign-project"
_BATCH = 20


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Time both alternately; return medians.

    Parameters
    ----------
    quick : bool
        Run three rounds rather than nine.

    Returns
    -------
    list of dict
        Rows with name, ours_s, reference_s, reference, ratio and extra_ms.
    """
    times: dict[tuple[str, bool], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(3 if quick else 9):
            for synced in (True, False):
                with _fsync(synced):
                    lake = Lake.create(Path(folder) / f"{turn}-{synced}")
                    for name, seconds in _play(lake).items():
                        times.setdefault((name, synced), []).append(seconds)
    return [_row(name, times[name, True], times[name, False]) for name, synced in times if synced]


def _play(lake: Lake) -> dict[str, float]:
    from tests.plain import plain_chain

    pairs = [(f"l{i}", f"l{i + 1}") for i in range(_BATCH)]
    taken: dict[str, float] = {}
    network = _timed(taken, "submit, per network", lambda: submit_network(lake, plain_chain(pairs), _SCOPE).network)
    ensure_tasks(lake, network, 1, caller=Caller("bench"))
    claims = _timed(
        taken, "claim, per Task", lambda: claim_tasks(lake, "here", _BATCH, lease_s=600, caller=Caller("bench")), _BATCH
    )
    _timed(taken, "receipt, per Task", lambda: [_leave(lake, claim) for claim in claims], _BATCH)

    def record() -> None:
        receipts = find_receipts(lake, {claim.attempt: claim.scope for claim in claims})
        assert all(recorded.new for recorded in record_receipts(lake, receipts, caller=Caller("bench")))

    _timed(taken, "record, per Task", record, _BATCH)
    taken["dispatch, per Task"] = sum(taken[f"{part}, per Task"] for part in ("claim", "receipt", "record"))
    return taken


def _leave(lake: Lake, claim: Claim) -> None:
    from tests.plain import leave_receipt, plain_receipt

    leave_receipt(lake, plain_receipt(AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope)))


def _timed(taken: dict[str, float], name: str, call: Callable[[], Any], n: int = 1) -> Any:
    began = time.perf_counter()
    result = call()
    taken[name] = (time.perf_counter() - began) / n
    return result


@contextmanager
def _fsync(synced: bool) -> Iterator[None]:
    real = os.fsync
    if not synced:
        os.fsync = lambda fd: None
    try:
        yield
    finally:
        os.fsync = real


def _row(name: str, ours: list[float], reference: list[float]) -> dict[str, Any]:
    ours_s, reference_s = statistics.median(ours), statistics.median(reference)
    return {
        "name": f"{name}, {_BATCH} at once",
        "ours_s": ours_s,
        "reference_s": reference_s,
        "reference": "the same without fsync",
        "ratio": ours_s / reference_s,
        "extra_ms": 1000 * (ours_s - reference_s),
    }


if __name__ == "__main__":
    _table.main(run)

"""Four ProtocolDAGs on a quarter of a GPU each, compared with one at a time on the whole GPU.

The GPU is declared and does not exist: each unit waits for "kernels" that have exclusive use of the device a quarter
of the time, and for the host the rest (`shared_gpu`). So this shows the effect of sharing on the idle time of a
device, the overhead of the admission queue, the processes and the receipts, and that the device is never
over-allocated. It cannot show the behaviour of a real device when kernels of several processes share it: memory
bandwidth, caches and clocks, the cost of context switches, or the effect of MPS. The ideal ratio is four. Run it with
``python -m benchmarks.bench_packing``.
"""

from __future__ import annotations

import os
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import gufe

from alchemiscale_lake.execution import Assignment, AttemptSpec, Resources, execute_assignment
from alchemiscale_lake.execution.processes import close_step_server
from alchemiscale_lake.schemas.receipt import unpack_receipt
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.store import Lake, attempt_folder

from . import _table
from .shared_gpu import SharedGpuProtocol

NAME = "packing"
TARGET = "four Tasks that share a GPU (declared, synthetic load) finish at least 2 times sooner than one by one"

_SCOPE = "org-campaign-project"
_AT_ONCE = 4
_TARGET_RATIO = 2.0


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Time both in one run, after a warm-up Task.

    Parameters
    ----------
    quick : bool
        Run 8 Tasks of 2 s instead of 24 of 4 s.

    Returns
    -------
    list of dict
        One row: ours_s and reference_s for all Tasks, the ratio, the maximum number of Tasks and maximum use of the
        GPU at any time, target and ok.
    """
    from tests.example_networks import harmonic_system

    n_tasks, n_steps = (8, 40) if quick else (24, 80)
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.create(Path(folder) / "lake")
        protocol = SharedGpuProtocol.with_settings(locks=folder, n_steps=n_steps)
        edge = gufe.Transformation(harmonic_system("a"), harmonic_system("b"), protocol, name="shared")
        submit_network(lake, gufe.AlchemicalNetwork([edge], name="packing"), _SCOPE)
        _timed(lake, str(edge.key), 1, 1.0)
        reference_s, _ = _timed(lake, str(edge.key), n_tasks, 1.0)
        ours_s, most = _timed(lake, str(edge.key), n_tasks, 1 / _AT_ONCE)
    close_step_server()
    ratio = reference_s / ours_s
    return [
        {
            "name": f"{n_tasks} Tasks of {n_steps * 0.05:g} s, {_AT_ONCE} on a GPU",
            "ours_s": ours_s,
            "reference_s": reference_s,
            "reference": "the same, one at a time",
            "ratio": ratio,
            "most_at_once": most,
            "most_of_the_gpu": most / _AT_ONCE,
            "target": f">= {_TARGET_RATIO:g}x, never more than {_AT_ONCE} at once",
            "ok": ratio >= _TARGET_RATIO and most <= _AT_ONCE,
        }
    ]


def _timed(lake: Lake, transformation: str, n_tasks: int, gpus: float) -> tuple[float, int]:
    """Return seconds for this number of Tasks with this share each, and the maximum number running at once."""
    specs = tuple(
        AttemptSpec(
            attempt=uuid.uuid4().hex,
            task=f"Task-{uuid.uuid4().hex}-{_SCOPE}",
            transformation=f"{transformation}-{_SCOPE}",
            scope=_SCOPE,
            resources=Resources(1, None, gpus),
        )
        for _ in range(n_tasks)
    )
    began = time.perf_counter()
    done = execute_assignment(Assignment(lake.url, "bench", specs, Resources(2 * _AT_ONCE, None, 1.0)))
    seconds = time.perf_counter() - began
    assert len(done) == n_tasks
    rows = [
        unpack_receipt(lake.objects.get(f"{attempt_folder(_SCOPE, spec.attempt)}/receipt.arrow")).result
        for spec in specs
    ]
    assert all(row["ok"] for row in rows)
    # an end before a start at the same time
    moments = sorted([(row["started_at"], 1) for row in rows] + [(row["ended_at"], -1) for row in rows])
    running = most = 0
    for _, step in moments:
        running += step
        most = max(most, running)
    return seconds, most


if __name__ == "__main__":
    _table.main(run)

"""Commands that a person waits for, compared with importing the store, which every command does.

`status`, and `gather` with nothing new, of a lake with one gathered network of 50 Transformations; each a process of
its own, in turn with `import alchemiscale_lake.store`. Compared are times of the clock, which a person waits; times of
the processor, of all threads together, are in the rows, too. Run it with ``python -m benchmarks.bench_commands``.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alchemiscale_lake.estimates.gathering import gather_network

from . import _table
from .bench_gather import make_lake

NAME = "commands"
TARGET = "status within 1.5 times, gather with nothing new within 2 times of importing the store"

_IMPORT = "import alchemiscale_lake.store"
_RUN = "from alchemiscale_lake.cli import main; main()"
_TARGETS = {"status": 1.5, "gather": 2.0}
_TRANSFORMATIONS = 50
_TURNS = 7


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Run the commands and the import in turn.

    Returns
    -------
    list of dict
        Rows with name, ours_s and reference_s (medians), their ratio, and the ratio of CPU seconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        lake, (network,) = make_lake(Path(folder, "lake"), 1, 5 if quick else _TRANSFORMATIONS)
        gather_network(lake, network)
        calls = {"": ["-c", _IMPORT], **{name: ["-c", _RUN, name, "--lake", lake.url] for name in _TARGETS}}
        # compiled modules are kept, as for users; the first turn writes them and the network's page
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = str(Path(folder, "compiled"))
        turns = [
            {name: _seconds(call, environment) for name, call in calls.items()} for _ in range(2 if quick else _TURNS)
        ][1:]
    return [_row(name, turns, quick=quick) for name in _TARGETS]


def _row(name: str, turns: Sequence[Mapping[str, tuple[float, float]]], *, quick: bool) -> dict[str, Any]:
    (ours_cpu, ours), (cpu, reference) = (
        [statistics.median(turn[which][k] for turn in turns) for k in (0, 1)] for which in (name, "")
    )
    return {
        "name": f"{name}, nothing new" if name == "gather" else name,
        "ours_s": ours,
        "reference_s": reference,
        "reference": "importing the store",
        "ratio": ours / reference,
        "ratio_of_cpu": ours_cpu / cpu,
        "target": f"<= {_TARGETS[name]:g}x",
        "ok": quick or ours / reference <= _TARGETS[name],
    }


def _seconds(call: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Return the seconds of CPU and of the clock that a process takes."""
    before, began = _cpu_s(), time.perf_counter()
    subprocess.run([sys.executable, *call], env=dict(environment), capture_output=True, check=True)
    return _cpu_s() - before, time.perf_counter() - began


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    _table.main(run)

"""`doctor` on a lake of 1,000,000 Tasks, compared with reading the same files once: time and memory.

The lake is that of the benchmark `status`, with a row of `tasks` for every Task of its log. The reference reads every
byte of the lake once, with its SHA-256. Each examination runs in a process of its own, whose peak memory is reported
above that of a process that has only imported it. Run it with ``python -m benchmarks.bench_doctor``.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl

from alchemiscale_lake.store import Lake

from . import _table
from .bench_status import make_lake

NAME = "doctor"
TARGET = "1,000,000 Tasks examined within 2 GB of memory"

_MOST_BYTES = 2_000_000_000
_CHILD = """
import json, re, sys, time
from pathlib import Path
from alchemiscale_lake.doctor import examine
def kib(what):
    return int(re.search(what + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
base = kib("VmRSS")
began = time.monotonic()
found = examine(sys.argv[1], quick=sys.argv[2] == "quick", tell=lambda _: None, patience_s=0)
took = time.monotonic() - began
peak = kib("VmHWM")
print(json.dumps([took, (peak - base) * 1024, len(found.findings)]))
"""


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Examine once quickly and once in full.

    Parameters
    ----------
    quick : bool
        Use 100,000 Tasks.

    Returns
    -------
    list of dict
        Rows with name, ours_s, reference_s, ratio, peak_mb, target and ok.
    """
    n = 100_000 if quick else 1_000_000
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        lake = make_lake(Path(folder) / "lake", n)
        _with_tasks(lake)
        for how in ("quick", "full"):
            reference_s = _read_once(Path(folder) / "lake")
            code = [sys.executable, "-c", _CHILD, str(Path(folder) / "lake"), how]
            done = subprocess.run(code, capture_output=True, text=True, check=True)
            took, peak, _ = json.loads(done.stdout)
            rows.append({
                "name": f"{how}, {n:,} Tasks", "ours_s": took, "reference_s": reference_s, "ratio": took / reference_s,
                "peak_mb": peak / 1e6, "target": f"<= {_MOST_BYTES / 1e6:.0f} MB", "ok": peak <= _MOST_BYTES,
            })  # fmt: skip
    return rows


def _with_tasks(lake: Lake) -> None:
    created = lake.table("task_log").scan().filter(pl.col("event") == "created")
    columns = ("scope", "task", "transformation", "extends")
    rows = created.select(*columns, creator="actor", created_at="at", origin=pl.lit(None, pl.String)).collect()
    lake.table("tasks").append_new(rows)


def _read_once(folder: Path) -> float:
    began, digest = time.monotonic(), hashlib.sha256()
    for path in folder.rglob("*"):
        if path.is_file():
            digest.update(path.read_bytes())
    return time.monotonic() - began


if __name__ == "__main__":
    _table.main(run)

"""Pools of every kind of queue."""

from __future__ import annotations

from typing import Any

from alchemiscale_lake.settings import Pool


def pool_of(kind: str, **changes: Any) -> Pool:
    """Return a pool with what its kind requires, and changes."""
    needed = {
        "kind": kind,
        "cores": 4,
        "memory": "16GiB",
        "walltime": "90m",
        "queue": "long",
        "account": "chemistry",
        "environment": ["module load cuda/12", "source '/opt/my env/activate'"],
        "python": "/opt/lake/bin/python",
        "log_folder": "/scratch/logs",
    }
    if kind == "htcondor":
        needed |= {"queue": None, "disk": "10GB"}
    return Pool(**{**needed, **changes})

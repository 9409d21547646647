"""The receipt of an attempt whose worker is gone: a failed result like any other.

Written by whoever handed the assignment out, when workers ended under it too often.
"""

from __future__ import annotations

from datetime import datetime

from ..schemas.receipt import Receipt
from ..texts import storable
from .assignment import AttemptSpec
from .host import describe_host

__all__ = ["lost_receipt"]


def lost_receipt(spec: AttemptSpec, pool: str, exception: str, at: datetime) -> Receipt:
    """Make the receipt of an attempt that ended with its worker.

    Parameters
    ----------
    exception : str
        Type and message, as in `WorkerLost: three workers in a row ended under it`.
    at : datetime
        Time of the news; taken for start and end, for nobody knows better.
    """
    host = describe_host()
    result = {
        "scope": spec.scope,
        "attempt": spec.attempt,
        "task": spec.task,
        "transformation": spec.transformation,
        "ok": False,
        "exception": storable(exception),
        "n_units": 0,
        "started_at": at,
        "ended_at": at,
        "wall_time_s": 0.0,
        "pool": pool,
    }
    return Receipt(result=result, units=[], files=[], host=dict(host))

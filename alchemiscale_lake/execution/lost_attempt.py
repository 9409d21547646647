"""The receipt of an attempt whose worker is gone: an ordinary failed result.

Written by the dispatcher of the assignment after its workers died too often.
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
    spec : AttemptSpec
        The attempt.
    pool : str
        Name of the pool.
    exception : str
        Type and message, as in `WorkerLost: three workers in a row ended under it`.
    at : datetime
        Time of the report; used as start and end, since the real ones are unknown.
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

"""The public Python client: the names, arguments and return values of `AlchemiscaleClient`, over a lake.

`LakeClient` converts arguments and answers; `calls` holds what it asks for, as functions with plain arguments and
answers, and a `Transport` carries one to the other.
"""

from .lake_client import LakeClient
from .records import ProtocolDAGResultRec, ProtocolUnitResultRec, TaskDetails
from .result_format import ResultFormat
from .task_attempt import TaskAttempt
from .transport import InProcess, Transport

__all__ = [
    "InProcess",
    "LakeClient",
    "ProtocolDAGResultRec",
    "ProtocolUnitResultRec",
    "ResultFormat",
    "TaskAttempt",
    "TaskDetails",
    "Transport",
]

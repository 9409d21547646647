"""Forms in which a client returns results."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["ResultFormat"]


class ResultFormat(StrEnum):
    """Form in which results are returned.

    Attributes
    ----------
    PROTOCOL_RESULT : str
        One ProtocolResult, gathered from all successful ProtocolDAGResults; None if there are none.
    PROTOCOL_RESULTS : str
        One ProtocolResult per successful ProtocolDAGResult.
    PROTOCOL_DAG_RESULTS : str
        The successful ProtocolDAGResults.
    """

    PROTOCOL_RESULT = "ProtocolResult"
    PROTOCOL_RESULTS = "ProtocolResults"
    PROTOCOL_DAG_RESULTS = "ProtocolDAGResults"

"""The log of user decisions about hosts: quarantine until a time, or readmission."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable

from ..caller import Caller
from .storage_errors import collect
from .table import LakeTable

__all__ = ["HostDecision", "HostLog"]

#: The event, and its name in rows of versions before format 4.
_READMITTED: Final = ("readmitted", "forgiven")


@dataclass(frozen=True, slots=True)
class HostDecision:
    """The latest user decision about a host.

    Parameters
    ----------
    hostname : str
    at : datetime
        Time of the decision.
    until : datetime or None
        End of the quarantine; None if the host was readmitted.
    actor : str
        Who decided.
    reason : str or None
    readmitted_at : datetime or None
        When it was last readmitted, even if a later decision followed.
    """

    hostname: str
    at: datetime
    until: datetime | None
    actor: str
    reason: str | None = None
    readmitted_at: datetime | None = None


class HostLog:
    """Append and read decisions about hosts."""

    def __init__(self, table: LakeTable) -> None:
        self._table = table

    def decisions(self) -> dict[str, HostDecision]:
        """Return the latest decision about each host that has one."""
        rows = collect(self._table.scan(), "the log of hosts").sort("seq", "idx")
        last = rows.unique("hostname", keep="last", maintain_order=True)
        ends = rows.filter(pl.col("event").is_in(_READMITTED)).unique("hostname", keep="last", maintain_order=True)
        readmitted = dict(ends.select("hostname", "at").iter_rows())
        return {
            name: HostDecision(name, at, ends_at, actor, reason, readmitted.get(name))
            for name, at, ends_at, actor, reason in last.select(
                "hostname", "at", "ends_at", "actor", "reason"
            ).iter_rows()
        }

    def decide(self, hostname: str, until: datetime | None, *, caller: Caller, reason: str | None = None) -> None:
        """Quarantine a host until a time, or readmit it (None).

        Parameters
        ----------
        hostname : str
            Name of the host, as in the results.
        until : datetime or None
            End of the quarantine, UTC; None readmits it.
        caller : Caller
            Recorded as the author; needs the right to do this in the Scopes concerned.
        reason : str, optional
            Free text, recorded in the log.
        """
        commit_id = uuid.uuid4().hex

        def rows(delta: DeltaTable, number: int) -> pa.Table | None:
            if len(
                collect(self._table.scan(delta).filter(pl.col("commit_id") == commit_id).head(1), "the log of hosts")
            ):
                return None  # an earlier try was committed after all
            row = {
                "hostname": hostname, "seq": number, "idx": 0, "ends_at": until, "actor": caller.name, "reason": reason,
                "event": "readmitted" if until is None else "quarantined", "commit_id": commit_id,
                "at": datetime.now(UTC),
            }  # fmt: skip
            return self._table.schema.table([row])

        self._table.append(rows)

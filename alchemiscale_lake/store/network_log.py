"""The log of what users decide about networks: state and weight.

A network without a row is active with weight 0.5, so submitting writes none.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable

from ..errors import SchemaError
from ..ids import ScopedKey
from ..schemas import NETWORK_STATES
from .commit import compare_and_append
from .table import LakeTable

__all__ = ["NetworkLog", "NetworkState"]


@dataclass(frozen=True, slots=True)
class NetworkState:
    """What stands for a network: `active inactive invalid deleted`, and its weight in [0, 1]."""

    state: str = "active"
    weight: float = 0.5


class NetworkLog:
    """Append decisions, read what stands."""

    def __init__(self, table: LakeTable) -> None:
        self._table = table

    def states(self) -> dict[str, NetworkState]:
        """State of every network that somebody decided about; the others have the defaults."""
        return _states(self._table.scan())

    def set(
        self,
        networks: Sequence[str],
        *,
        actor: str,
        state: str | None = None,
        weight: float | None = None,
        reason: str | None = None,
    ) -> None:
        """Set the state, the weight or both, of all the networks in one commit.

        Raises
        ------
        SchemaError
            If the state is unknown or the weight outside [0, 1].
        """
        if state is not None and state not in NETWORK_STATES:
            raise SchemaError(f"a network is {', '.join(NETWORK_STATES)}; not {state!r}", value=state)
        commit_id = uuid.uuid4().hex

        def decide(delta: DeltaTable, number: int) -> pa.Table | None:
            frame = self._table.scan(delta)
            if len(frame.filter(pl.col("commit_id") == commit_id).head(1).collect()):
                return None  # an earlier try landed after all
            standing = _states(frame)
            rows: list[dict[str, object]] = []
            for network in networks:
                now = standing.get(network, NetworkState())
                rows.append(
                    {
                        "scope": str(ScopedKey.from_str(network).scope),
                        "network": network,
                        "seq": number,
                        "idx": len(rows),
                        "event": "state" if state is not None else "weight",
                        "state": now.state if state is None else state,
                        "weight": now.weight if weight is None else weight,
                        "actor": actor,
                        "reason": reason,
                        "commit_id": commit_id,
                        "at": datetime.now(UTC),
                    }
                )
            return self._table.schema.table(rows)

        compare_and_append(self._table.schema.name, self._table.snapshot, decide)


def _states(frame: pl.LazyFrame) -> dict[str, NetworkState]:
    last = frame.sort("seq", "idx").group_by("network").last().select("network", "state", "weight").collect()
    return {network: NetworkState(state, weight) for network, state, weight in last.iter_rows()}

"""The log of user decisions about networks: state, weight, restart patterns, Strategy.

A network without a row is active with weight 0.5 and has no patterns, so submitting writes no rows.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable

from ..caller import Caller
from ..errors import SchemaError
from ..ids import ScopedKey
from ..schemas import NETWORK_STATES
from ..tasks.restart_policy import RestartPattern
from .commit import last_number
from .storage_errors import collect
from .table import LakeTable

__all__ = ["NetworkLog", "NetworkState", "StrategyDecision", "require_network_state"]

#: Patterns by network.
_Patterns = dict[str, dict[str, RestartPattern]]
#: Given a network and the current decisions, returns the rows to add for it, without the common columns.
_Rows = Callable[["_Standing", str, int], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class NetworkState:
    """State of a network, `active inactive invalid deleted`, and its weight in [0, 1].

    Attributes
    ----------
    state : str, default "active"
        `active`, `inactive`, `invalid` or `deleted`.
    weight : float, default 0.5
        Relative to other networks, within [0, 1].
    """

    state: str = "active"
    weight: float = 0.5


@dataclass(frozen=True, slots=True)
class StrategyDecision:
    """The Strategy that a network has.

    Attributes
    ----------
    text : str
        The Strategy and its limits, as JSON.
    seq : int
        Number of the commit that set it.
    actor : str
        User who set it.
    at : datetime
        When, by the writer's clock.
    """

    text: str
    seq: int
    actor: str
    at: datetime


@dataclass(frozen=True, slots=True)
class _Standing:
    """All decisions in effect as of one commit."""

    seq: int = 0
    states: Mapping[str, NetworkState] = field(default_factory=dict)
    patterns: Mapping[str, Mapping[str, RestartPattern]] = field(default_factory=dict)
    strategies: Mapping[str, StrategyDecision] = field(default_factory=dict)


def require_network_state(state: str) -> None:
    """Raise SchemaError if networks have no such state."""
    if state not in NETWORK_STATES:
        raise SchemaError(f"the state of a network is one of {', '.join(NETWORK_STATES)}, not {state!r}", value=state)


class NetworkLog:
    """Append and read decisions about networks. Thread-safe."""

    def __init__(self, table: LakeTable) -> None:
        self._table = table
        self._lock = threading.Lock()
        self._standing = _Standing()

    def seq(self) -> int:
        """Return the number of the newest commit; 0 before the first."""
        return last_number(self._table.to_read(), self._table.schema.name)

    def states(self) -> dict[str, NetworkState]:
        """Return the state of every network with a decision; all others have the defaults."""
        return dict(self._read(self._table.to_read()).states)

    def restart_patterns(self) -> dict[str, dict[str, RestartPattern]]:
        """Return the current restart patterns of every network that has some."""
        return {network: dict(own) for network, own in self._read(self._table.to_read()).patterns.items()}

    def strategies(self) -> dict[str, StrategyDecision]:
        """Return the Strategy of every network that has one."""
        return dict(self._read(self._table.to_read()).strategies)

    def set_strategy(
        self, networks: Sequence[str], text: str | None, *, caller: Caller, reason: str | None = None
    ) -> None:
        """Set the Strategy of networks, or clear it, in one commit.

        Parameters
        ----------
        networks : sequence of str
            ScopedKeys of the networks.
        text : str or None
            The Strategy and its limits, as JSON; None clears it.
        caller : Caller
            Recorded as the author; needs the right to do this in the Scopes concerned.
        reason : str, optional
            Free text, recorded in the log.
        """
        self._append(networks, lambda *_: [{"event": "strategy", "strategy": text, "reason": reason}], caller)

    def set(
        self,
        networks: Sequence[str],
        *,
        caller: Caller,
        state: str | Mapping[str, str] | None = None,
        weight: float | Mapping[str, float] | None = None,
        reason: str | None = None,
    ) -> None:
        """Set the state, the weight or both for all networks in one commit.

        Parameters
        ----------
        networks : sequence of str
            ScopedKeys of the networks.
        caller : Caller
            Recorded as the author; needs the right to do this in the Scopes concerned.
        state : str or mapping of str to str, optional
            New state, or that of each network; unchanged by default.
        weight : float or mapping of str to float, optional
            New weight, within [0, 1], or that of each network; unchanged by default.
        reason : str, optional
            Free text, recorded in the log.

        Raises
        ------
        SchemaError
            If the state is unknown or the weight outside [0, 1].
        """
        for each in state.values() if isinstance(state, Mapping) else () if state is None else (state,):
            require_network_state(each)

        def rows(standing: _Standing, network: str, _: int) -> list[dict[str, Any]]:
            now = standing.states.get(network, NetworkState())
            own_state = state[network] if isinstance(state, Mapping) else state
            own_weight = weight[network] if isinstance(weight, Mapping) else weight
            after = {"state": own_state or now.state, "weight": now.weight if own_weight is None else own_weight}
            return [{"event": "weight" if state is None else "state", **after, "reason": reason}]

        self._append(networks, rows, caller)

    def add_patterns(self, network: str, patterns: Collection[str], max_retries: int, *, caller: Caller) -> None:
        """Add restart patterns; an existing one gets the new limit and its count restarts at zero.

        Parameters
        ----------
        network : str
            ScopedKey of the network.
        patterns : collection of str
            Regular expressions.
        max_retries : int
            Allowed restarts per Task.
        caller : Caller
            Recorded as the author; needs the right to do this in the Scopes concerned.
        """

        def rows(_: _Standing, __: str, number: int) -> list[dict[str, Any]]:
            return [_pattern_row(pattern, max_retries, number) for pattern in sorted(set(patterns))]

        self._append([network], rows, caller)

    def change_patterns(
        self, network: str, patterns: Collection[str] | None, max_retries: int | None, *, caller: Caller
    ) -> list[str]:
        """Change the restart limit of patterns, or remove them (None); all of the network's if no patterns are given.

        Parameters
        ----------
        network : str
            ScopedKey of the network.
        patterns : collection of str or None
            Regular expressions, exactly as they were added; None for all.
        max_retries : int or None
            Allowed restarts per Task; None removes the patterns.
        caller : Caller
            Recorded as the author; needs the right to do this in the Scopes concerned.

        Returns
        -------
        list of str
            Patterns that changed; patterns that the network does not have are ignored.
        """
        changed: list[str] = []

        def rows(standing: _Standing, network: str, _: int) -> list[dict[str, Any]]:
            own = standing.patterns.get(network, {})
            changed[:] = sorted(own if patterns is None else set(patterns) & set(own))
            return [_pattern_row(pattern, max_retries, own[pattern].seq) for pattern in changed]

        self._append([network], rows, caller)
        return changed

    def append_history(self, history: Mapping[str, Sequence[Mapping[str, Any]]], *, caller: Caller) -> None:
        """Append decisions of another lake's log in one commit; each keeps its time and author.

        Parameters
        ----------
        history : mapping of str to sequence of mapping
            Rows by ScopedKey of the network, in order. A network that has decisions here keeps them, and gets none.
        caller : Caller
            Author of rows that name none.
        """

        def rows(standing: _Standing, network: str, number: int) -> list[dict[str, Any]]:
            if network in standing.states:
                return []
            counted_from = [number if row.get("pattern_seq") is not None else None for row in history[network]]
            return [
                {**row, "seq": number, "pattern_seq": since}
                for row, since in zip(history[network], counted_from, strict=True)
            ]

        self._append(list(history), rows, caller)

    def _append(self, networks: Sequence[str], rows: _Rows, caller: Caller) -> None:
        commit_id = uuid.uuid4().hex

        def decide(delta: DeltaTable, number: int) -> pa.Table | None:
            if len(
                collect(self._table.scan(delta).filter(pl.col("commit_id") == commit_id).head(1), "the log of networks")
            ):
                return None  # an earlier try was committed after all
            standing = self._read(delta)
            new: list[dict[str, Any]] = []
            for network in dict.fromkeys(networks):
                now = standing.states.get(network, NetworkState())
                common = {
                    "scope": str(ScopedKey.from_str(network).scope), "network": network, "seq": number,
                    "state": now.state, "weight": now.weight, "actor": caller.name, "commit_id": commit_id,
                    "at": datetime.now(UTC),
                }  # fmt: skip
                new += [{**common, **row, "commit_id": commit_id} for row in rows(standing, network, number)]
            return self._table.schema.table([{**row, "idx": i} for i, row in enumerate(new)]) if new else None

        self._table.append(decide)

    def _read(self, delta: DeltaTable) -> _Standing:
        seq = last_number(delta, self._table.schema.name)
        with self._lock:
            if self._standing.seq != seq:
                rows = self._table.scan(delta).filter(pl.col("seq") <= seq)
                log = collect(rows, "the log of networks").sort("seq", "idx")
                self._standing = _Standing(seq, _states(log), _patterns(log), _strategies(log))
            return self._standing


def _pattern_row(pattern: str, max_retries: int | None, seq: int) -> dict[str, Any]:
    kept = seq if max_retries is not None else None
    return {"event": "restart_pattern", "pattern": pattern, "max_retries": max_retries, "pattern_seq": kept}


def _states(log: pl.DataFrame) -> dict[str, NetworkState]:
    last = log.unique("network", keep="last", maintain_order=True).select("network", "state", "weight")
    return {network: NetworkState(state, weight) for network, state, weight in last.iter_rows()}


def _patterns(log: pl.DataFrame) -> _Patterns:
    rows = log.filter(pl.col("event") == "restart_pattern").unique(
        ["network", "pattern"], keep="last", maintain_order=True
    )
    standing: _Patterns = {}
    columns = ("network", "pattern", "max_retries", "pattern_seq")
    for network, pattern, max_retries, seq in rows.filter(pl.col("max_retries").is_not_null()).select(columns).rows():
        standing.setdefault(network, {})[pattern] = RestartPattern(max_retries, seq)
    return standing


def _strategies(log: pl.DataFrame) -> dict[str, StrategyDecision]:
    last = log.filter(pl.col("event") == "strategy").unique("network", keep="last", maintain_order=True)
    rows = last.filter(pl.col("strategy").is_not_null()).select("network", "strategy", "seq", "actor", "at")
    return {network: StrategyDecision(*row) for network, *row in rows.iter_rows()}

"""Methods about Strategies of networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from ..ids import ScopedKey
from ..rounds.setting import plan_of
from ..strategies.catalog import load_strategy
from ..strategies.stratocaster_adapter import FromStratocaster
from .client_part import AnyKey, ClientPart, text

__all__ = ["StrategyMethods", "StrategyState"]

Status = Literal["awake", "dormant", "error"]


@dataclass(frozen=True, slots=True)
class StrategyState:
    """Progress of the Strategy of a network.

    Attributes
    ----------
    mode : str
        `full`, `partial` or `disabled`.
    status : str
        `awake`, `dormant` (finished, until it is set or woken) or `error`.
    iterations : int
        Rounds so far.
    sleep_interval : float
        Least time between two rounds, s.
    last_iteration : datetime or None
    max_tasks_per_transformation : int or None
    task_scaling : str
    exception, traceback : str or None
        Why the last round failed.
    """

    mode: str
    status: Status
    iterations: int
    sleep_interval: float
    last_iteration: datetime | None
    max_tasks_per_transformation: int | None
    task_scaling: str
    exception: str | None
    traceback: str | None


class StrategyMethods(ClientPart):
    """Let a Strategy decide which Tasks a network gets."""

    def set_network_strategy(
        self,
        network: AnyKey,
        strategy: Any,
        max_tasks_per_transformation: int | None = 3,
        task_scaling: str = "exponential",
        mode: str = "partial",
        sleep_interval: float = 3600,
        *,
        settings: Mapping[str, Any] | None = None,
        **limits: Any,
    ) -> ScopedKey | None:
        """Set the Strategy of a network; it replaces the one that the network has.

        Parameters
        ----------
        network : ScopedKey or str
        strategy : str, Strategy, object or None
            Name of an installed Strategy, `file.py:Name`, `package.module:Name`, or an object, which may be one of
            stratocaster; None clears it.
        max_tasks_per_transformation : int or None, default 3
            Most results and Tasks in flight of a Transformation.
        task_scaling : str, default "exponential"
            `proportional`, `linear` or `exponential`.
        mode : str, default "partial"
            `full`, `partial` or `disabled`.
        sleep_interval : float, default 3600
            Least time between two rounds, s.
        settings : mapping of str to object, optional
            Settings of a Strategy given by name.
        **limits
            Other fields of `StrategyPlan`, such as `budget_gpu_hours`.

        Returns
        -------
        ScopedKey or None
            The network; None if its Strategy was cleared.

        Raises
        ------
        StrategyError
            If there is no such Strategy, or settings or limits do not fit.
        """
        key = text(network)
        if strategy is None:
            self._ask("clear_network_strategy", network=key)
            return None
        plan = plan_of(
            strategy,
            settings,
            {
                "max_tasks_per_transformation": max_tasks_per_transformation,
                "task_scaling": task_scaling,
                "mode": mode,
                "interval_s": sleep_interval,
                **limits,
            },
        )
        self._ask("set_network_strategy", network=key, plan=plan.model_dump_json())
        return ScopedKey.from_str(key)

    def get_network_strategy(self, network: AnyKey) -> Any:
        """Return the Strategy of a network, also one of stratocaster.

        It is its name if it is defined in a file, and None if the network has none.
        """
        found = self._ask("network_strategy", network=text(network))
        if found is None:
            return None
        plan = found["plan"]
        if plan["code"] is not None:
            return str(plan["strategy"])
        strategy = load_strategy(plan["strategy"], plan["settings"]).strategy
        return strategy.strategy if isinstance(strategy, FromStratocaster) else strategy

    def get_network_strategy_state(self, network: AnyKey) -> StrategyState | None:
        """Return the progress of a network's Strategy, None if it has none."""
        found = self._ask("network_strategy", network=text(network))
        if found is None:
            return None
        plan, last = found["plan"], found["last"]
        state = last["state"] if last is not None and last["current"] else None
        status: Status = "error" if state == "error" else "dormant" if state == "finished" else "awake"
        return StrategyState(
            mode=plan["mode"],
            status=status,
            iterations=0 if last is None else last["round"],
            sleep_interval=plan["interval_s"],
            last_iteration=None if last is None else datetime.fromisoformat(last["at"]),
            max_tasks_per_transformation=plan["max_tasks_per_transformation"],
            task_scaling=plan["task_scaling"],
            exception=None if last is None else last["exception"],
            traceback=None if last is None else last["traceback"],
        )

    def get_network_strategy_status(self, network: AnyKey) -> Status | None:
        """Return `awake`, `dormant` or `error`; None if the network has no Strategy."""
        state = self.get_network_strategy_state(network)
        return None if state is None else state.status

    def set_network_strategy_awake(self, network: AnyKey) -> ScopedKey | None:
        """Ask a Strategy that is finished or has failed again; return the network, None if it has no Strategy."""
        return ScopedKey.parse(network) if self._ask("wake_strategy", network=text(network)) else None

    def advance_network(self, network: AnyKey, *, now: bool = False) -> dict[str, Any]:
        """Run the next round of a network's Strategy, as the flow `advance-network` does.

        Parameters
        ----------
        network : ScopedKey or str
        now : bool, default False
            Run a round even if nothing has ended since the last one.

        Returns
        -------
        dict
            `round`, `state`, `n_tasks`, `n_cancelled`, `stop`, `exception`, `last_state`, see `RoundReport`.
        """
        return dict(self._ask("advance_network", network=text(network), now=now))

"""Methods about Tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from ..errors import InvalidArgumentError, InvalidKeyError
from ..ids import Scope, ScopedKey
from .client_part import AnyKey, ClientPart, parsed, scope_text, text, texts, whole, word

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["TaskMethods"]


class TaskMethods(ClientPart):
    """Create, find, action and change Tasks. A call about many is one commit or one question."""

    def create_tasks(self, transformation: AnyKey, extends: AnyKey | None = None, count: int = 1) -> list[ScopedKey]:
        """Create Tasks for a Transformation, without actioning them.

        Parameters
        ----------
        transformation : ScopedKey or str
        extends : ScopedKey or str, optional
            Task of the same Transformation whose result they continue.
        count : int, default 1

        Raises
        ------
        NotFoundError
            If the lake has no such Transformation.
        InvalidTransitionError
            If the Task cannot be extended.
        InvalidArgumentError
            If the count is not a whole number from 0.
        """
        if not whole(count) or count < 0:
            raise InvalidArgumentError(f"count is a whole number of Tasks, not {count!r}; nothing was created")
        return self.create_transformations_tasks(
            [transformation] * count, None if extends is None else [extends] * count
        )

    def create_transformations_tasks(
        self, transformations: Sequence[AnyKey], extends: Sequence[AnyKey | None] | None = None
    ) -> list[ScopedKey]:
        """Create one Task per given Transformation; repeat one for several Tasks.

        Parameters
        ----------
        transformations : sequence of ScopedKey or str
        extends : sequence of ScopedKey, str or None, optional
            Task that each extends, or None.

        Returns
        -------
        list of ScopedKey
            In the order of `transformations`.
        """
        parents = None if extends is None else [None if one is None else text(one) for one in extends]
        return parsed(self._ask("create_tasks", transformations=texts(transformations), extends=parents))

    def ensure_tasks(self, network: AnyKey, count: int, weight: float | None = None) -> list[ScopedKey]:
        """Ensure that every Transformation of a network has this many Tasks, actioned there; again changes nothing.

        Parameters
        ----------
        network : ScopedKey or str
        count : int
            Tasks per Transformation; invalid and deleted ones do not count.
        weight : float, optional
            Weight of new actions; 0.5 by default.

        Returns
        -------
        list of ScopedKey
            The Tasks that were created.
        """
        return parsed(self._ask("ensure_tasks", network=text(network), per_transformation=count, weight=weight))

    # --- queries ----------------------------------------------------------------------------------

    def query_tasks(self, scope: Scope | str | None = None, status: str | None = None) -> list[ScopedKey]:
        """Return the ScopedKeys of Tasks, sorted.

        Parameters
        ----------
        scope : Scope or str, optional
            A Scope or a pattern.
        status : str, optional
            Only Tasks with this status.
        """
        return parsed(self._ask("query_tasks", scope=scope_text(scope), status=_status(status)))

    def get_network_tasks(self, network: AnyKey, status: str | None = None) -> list[ScopedKey]:
        """Return the Tasks of a network's Transformations, actioned or not, sorted.

        Parameters
        ----------
        network : ScopedKey or str
        status : str, optional
            Only Tasks with this status.
        """
        return parsed(self._ask("network_tasks", network=text(network), status=_status(status)))

    def get_transformation_tasks(
        self,
        transformation: AnyKey,
        extends: AnyKey | None = None,
        return_as: Literal["list", "graph"] = "list",
        status: str | None = None,
    ) -> list[ScopedKey] | nx.DiGraph:
        """Return the Tasks of a Transformation.

        Parameters
        ----------
        transformation : ScopedKey or str
        extends : ScopedKey or str, optional
            Only Tasks that extend this one, directly or indirectly.
        return_as : {"list", "graph"}
            A graph has an edge from each Task to the one that it extends.
        status : str, optional
            Only Tasks with this status.
        """
        if return_as not in ("list", "graph"):
            raise InvalidKeyError(f"return_as is 'list' or 'graph', not {return_as!r}", value=return_as)
        wanted = None if extends is None else text(extends)
        asked: dict[str, Any] = {"transformation": text(transformation), "extends": wanted, "status": _status(status)}
        rows = [(ScopedKey.from_str(task), parent) for task, parent in self._ask("transformation_tasks", **asked)]
        if return_as == "list":
            return [task for task, _ in rows]
        import networkx as nx

        graph = nx.DiGraph()
        graph.add_nodes_from(task for task, _ in rows)
        graph.add_edges_from((task, ScopedKey.from_str(parent)) for task, parent in rows if parent is not None)
        return graph

    def get_task_transformation(self, task: AnyKey) -> ScopedKey:
        """Return the Transformation of a Task."""
        return ScopedKey.from_str(self._ask("task_transformation", task=text(task)))

    def get_task_networks(self, task: AnyKey) -> list[ScopedKey]:
        """Return the networks with the Transformation of a Task, sorted."""
        return parsed(self._ask("task_networks", task=text(task)))

    # --- actions ----------------------------------------------------------------------------------

    def action_tasks(
        self,
        tasks: Sequence[AnyKey],
        network: AnyKey,
        weight: float | Sequence[float] | None = None,
        *,
        reason: str | None = None,
    ) -> list[ScopedKey | None]:
        """Action Tasks on a network, so that they are executed.

        Parameters
        ----------
        tasks : sequence of ScopedKey or str
            Waiting, running or in error.
        network : ScopedKey or str
        weight : float or sequence of float, optional
            In [0, 1], one for all or one per Task. Default: 0.5 for new actions, unchanged for existing ones.
        reason : str, optional
            Recorded in the log.

        Returns
        -------
        list of ScopedKey or None
            The Tasks that are actioned now; None for one that was refused, with a warning that says why.
        """
        weights = weight if weight is None or isinstance(weight, (int, float)) else list(weight)
        return self._outcomes("action_tasks", tasks, network=text(network), weight=weights, reason=reason)

    def cancel_tasks(
        self, tasks: Sequence[AnyKey], network: AnyKey, *, reason: str | None = None
    ) -> list[ScopedKey | None]:
        """Cancel Tasks on a network; running ones that no other network wants are stopped and released.

        Parameters
        ----------
        tasks : sequence of ScopedKey or str
        network : ScopedKey or str
        reason : str, optional
            Recorded in the log.

        Returns
        -------
        list of ScopedKey or None
            The Tasks that were cancelled; None for one that was refused, with a warning that says why.
        """
        return self._outcomes("cancel_tasks", tasks, network=text(network), reason=reason)

    def get_network_actioned_tasks(
        self, network: AnyKey, task_weights: bool = False
    ) -> dict[ScopedKey, float] | list[ScopedKey]:
        """Return the Tasks actioned on a network, with their weights if asked for.

        Parameters
        ----------
        network : ScopedKey or str
        task_weights : bool, default False
            Return a dict of key to weight instead of a list.
        """
        return self.get_networks_actioned_tasks([network], task_weights)[0]

    def get_networks_actioned_tasks(
        self, networks: Sequence[AnyKey], task_weights: bool = False
    ) -> list[dict[ScopedKey, float] | list[ScopedKey]]:
        """Return the Tasks actioned on each network.

        Parameters
        ----------
        networks : sequence of ScopedKey or str
        task_weights : bool, default False
            Return a dict of Task to weight for each network instead of a list.
        """
        answer = self._ask("networks_actioned_tasks", networks=texts(networks))
        found = [{ScopedKey.from_str(task): weight for task, weight in tasks.items()} for tasks in answer]
        return [tasks if task_weights else list(tasks) for tasks in found]

    def get_task_actioned_networks(
        self, task: AnyKey, task_weights: bool = False
    ) -> dict[ScopedKey, float] | list[ScopedKey]:
        """Return the networks on which a Task is actioned, with its weights there if asked for.

        Parameters
        ----------
        task : ScopedKey or str
        task_weights : bool, default False
            Return a dict of key to weight instead of a list.
        """
        answer = self._ask("task_actioned_networks", task=text(task))
        found = {ScopedKey.from_str(network): weight for network, weight in answer.items()}
        return found if task_weights else list(found)

    # --- status and priority ----------------------------------------------------------------------

    def get_tasks_status(self, tasks: Sequence[AnyKey], batch_size: int = 1000) -> list[str | None]:
        """Return the status of each Task, None for one that the lake does not have.

        Parameters
        ----------
        tasks : sequence of ScopedKey or str
        batch_size : int
            For scripts written for alchemiscale; all are one question.
        """
        del batch_size
        return list(self._ask("tasks_status", tasks=texts(tasks)))

    def set_tasks_status(
        self, tasks: Sequence[AnyKey], status: str, batch_size: int = 1000, *, reason: str | None = None
    ) -> list[ScopedKey | None]:
        """Set the status of Tasks in one commit.

        Parameters
        ----------
        tasks : sequence of ScopedKey or str
        status : str
            `waiting`, `invalid` or `deleted`; the last two are final, and also apply to Tasks that extend these.
        batch_size : int
            For scripts written for alchemiscale.
        reason : str, optional
            Recorded in the log.

        Returns
        -------
        list of ScopedKey or None
            The Tasks that have this status now; None for one that was refused, with a warning that says why.
        """
        del batch_size
        return self._outcomes("set_tasks_status", tasks, status=word(status), reason=reason)

    def get_tasks_priority(self, tasks: Sequence[AnyKey], batch_size: int = 1000) -> list[int | None]:
        """Return the priority of each Task, None for one that the lake does not have.

        Parameters
        ----------
        tasks : sequence of ScopedKey or str
        batch_size : int
            For scripts written for alchemiscale; all are one question.
        """
        del batch_size
        return list(self._ask("tasks_priority", tasks=texts(tasks)))

    def set_tasks_priority(
        self,
        tasks: Sequence[AnyKey],
        priority: int | Sequence[int],
        batch_size: int = 1000,
        *,
        reason: str | None = None,
    ) -> list[ScopedKey | None]:
        """Set the priority of Tasks in one commit.

        Parameters
        ----------
        tasks : sequence of ScopedKey or str
        priority : int or sequence of int
            From 1, one for all or one per Task; the lower number is claimed first.
        batch_size : int
            For scripts written for alchemiscale.
        reason : str, optional
            Recorded in the log.

        Returns
        -------
        list of ScopedKey or None
            The Tasks that have this priority now; None for one that was refused, with a warning that says why.
        """
        del batch_size
        chosen = list(priority) if isinstance(priority, (list, tuple)) else priority
        return self._outcomes("set_tasks_priority", tasks, priority=chosen, reason=reason)


def _status(status: str | None) -> str | None:
    return None if status is None else word(status)

"""The answer of a Strategy: a weight per Transformation, with reasons, and whole numbers of Tasks from weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import StrategyError

__all__ = ["Proposal", "apportion", "union"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """Weights of Transformations.

    Attributes
    ----------
    weights : mapping of str to float or None
        Per key of a Transformation: how urgent a Task of it is, relative to the others; 0 for not now, None for
        finished. Strategies that know how many Tasks they want give that number.
    reasons : mapping of str to str
        In plain words, why a Transformation has its weight.
    stop : str or None
        Why the Strategy is finished with the network; None if it is not, or all Transformations are finished by
        themselves.
    facts : mapping of str to float
        Numbers that the decision is based on, with their units in the names.
    votes : mapping of str to Proposal
        The proposals of the members of a committee.
    """

    weights: Mapping[str, float | None]
    reasons: Mapping[str, str] = field(default_factory=dict)
    stop: str | None = None
    facts: Mapping[str, float] = field(default_factory=dict)
    votes: Mapping[str, Proposal] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """Return whether every Transformation is finished."""
        return all(weight is None for weight in self.weights.values())

    @property
    def idle(self) -> bool:
        """Return whether no Transformation is to get a Task now."""
        return not any(self.weights.values())

    def resolve(self) -> dict[str, float | None]:
        """Return weights that sum to one, or are all zero if no Transformation is to get a Task now."""
        # dividing by the largest first, so that neither tiny nor huge weights lose their proportions
        largest = max((weight for weight in self.weights.values() if weight), default=1.0)
        scaled = {key: None if weight is None else weight / largest for key, weight in self.weights.items()}
        total = math.fsum(weight for weight in scaled.values() if weight) or 1.0
        return {key: None if weight is None else weight / total for key, weight in scaled.items()}


def union(one: Proposal, other: Proposal) -> Proposal:
    """Return the proposal of two parts of a network together.

    Parameters
    ----------
    one, other : Proposal
        For different Transformations.

    Raises
    ------
    StrategyError
        If both have a weight for the same Transformation.
    """
    twice = sorted(one.weights.keys() & other.weights.keys())
    if twice:
        raise StrategyError(f"two parts of a network both have a weight for {twice[0]}", transformation=twice[0])
    stops = [stop for stop in dict.fromkeys((one.stop, other.stop)) if stop is not None]
    return Proposal(
        {**one.weights, **other.weights},
        {**one.reasons, **other.reasons},
        "; ".join(stops) if stops and one.finished and other.finished else None,
        {**one.facts, **other.facts},
        {**one.votes, **other.votes},
    )


def apportion(
    weights: Mapping[str, float | None], n_tasks: int, *, limits: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Return whole numbers of Tasks in proportion to weights, by largest remainders.

    Weights that are whole numbers and sum to `n_tasks` are returned as they are. What a limit cuts goes to the others.

    Parameters
    ----------
    weights : mapping of str to float or None
        As in `Proposal`; None and 0 get nothing.
    n_tasks : int
        Tasks in total; fewer if the limits allow no more.
    limits : mapping of str to int, optional
        Tasks that a Transformation may get; without limit if it is not named.

    Returns
    -------
    dict of str to int
        Transformations with at least one Task, by key. Ties go to the larger weight, then to the smaller key.
    """
    left = {key: weight for key, weight in sorted(weights.items()) if weight}
    most = {key: n_tasks if limits is None else max(0, limits.get(key, n_tasks)) for key in left}
    given = dict.fromkeys(left, 0)
    while left and (open_tasks := n_tasks - sum(given.values())) > 0:
        largest = max(left.values())
        total = math.fsum(weight / largest for weight in left.values())
        quota = {key: weight / largest / total * open_tasks for key, weight in left.items()}
        whole = {key: math.floor(share + 1e-9) for key, share in quota.items()}
        order = sorted(left, key=lambda key: (-(quota[key] - whole[key]), -left[key], key))
        for key in order[: max(0, open_tasks - sum(whole.values()))]:
            whole[key] += 1
        for key, tasks in whole.items():
            given[key] = min(most[key], given[key] + tasks)
        if all(given[key] < most[key] for key in left):
            break
        left = {key: weight for key, weight in left.items() if given[key] < most[key]}
    return {key: tasks for key, tasks in given.items() if tasks}

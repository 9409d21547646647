"""Admission of Tasks to one pool, as a pure function of what was read from the lake.

The rules are in `tasks/policy.py`, their inputs from `policy_inputs.py`. What a decision leaves behind for the next one
is in the `PolicyState` that it returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from ..statestore.network_state import on_active_networks
from ..store import NetworkState
from ..tasks.policy import Admission, admit
from ..tasks.states import TaskStates
from ..tasks.unclaimed_offers import UnclaimedOffers
from .policy_inputs import PolicyPicture

__all__ = ["PolicyState", "admit_tasks"]


@dataclass(frozen=True, slots=True)
class PolicyState:
    """Inputs of a pool's policy other than Tasks and networks.

    Attributes
    ----------
    pool : str
        The pool that claims.
    picture : PolicyPicture or None
        What was read of the lake; None without a pools file: then every Task that waits on an active network is
        admitted.
    offers : UnclaimedOffers
        Tasks left to other pools by earlier decisions.
    """

    pool: str
    picture: PolicyPicture | None = None
    offers: UnclaimedOffers = field(default_factory=UnclaimedOffers)


def admit_tasks(
    policy: PolicyState, states: TaskStates, networks: Mapping[str, NetworkState], now: datetime
) -> tuple[Admission, PolicyState]:
    """Decide what a pool may claim, given these states of Tasks.

    Parameters
    ----------
    policy : PolicyState
    states : TaskStates
        States of all Tasks.
    networks : mapping of str to NetworkState
        By ScopedKey; a network that is not listed is active with the default weight.
    now : datetime

    Returns
    -------
    tuple of Admission and PolicyState
        The decision, and the state for the next one.
    """
    picture = policy.picture
    if picture is None:
        return Admission(on_active_networks(states.claimable(), networks)), policy
    running = picture.running_in(states)
    situation = policy.offers.applied(picture.situation(running, now, heard=(policy.pool,)), running)
    admission = admit(picture.pools, policy.pool, picture.candidates(states, networks), running, situation)
    return admission, replace(policy, offers=policy.offers.after(admission.left_to, running, now))

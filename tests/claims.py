"""Single changes of claims, as a dispatcher makes them together."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.statestore.claims import change_claims
from alchemiscale_lake.store import Lake
from alchemiscale_lake.tasks import TaskState


def end_claims(lake: Lake, attempts: Mapping[str, str], *, caller: Caller, reason: str) -> int:
    """Release claims (attempt -> Task); return their number."""
    return change_claims(lake, release={a: (task, reason) for a, task in attempts.items()}, caller=caller)


def expire_claims(lake: Lake, watched: Collection[TaskState], *, caller: Caller) -> int:
    """Expire claims; return their number."""
    return change_claims(lake, release={}, expire=watched, caller=caller)


def renew_leases(lake: Lake, attempts: Mapping[str, str], *, lease_s: float, caller: Caller) -> None:
    """Renew the leases of attempts (attempt -> Task)."""
    change_claims(lake, release={}, renew=attempts, lease_s=lease_s, caller=caller)

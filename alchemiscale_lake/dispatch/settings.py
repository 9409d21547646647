"""What a dispatcher is told: which Tasks, with what, for how long believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from ..ledger.claims import Selection
from ..resources import Resources
from ..settings import Monitors, Pool, Pools, QuarantineRules
from ..tasks.default_needs import unit_needs

__all__ = ["DispatchSettings"]

#: What was handed out to last is not given up because nobody looked for a few hours (cron).
_DURABLE_LEASE_S: Final = 6 * 3600.0
#: A bucket is paid by the request, and answers in a tenth of a second.
_BUCKET_POLL_S: Final = 2.0
_POLL_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class DispatchSettings:
    """What a dispatcher claims, and what its Tasks may use.

    Parameters
    ----------
    pool : str
    selection : Selection
        Scopes and networks to claim from; all, by default.
    resources : Resources, optional
        Of every attempt, with as many of its GPUs as the Protocol needs; all by its needs, if not given.
    timeout_s, stuck_after_s : float, optional
        An attempt that takes longer fails; a unit that makes no progress for so long is ended.
    unit_retries : int
        Times a failed ProtocolUnit is run again within an attempt.
    unit_needs : mapping
        What a ProtocolUnit takes, by class.
    monitors : Monitors
    heartbeat_s : float
        How often leases, cancellations, hosts and lost jobs are looked after.
    lease_s : float
        An attempt without news for so long is given up. It grows with an attempt's age.
    poll_s : float
        Pause between two looks at the log.
    retire_before_s : float
        Attempts are stopped so long before their job ends.
    work_root : str, optional
        Folder for the attempts' `shared` and `scratch` folders.
    maximum_workers : int
    hosts : QuarantineRules, optional
        When a host is held to be bad. None for a machine on its own: nobody else could run its Tasks, so
        failures are better seen than waited out.
    """

    pool: str = "local"
    selection: Selection = field(default_factory=Selection)
    resources: Resources | None = None
    timeout_s: float | None = None
    stuck_after_s: float | None = None
    unit_retries: int = 1
    unit_needs: Mapping[str, Resources] = field(default_factory=dict)
    monitors: Monitors = field(default_factory=Monitors)
    heartbeat_s: float = 20.0
    lease_s: float = 60.0
    poll_s: float = _POLL_S
    retire_before_s: float = 0.0
    work_root: str | None = None
    capacity: Resources = field(default_factory=Resources)
    maximum_workers: int = 1
    hosts: QuarantineRules | None = None

    def resources_for(self, needs: Resources) -> Resources:
        """What an attempt gets whose Protocol has these needs."""
        if self.resources is None:
            return needs
        return replace(self.resources, gpus=min(needs.gpus, self.resources.gpus))

    @classmethod
    def of_pool(
        cls, name: str, pools: Pools, *, selection: Selection | None = None, durable: bool = False, bucket: bool = False
    ) -> DispatchSettings:
        """Read them off a pool.

        Parameters
        ----------
        durable : bool
            Whether what is handed out goes on without the dispatcher.
        bucket : bool
            Whether the lake lies in a bucket.
        """
        pool: Pool = pools.pools[name]
        return cls(
            pool=name,
            selection=selection or Selection(),
            timeout_s=pool.timeout_s,
            stuck_after_s=pool.stuck_after_s,
            unit_retries=pool.unit_retries,
            unit_needs=unit_needs(pools),
            monitors=pool.monitors,
            heartbeat_s=pool.heartbeat_s,
            lease_s=max(pool.lease_s, _DURABLE_LEASE_S) if durable else pool.lease_s,
            poll_s=_BUCKET_POLL_S if bucket else _POLL_S,
            retire_before_s=pool.retire_before_s if pool.walltime_s is not None else 0.0,
            work_root=pool.work_root,
            capacity=pool.capacity,
            maximum_workers=pool.limits.maximum,
            hosts=None if pool.kind == "local" and len(pools.pools) == 1 else pools.hosts,
        )

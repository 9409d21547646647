"""Dispatcher settings: which Tasks, with which resources, timeouts and intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from ..resources import Resources
from ..settings import FileRules, Monitors, Pool, Pools, QuarantineRules
from ..statestore.claims import Selection
from ..tasks.default_keep import file_rules
from ..tasks.default_needs import process_per_unit, unit_needs

__all__ = ["DispatchSettings"]

#: Batch jobs are not given up if no dispatcher ran for a few hours (cron).
_DURABLE_LEASE_S: Final = 6 * 3600.0
#: A bucket charges per request, and answers in a tenth of a second.
_BUCKET_POLL_S: Final = 2.0
_POLL_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class DispatchSettings:
    """Dispatcher settings.

    Parameters
    ----------
    pool : str
    selection : Selection
        Scopes and networks to claim from; default: all.
    resources : Resources, optional
        Resources of every attempt, with at most the GPUs that its Protocol needs; default: by its needs.
    timeout_s, stuck_after_s : float, optional
        Timeout of an attempt; time without progress after which a unit is terminated.
    unit_retries : int
        Number of retries of a failed ProtocolUnit within an attempt.
    output_bytes : int
        Largest stdout, stderr or log of a unit that is stored whole.
    unit_needs : mapping
        Needs of ProtocolUnits by class.
    process_per_unit : mapping
        Whether each unit of a Task has its own process, by class of Protocol; `*`: any other class.
    files : FileRules
        Which files of Tasks are kept.
    monitors : Monitors
    heartbeat_s : float
        Interval of checks of leases, cancellations, hosts and lost jobs.
    lease_s : float
        Time without a heartbeat after which an attempt is given up. It grows with the age of an attempt.
    poll_s : float
        Interval between reads of the log.
    retire_before_s : float
        Time before the end of their job at which attempts are stopped.
    work_root : str, optional
        Folder for the attempts' `shared` and `scratch` folders.
    capacity : Resources
        Resources of one worker.
    maximum_workers : int
    runs_here : bool
        Whether workers have this process's environment, so that Tasks whose Protocol is missing here are not claimed.
    hosts : QuarantineRules, optional
        Rules for quarantining hosts. None for a single machine: no other host could run its Tasks, so failures should
        be visible rather than delayed.
    """

    pool: str = "local"
    selection: Selection = field(default_factory=Selection)
    resources: Resources | None = None
    timeout_s: float | None = None
    stuck_after_s: float | None = None
    unit_retries: int = 1
    output_bytes: int = 2**20
    unit_needs: Mapping[str, Resources] = field(default_factory=dict)
    process_per_unit: Mapping[str, bool] = field(default_factory=dict)
    files: FileRules = field(default_factory=lambda: file_rules(None))
    monitors: Monitors = field(default_factory=Monitors)
    heartbeat_s: float = 20.0
    lease_s: float = 60.0
    poll_s: float = _POLL_S
    retire_before_s: float = 0.0
    work_root: str | None = None
    capacity: Resources = field(default_factory=Resources)
    maximum_workers: int = 1
    runs_here: bool = False
    hosts: QuarantineRules | None = None

    def resources_for(self, needs: Resources) -> Resources:
        """Return the resources of an attempt whose Protocol has these needs."""
        if self.resources is None:
            return needs
        return replace(self.resources, gpus=min(needs.gpus, self.resources.gpus))

    @classmethod
    def of_pool(
        cls, name: str, pools: Pools, *, selection: Selection | None = None, durable: bool = False, bucket: bool = False
    ) -> DispatchSettings:
        """Derive the settings from a pool.

        Parameters
        ----------
        name : str
            Name of the pool.
        pools : Pools
            The pools file.
        selection : Selection, optional
            Tasks to claim from; by default, all.
        durable : bool
            Whether assignments continue without the dispatcher.
        bucket : bool
            Whether the lake is in a bucket.
        """
        pool: Pool = pools.pools[name]
        return cls(
            pool=name,
            selection=selection or Selection(),
            timeout_s=pool.timeout_s,
            stuck_after_s=pool.stuck_after_s,
            unit_retries=pool.unit_retries,
            output_bytes=pool.output_bytes,
            unit_needs=unit_needs(pools),
            process_per_unit=process_per_unit(pools),
            files=file_rules(pools),
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

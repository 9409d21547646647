"""Default resource needs of well-known Protocols and ProtocolUnits, and their overrides.

Only class names: nothing here imports openfe or feflow. There are no defaults for memory and durations: they depend on
the system, and `pools.yaml` or the lake's own results know them better.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ..resources import Resources
from ..settings import ANY_PROTOCOL, Needs, Pools

__all__ = ["PROTOCOL_NEEDS", "UNIT_NEEDS", "knows", "needs_of", "unit_needs"]

# OpenMM keeps one core busy per CUDA context; asking for a second would exclude workers that have one.
_GPU: Final = Needs(gpus=1.0, cores=1)
_CPU: Final = Needs(gpus=0.0, cores=1)

#: Needs by class of Protocol.
PROTOCOL_NEEDS: Final[Mapping[str, Needs]] = MappingProxyType(
    {
        # openfe: MD on one device, the default of its engine settings; the replicas of a simulation take turns on it
        "RelativeHybridTopologyProtocol": _GPU,
        "AbsoluteSolvationProtocol": _GPU,
        "AbsoluteBindingProtocol": _GPU,
        "SepTopProtocol": _GPU,
        "PlainMDProtocol": _GPU,
        # feflow: cycles run one after the other on one device; to share it, run more Tasks or request a fraction
        "NonEquilibriumCyclingProtocol": _GPU,
        # ours run on OpenMM's CPU platform or run no dynamics
        "HydrationProtocol": _CPU,
        "HarmonicProtocol": _CPU,
        "NoOpProtocol": _CPU,
    }
)

#: Needs by class of ProtocolUnit, for classes that leave the GPU free for another unit of the Task.
#: A class that is missing uses all GPUs of its Task.
UNIT_NEEDS: Final[Mapping[str, Needs]] = MappingProxyType(
    {
        # openfe >= 1.9 splits the former single unit. Setup builds the hybrid topology and parametrises without a
        # Context; analysis runs MBAR and reads trajectories.
        "HybridTopologySetupUnit": _CPU,
        "HybridTopologyMultiStateAnalysisUnit": _CPU,
        # The setup units of AbsoluteBinding, AbsoluteSolvation and SepTop are missing on purpose: they equilibrate by
        # MD on the engine's platform before they choose restraints.
        "ABFEComplexAnalysisUnit": _CPU,
        "ABFESolventAnalysisUnit": _CPU,
        "AHFESolventAnalysisUnit": _CPU,
        "AHFEVacuumAnalysisUnit": _CPU,
        "SepTopComplexAnalysisUnit": _CPU,
        "SepTopSolventAnalysisUnit": _CPU,
        "PlainMDSetupUnit": _CPU,
        # feflow's SetupUnit is missing on purpose: it minimises on the engine's platform, and ours has the same name
        "ResultUnit": _CPU,
    }
)


def knows(protocol: str) -> bool:
    """Return whether a class of Protocol has default needs."""
    return protocol in PROTOCOL_NEEDS


def needs_of(pools: Pools | None, protocol_qualname: str) -> Needs:
    """Return what a Task of a Protocol needs.

    Parameters
    ----------
    pools : Pools or None
        Configuration; its `protocols` override the defaults key by key. Those of `*` apply to unknown classes.
    protocol_qualname : str
        Class of the Protocol, without its module.

    Returns
    -------
    Needs
        One core and no GPU for a class that neither `pools` nor this package lists.
    """
    declared = {} if pools is None else pools.protocols
    known = PROTOCOL_NEEDS.get(protocol_qualname)
    if known is None:
        known = declared.get(ANY_PROTOCOL, Needs())
    return _over(known, declared.get(protocol_qualname))


def unit_needs(pools: Pools | None) -> dict[str, Resources]:
    """Return the needs of ProtocolUnits by class; units of other classes share those of their Task."""
    declared = {} if pools is None else pools.units
    return {
        name: _over(UNIT_NEEDS.get(name, Needs()), declared.get(name)).resources
        for name in sorted(UNIT_NEEDS.keys() | declared.keys())
    }


def _over(default: Needs, given: Needs | None) -> Needs:
    """Override the default with the fields set in `given`."""
    if given is None:
        return default
    return default.model_copy(update={name: getattr(given, name) for name in given.model_fields_set})

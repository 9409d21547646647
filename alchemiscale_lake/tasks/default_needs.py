"""What Tasks and ProtocolUnits of well-known classes take, and how configuration changes that.

Names of classes only: nothing here imports openfe or feflow. Memory and durations are not guessed: they follow the
system, and the lake's own results, or `pools.yaml`, know them better.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ..resources import Resources
from ..settings import ANY_PROTOCOL, Needs, Pools

__all__ = ["PROTOCOL_NEEDS", "UNIT_NEEDS", "knows", "needs_of", "unit_needs"]

# OpenMM keeps one core busy per CUDA context, and a second core would keep such Tasks off workers that have one.
_GPU: Final = Needs(gpus=1.0, cores=1)
_CPU: Final = Needs(gpus=0.0, cores=1)

#: Needs by class of Protocol.
PROTOCOL_NEEDS: Final[Mapping[str, Needs]] = MappingProxyType(
    {
        # openfe: MD on one device, which is what its engine settings take by default; the replicas of one simulation
        # take turns on it
        "RelativeHybridTopologyProtocol": _GPU,
        "AbsoluteSolvationProtocol": _GPU,
        "AbsoluteBindingProtocol": _GPU,
        "SepTopProtocol": _GPU,
        "PlainMDProtocol": _GPU,
        # feflow: one cycle after the other on one device; several cycles share it through more Tasks, or a share
        "NonEquilibriumCyclingProtocol": _GPU,
        # ours run on OpenMM's CPU platform, or do no dynamics at all
        "HydrationProtocol": _CPU,
        "HarmonicProtocol": _CPU,
        "NoOpProtocol": _CPU,
    }
)

#: Needs by class of ProtocolUnit, of those that leave the GPU alone: beside them another unit of the Task may use it.
#: A class that is missing has all that its Task has of GPUs.
UNIT_NEEDS: Final[Mapping[str, Needs]] = MappingProxyType(
    {
        # openfe >= 1.9 divides what was one unit. Setup builds the hybrid topology and parametrises without a Context;
        # analysis is MBAR and reading of trajectories.
        "HybridTopologySetupUnit": _CPU,
        "HybridTopologyMultiStateAnalysisUnit": _CPU,
        # The setup units of AbsoluteBinding, AbsoluteSolvation and SepTop are missing on purpose: they equilibrate
        # by MD on the engine's platform before they choose restraints.
        "ABFEComplexAnalysisUnit": _CPU,
        "ABFESolventAnalysisUnit": _CPU,
        "AHFESolventAnalysisUnit": _CPU,
        "AHFEVacuumAnalysisUnit": _CPU,
        "SepTopComplexAnalysisUnit": _CPU,
        "SepTopSolventAnalysisUnit": _CPU,
        "PlainMDSetupUnit": _CPU,
        # feflow's SetupUnit is missing on purpose: it minimises on the engine's platform, and ours have its name
        "ResultUnit": _CPU,
    }
)


def knows(protocol: str) -> bool:
    """Whether a class of Protocol has needs of its own here."""
    return protocol in PROTOCOL_NEEDS


def needs_of(pools: Pools | None, protocol_qualname: str) -> Needs:
    """Tell what a Task of a Protocol takes.

    Parameters
    ----------
    pools : Pools or None
        Configuration, whose `protocols` come first, key by key; those of `*` are for classes that nobody knows.
    protocol_qualname : str
        Class of the Protocol, without its module.

    Returns
    -------
    Needs
        One core and no GPU for a class that neither `pools` nor this package knows.
    """
    declared = {} if pools is None else pools.protocols
    known = PROTOCOL_NEEDS.get(protocol_qualname)
    if known is None:
        known = declared.get(ANY_PROTOCOL, Needs())
    return _over(known, declared.get(protocol_qualname))


def unit_needs(pools: Pools | None) -> dict[str, Resources]:
    """Tell what ProtocolUnits take, by class; a unit of another class shares what its Task has."""
    declared = {} if pools is None else pools.units
    return {
        name: _over(UNIT_NEEDS.get(name, Needs()), declared.get(name)).resources
        for name in sorted(UNIT_NEEDS.keys() | declared.keys())
    }


def _over(default: Needs, given: Needs | None) -> Needs:
    """Take from `given` what it names, the rest from the default."""
    if given is None:
        return default
    return default.model_copy(update={name: getattr(given, name) for name in given.model_fields_set})

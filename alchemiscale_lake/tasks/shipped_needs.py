"""Resource needs of well-known Protocols and ProtocolUnits, one provider per package that defines them.

Only class names: nothing here imports openfe or feflow. There are no defaults for memory and durations: they depend on
the system, and `pools.yaml` or the lake's own results know them better.
"""

from __future__ import annotations

from typing import Final

__all__ = ["FEFLOW", "OPENFE", "OURS"]

# OpenMM keeps one core busy per CUDA context; asking for a second would exclude workers that have one.
_GPU: Final = {"gpus": 1.0, "cores": 1}
_CPU: Final = {"gpus": 0.0, "cores": 1}

#: openfe: MD on one device, the default of its engine settings; the replicas of a simulation take turns on it.
OPENFE: Final = {
    "protocols": {
        "RelativeHybridTopologyProtocol": _GPU,
        "AbsoluteSolvationProtocol": _GPU,
        "AbsoluteBindingProtocol": _GPU,
        "SepTopProtocol": _GPU,
        "PlainMDProtocol": _GPU,
    },
    "units": {
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
    },
}

#: feflow: cycles run one after the other on one device; to share it, run more Tasks or request a fraction.
FEFLOW: Final = {
    "protocols": {"NonEquilibriumCyclingProtocol": _GPU},
    # its SetupUnit is missing on purpose: it minimises on the engine's platform, and ours has the same name
    "units": {"ResultUnit": _CPU},
}

#: Ours run on OpenMM's CPU platform or run no dynamics.
OURS: Final = {"protocols": {"HydrationProtocol": _CPU, "HarmonicProtocol": _CPU, "NoOpProtocol": _CPU}}

"""Files of well-known Protocols that are worth keeping, one provider per package that defines them.

Only names: nothing here imports openfe or feflow. Kept by default is what shows whether a result can be trusted, and is
small: plots, tables, structures, logs. Trajectories are gigabytes per repeat; `pools.yaml` keeps them on request.
"""

from __future__ import annotations

from typing import Final

__all__ = ["FEFLOW", "OPENFE"]

_OF_SIMULATIONS: Final = {
    "shared": ["*.pdb", "*.png", "*.svg", "*.yaml", "*.npz", "*.json", "*_analysis*"],
}

#: openfe: structures, overlap and convergence plots, time series of the analysis. Not `simulation.nc`,
#: `checkpoint.chk` and other restart files.
OPENFE: Final = {
    "RelativeHybridTopologyProtocol": _OF_SIMULATIONS,
    "AbsoluteSolvationProtocol": _OF_SIMULATIONS,
    "AbsoluteBindingProtocol": _OF_SIMULATIONS,
    "SepTopProtocol": _OF_SIMULATIONS,
    "PlainMDProtocol": {"shared": ["*.pdb", "*.log"]},
}

#: feflow: the works, a log, the minimised structure. Not the trajectories `*_eq_*.npy` and `*_neq_*.npy`.
FEFLOW: Final = {
    "NonEquilibriumCyclingProtocol": {
        "shared": [
            "forward_[!en]*.npy",
            "reverse_[!en]*.npy",
            "feflow-neq-cycling.log",
            "minimized_hybrid_topology.pdb",
        ],
    },
}

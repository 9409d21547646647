"""Published throughput of openfe calculations as rows of the cost model, one per target and leg.

Hours are those of 11 windows of 6 ns at the published ns/day. No measured quantity is among the features: atoms,
ligands and the set of a target are known before anything runs.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["FILE", "Throughput", "published_throughput"]

#: Path of the table; another table with the same columns (and optionally `GPU`) may be used.
FILE = (
    Path(os.environ.get("ALCHEMISCALE_LAKE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    / "openfe2024_l40s_throughput.csv"
)

_SIMULATED_NS, _N_WINDOWS, _HOURS_PER_DAY = 6.0, 11.0, 24.0


@dataclass(frozen=True, slots=True)
class Throughput:
    """Rows of complex legs, then as many of solvent legs in the same order, and their hours."""

    rows: dict[str, NDArray]  # type: ignore[type-arg]
    hours: NDArray[np.float64]
    targets: NDArray[np.str_]

    def part(self, mine: NDArray[np.bool_]) -> tuple[dict[str, NDArray], NDArray[np.float64]]:  # type: ignore[type-arg]
        """Return some of the rows, and their hours."""
        return {name: values[mine] for name, values in self.rows.items()}, self.hours[mine]


def published_throughput(path: Path = FILE) -> Throughput:
    """Read the table."""
    with path.open(newline="") as file:
        table = list(csv.DictReader(file))

    def numbers(name: str) -> NDArray[np.float64]:
        return np.array([float(row[name]) for row in table])

    n = len(table)
    target = np.array([row["system"] for row in table])
    ligand, unknown = numbers("mean_ligand_atoms"), np.full(n, np.nan)
    solute = numbers("protein_pdb_atoms") + numbers("cofactor_atoms") + ligand
    rows = {
        "n_atoms": np.concatenate([numbers("n_atoms"), unknown]),
        "n_solute_atoms": np.concatenate([solute, ligand]),
        "n_ligand_atoms": np.tile(ligand, 2),
        "simulated_ns": np.full(2 * n, _SIMULATED_NS),
        "n_windows": np.full(2 * n, _N_WINDOWS),
        "timestep_fs": np.full(2 * n, 4.0),
        "is_complex": np.repeat([1.0, 0.0], n),
        "is_solvent": np.repeat([0.0, 1.0], n),
        "protocol": np.full(2 * n, "RelativeHybridTopologyProtocol"),
        "gpu_model": np.tile(np.array([row.get("GPU") or "NVIDIA L40S" for row in table]), 2),
        "group": np.tile(target, 2),
        "campaign": np.tile(np.array([row["Set"] for row in table]), 2),
    }
    ns_per_day = np.concatenate([numbers("Complex ns/day"), numbers("Solvent ns/day")])
    return Throughput(rows, _HOURS_PER_DAY * _SIMULATED_NS * _N_WINDOWS / ns_per_day, np.tile(target, 2))

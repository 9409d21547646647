"""Lakes whose results follow another cost law than that of the cost model.

The law is additive where the model is multiplicative: set-up, plus steps x (latency of the GPU x that of the Protocol
+ work per atom x that of the Protocol), with every GPU model deviating from its published speed, every target from its
estimated size, slow hosts, noise that differs between Protocols and phases, and stragglers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alchemiscale_lake.estimators.cost.gpu_speed import speed_of, unlisted

__all__ = ["SimulatedLake", "simulated_lake"]

GPU_NAMES = (
    "NVIDIA L40S",
    "NVIDIA A100-SXM4-80GB",
    "NVIDIA H100 80GB HBM3",
    "NVIDIA GeForce RTX 4090",
    "Tesla T4",
    "NVIDIA A40",
    "Quadro RTX 6000",
    "NVIDIA L4",
    "Tesla V100-SXM2-32GB",
    "NVIDIA X999",
)


@dataclass(frozen=True, slots=True)
class SimulatedLake:
    """Rows with the names of `alchemiscale_lake.estimators.cost.features`, and the hours of each."""

    rows: dict[str, NDArray]  # type: ignore[type-arg]
    hours: NDArray[np.float64]

    def part(self, mine: NDArray[np.bool_]) -> SimulatedLake:
        """Return some of the rows."""
        return SimulatedLake({name: values[mine] for name, values in self.rows.items()}, self.hours[mine])


def simulated_lake(
    seed: int, *, n_rows: int, n_protocols: int = 4, n_gpus: int = 4, n_targets: int = 15
) -> SimulatedLake:
    """Draw a lake; the same seed draws the same lake."""
    rng = np.random.default_rng(seed)
    protocol, gpu = rng.integers(0, n_protocols, n_rows), rng.integers(0, n_gpus, n_rows)
    target, bound = rng.integers(0, n_targets, n_rows), rng.integers(0, 2, n_rows).astype(float)
    ligand_atoms = np.clip(rng.normal(42, 12, n_rows), 12, 90)
    protein_atoms = np.exp(rng.normal(np.log(5_000), 0.5, n_targets))[target]
    off_target = rng.normal(0, 1, n_targets)[target] * bound
    solute = np.where(bound == 1, protein_atoms + ligand_atoms, ligand_atoms)
    atoms = 95 * (0.34 * np.cbrt(solute) + 2.4) ** 3 * np.exp(0.1 * off_target)
    simulated_ns = rng.choice([2.0, 5.0, 6.0, 10.0, 21.0], n_protocols)[protocol]
    n_windows = rng.choice([1.0, 11.0, 12.0, 22.0, 30.0], n_protocols)[protocol]
    names = np.array(GPU_NAMES)[rng.choice(len(GPU_NAMES), n_gpus, replace=False)]
    step_ms = _step_ms(rng, names, gpu, protocol, atoms)
    setting_up = np.exp(rng.normal(np.log(0.1), 0.7, n_protocols))[protocol]
    hours = setting_up + simulated_ns * 1e6 / 4.0 * n_windows * step_ms / 3.6e6
    noise_sd = 0.08 * np.exp(rng.normal(0, 0.5, n_protocols))[protocol] * np.where(bound == 1, 1.0, 1.6)
    host = rng.normal(0, 0.06, 60)[rng.integers(0, 60, n_rows)]
    straggling = (rng.random(n_rows) < 0.02) * rng.exponential(0.6, n_rows)
    hours = hours * np.exp(noise_sd * rng.normal(size=n_rows) + host + 0.07 * off_target + straggling)
    rows = {
        "n_solute_atoms": solute,
        "n_ligand_atoms": ligand_atoms,
        "n_dummy_heavy_atoms": rng.poisson(5, n_rows).astype(float),
        "simulated_ns": simulated_ns,
        "n_windows": n_windows,
        "timestep_fs": np.full(n_rows, 4.0),
        "is_complex": bound,
        "is_solvent": 1.0 - bound,
        "protocol": np.char.add("Protocol", protocol.astype(str)),
        "gpu_model": names[gpu],
        "group": np.char.add("target", target.astype(str)),
    }
    return SimulatedLake(rows, hours)


def _step_ms(
    rng: np.random.Generator,
    names: NDArray[np.str_],
    gpu: NDArray[np.intp],
    protocol: NDArray[np.intp],
    atoms: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the time of a step: latency and work, each with errors by GPU model and by Protocol."""
    n_protocols = int(protocol.max()) + 1
    latency = np.exp(rng.normal(np.log(1.5), 0.25, n_protocols))[protocol]
    work = np.exp(rng.normal(np.log(2.3), 0.35, n_protocols))[protocol]
    step = np.empty(len(atoms))
    for k, name in enumerate(names):
        speed, sd = (speed_of(str(name)), 0.2) if speed_of(str(name)) else (unlisted(), 0.5)
        assert speed is not None
        mine = gpu == k
        off = np.exp(rng.normal(0, sd, 2))
        base = speed.step_ms(atoms[mine])
        step[mine] = speed.latency_ms * off[0] * latency[mine] + (base - speed.latency_ms) * off[1] * work[mine]
    return step

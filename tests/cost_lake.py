"""Lakes in which calculations follow a simple cost law: openfe's legs on GPUs, without openfe or a GPU."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np

from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store import Lake
from tests.campaign import SCOPE, T0, Campaign, hours

GPUS = {"NVIDIA L40S": 1.0, "NVIDIA A100-SXM4-80GB": 1.5}
OPENFE = "RelativeHybridTopologyProtocol"


def leg(name: str, *, target: int = 0, phase: str = "complex", scope: str = SCOPE, **columns: Any) -> dict[str, Any]:
    """Return a row of `transformations`: 11 windows of 6 ns, a protein of at least 4,000 atoms."""
    n_solute = 3000 + 600 * target if phase == "complex" else 0
    return (
        {c.name: None for c in TABLES["transformations"].columns}
        | {
            "scope": scope,
            "transformation": f"Transformation-{name}-{scope}",
            "key": f"Transformation-{name}",
            "qualname": "Transformation",
            "name": name,
            "phase": phase,
            "environment": f"ProteinComponent-{target}" if phase == "complex" else None,
            "state_a": f"ChemicalSystem-{name}a",
            "state_b": f"ChemicalSystem-{name}b",
            "ligand_a": f"SmallMoleculeComponent-{target}a",
            "ligand_b": f"SmallMoleculeComponent-{target}b{name}",
            "protocol": f"{OPENFE}-1",
            "protocol_qualname": OPENFE,
            "mappings": [],
            "n_atoms_a": n_solute + 35,
            "n_atoms_b": n_solute + 36,
            "n_ligand_atoms_a": 35,
            "n_ligand_atoms_b": 36,
            "n_ligand_heavy_atoms_a": 20,
            "n_ligand_heavy_atoms_b": 20,
            "n_dummy_atoms": 3,
            "n_dummy_heavy_atoms": 1,
            "ring_change": 0,
            "charge_change": 0,
            "mapping_score": 0.9,
            "simulated_ns": 6.0,
            "n_windows": 11,
            "n_repeats": 1,
            "timestep_fs": 4.0,
            "solvent_padding_nm": 1.0,
            "explicit_solvent": True,
            "ingested_at": T0,
        }
        | columns
    )


def law_gpu_hours(row: dict[str, Any], gpu: str) -> float:
    """Return the cost of one result in GPU-hours."""
    atoms = 94.6 * (0.365 * (row["n_atoms_b"] or 0) ** (1 / 3) + 2.0) ** 3
    return float(5.0 * (atoms / 30_000) * GPUS[gpu] * row["simulated_ns"] * row["n_windows"] / 66.0)


def add_hosts(lake: Lake) -> None:
    """Return one host per GPU model."""
    rows = [TABLES["hosts"].sample(1, host=f"digest of {gpu}", gpu_model=gpu, n_gpus=1).to_pylist()[0] for gpu in GPUS]
    lake.table("hosts").append_new(rows)


def result(
    row: dict[str, Any], number: int, gpu: str = "NVIDIA L40S", *, noise: float = 1.0, **columns: Any
) -> dict[str, Any]:
    """Return a row of `results`."""
    wall_time_s = 3600.0 * law_gpu_hours(row, gpu) * noise
    began = hours(number)
    return {
        "scope": row["scope"],
        "attempt": f"{number:032x}",
        "task": f"Task-{number:05d}-{row['scope']}",
        "transformation": row["transformation"],
        "ok": True,
        "object_path": "somewhere",
        "n_units": 3,
        "started_at": began,
        "ended_at": began + timedelta(seconds=wall_time_s),
        "wall_time_s": wall_time_s,
        "gpu_time_s": wall_time_s,
        "pool": "cluster",
        "host": f"digest of {gpu}",
        "hostname": "node1",
        "recorded_at": began + timedelta(seconds=wall_time_s),
    } | columns


def openfe_lake(lake: Lake, *, n_targets: int = 6, n_edges: int = 4, seed: int = 1) -> list[dict[str, Any]]:
    """Fill a lake with edges, all but the last of each target with a result on an L40S; return all legs."""
    draw = np.random.default_rng(seed)
    legs = [
        leg(f"t{target}e{edge}{phase}", target=target, phase=phase)
        for target in range(n_targets)
        for edge in range(n_edges)
        for phase in ("complex", "solvent")
    ]
    done = [row for row in legs if f"e{n_edges - 1}" not in row["key"]]
    lake.table("transformations").append_new(legs)
    add_hosts(lake)
    lake.table("results").append_new(
        [result(row, i + 1, noise=float(np.exp(0.05 * draw.standard_normal()))) for i, row in enumerate(done)]
    )
    return legs


def stored(lake: Lake, legs: list[dict[str, Any]], n: int) -> str:
    """Make a network of the first legs of a lake; return its ScopedKey."""
    network = f"AlchemicalNetwork-legs-{SCOPE}"
    common = {"scope": SCOPE, "network": network}
    members = [common | {"member": row["transformation"], "kind": "transformation"} for row in legs[:n]]
    lake.table("network_members").append_new(members)
    row = {"key": "AlchemicalNetwork-legs", "name": "legs", "n_transformations": n, "n_systems": 2}
    lake.table("networks").append_new([common | row | {"creator": "ada", "created_at": T0}])
    return network


def tasks(campaign: Campaign, network: str, legs: list[dict[str, Any]]) -> list[str]:
    """Create and action one Task per leg."""
    return campaign.new_tasks(network, [row["key"].removeprefix("Transformation-") for row in legs])

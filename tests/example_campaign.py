"""A campaign in progress, as an analyst finds it: invented, reproducible, written in bulk.

Twenty-two substituted benzanilides in a network with cycles, three repeats of a solvent and a complex leg each, three
hosts over four days; some edges are running, waiting, failed or were never started; most ligands have an assay and a
structure.
"""

from __future__ import annotations

import itertools
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

from alchemiscale_lake.tasks import Event, TaskState

from .campaign import SCOPE, Campaign, hours

NAME = "benzanilides"
NETWORK = f"AlchemicalNetwork-{NAME}-{SCOPE}"
PHASES = ("complex", "solvent")
N_REPEATS = 3
#: An edge whose complex legs deviate by 1.2 kcal/mol.
ODD = ("bza-05", "bza-06")

_RING_A = {"H": "c1ccccc1", "F": "c1ccc(F)cc1", "Cl": "c1ccc(Cl)cc1", "OMe": "c1ccc(OC)cc1", "CN": "c1ccc(C#N)cc1"}
_RING_B = {"H": "c1ccccc1", "Me": "c1ccccc1C", "Cl": "c1ccccc1Cl", "CF3": "c1ccccc1C(F)(F)F", "NH2": "c1ccccc1N"}
_HOSTS = {"gpu-a1": ("NVIDIA L40S", 1.0), "gpu-a2": ("NVIDIA L40S", 1.05), "gpu-b7": ("NVIDIA A100-SXM4-80GB", 0.7)}


def ligands() -> dict[str, str]:
    """Return SMILES by name."""
    pairs = list(itertools.product(_RING_A, _RING_B))[:22]
    return {f"bza-{k + 1:02d}": f"O=C(N{_RING_A[a]}){_RING_B[b]}" for k, (a, b) in enumerate(pairs)}


def pairs() -> list[tuple[str, str]]:
    """Return edges: a tree, and cycles closed among neighbours."""
    draw, names = random.Random(5), list(ligands())
    found = [(names[draw.randrange(max(0, k - 5), k)], names[k]) for k in range(1, len(names))]
    near = [(a, b) for a, b in itertools.combinations(names, 2) if names.index(b) - names.index(a) <= 6]
    return found + draw.sample([pair for pair in near if pair not in found], 13)


def example_campaign(folder: Path) -> Campaign:
    """Make the campaign; estimates are left for the first gathering."""
    draw = random.Random(11)
    campaign = Campaign.at(folder)
    edges = pairs()
    campaign.network(NAME, edges, PHASES, protocol="RelativeHybridTopologyProtocol")
    truth = {name: draw.gauss(-8.5, 1.1) for name in ligands()}
    _hosts(campaign)
    _assays(campaign, truth, draw)
    started = edges[:-2]
    keys = [f"{a}_{b}_{phase}" for a, b in started for phase in PHASES]
    tasks = campaign.new_tasks(NETWORK, [key for key in keys for _ in range(N_REPEATS)])
    plan = list(zip(tasks, [(p, ph) for p in started for ph in PHASES for _ in range(N_REPEATS)], strict=True))
    late = {*started[-3:]}
    ended = [(task, what) for task, what in plan if what[0] not in late]
    _results(campaign, ended, truth, draw)
    _leave_running(campaign, [task for task, (pair, _) in plan if pair == started[-3]])
    return campaign


def _hosts(campaign: Campaign) -> None:
    common = {"n_cores": 32, "memory_bytes": 256 << 30, "n_gpus": 4, "os": "Linux 6.12", "python": "3.11.7"}
    rows = [
        {
            "host": f"digest-{name}",
            "hostname": name,
            "gpu_model": model,
            "packages_json": "{}",
            "first_seen_at": hours(0),
        }
        for name, (model, _) in _HOSTS.items()
    ]
    campaign.lake.table("hosts").append_new([common | row for row in rows])


def _assays(campaign: Campaign, truth: dict[str, float], draw: random.Random) -> None:
    rows = [
        {
            "scope": SCOPE,
            "ligand": name,
            "kind": "binding",
            "value_kcal_mol": round(truth[name] + draw.gauss(0, 0.3), 2),
        }
        | {
            "uncertainty_kcal_mol": 0.3,
            "smiles": smiles,
            "source": "made up",
            "entered_by": "ada",
            "entered_at": hours(0),
        }
        for k, (name, smiles) in enumerate(ligands().items())
        if k % 7 != 6
    ]
    campaign.lake.table("assays").append_new(rows)


def _results(
    campaign: Campaign,
    plan: list[tuple[str, tuple[tuple[str, str], str]]],
    truth: dict[str, float],
    draw: random.Random,
) -> None:
    rows, units, events = [], [], []
    broken = plan[-1][1][0]
    quality = {what[0]: draw.choice((0.08, 0.15, 0.15, 0.3, 0.5)) for _, what in plan}
    for k, (task, ((a, b), phase)) in enumerate(plan):
        state = campaign.tasks[task]
        ok = not ((a, b) == broken and phase == "complex") and draw.random() > 0.04
        host = draw.choice(list(_HOSTS))
        gpu_h = (0.9 if phase == "solvent" else 4.2) * _HOSTS[host][1] * draw.uniform(0.93, 1.07)
        noise = quality[(a, b)] * (0.3 if phase == "solvent" else 1.0)
        value = 12.0 + (truth[b] - truth[a] if phase == "complex" else 0.0) + draw.gauss(0, noise)
        if (a, b) == ODD and phase == "complex":
            value += 1.2
        rows.append(_result(campaign, state, k, ok, host, gpu_h, value, noise))
        if not ok:
            units.append(campaign._failed_unit(rows[-1]))
        after = "complete" if ok else "error"
        campaign.tasks[task] = TaskState(state.scope, task, state.transformation, None, after, 10)
        events.append(Event("completed" if ok else "failed", campaign.tasks[task]))
    campaign.lake.table("unit_results").append_new(units)
    campaign.lake.table("results").append_new(rows)
    campaign.commit(events)


def _result(
    campaign: Campaign, state: TaskState, k: int, ok: bool, host: str, gpu_h: float, value: float, noise: float
) -> dict[str, Any]:
    attempt, started_at = f"{k + 1:032x}", hours(k * 0.5)
    wall_time_s = gpu_h * 3600 * (1.0 if ok else 0.2)
    return {
        "scope": state.scope,
        "task": state.task,
        "transformation": state.transformation,
        "attempt": attempt,
        "ok": ok,
        "estimate_kcal_mol": value if ok else None,
        "uncertainty_kcal_mol": noise / 2 if ok else None,
        "exception": None if ok else "SimulationNaNError: Particle coordinate is NaN",
        "failed_unit": None if ok else "simulate",
        "object_path": f"attempts/{attempt}/result.json.zst" if ok else None,
        "n_bytes": 240_000 if ok else None,
        "n_units": 3,
        "started_at": started_at,
        "ended_at": started_at + timedelta(seconds=wall_time_s),
        "wall_time_s": wall_time_s,
        "cpu_time_s": wall_time_s * 1.1,
        "gpu_time_s": wall_time_s,
        "pool": "cloud" if host == "gpu-b7" else "cluster",
        "host": f"digest-{host}",
        "hostname": host,
        "recorded_at": started_at + timedelta(seconds=wall_time_s + 60),
    }


def _leave_running(campaign: Campaign, tasks: list[str]) -> None:
    events = []
    for k, task in enumerate(tasks):
        state, attempt = campaign.tasks[task], f"{k + 1:031x}f"
        held = TaskState(state.scope, task, state.transformation, None, "running", 10, attempt, "cluster", hours(400))
        campaign.tasks[task] = held
        events.append(Event("claimed", held, of_attempt=attempt))
    campaign.commit(events)

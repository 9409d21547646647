"""A campaign of a committee's rounds in progress, with results of the last minutes: for pages and notebooks."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path
from typing import Any

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.rounds import advance_network, set_strategy
from alchemiscale_lake.store import Lake, now_utc
from tests.campaign import Campaign
from tests.example_campaign import pairs

ADA = Caller("ada")
NAME = "benzanilides"
_LIGANDS = 14

MEMBERS: dict[str, Any] = {
    "members": [
        {"strategy": "critical-connectivity", "weight": [{"start": 0, "weight": 1}, {"start": 2, "weight": 0.2}]},
        {"strategy": "optimal-design", "settings": {"stop": {"mean_uncertainty_kcal_mol": 0.12}}},
    ]
}


def round_campaign(folder: Path, n_rounds: int = 4) -> tuple[Lake, str]:
    """Run rounds, and complete the Tasks of all but the last one; return the lake and the ScopedKey."""
    draw = random.Random(4)
    campaign = Campaign.at(folder)
    chosen = [pair for pair in pairs() if max(int(name[-2:]) for name in pair) <= _LIGANDS]
    network = campaign.network(NAME, chosen, ("solvent", "complex"), protocol="RelativeHybridTopologyProtocol")
    truth = {name: draw.gauss(-8.5, 1.1) for pair in sorted(chosen) for name in pair}
    set_strategy(campaign.lake, [network], "committee", settings=MEMBERS, caller=ADA, budget_gpu_hours=600.0)
    for number in range(n_rounds):
        if number:
            _complete(campaign, truth, draw, keep=6 if number == n_rounds - 1 else 0)
        advance_network(campaign.lake, network, caller=ADA, now=True)
    return campaign.lake, network


def _complete(campaign: Campaign, truth: dict[str, float], draw: random.Random, *, keep: int) -> None:
    states = campaign.lake.task_log.states()
    waiting = states.with_status("waiting")["task"].sort().to_list()
    campaign.tasks |= states.of(waiting)
    for k, task in enumerate(waiting[: len(waiting) - keep]):
        a, b, phase = campaign.tasks[task].transformation.split("-", 1)[1].removesuffix(f"-{campaign.scope}").split("_")
        hours = (0.9 if phase == "solvent" else 4.2) * draw.uniform(0.93, 1.07)
        value = 12.0 + (truth[b] - truth[a] if phase == "complex" else 0.0)
        noise = 0.12 if phase == "solvent" else 0.35
        failed = k == 5 and keep > 0
        at = now_utc() - timedelta(seconds=1)
        facts: dict[str, Any] = {
            "gpu_time_s": 3600 * hours,
            "wall_time_s": 3600 * hours,
            "ended_at": at,
            "recorded_at": at,
        }
        campaign.result(
            task,
            None if failed else value + draw.gauss(0, noise),
            None if failed else noise / 2,
            ok=not failed,
            started_at=at - timedelta(hours=hours),
            **facts,
        )

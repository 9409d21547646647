"""What a dispatcher takes from its pool, and what depends on where it runs."""

from __future__ import annotations

from typing import Any

import pytest

from alchemiscale_lake.dispatch.dispatch_settings import DispatchSettings
from alchemiscale_lake.resources import Resources
from alchemiscale_lake.settings import Pools

LOCAL = {"kind": "local", "cores": 4}
SLURM = {"kind": "slurm", "cores": 4, "memory": "8 GiB", "walltime": "1 h"}


def settings_of(pool: dict[str, Any], *others: dict[str, Any], **where: bool) -> DispatchSettings:
    pools = {"p": pool, **{f"other{n}": other for n, other in enumerate(others)}}
    return DispatchSettings.of_pool("p", Pools.model_validate({"pools": pools}), **where)


def test_resources_given_replace_needs_except_that_no_gpu_is_taken_without_need() -> None:
    given = DispatchSettings(resources=Resources(cores=8, gpus=2))

    assert given.resources_for(Resources(cores=1, gpus=1)) == Resources(cores=8, gpus=1)
    assert given.resources_for(Resources(gpus=0)).gpus == 0
    assert given.resources_for(Resources(gpus=4)).gpus == 2
    assert DispatchSettings().resources_for(Resources(cores=3)) == Resources(cores=3)


def test_jobs_outlive_hours_without_a_dispatcher() -> None:
    pool = SLURM | {"lease": "2 min"}

    assert settings_of(pool).lease_s == 120.0
    assert settings_of(pool, durable=True).lease_s == 6 * 3600.0
    assert settings_of(SLURM | {"lease": "8 h"}, durable=True).lease_s == 8 * 3600.0


def test_a_bucket_is_asked_less_often() -> None:
    assert settings_of(LOCAL, bucket=True).poll_s > settings_of(LOCAL).poll_s


def test_only_jobs_that_end_are_stopped_before_their_end() -> None:
    assert settings_of(SLURM | {"retire_before": "4 min"}).retire_before_s == 240.0
    assert settings_of(LOCAL | {"retire_before": "4 min"}).retire_before_s == 0.0


@pytest.mark.parametrize(
    ("pools", "is_quarantined"), [((LOCAL,), False), ((LOCAL, LOCAL), True), ((SLURM,), True), ((SLURM, LOCAL), True)]
)
def test_the_only_machine_is_never_quarantined(pools: tuple[dict[str, Any], ...], is_quarantined: bool) -> None:
    assert (settings_of(*pools).hosts is not None) == is_quarantined

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alchemiscale_lake.resources import Resources
from alchemiscale_lake.settings import Pools
from alchemiscale_lake.tasks.fitness import (
    FITS,
    NEEDS_SCHEMA,
    REFUSALS,
    fitness,
    hours_in,
    part_in,
    refused_by,
    worker_of,
)

NODE = {"kind": "slurm", "cores": 8, "memory": "32GiB", "gpus": 2, "walltime": "24h", "retire_before": "1h"}


def pools(**keys: Any) -> Pools:
    return Pools.model_validate({"pools": {"p": NODE | keys}})


def needs(**values: Any) -> pl.DataFrame:
    row = {
        "transformation": "Transformation-1-org-campaign-project",
        "scope": "org-campaign-project",
        "protocol": "SomeProtocol",
        "cores": 1,
        "memory_bytes": None,
        "gpus": 1.0,
        "duration_s": 3600.0,
    }
    return pl.DataFrame([row | values], schema=NEEDS_SCHEMA)


def judged(declared: Pools, rows: pl.DataFrame) -> tuple[int, float, float | None]:
    columns = [named("p") for named in (refused_by, part_in, hours_in)]
    return fitness(declared, rows).select(columns).row(0)


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"scopes": ["org-other-*"]}, {}, "its Scope is not among `scopes`"),
    ({"scopes": ["org-*-*"], "exclude_scopes": ["org-campaign-*"]}, {}, "its Scope is among `exclude_scopes`"),
    ({"protocols": ["Other"]}, {}, "its Protocol is not among `protocols`"),
    ({"exclude_protocols": ["SomeProtocol"]}, {}, "its Protocol is among `exclude_protocols`"),
    ({}, {"gpus": 3.0}, "it needs more GPUs than a worker has"),
    ({}, {"cores": 9}, "it needs more cores than a worker has"),
    ({}, {"memory_bytes": 33 * 2**30}, "it needs more memory than a worker has"),
    ({}, {"duration_s": 23.5 * 3600}, "walltime minus `retire_before`"),
]


@pytest.mark.parametrize(("keys", "values", "reason"), REFUSED, ids=[r[2] for r in REFUSED])
def test_what_a_pool_cannot_take_is_refused_with_the_reason(
    keys: dict[str, Any], values: dict[str, Any], reason: str
) -> None:
    assert reason in REFUSALS[judged(pools(**keys), needs(**values))[0]]


@pytest.mark.parametrize(
    ("keys", "values"),
    [
        ({"scopes": ["org-*-*"]}, {}),
        ({"protocols": ["SomeProtocol"]}, {}),
        ({}, {"duration_s": 23 * 3600.0}),
        ({}, {"duration_s": None}),
        ({"memory": "32GiB"}, {"memory_bytes": 32 * 2**30}),
    ],
)
def test_what_a_pool_can_take_fits(keys: dict[str, Any], values: dict[str, Any]) -> None:
    assert judged(pools(**keys), needs(**values))[0] == FITS


@pytest.mark.parametrize(
    ("values", "part"),
    [({}, 0.5), ({"gpus": 0.5}, 0.25), ({"gpus": 0.0, "cores": 5}, 1.0), ({"memory_bytes": 12 * 2**30}, 0.5)],
)
def test_a_part_of_a_worker_is_what_as_many_as_fit_share(values: dict[str, Any], part: float) -> None:
    assert judged(pools(), needs(**values))[1] == pytest.approx(part)


@pytest.mark.parametrize(
    ("values", "hours"),
    [({}, 1.0), ({"gpus": 0.25}, 0.25), ({"gpus": 0.0, "cores": 4}, 1.0), ({"duration_s": None}, None)],
)
def test_hours_are_of_the_gpus_held_or_of_the_part_of_the_worker(values: dict[str, Any], hours: float | None) -> None:
    assert judged(pools(), needs(**values))[2] == (None if hours is None else pytest.approx(hours))


def test_a_worker_without_gpu_counts_worker_hours() -> None:
    assert judged(pools(gpus=0), needs(gpus=0.0, cores=2))[2] == pytest.approx(0.25)


def test_a_machine_with_an_unknown_number_of_cores_takes_as_many_tasks_as_its_limit() -> None:
    local = Pools.model_validate({"pools": {"p": {"kind": "local", "limits": {"maximum": 4}}}})

    assert judged(local, needs(gpus=0.0, cores=64)) == (FITS, 0.25, 1.0)


@settings(deadline=None)
@given(
    cores=st.integers(1, 12),
    gpus=st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 3.0]),
    memory=st.none() | st.integers(1, 40 * 2**30),
)
def test_it_agrees_with_resources(cores: int, gpus: float, memory: int | None) -> None:
    declared = pools()
    refused, part, _ = judged(declared, needs(cores=cores, gpus=gpus, memory_bytes=memory))

    asked, worker = Resources(cores, memory, gpus), worker_of(declared.pools["p"])
    assert (refused == FITS) == asked.fits_in(worker)
    if refused == FITS:
        at_once = round(1 / part)
        assert asked.share_of(worker) * at_once <= 1 + 1e-6
        assert asked.share_of(worker) * (at_once + 1) > 1 - 1e-6

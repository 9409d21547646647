"""Pools: what each kind needs, refuses and derives."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from alchemiscale_lake.resources import Resources
from alchemiscale_lake.settings import (
    JOBQUEUE_KINDS,
    Pool,
)
from tests.settings.refusals import refused

QUEUE = {"kind": "slurm", "cores": 8, "memory": "32GiB", "walltime": "24h"}


def test_a_pool_of_each_kind() -> None:
    for kind in JOBQUEUE_KINDS:
        keys = QUEUE | {"kind": kind} | ({"disk": "10GB"} if kind == "htcondor" else {})
        assert Pool.model_validate(keys).capacity == Resources(8, 32 * 2**30, 0.0)
    assert Pool(kind="local").capacity == Resources(1, None, 0.0)
    assert Pool(kind="work-pool", work_pool="k8s", gpus=2).capacity == Resources(1, None, 2.0)


def test_all_violations_are_reported_together() -> None:
    said = refused(
        Pool, kind="slurm", cores=1, lease="5s", exclude_scopes="*-*-*", work_pool="x", retire_before="1h", disk="1GB"
    )

    for line in (
        "memory: is missing: a slurm pool requires it",
        "walltime: is missing",
        "work_pool: does not apply to a slurm pool",
        "lease: is not longer than the heartbeat",
        "exclude_scopes: leaves no Scope to run",
    ):
        assert line in said
    assert "disk" not in said.split("[type=")[0]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"kind": "htcondor"}, "disk: is missing"),
        ({"kind": "htcondor", "disk": "1GB", "queue": "x"}, "queue: does not apply to a htcondor pool"),
        ({"walltime": "5m"}, "retire_before: is not shorter than the walltime of 5m"),
        ({"protocols": ["A"], "exclude_protocols": ["A"]}, "exclude_protocols: leaves no Protocol to run"),
        ({"scopes": "a-b-c", "exclude_scopes": ["a-*-*"]}, "exclude_scopes: leaves no Scope to run"),
        ({"scopes": "a-b"}, "'a-b' is not a Scope"),
        ({"protocols": "openfe.A"}, "'openfe.A' is not a class name"),
        ({"cores": True}, "true is not allowed here"),
        ({"cores": 0}, "greater than or equal to 1"),
        ({"memory": 32}, "32B is less than 1MiB; give the unit, as in 32GiB"),
        ({"memory": 0}, "less than 1MiB"),
        ({"walltime": float("inf")}, "finite number"),
        ({"walltime": 0}, "greater than 0"),
        ({"gpus": 0.5}, "valid integer"),
        ({"cost_per_gpu_hour": -1}, "greater than or equal to 0"),
        ({"limits": {"minimum": 3, "maximum": 2, "soft": 2, "hard": 1}}, "minimum: 3 is above the maximum of 2\nsoft"),
        ({"burst": {}}, "has no threshold"),
        ({"kind": "slrum"}, "Input should be 'local', 'slurm'"),
    ],
)
def test_impossible_pools(keys: dict[str, Any], said: str) -> None:
    assert said.replace("\n", "") in refused(Pool, **(QUEUE | keys)).replace("\n", "")


@pytest.mark.parametrize("key", ["queue", "account", "interface", "log_folder", "directives", "environment", "python"])
def test_this_machine_has_no_queue(key: str) -> None:
    assert f"{key}: does not apply to a local pool; remove it" in refused(Pool, kind="local", **{key: "x"})


def test_one_item_is_a_list() -> None:
    pool = Pool.model_validate(QUEUE | {"scopes": "a-*-*", "directives": "--gres=gpu:1", "skip_directives": "--mem"})

    assert (pool.scopes, pool.directives, pool.skip_directives) == (("a-*-*",), ("--gres=gpu:1",), ("--mem",))


SCOPES = [
    "-".join(parts)
    for parts in itertools.product("ab*", "ab*", "ab*")
    if not any(x == "*" and y != "*" for x, y in itertools.pairwise(parts))
]


@given(
    st.lists(st.sampled_from(SCOPES), max_size=3),
    st.lists(st.sampled_from(SCOPES), max_size=3),
    st.sampled_from([scope for scope in SCOPES if "*" not in scope]),
)
def test_what_a_pool_runs(allowed: list[str], excluded: list[str], scope: str) -> None:
    def matches(pattern: str) -> bool:
        return all(p in ("*", s) for p, s in zip(pattern.split("-"), scope.split("-"), strict=True))

    try:
        pool = Pool(kind="local", scopes=tuple(allowed), exclude_scopes=tuple(excluded))
    except ValidationError:
        # rejected only if nothing is left
        assert not ((not allowed or any(map(matches, allowed))) and not any(map(matches, excluded)))
        return
    assert pool.runs(scope) == ((not allowed or any(map(matches, allowed))) and not any(map(matches, excluded)))


def test_protocols_allowed_and_excluded() -> None:
    pool = Pool(kind="local", protocols=("A", "B"), exclude_protocols=("B",))

    assert [name for name in "ABC" if pool.runs("a-b-c", name)] == ["A"]

"""The deployment files as used by an operator: deployed and run, or inspected where there is no engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from alchemiscale_lake.pools_file import load_pools
from alchemiscale_lake.prefect_api.local_api import Api
from alchemiscale_lake.store import Lake
from tests.engines.work_pools import wait_until, worker
from tests.prefect_requests import post

DEPLOYMENTS = Path(__file__).parents[2] / "deployments"


def bash(command: str, folder: Path, **env: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-ec", command],
        cwd=folder,
        env={**os.environ, "PATH": path, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, f"{command}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def folder(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run `setup.sh` as an operator, on an empty server."""
    place = tmp_path_factory.mktemp("operator")
    bash(f"unset ALCHEMISCALE_LAKE ALCHEMISCALE_LAKE_DESIGNS; sh {DEPLOYMENTS / 'setup.sh'}", place)
    return place


@pytest.fixture
def deployed(api: Api, folder: Path) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in post(api, "deployments/filter") if each["name"] in names()}


def described() -> list[dict[str, Any]]:
    return list(yaml.safe_load((DEPLOYMENTS / "prefect.yaml").read_text())["deployments"])


def names() -> set[str]:
    return {each["name"] for each in described()}


def test_all_is_deployed_as_it_stands(deployed: dict[str, dict[str, Any]], folder: Path) -> None:
    assert set(deployed) == names()
    assert Lake.open(folder / "lake")
    assert (folder / "designs").is_dir()
    assert {name: d["work_pool_name"] for name, d in deployed.items() if d["work_pool_name"] != "lake"} == {
        "run-assignment-cloud": "kubernetes"
    }
    for deployment in deployed.values():
        assert deployment["concurrency_limit"] is None  # the old field; Prefect now stores it separately
        assert deployment["global_concurrency_limit"]["limit"] >= 1


def test_parameters_are_those_of_the_flows(deployed: dict[str, dict[str, Any]]) -> None:
    for name, deployment in deployed.items():
        known = deployment["parameter_openapi_schema"]["properties"]
        assert set(deployment["parameters"]) <= set(known), name


def test_what_needs_to_know_no_pool_starts_by_itself(deployed: dict[str, dict[str, Any]]) -> None:
    active = {name for name, d in deployed.items() if any(s["active"] for s in d["schedules"])}
    scheduled = {name for name, d in deployed.items() if d["schedules"]}

    assert active == {"advance-network", "gather-network", "living-network", "maintain-lake", "train-cost-model"}
    by_hand = {"run-assignment-cloud", "submit-network", "run-campaign", "raise-alert", "archive-network"}
    assert scheduled == names() - by_hand


def test_every_pool_of_the_example_has_its_dispatcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE", "./lake")
    pools = load_pools(DEPLOYMENTS / "pools.yaml").pools
    dispatchers = {
        d["parameters"]["pool"]: d
        for d in described()
        if d["entrypoint"] == "alchemiscale_lake.flows.dispatch.dispatch"
    }

    assert set(dispatchers) == set(pools)
    for name, pool in pools.items():
        assert dispatchers[name]["parameters"].get("once", False) == (pool.kind not in ("local", "work-pool"))
        if pool.kind == "work-pool":
            (runner,) = [d for d in described() if d["name"] == f"run-assignment-{name}"]
            assert runner["work_pool"]["name"] == pool.work_pool
            assert runner["concurrency_limit"] >= pool.limits.maximum


def test_a_deployment_runs_where_its_worker_was_started(api: Api, folder: Path) -> None:
    bash("prefect deployment run maintain-lake/maintain-lake", folder)
    by_name = {"deployments": {"name": {"any_": ["maintain-lake"]}}, "sort": "EXPECTED_START_TIME_ASC"}

    def ended() -> Any:
        runs = post(api, "flow_runs/filter", **by_name)
        return runs and runs[0]["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED") and runs[0]

    with worker("lake", folder) as started:
        run = wait_until(ended)

    assert run["state"]["type"] == "COMPLETED", started.log.read_text()[-3000:]


def test_setting_up_again_makes_nothing_twice(api: Api, deployed: dict[str, dict[str, Any]], folder: Path) -> None:
    bash(f"sh {DEPLOYMENTS / 'setup.sh'}", folder, ALCHEMISCALE_LAKE=f"file://{folder}/lake")

    again = {each["name"]: each for each in post(api, "deployments/filter") if each["name"] in names()}
    assert {name: d["id"] for name, d in again.items()} == {name: d["id"] for name, d in deployed.items()}
    assert deployed["maintain-lake"]["parameters"] == {"lake": "./lake"}
    assert again["maintain-lake"]["parameters"] == {"lake": f"file://{folder}/lake"}, "but the lake that is named"


def test_the_executor_uses_the_deployment_that_is_there(api: Api, folder: Path, deployed: dict[str, Any]) -> None:
    from alchemiscale_lake.engines.flow_runs import open_flow_runs

    with open_flow_runs("cloud", "kubernetes") as runs:
        assert str(runs.deployment) == deployed["run-assignment-cloud"]["id"]
        assert {"gpus", "excluded_nodes"} <= runs.job_variables


# --- compose and image ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOYMENTS / "compose.yaml").read_text()))


def test_compose_brings_up_what_depends_on_what(compose: dict[str, Any]) -> None:
    services = compose["services"]

    waits = {name: {k: v["condition"] for k, v in s.get("depends_on", {}).items()} for name, s in services.items()}
    assert waits == {
        "database": {},
        "prefect": {"database": "service_healthy"},
        "setup": {"prefect": "service_healthy"},
        "worker": {"setup": "service_completed_successfully"},
        "dispatcher": {"setup": "service_completed_successfully"},
    }
    needed_healthy = {k for w in waits.values() for k, condition in w.items() if condition == "service_healthy"}
    assert all("healthcheck" in services[name] for name in needed_healthy)
    used = {v.partition(":")[0] for s in services.values() for v in s.get("volumes", [])}
    assert used == set(compose["volumes"])


def test_compose_is_closed_to_others_and_keeps_no_password(compose: dict[str, Any]) -> None:
    assert compose["services"]["prefect"]["ports"] == ["127.0.0.1:4200:4200"]
    assert not any("ports" in service for name, service in compose["services"].items() if name != "prefect")
    text = (DEPLOYMENTS / "compose.yaml").read_text()
    for secret in ("PASSWORD", "AUTH_STRING"):
        # Compose refuses to start anything while one is missing
        assert re.findall(rf"{secret}(?!:\?set it in deployments/\.env|=|: \$|\.|, and)", text) == []
    assert "deployments/.env" in text
    assert ".env" in (DEPLOYMENTS.parent / ".gitignore").read_text().splitlines()
    for name in ("prefect", "worker", "dispatcher", "setup"):
        environment = compose["services"][name]["environment"]
        assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
        assert environment["DO_NOT_TRACK"] == "1"


def test_compose_runs_commands_that_exist(compose: dict[str, Any], folder: Path) -> None:
    assert compose["services"]["setup"]["command"] == ["sh", "/home/lake/deployments/setup.sh"]
    for name in ("worker", "dispatcher", "prefect"):
        program, *arguments = compose["services"][name]["command"]
        told = [a for a in arguments if a.startswith("--")]
        words = arguments[: next(i for i, a in enumerate(arguments) if a.startswith("--"))]
        offered = bash(f"{program} {' '.join(words)} --help", folder, COLUMNS="200")
        assert all(option in offered for option in told), name


def test_the_image_holds_what_the_manifests_run() -> None:
    lines = (DEPLOYMENTS / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (?!--from)(?:--\S+ )?(.+) \S+$", lines, re.MULTILINE)
    ignored = (DEPLOYMENTS / "Dockerfile.dockerignore").read_text().split()

    for source in " ".join(copied).split():
        assert (DEPLOYMENTS.parent / source).exists()
        assert f"!{source.partition('/')[0]}" in ignored
    assert "USER 10001:10001" in lines
    assert 'ENTRYPOINT ["tini", "--"]' in lines
    environment = (DEPLOYMENTS / "environment.yml").read_text()
    for package in ("prefect >=", "prefect-kubernetes", "dask-jobqueue", "openfe"):
        assert package in environment


def test_the_conda_environment_holds_every_dependency_with_its_bounds() -> None:
    project = tomllib.loads((DEPLOYMENTS.parent / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    names_there = {"dask": "dask-core", "duckdb": "python-duckdb", "matplotlib": "matplotlib-base"}
    *packages, from_pypi = yaml.safe_load((DEPLOYMENTS / "environment.yml").read_text())["dependencies"]
    held = {re.sub(r"\s", "", package).lower() for package in packages + from_pypi["pip"]}

    for requirement in sum((extras[name] for name in extras if name != "pypi"), project["dependencies"]):
        name = re.split(r"[<>=]", requirement)[0]
        if not name.startswith("alchemiscale-lake"):
            assert requirement.replace(name, names_there.get(name, name), 1).lower() in held

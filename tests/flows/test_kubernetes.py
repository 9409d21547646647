"""Pods through a Kubernetes work pool: the real prefect-kubernetes worker and our job template, rights and manifests.

The API server is `tests/kubernetes_api.py`, which documents its limits.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from alchemiscale_lake.execution.release import read_release
from alchemiscale_lake.pools_file import load_pools
from alchemiscale_lake.prefect_api.local_api import Api
from alchemiscale_lake.store import Lake
from tests.engines.test_work_pool_live import dispatching, flow_runs, running_attempts, statuses, submit
from tests.engines.work_pools import wait_until, worker
from tests.kubernetes_api import Cluster, kubernetes
from tests.prefect_requests import is_there, login

DEPLOYMENTS = Path(__file__).parents[2] / "deployments" / "kubernetes"
NAMESPACE = "alchemiscale-lake"
#: Not the name used by `setup.sh`: its test shares the server.
POOL = "pods-of-a-fake-cluster"


def template() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((DEPLOYMENTS / "base-job-template.json").read_text())
    return content


def role() -> list[dict[str, Any]]:
    documents = yaml.safe_load_all((DEPLOYMENTS / "rbac.yaml").read_text())
    (found,) = [d for d in documents if d["kind"] == "Role"]
    return list(found["rules"])


@pytest.fixture
def cluster(api: Api, tmp_path: Path) -> Iterator[Cluster]:
    variables = {
        "lake-settings": {"AWS_REGION": "eu-central-1"},
        "lake-credentials": {"AWS_ACCESS_KEY_ID": "an-id"},
        "prefect-login": {"PREFECT_API_AUTH_STRING": ":".join(login(api))},
    }
    with kubernetes(tmp_path / "cluster", NAMESPACE, role(), variables) as running:
        yield running


def worker_environment(cluster: Cluster) -> dict[str, str]:
    """Return the settings of worker.yaml, and the address of this cluster."""
    (manifest,) = yaml.safe_load_all((DEPLOYMENTS / "worker.yaml").read_text())
    named = {v["name"]: v.get("value") for v in manifest["spec"]["template"]["spec"]["containers"][0]["env"]}
    integration = {n: v for n, v in named.items() if n.startswith("PREFECT_INTEGRATIONS_")}
    assert "PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES" in integration
    return {n: v or NAMESPACE for n, v in integration.items()} | {"KUBECONFIG": str(cluster.kubeconfig())}


def a_template_for_here(tmp_path: Path) -> dict[str, Any]:
    """Return the template, with the one path that must exist on a machine that is not a container."""
    content = json.dumps(template()).replace('"/scratch"}', json.dumps(str(tmp_path / "scratch")) + "}")
    return dict(json.loads(content))


def test_tasks_run_in_pods_and_an_evicted_pod_gives_them_back(
    api: Api, lake: Lake, cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "template.json").write_text(json.dumps(a_template_for_here(tmp_path)))
    submit(lake, tmp_path, 1, duration_s=8.0)
    made_of = "--base-job-template=" + str(tmp_path / "template.json")

    with contextlib.ExitStack() as stack:
        stack.enter_context(worker(POOL, tmp_path, made_of, kind="kubernetes", **worker_environment(cluster)))
        wait_until(lambda: is_there(api, f"work_pools/{POOL}"))
        dispatcher = stack.enter_context(dispatching(lake, POOL))
        (evicted,) = wait_until(lambda: running_attempts(lake))
        (pod,) = [p["metadata"]["name"] for p in cluster.list("pods")]
        cluster.evict(pod)
        wait_until(lambda: running_attempts(lake) not in ([], [evicted]))
        report = dispatcher.join()

    assert (report.completed, report.failed) == (1, 0)
    assert statuses(lake) == ["complete"]
    release = read_release(lake, "a-b-c", evicted)
    assert release is not None
    assert (release.kind, release.hostname) == ("stopped", "node-1")
    results = lake.table("results").scan().select("hostname", "ok").collect()
    assert results.rows() == [("node-1", True)]
    released = lake.table("task_log").scan().filter(pl.col("event") == "released").collect()
    assert [reason.partition(":")[0] for reason in released["reason"]] == ["stopped"]
    check_pods(cluster)
    # the worker may restart the evicted one before the dispatcher drops it: then it finds nothing to do
    states = sorted(run["state"]["type"] for run in flow_runs(api, POOL))
    assert states in (["CANCELLED", "COMPLETED"], ["COMPLETED", "COMPLETED"])
    refused = {request[:4] for request in cluster.requests if not request[4]}
    assert not refused, "the Role lacks what the worker needs"


def check_pods(cluster: Cluster) -> None:
    pods = cluster.list("pods")
    assert len(pods) in (2, 3), "one per flow run, and perhaps one that found nothing to do"
    for pod in pods:
        (container,) = pod["spec"]["containers"]
        assert container["resources"]["limits"]["nvidia.com/gpu"] == 0, "the pool has none"
        assert "AWS" not in json.dumps(container["env"]), "credentials come from the Secret"
        (auth,) = [v for v in container["env"] if v["name"] == "PREFECT_API_AUTH_STRING"]
        assert auth.get("value") is None, "and so does the login"
        assert auth["valueFrom"]["secretKeyRef"]["name"] == "prefect-login"
        assert "prefect.io/flow-run-id" in pod["metadata"]["labels"]
        assert {"name": "ALCHEMISCALE_LAKE_NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}} in (
            container["env"]
        )


# --- manifests ------------------------------------------------------------------------------------


def manifests() -> list[tuple[str, dict[str, Any]]]:
    files = [path for path in sorted(DEPLOYMENTS.glob("*.yaml")) if path.name != "kustomization.yaml"]
    return [(f"{path.stem}-{d['kind']}-{d['metadata']['name']}", d) for path in files for d in documents(path)]


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


@pytest.fixture
def validate() -> Callable[[dict[str, Any]], None]:
    import kubernetes_validate

    def check(manifest: dict[str, Any]) -> None:
        kubernetes_validate.validate(manifest, "1.32", strict=True)

    return check


@pytest.mark.parametrize("manifest", [pytest.param(m, id=name) for name, m in manifests()])
def test_manifests_are_valid(manifest: dict[str, Any], validate: Callable[[dict[str, Any]], None]) -> None:
    validate(manifest)

    if manifest["kind"] != "Namespace":
        assert manifest["metadata"]["namespace"] == NAMESPACE
    pod = manifest.get("spec", {}).get("template", {}).get("spec")
    if pod is not None:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


def test_a_mistake_would_be_noticed(validate: Callable[[dict[str, Any]], None]) -> None:
    import kubernetes_validate

    (manifest,) = documents(DEPLOYMENTS / "worker.yaml")
    manifest["spec"]["template"]["spec"]["restartPolcy"] = "Never"

    with pytest.raises(kubernetes_validate.ValidationError, match="restartPolcy"):
        validate(manifest)


def test_kustomization_names_every_manifest_but_secrets() -> None:
    named = set(yaml.safe_load((DEPLOYMENTS / "kustomization.yaml").read_text())["resources"])
    there = {path.name for path in DEPLOYMENTS.glob("*.yaml")}

    assert there - named == {"kustomization.yaml", "secrets.template.yaml"}
    assert named <= there


def test_what_manifests_refer_to_is_there() -> None:
    there = {(m["kind"], m["metadata"]["name"]) for _, m in manifests()}
    generated = yaml.safe_load((DEPLOYMENTS / "kustomization.yaml").read_text())["configMapGenerator"]
    assert [(g["name"], g["files"]) for g in generated] == [("lake-job-template", ["base-job-template.json"])]
    text = json.dumps([m for _, m in manifests()] + [template()])

    for kind, name in [
        ("Secret", "lake-credentials"),
        ("Secret", "prefect-database"),
        ("Secret", "prefect-login"),
        ("ConfigMap", "lake-settings"),
        ("ConfigMap", "lake-pools"),
        ("ServiceAccount", "lake-worker"),
        ("ServiceAccount", "lake-job"),
        ("Service", "prefect-server"),
    ]:
        assert (kind, name) in there
        assert text.count(name) > 1


def test_server_and_clients_have_their_login_from_one_secret() -> None:
    server = "PREFECT_SERVER_API_AUTH_STRING"
    for manifest, variable in {"prefect-server": server, "lake-worker": "PREFECT_API_AUTH_STRING"}.items():
        assert login_of(manifest, variable) == {"name": "prefect-login", "key": "PREFECT_API_AUTH_STRING"}
    assert login_of("lake-dispatcher", "PREFECT_API_AUTH_STRING") == login_of("prefect-server", server)
    (container,) = deployment("prefect-server")["containers"]
    assert container["args"][:3] == ["python", "-m", "alchemiscale_lake.prefect_api.server_process"], (
        "which does not start without one"
    )


def login_of(name: str, variable: str) -> Any:
    (container,) = deployment(name)["containers"]
    (found,) = [v["valueFrom"]["secretKeyRef"] for v in container["env"] if v["name"] == variable]
    return found


def deployment(name: str) -> dict[str, Any]:
    (found,) = [m for _, m in manifests() if m["kind"] == "Deployment" and m["metadata"]["name"] == name]
    return dict(found["spec"]["template"]["spec"])


def test_the_pool_of_the_cluster_is_the_one_explained(tmp_path: Path) -> None:
    (settings,) = [m for _, m in manifests() if m["metadata"]["name"] == "lake-pools"]
    page = (DEPLOYMENTS.parents[1] / "docs" / "kubernetes.md").read_text()
    (tmp_path / "pools.yaml").write_text(settings["data"]["pools.yaml"])

    assert f"<<'END'\n{settings['data']['pools.yaml']}END\n" in page
    (name,) = load_pools(tmp_path / "pools.yaml").pools
    (dispatcher,) = [m for _, m in manifests() if m["metadata"]["name"] == "lake-dispatcher"]
    assert dispatcher["spec"]["template"]["spec"]["containers"][0]["args"][:3] == [
        "alchemiscale-lake",
        "dispatch",
        name,
    ]


def test_the_variables_explained_are_those_of_the_template() -> None:
    page = (DEPLOYMENTS.parents[1] / "docs" / "kubernetes.md").read_text()
    known = set(template()["variables"]["properties"])
    set_by_prefect = {"name", "command", "env", "labels", "annotations", "namespace", "stream_output"}
    watching = {"job_watch_timeout_seconds", "pod_watch_timeout_seconds", "image_pull_policy", "service_account_name"}

    assert all(
        f"`{name}`" in page for name in known - set_by_prefect - watching - {"lake_settings", "lake_credentials"}
    )


def test_secrets_are_left_to_fill_in() -> None:
    for secret in documents(DEPLOYMENTS / "secrets.template.yaml"):
        for name, value in secret["stringData"].items():
            assert "REPLACE-ME" in value or name in ("POSTGRES_USER", "POSTGRES_DB")


def test_the_worker_may_do_no_more_than_it_has_to() -> None:
    assert {(r, v) for rule in role() for r in rule["resources"] for v in rule["verbs"]} == {
        *(("jobs", verb) for verb in ("create", "get", "list", "watch", "delete")),
        *(("pods", verb) for verb in ("get", "list", "watch")),
        ("pods/log", "get"),
    }


# --- the job template -----------------------------------------------------------------------------


async def job_of(**variables: Any) -> dict[str, Any]:
    """Return the Job that prefect-kubernetes makes from the template."""
    from prefect.client.schemas.objects import FlowRun
    from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

    made = await KubernetesWorkerJobConfiguration.from_template_and_values(template(), variables)
    made.prepare_for_flow_run(
        FlowRun.model_construct(
            id="an-id",
            name="lig1 to lig2",
            parameters={},
            tags=[],
            work_queue_name=None,
            deployment_id=None,
            flow_id=None,
            auto_scheduled=False,
            job_variables=None,
        )
    )
    return dict(made.job_manifest)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"gpus": 2, "cpu_request": "8", "memory_request": "1024", "memory_limit": "1024"},
        {
            "active_deadline_seconds": 3600,
            "excluded_nodes": ["gpu-7"],
            "node_selector": {"gpu": "l4"},
            "tolerations": [{"key": "spot", "operator": "Exists"}],
            "image_pull_secrets": [{"name": "registry"}],
            "priority_class_name": "low",
            "env": {"OMP_NUM_THREADS": "4"},
        },
    ],
)
def test_jobs_are_valid_whatever_is_asked_for(
    api: Api, variables: dict[str, Any], validate: Callable[[dict[str, Any]], None]
) -> None:
    import asyncio

    job = asyncio.run(job_of(**variables))

    pod = job["spec"]["template"]["spec"]
    # Prefect requires these two where Kubernetes has no field for them, and drops them
    assert (pod.pop("parallelism"), pod.pop("completions")) == (1, 1)
    assert "{{" not in json.dumps(job)
    validate(job)
    assert job["spec"]["backoffLimit"] == 0, "whether a Task runs again is the dispatcher's to say"
    assert job["spec"]["ttlSecondsAfterFinished"] == 600
    (container,) = pod["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == variables.get("gpus", 1)
    assert pod.get("activeDeadlineSeconds") == variables.get("active_deadline_seconds")
    (term,) = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"][0]["values"] == variables.get("excluded_nodes", ["none-is-excluded"])


def test_the_dispatcher_sets_variables_that_the_template_has(lake: Lake, api: Api) -> None:
    from alchemiscale_lake.engines.work_pool import WorkPoolExecutor
    from alchemiscale_lake.settings import Pool
    from tests.engines.work_pools import FakeRuns

    known = frozenset(template()["variables"]["properties"])
    pool = Pool(kind="work-pool", work_pool="k", cores=4, memory="8GiB", gpus=1, walltime="1h")
    executor = WorkPoolExecutor(lake, "cloud", pool, FakeRuns(job_variables=known))  # type: ignore[arg-type]
    executor.retire(["gpu-7"])

    assert set(executor._job_variables()) == {
        *("gpus", "cpu_request", "memory_request", "memory_limit", "active_deadline_seconds", "excluded_nodes"),
    }

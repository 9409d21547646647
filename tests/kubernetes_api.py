"""A Kubernetes API server as real as possible without a cluster: Jobs become Pods, Pods become local processes.

Names are generated, objects have uids and resource versions, lists are selected by labels, watches stream, rights are
those of a Role, a deleted or evicted Pod gets SIGTERM and later SIGKILL. There is no scheduler, image, GPU, network
policy, admission or quota, and no node fails by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

Object = dict[str, Any]
_KINDS = {"jobs": ("batch", "Job"), "pods": ("", "Pod")}
_PATH = re.compile(
    r"/(?:api/v1|apis/(?P<group>[^/]+)/v1)(?:/namespaces/(?P<ns>[^/]+))?/(?P<resource>\w+)(?:/(?P<name>[^/]+))?(?P<sub>/log)?"
)
_NODE = "node-1"


@dataclass
class Cluster:
    """The objects of the server.

    `rules` are those of a Role in `namespace`; `variables` the content of ConfigMaps and Secrets, by name; `requests`
    are the received requests (verb, group, resource, namespace) and whether the Role allows them.
    """

    folder: Path
    namespace: str
    rules: Sequence[Mapping[str, Any]]
    variables: Mapping[str, Mapping[str, str]]
    url: str = ""
    objects: dict[tuple[str, str], Object] = field(default_factory=dict)
    events: list[tuple[int, str, Object]] = field(default_factory=list)
    requests: list[tuple[str, str, str, str | None, bool]] = field(default_factory=list)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _version: int = 0

    # --- for tests ----------------------------------------------------------------------------------

    def list(self, resource: str) -> list[Object]:
        """Return the current objects."""
        return [json.loads(json.dumps(o)) for (kind, _), o in list(self.objects.items()) if kind == resource]

    def evict(self, pod: str) -> None:
        """End a Pod as a node's kubelet does for `kubectl drain`."""
        asyncio.run_coroutine_threadsafe(self._end_pod(pod, "Evicted"), self.loop).result(timeout=600.0)

    def log(self, pod: str) -> str:
        """Return the output of a Pod's container."""
        return (self.folder / f"{pod}.log").read_text(errors="replace")

    def kubeconfig(self) -> Path:
        """Return a configuration file for `kubectl` and the clients."""
        path = self.folder / "kubeconfig"
        named = {"name": "fake"}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "clusters": [{**named, "cluster": {"server": self.url}}],
            "users": [{**named, "user": {"token": "a-token"}}],
            "contexts": [{**named, "context": {"cluster": "fake", "user": "fake", "namespace": self.namespace}}],
        }
        path.write_text(yaml.safe_dump(content))
        return path

    # --- requests -----------------------------------------------------------------------------------

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/version":
            return web.json_response({"major": "1", "minor": "32", "gitVersion": "v1.32.0"})
        if (found := _DISCOVERY.get(request.path)) is not None:
            return web.json_response(found)
        match = _PATH.fullmatch(request.path)
        if match is None or match["resource"] not in _KINDS:
            return _status(404, f"no {request.path} here")
        resource, name = match["resource"], match["name"]
        if not self._allows(request, match):
            return _status(403, f"lake-worker may not {request.method} {request.path}")
        if match["sub"]:
            return web.Response(text=self.log(name))
        if request.method == "POST":
            return web.json_response(await self._create(resource, await request.json()), status=201)
        if name is None:
            return await (self._watch if request.query.get("watch") else self._list)(request, resource)
        if (resource, name) not in self.objects:
            return _status(404, f'{resource} "{name}" not found')
        if request.method == "DELETE":
            await self._delete_job(name)
        return web.json_response(self.objects.get((resource, name), {"kind": "Status", "status": "Success"}))

    def _allows(self, request: web.Request, match: re.Match[str]) -> bool:
        many = match["name"] is None
        reading = ("watch" if request.query.get("watch") else "list") if many else "get"
        verb = {"POST": "create", "DELETE": "delete", "PATCH": "patch", "PUT": "update"}.get(request.method, reading)
        group, resource = match["group"] or "", match["resource"] + (match["sub"] or "")
        allowed = match["ns"] == self.namespace and any(
            group in rule["apiGroups"] and resource in rule["resources"] and verb in rule["verbs"]
            for rule in self.rules
        )
        self.requests.append((verb, group, resource, match["ns"], allowed))
        return allowed

    async def _list(self, request: web.Request, resource: str) -> web.Response:
        chosen = [o for o in self.list(resource) if _selected(o, request.query.get("labelSelector", ""))]
        group, kind = _KINDS[resource]
        meta = {"resourceVersion": str(self._version)}
        version = f"{group}/v1".lstrip("/")
        return web.json_response({"kind": f"{kind}List", "apiVersion": version, "metadata": meta, "items": chosen})

    async def _watch(self, request: web.Request, resource: str) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-type": "application/json"})
        await answer.prepare(request)
        async for kind, changed in self._follow(resource, int(request.query.get("resourceVersion") or 0)):
            if _selected(changed, request.query.get("labelSelector", "")):
                await answer.write(json.dumps({"type": kind, "object": changed}).encode() + b"\n")
        return answer

    async def _follow(self, resource: str, since: int) -> AsyncIterator[tuple[str, Object]]:
        while True:
            for version, kind, changed in [e for e in self.events if e[0] > since]:
                since = version
                if changed["kind"] == _KINDS[resource][1]:
                    yield kind, changed
            async with self._changed:
                await self._changed.wait_for(lambda seen=since: self._version > seen)  # type: ignore[misc]

    async def _put(self, resource: str, changed: Object, event: str) -> None:
        async with self._changed:
            self._version += 1
            changed["metadata"]["resourceVersion"] = str(self._version)
            key = (resource, changed["metadata"]["name"])
            if event == "DELETED":
                self.objects.pop(key, None)
            else:
                self.objects[key] = changed
            self.events.append((self._version, event, json.loads(json.dumps(changed))))
            self._changed.notify_all()

    # --- controllers --------------------------------------------------------------------------------

    async def _create(self, resource: str, new: Object) -> Object:
        meta = new.setdefault("metadata", {})
        meta["name"] = meta.get("name") or meta["generateName"] + uuid.uuid4().hex[:5]
        meta |= {"uid": str(uuid.uuid4()), "creationTimestamp": _now(), "namespace": self.namespace}
        new["status"] = {"startTime": _now()}
        await self._put(resource, new, "ADDED")
        if resource == "jobs":
            task = asyncio.ensure_future(self._run_job(new))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return new

    async def _run_job(self, job: Object) -> None:
        template, meta = job["spec"]["template"], job["metadata"]
        labels = {**template.get("metadata", {}).get("labels", {}), "job-name": meta["name"]}
        owner = {"kind": "Job", "apiVersion": "batch/v1", "name": meta["name"], "uid": meta["uid"], "controller": True}
        pod: Object = {"apiVersion": "v1", "kind": "Pod", "spec": dict(template["spec"])}
        pod["metadata"] = {"generateName": meta["name"] + "-", "labels": labels, "ownerReferences": [owner]}
        pod = await self._create("pods", pod)
        await self._set_phase(pod, "Pending")
        code = await self._run_pod(pod)
        if ("jobs", meta["name"]) in self.objects:
            condition = {"type": "Complete" if code == 0 else "Failed", "status": "True"}
            ended = {"succeeded": 1} if code == 0 else {"failed": 1}
            job["status"] |= {**ended, "conditions": [condition], "completionTime": _now()}
            await self._put("jobs", job, "MODIFIED")

    async def _run_pod(self, pod: Object) -> int:
        (container,) = pod["spec"]["containers"]
        name = pod["metadata"]["name"]
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                container["args"],
                env=self._environment(container),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.processes[name] = process
        pod["spec"]["nodeName"] = _NODE
        await self._set_phase(pod, "Running")
        code = await asyncio.to_thread(process.wait)
        if pod["status"].get("reason") != "Evicted":
            await self._set_phase(pod, "Succeeded" if code == 0 else "Failed", exitCode=code)
        return code

    def _environment(self, container: Object) -> dict[str, str]:
        # nothing of this process's environment: a container has only that of its Job
        variables = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}", "HOME": str(self.folder)}
        for source in container.get("envFrom", []):
            (where,) = source.values()
            if where["name"] not in self.variables and not where.get("optional"):
                raise LookupError(f"there is no {where['name']}: a real Pod would not start")
            variables |= self.variables.get(where["name"], {})
        for variable in container.get("env", []):
            source = variable.get("valueFrom", {})
            if (secret := source.get("secretKeyRef")) is not None:
                variables[variable["name"]] = self.variables[secret["name"]][secret["key"]]
                continue
            from_field = source.get("fieldRef", {}).get("fieldPath")
            variables[variable["name"]] = _NODE if from_field == "spec.nodeName" else str(variable.get("value") or "")
        return variables

    async def _set_phase(self, pod: Object, phase: str, reason: str | None = None, **terminated: Any) -> None:
        running = {"running": {"startedAt": _now()}} if phase == "Running" else {"waiting": {}}
        state = {"terminated": {"finishedAt": _now(), "reason": reason or "Error", **terminated}}
        status = {"name": "prefect-job", "state": state if terminated or reason else running}
        pod["status"] |= {"phase": phase, "reason": reason, "containerStatuses": [status]}
        await self._put("pods", pod, "MODIFIED")

    async def _end_pod(self, name: str, reason: str) -> None:
        pod, process = self.objects["pods", name], self.processes[name]
        pod["status"]["reason"] = reason
        process.send_signal(signal.SIGTERM)
        grace_s = pod["spec"].get("terminationGracePeriodSeconds", 30)
        try:
            await asyncio.to_thread(process.wait, grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
        await self._set_phase(pod, "Failed", reason, exitCode=process.wait())

    async def _delete_job(self, name: str) -> None:
        job = self.objects["jobs", name]
        for pod in [p for p in self.list("pods") if p["metadata"]["labels"]["job-name"] == name]:
            with contextlib.suppress(KeyError):
                self.processes[pod["metadata"]["name"]].terminate()
            await self._put("pods", pod, "DELETED")
        await self._put("jobs", job, "DELETED")


@contextlib.contextmanager
def kubernetes(
    folder: Path, namespace: str, rules: Sequence[Mapping[str, Any]], variables: Mapping[str, Mapping[str, str]]
) -> Iterator[Cluster]:
    """Serve a cluster on a free port; on exit no process of its Pods remains."""
    folder.mkdir()
    cluster = Cluster(folder, namespace, rules, variables)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", cluster.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    ready = threading.Event()

    async def serve() -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        cluster.url = "http://{}:{}".format(*runner.addresses[0][:2])
        ready.set()

    def run() -> None:
        asyncio.set_event_loop(cluster.loop)
        cluster.loop.run_until_complete(serve())
        cluster.loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10.0)
    try:
        yield cluster
    finally:
        for process in cluster.processes.values():
            process.kill()
            process.wait()
        asyncio.run_coroutine_threadsafe(runner.cleanup(), cluster.loop).result(timeout=120.0)
        cluster.loop.call_soon_threadsafe(cluster.loop.stop)
        thread.join(timeout=120.0)
        cluster.loop.close()


_VERBS = ["create", "delete", "get", "list", "watch"]


def _resources(group: str, *resources: tuple[str, str, str]) -> Object:
    rows = [{"name": n, "singularName": s, "namespaced": True, "kind": k, "verbs": _VERBS} for n, s, k in resources]
    return {"kind": "APIResourceList", "groupVersion": f"{group}/v1".lstrip("/"), "resources": rows}


_BATCH = {"groupVersion": "batch/v1", "version": "v1"}
_DISCOVERY: Mapping[str, Object] = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": _resources("", ("pods", "pod", "Pod")),
    "/apis": {
        "kind": "APIGroupList",
        "groups": [{"name": "batch", "versions": [_BATCH], "preferredVersion": _BATCH}],
    },
    "/apis/batch/v1": _resources("batch", ("jobs", "job", "Job")),
}


def _selected(thing: Object, selector: str) -> bool:
    labels = thing["metadata"].get("labels", {})
    for term in filter(None, selector.split(",")):
        key, equals, value = term.partition("=")
        if (labels.get(key) != value.lstrip("=")) if equals else (key not in labels):
            return False
    return True


def _status(code: int, message: str) -> web.Response:
    reason = {403: "Forbidden", 404: "NotFound"}[code]
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason}
    return web.json_response({**body, "code": code}, status=code)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

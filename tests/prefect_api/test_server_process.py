"""Our server and those without access: web pages, other users, programs without its login."""

from __future__ import annotations

import gc
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from alchemiscale_lake.prefect_api import server_process
from alchemiscale_lake.prefect_api.local_api import Api
from tests.prefect_requests import get, login, post

NOBODY = 65534
FOREIGN = "https://evil.example.org"


@pytest.fixture
def attacker(api: Api) -> Iterator[httpx.Client]:
    """Knows the address, and even a token against forged requests, but not the login."""
    token = get(api, "csrf-token?client=attacker")["token"]
    headers = {"Prefect-Csrf-Client": "attacker", "Prefect-Csrf-Token": token}
    with httpx.Client(base_url=api.ui_url, headers=headers, trust_env=False, timeout=120.0) as client:
        yield client


def test_no_route_of_the_api_answers_without_the_login(api: Api, attacker: httpx.Client) -> None:
    described = get(api, "openapi.json")["paths"]
    routes = [(method.upper(), path) for path, methods in described.items() for method in methods]
    assert len(routes) > 150

    answers = {}
    for method, path in routes:
        url = "/api" + re.sub(r"\{[^}]*\}", str(uuid.uuid4()), path)
        answers[method, path] = attacker.request(method, url, json={}).status_code

    assert {route for route, status in answers.items() if status != 401} == {("GET", "/health"), ("GET", "/ready")}
    for wrong in (("lake", "guess"), ("", ""), ("lake", login(api)[1][:-1])):
        assert attacker.get("/api/admin/settings", auth=wrong).status_code == 401
    assert attacker.get("/api/admin/settings", auth=login(api)).status_code == 200


def test_what_is_open_to_all_holds_nothing(api: Api, attacker: httpx.Client) -> None:
    for path in ("/", "/ui-settings", "/openapi.json", "/docs", "/api/health", "/api/ready"):
        answer = attacker.get(path, follow_redirects=True)
        assert answer.is_success, path
        assert login(api)[1] not in answer.text


@pytest.mark.parametrize(
    "path", ["events/in", "events/out", "logs/out", "task_runs/subscriptions/scheduled", "work_pools/x/workers/connect"]
)
@pytest.mark.parametrize("first", [None, {"type": "auth"}, {"type": "auth", "token": "guess"}])
def test_no_stream_opens_without_the_login(api: Api, path: str, first: dict[str, str] | None) -> None:
    url = f"{api.api_url.replace('http', 'ws', 1)}/{path}"
    protocols = None if first is None else [Subprotocol("prefect")]

    def listen() -> None:
        with connect(url, subprotocols=protocols, proxy=None, open_timeout=300) as stream:
            stream.send(json.dumps(first or {"type": "filter"}))
            said = stream.recv(timeout=300)
            raise AssertionError(said)

    with pytest.raises((ConnectionClosed, InvalidStatus)):
        listen()


def test_no_other_page_is_answered(api: Api, attacker: httpx.Client) -> None:
    wanted = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "content-type"}
    asked = [
        attacker.options("/api/deployments/filter", headers={"Origin": FOREIGN, **wanted}),
        attacker.post("/api/deployments/filter", headers={"Origin": FOREIGN}, json={}),
        attacker.post("/api/deployments/filter", headers={"Origin": FOREIGN, "Prefect-Csrf-Token": "x"}, json={}),
        attacker.get("/api/health", headers={"Origin": FOREIGN}),
        attacker.get("/api/health", headers={"Origin": "null"}),
        attacker.get("/ui-settings", headers={"Origin": FOREIGN}),
    ]
    allowed = [answer.headers.get("access-control-allow-origin") for answer in asked]

    assert allowed == [None] * len(asked)
    own = attacker.get("/api/health", headers={"Origin": api.ui_url})
    assert own.headers.get("access-control-allow-origin") == api.ui_url


def test_a_request_without_its_token_is_refused_even_with_the_login(api: Api) -> None:
    answer = httpx.post(f"{api.api_url}/deployments/filter", json={}, auth=login(api), trust_env=False)

    assert answer.status_code == 403


def test_nobody_can_have_a_deployment_run_their_command(api: Api, attacker: httpx.Client) -> None:
    flow = post(api, "flows/", name="victim")
    deployment = post(
        api, "deployments/", name="victim", flow_id=flow["id"], entrypoint="alchemiscale_lake.flows.dispatch.dispatch"
    )
    shell = [{"prefect.deployments.steps.run_shell_script": {"script": "touch /tmp/pwned"}}]

    refused = attacker.patch(f"/api/deployments/{deployment['id']}", json={"pull_steps": shell})

    assert refused.status_code == 401
    assert get(api, f"deployments/{deployment['id']}")["pull_steps"] == deployment["pull_steps"]


def test_no_other_user_of_this_machine_finds_the_login(api: Api) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    (server,) = [
        p
        for p in psutil.Process().children(recursive=True)
        if "alchemiscale_lake.prefect_api.server_process" in p.cmdline()
    ]
    secret = login(api)[1].encode()

    def read(path: str) -> bytes:
        other: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        return subprocess.run(["cat", path], capture_output=True, check=False, **other).stdout

    assert read(f"/proc/{server.pid}/cmdline"), "which all can read"
    for place in (f"/proc/{server.pid}/cmdline", f"/proc/{server.pid}/environ", f"/proc/{os.getpid()}/environ"):
        assert secret not in read(place)
    assert api.login is not None
    assert secret not in read(str(api.login))
    # not even its owner finds it in the server's arguments or environment, nor in its log
    assert secret not in Path(f"/proc/{server.pid}/environ").read_bytes()
    assert secret not in (api.login.parent / "server.log").read_bytes()


def test_it_does_not_start_without_a_login(tmp_path: Path) -> None:
    env = {n: v for n, v in os.environ.items() if not n.startswith("PREFECT")}

    def refusal(*arguments: str) -> str:
        command = [sys.executable, "-m", "alchemiscale_lake.prefect_api.server_process", *arguments]
        done = subprocess.run(
            command, env={**env, "PREFECT_HOME": str(tmp_path)}, capture_output=True, text=True, check=False
        )
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
        return done.stderr

    assert "set PREFECT_SERVER_API_AUTH_STRING" in refusal("--host", "127.0.0.1", "--port", "0")
    assert "give either" in refusal()


def test_a_local_one_does_not_start_without_a_login_either(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from alchemiscale_lake.prefect_api import server_process as _server

    def fail(*_: object) -> None:
        raise AssertionError

    patched: Callable[..., None] = fail
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_server.signal, "signal", lambda *_: None)
        patch.setattr(_server.threading, "Thread", lambda **_: type("T", (), {"start": lambda self: None})())
        patch.setattr(_server, "forbid_reading", lambda: None)
        patch.setattr(_server.socket, "socket", lambda **_: None)
        patch.setattr(_server, "_serve", patched)
        patch.setenv("PREFECT_HOME", str(tmp_path))
        with pytest.raises(SystemExit, match="does not start without a login"):
            _server.main(["3", str(os.getppid())])


def test_no_garbage_is_collected_while_the_server_is_imported_and_later_not_among_what_that_leaves() -> None:
    before = gc.get_freeze_count()

    with server_process._nothing_collected():
        assert not gc.isenabled()
        left = [[] for _ in range(1000)]  # type: ignore[var-annotated]

    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(left)

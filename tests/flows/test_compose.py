"""The services of `compose.yaml`, as processes instead of containers: Prefect on a real PostgreSQL, and a campaign."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from alchemiscale_lake.gufe_adapter import dump_network
from alchemiscale_lake.store import Lake
from tests.debian import require
from tests.example_networks import harmonic_network

REPOSITORY = Path(__file__).parents[2]
SERVICES = yaml.safe_load((REPOSITORY / "deployments" / "compose.yaml").read_text())["services"]
PASSWORD = "correct-horse"
LOGIN = "lake:battery-staple"


class Composed:
    """Services started so far, on free ports, with one folder for /data."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.data.mkdir()
        with contextlib.ExitStack() as stack:
            ports = [stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(3)]
        self.database_port, self.port, self.health_port = ports
        self._log = (folder / "log.txt").open("ab")
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def text(self, value: str) -> str:
        """Map container paths to local ones."""
        value = re.sub(r"\$\{POSTGRES_PASSWORD:\?[^}]*\}", PASSWORD, value)
        value = re.sub(r"\$\{PREFECT_API_AUTH_STRING:\?[^}]*\}", LOGIN, value)
        value = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
        value = value.replace("@database:5432", f"@127.0.0.1:{self.database_port}")
        value = value.replace("http://prefect:4200", f"http://127.0.0.1:{self.port}")
        value = value.replace("/data", str(self.data)).replace("/home/lake", str(REPOSITORY))
        return str(self.port) if value == "4200" else value

    def command(self, service: str) -> tuple[list[str], dict[str, str]]:
        """Return command and environment of a service."""
        described: dict[str, Any] = SERVICES[service]
        named = {name: self.text(value) for name, value in described.get("environment", {}).items()}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        ours = {n: v for n, v in os.environ.items() if not n.startswith(("PREFECT_", "ALCHEMISCALE_", "AWS_"))}
        env = {**ours, "PATH": path, "PREFECT_HOME": str(self.data / ".prefect")}
        env |= {name: value for name, value in named.items() if value}
        env["PREFECT_WORKER_WEBSERVER_PORT"] = str(self.health_port)
        return [self.text(word) for word in described["command"]], env

    def start(self, service: str) -> subprocess.Popen[bytes]:
        command, env = self.command(service)
        process = subprocess.Popen(
            command, cwd=self.data, env=env, stdout=self._log, stderr=self._log, start_new_session=True
        )
        self._processes.append(process)
        return process

    def run(self, *command: str) -> str:
        """Run a command as the worker would."""
        _, env = self.command("worker")
        done = subprocess.run(command, cwd=self.data, env=env, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def close(self) -> None:
        for process in reversed(self._processes):
            with contextlib.suppress(psutil.NoSuchProcess):
                family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
                for member in family:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        member.kill()
            process.wait()
        self._log.close()


@contextlib.contextmanager
def postgresql(folder: Path, port: int) -> Iterator[None]:
    """Start a real PostgreSQL with the user and database of the service `database`."""
    found = require(["initdb", "postgres", "psql", "pg_isready"], ["postgresql"])
    settings = SERVICES["database"]["environment"]
    user = settings["POSTGRES_USER"]
    folder.mkdir()
    shutil.chown(folder, "postgres", "postgres")
    secret = folder / "password"
    secret.write_text(PASSWORD)
    shutil.chown(secret, "postgres")
    for parent in folder.parents:
        if parent.stat().st_uid == os.geteuid() and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    as_postgres: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": [], "cwd": folder}
    options = ["--username", user, "--pwfile", str(secret), "--auth", "scram-sha-256"]
    place = str(folder / "data")
    subprocess.run([found["initdb"], "--pgdata", place, *options], check=True, capture_output=True, **as_postgres)
    command = [found["postgres"], "-D", place, "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
    command += ["-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, **as_postgres)
    try:
        login = ["--host", "127.0.0.1", "--port", str(port), "--username", user]
        wait_until(lambda: subprocess.run([found["pg_isready"], *login], capture_output=True).returncode == 0, 600)
        create = [
            found["psql"],
            *login,
            "--dbname",
            "postgres",
            "--command",
            f"create database {settings['POSTGRES_DB']}",
        ]
        subprocess.run(create, check=True, capture_output=True, env={**os.environ, "PGPASSWORD": PASSWORD})
        yield
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=300)


def wait_until(what: Any, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.2)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=120) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture
def composed(tmp_path: Path) -> Iterator[Composed]:
    started = Composed(tmp_path)
    try:
        with postgresql(tmp_path / "pg", started.database_port):
            yield started
            started.close()
    finally:
        started.close()


def test_the_services_bring_up_prefect_on_postgresql_and_run_a_campaign(composed: Composed, tmp_path: Path) -> None:
    composed.start("prefect")
    wait_until(lambda: answers(f"{composed.api_url}/health"), 600)
    assert not answers(f"{composed.api_url}/admin/settings"), "without the login"
    with urllib.request.urlopen(f"{composed.api_url.removesuffix('/api')}/v2/", timeout=300) as page:
        assert "connect-src 'self'" in page.headers["content-security-policy"]
    setup, env = composed.command("setup")
    done = subprocess.run(setup, cwd=composed.data, env=env, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    composed.start("worker")
    composed.start("dispatcher")
    network = tmp_path / "network.json"
    dump_network(harmonic_network(3, 3, n_samples=10, n_windows=1), network)
    composed.run("alchemiscale-lake", "submit", str(network), "--scope", "org-campaign-project", "-t", "1")
    lake = Lake.open(composed.data / "lake")
    wait_until(lambda: (lake.task_log.states().tasks["status"] == "complete").sum() == 3, 600)
    assert answers(f"http://127.0.0.1:{composed.health_port}/health"), "the worker's health check"
    runs = composed.run("prefect", "flow-run", "ls")
    assert "dispatch" in runs
    assert not (composed.data / ".prefect" / "prefect.db").exists(), "its memory is PostgreSQL's"

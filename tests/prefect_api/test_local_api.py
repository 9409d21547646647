from __future__ import annotations

import contextlib
import json
import os
import socket
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from alchemiscale_lake.errors import SettingsError, StorageError
from alchemiscale_lake.prefect_api import local_api as _api
from alchemiscale_lake.prefect_api import local_server as _local_server
from alchemiscale_lake.prefect_api import server_files as _state
from alchemiscale_lake.prefect_api.local_api import Api, local_api
from alchemiscale_lake.prefect_api.local_server import LocalServer
from alchemiscale_lake.prefect_api.login import make_login
from tests.prefect_requests import get

NOBODY = 65534


def server_processes(parent: int) -> list[psutil.Process]:
    children = psutil.Process(parent).children(recursive=True)
    return [child for child in children if "alchemiscale_lake.prefect_api.server_process" in child.cmdline()]


def test_a_given_api_is_used_and_none_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")

    with local_api(tmp_path / "prefect") as api:
        assert api == Api("http://127.0.0.1:9/api", "http://127.0.0.1:9", ours=False)
    assert not (tmp_path / "prefect").exists()


def test_a_new_user_leaves_a_template_for_the_next_lake(api: Api) -> None:
    assert api.ours
    assert (_state.cache_dir() / "template.db").exists()


def test_nothing_is_reported_to_anybody(api: Api) -> None:
    settings = get(api, "admin/settings")

    assert settings["server"]["analytics_enabled"] is False
    assert settings["server"]["ui"]["show_promotional_content"] is False
    assert settings["cloud"]["enable_orchestration_telemetry"] is False
    assert os.environ["DO_NOT_TRACK"] == "1"
    # not only by its settings: there are no connections or sockets other than loopback
    (server,) = server_processes(os.getpid())
    ends = [end.ip for c in server.net_connections("inet") for end in (c.laddr, c.raddr) if end]
    assert set(ends) <= {"127.0.0.1", "::1"}


def test_states_of_task_runs_are_stored_together(api: Api) -> None:
    recorder = get(api, "admin/settings")["server"]["services"]["task_run_recorder"]

    # one by one takes twice the CPU time; and they are to be seen soon
    assert recorder["batch_size"] >= 100
    assert recorder["flush_interval"] <= 1.0


def test_the_ui_is_served(api: Api) -> None:
    with urllib.request.urlopen(api.ui_url, timeout=300) as page:
        assert b"<html" in page.read().lower()


def test_no_prefect_home_but_the_folder_given(api: Api, cache: Path) -> None:
    assert Path(os.environ["PREFECT_HOME"]).name.startswith("prefect")
    assert not list(cache.glob("*/*.toml"))


def test_a_server_that_is_killed_is_started_again_at_the_same_address(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    (before,) = server_processes(os.getpid())
    before.kill()
    before.wait(10)

    # requested before it is back: the request waits, it is not refused
    assert get(api, "health") is True

    (after,) = server_processes(os.getpid())
    assert after.pid != before.pid
    imported = (Path(os.environ["PREFECT_HOME"]) / "server.log").read_text()
    assert "| prefect.server.api.server" in imported.replace(" ", "").replace("|", "| ")
    assert "prefect_kubernetes" not in imported, "importing all collections takes as long as the rest of the server"


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    with _api._claim_folder(tmp_path, lasting=False) as first, _api._claim_folder(tmp_path, lasting=False) as second:
        assert first == tmp_path
        assert second != tmp_path
        assert second.is_dir()
        with pytest.raises(SettingsError, match="another command runs"), _api._claim_folder(tmp_path, lasting=True):
            pass
    assert not second.exists()


def test_the_server_of_up_is_found_by_other_commands(api: Api, tmp_path: Path) -> None:
    with serving(tmp_path, api.api_url):
        assert _api._find_lasting(tmp_path) == api.api_url
    assert _api._find_lasting(tmp_path) is None


@contextlib.contextmanager
def serving(folder: Path, api_url: str) -> Iterator[None]:
    """Return the folder of a running `up`."""
    with _api._claim_folder(folder, lasting=True):
        make_login(folder)
        with _api._announce(folder, api_url):
            yield


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A server that expects a login."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.0)
        yield Listener(server)


@dataclass
class Listener:
    socket: socket.socket

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}/api"

    def was_asked(self) -> bool:
        try:
            self.socket.accept()
        except BlockingIOError:
            return False
        return True


def said(**changed: Any) -> str:
    return json.dumps({"api_url": "http://127.0.0.1:9/api", "host": socket.gethostname(), **changed})


@pytest.mark.parametrize(
    "planted",
    [
        "",
        "{}",
        "[]",
        said(host="elsewhere"),
        said(api_url="http://192.0.2.1:4200/api"),
        said(api_url="http://127.0.0.1@192.0.2.1:4200/api"),
        said(api_url="nonsense"),
        said(api_url=None),
    ],
)
def test_no_login_is_sent_elsewhere(tmp_path: Path, planted: str) -> None:
    with serving(tmp_path, "http://127.0.0.1:9/api"):
        (tmp_path / "server.json").write_text(planted)

        assert _api._find_lasting(tmp_path) is None


def test_whoever_has_the_port_of_a_dead_up_is_not_asked(tmp_path: Path, listener: Listener) -> None:
    with serving(tmp_path, listener.api_url):
        left = (tmp_path / "server.json").read_bytes()
    (tmp_path / "server.json").touch(mode=0o600)
    (tmp_path / "server.json").write_bytes(left)  # it was killed

    assert _api._find_lasting(tmp_path) is None
    # another command has the folder meanwhile, and the file belongs to no running process
    with _api._claim_folder(tmp_path, lasting=False) as folder:
        assert folder == tmp_path
        assert _api._find_lasting(tmp_path) is None
    assert not listener.was_asked()


@pytest.mark.parametrize("name", ["server.json", "login"])
@pytest.mark.parametrize("how", ["readable by others", "a link", "another user's", "missing"])
def test_files_that_others_could_have_written_are_not_believed(
    tmp_path: Path, listener: Listener, name: str, how: str
) -> None:
    with serving(tmp_path, listener.api_url):
        path = tmp_path / name
        if how == "readable by others":
            path.chmod(0o644)
        elif how == "a link":
            path.rename(tmp_path / "elsewhere")
            path.symlink_to(tmp_path / "elsewhere")
        elif how == "another user's":
            if os.geteuid() != 0:
                pytest.skip("only root can give a file away")
            os.chown(path, NOBODY, NOBODY)
        else:
            path.unlink()

        assert _api._find_lasting(tmp_path) is None
    assert not listener.was_asked()


def test_a_dead_server_of_up_is_not_used(tmp_path: Path) -> None:
    with serving(tmp_path, "http://127.0.0.1:9/api"):
        assert _api._find_lasting(tmp_path) is None


def test_a_folder_of_another_user_is_not_used(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    planted = tmp_path / "prefect"
    planted.mkdir()
    os.chown(planted, NOBODY, NOBODY)

    with _api._claim_folder(planted, lasting=False) as folder:
        assert folder != planted
    with pytest.raises(SettingsError, match="belongs to another user"), _api._claim_folder(planted, lasting=True):
        pass


def test_the_login_of_a_server_of_ours_is_not_sent_to_another(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.settings import get_current_settings

    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "theirs:given")
    with local_api(Path("unused")):
        sent = get_current_settings().api.auth_string
        assert sent is not None
        assert sent.get_secret_value() == "theirs:given"
    monkeypatch.delenv("PREFECT_API_AUTH_STRING")
    with local_api(Path("unused")):
        assert get_current_settings().api.auth_string is None


def test_a_taken_port_is_a_clear_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"cannot listen on 127.0.0.1:{port}.*--port"):
            LocalServer(tmp_path, "127.0.0.1", port, lasting=False, on_restart=None)


def test_a_server_that_cannot_start_reports_the_path_of_its_log(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    before = server_processes(os.getpid())
    monkeypatch.setattr(_local_server.sys, "executable", "/bin/false")

    with pytest.raises(StorageError, match=r"server\.log"), local_api(tmp_path):
        pass
    assert server_processes(os.getpid()) == before

from __future__ import annotations

import json
import os
import socket
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest

from alchemiscale_lake.errors import SettingsError, StorageError
from flows import _api, _state
from flows._api import Api, local_api


def ask(url: str, **body: Any) -> Any:
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def server_processes(parent: int) -> list[psutil.Process]:
    children = psutil.Process(parent).children(recursive=True)
    return [child for child in children if "flows._server" in child.cmdline()]


def test_a_given_api_is_used_and_none_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")

    with local_api(tmp_path / "prefect") as api:
        assert api == Api("http://127.0.0.1:9/api", "http://127.0.0.1:9", ours=False)
    assert not (tmp_path / "prefect").exists()


def test_a_new_user_leaves_a_template_for_the_next_lake(api: Api) -> None:
    assert api.ours
    assert (_state.cache_dir() / "template.db").exists()


def test_nothing_is_reported_to_anybody(api: Api) -> None:
    settings = ask(f"{api.api_url}/admin/settings")

    assert settings["server"]["analytics_enabled"] is False
    assert settings["server"]["ui"]["show_promotional_content"] is False
    assert settings["cloud"]["enable_orchestration_telemetry"] is False
    assert os.environ["DO_NOT_TRACK"] == "1"
    # not only by its settings: nothing but loopback is connected or listened on
    (server,) = server_processes(os.getpid())
    ends = [end.ip for c in server.net_connections("inet") for end in (c.laddr, c.raddr) if end]
    assert set(ends) <= {"127.0.0.1", "::1"}


def test_the_ui_is_served(api: Api) -> None:
    with urllib.request.urlopen(api.ui_url, timeout=20) as page:
        assert b"<html" in page.read().lower()


def test_no_prefect_home_but_the_folder_given(api: Api, cache: Path) -> None:
    assert Path(os.environ["PREFECT_HOME"]).name.startswith("prefect")
    assert not list(cache.glob("*/*.toml"))


def test_a_server_that_is_killed_is_started_again_at_the_same_address(api: Api) -> None:
    (before,) = server_processes(os.getpid())
    before.kill()
    before.wait(10)

    # asked before it is back: the request waits, it is not refused
    assert ask(f"{api.api_url}/health") is True

    (after,) = server_processes(os.getpid())
    assert after.pid != before.pid


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    with _api._claim_folder(tmp_path, lasting=False) as first, _api._claim_folder(tmp_path, lasting=False) as second:
        assert first == tmp_path
        assert second != tmp_path
        assert second.is_dir()
        with pytest.raises(SettingsError, match="another command runs"), _api._claim_folder(tmp_path, lasting=True):
            pass
    assert not second.exists()


def test_the_server_of_up_is_found_by_other_commands(api: Api, tmp_path: Path) -> None:
    with _api._announce(tmp_path, api.api_url):
        assert _api._find_lasting(tmp_path) == api.api_url
    assert _api._find_lasting(tmp_path) is None


@pytest.mark.parametrize("said", ["", "{}", '{"api_url": "http://127.0.0.1:9/api", "host": "elsewhere"}'])
def test_what_another_server_left_is_not_trusted(tmp_path: Path, said: str) -> None:
    (tmp_path / "server.json").write_text(said)

    assert _api._find_lasting(tmp_path) is None


def test_a_dead_server_of_up_is_not_used(tmp_path: Path) -> None:
    said = {"api_url": "http://127.0.0.1:9/api", "host": socket.gethostname()}
    (tmp_path / "server.json").write_text(json.dumps(said))

    assert _api._find_lasting(tmp_path) is None


def test_a_taken_port_is_a_clear_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"cannot listen on 127.0.0.1:{port}.*--port"):
            _api._Server(tmp_path, "127.0.0.1", port, lasting=False, on_restart=None)


def test_a_server_that_cannot_start_says_where_its_log_is(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    before = server_processes(os.getpid())
    monkeypatch.setattr(_api.sys, "executable", "/bin/false")

    with pytest.raises(StorageError, match=r"server\.log"), local_api(tmp_path):
        pass
    assert server_processes(os.getpid()) == before

from __future__ import annotations

import os
import socket
import urllib.request

import pytest

from alchemiscale_lake.prefect_api.addresses import bypass_proxies, is_here, is_loopback


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("http", "https", "all", "no"):
        for name in (f"{kind}_proxy", f"{kind}_proxy".upper()):
            # set first, so that a test's additions are removed at its end
            monkeypatch.setenv(name, "")
            monkeypatch.delenv(name)


def test_without_a_proxy_nothing_is_set() -> None:
    bypass_proxies()

    assert "no_proxy" not in os.environ
    assert "NO_PROXY" not in os.environ


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "all_proxy"])
def test_this_machine_is_reached_without_the_proxy(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "http://proxy.example.org:3128")

    bypass_proxies("our-host")

    assert urllib.request.proxy_bypass("127.0.0.1:4200")
    assert urllib.request.proxy_bypass("our-host:4200")
    assert not urllib.request.proxy_bypass("example.org")


def test_what_the_user_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example.org:3128")
    monkeypatch.setenv("NO_PROXY", ".example.org, 127.0.0.1")

    bypass_proxies()
    bypass_proxies()

    assert os.environ["NO_PROXY"] == os.environ["no_proxy"] == ".example.org,127.0.0.1,localhost,::1"


def test_a_user_without_any_proxy_for_anything_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example.org:3128")
    monkeypatch.setenv("no_proxy", "*")

    bypass_proxies()

    assert os.environ["no_proxy"] == "*"


@pytest.mark.parametrize(
    ("host", "here", "loopback"),
    [
        ("127.0.0.1", True, True),
        ("localhost", True, True),
        ("192.0.2.1", False, False),
        ("no-such-name.invalid", False, False),
        ("0.0.0.0", False, False),
    ],
)
def test_addresses_of_this_machine(host: str, here: bool, loopback: bool) -> None:
    assert (is_here(host), is_loopback(host)) == (here, loopback)


def test_a_name_of_which_one_address_is_elsewhere_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, 0, 0, "", (ip, 0)) for ip in ("127.0.0.1", "192.0.2.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)

    assert not is_here("rebound.example.org")

"""Authorised requests to a Prefect server: with its login, and its token against forged requests."""

from __future__ import annotations

import functools
from typing import Any

import httpx

from alchemiscale_lake.prefect_api.local_api import Api

_US = "tests"
#: A killed server takes a while to come back, and requests wait for it.
_PATIENCE_S = 120.0


@functools.cache
def _client() -> httpx.Client:
    """Return a client for all requests: another one for each would spend 40 ms on certificates that are not needed."""
    # a connection that is kept would be dead after a restart of the server
    return httpx.Client(
        timeout=_PATIENCE_S, trust_env=False, verify=False, limits=httpx.Limits(max_keepalive_connections=0)
    )


def login(api: Api) -> tuple[str, str]:
    """Return user and password."""
    assert api.login is not None
    user, _, password = api.login.read_text().strip().partition(":")
    return user, password


def get(api: Api, path: str) -> Any:
    """Return the API's answer; raise for errors."""
    return _get(api.api_url, login(api), path)


def is_there(api: Api, path: str) -> bool:
    """Return whether the API knows a resource."""
    return _client().get(f"{api.api_url}/{path}", auth=login(api)).is_success


def post(api: Api, path: str, **body: Any) -> Any:
    """Return the API's answer; raise for errors."""
    return post_to(api.api_url, login(api), path, **body)


def post_to(api_url: str, auth: tuple[str, str], path: str, **body: Any) -> Any:
    token = _token(api_url, auth)
    headers = {"Prefect-Csrf-Client": _US, "Prefect-Csrf-Token": token}
    answer = _client().post(f"{api_url}/{path}", json=body, auth=auth, headers=headers)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def _get(api_url: str, auth: tuple[str, str], path: str) -> Any:
    answer = _client().get(f"{api_url}/{path}", auth=auth)
    answer.raise_for_status()
    return answer.json()


@functools.cache
def _token(api_url: str, auth: tuple[str, str]) -> str:
    return str(_get(api_url, auth, f"csrf-token?client={_US}")["token"])

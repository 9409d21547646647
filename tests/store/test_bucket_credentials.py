"""Missing credentials are reported immediately."""

from __future__ import annotations

import socket

import pytest

from alchemiscale_lake.errors import SettingsError
from alchemiscale_lake.store import Lake, bucket_credentials
from alchemiscale_lake.store.bucket_credentials import require_credentials

URL = "s3://bucket/prefix"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty environment, and a metadata service that does not answer."""
    import os

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(bucket_credentials, "_answered", None)


@pytest.mark.parametrize("ask", [Lake.open, Lake.create, lambda url: Lake.create(url, exist_ok=True)])
def test_without_any_it_is_said_before_the_storage_is_asked(ask: object) -> None:
    with pytest.raises(SettingsError, match="no credentials for s3://bucket/prefix; set AWS_ACCESS_KEY_ID"):
        ask(URL)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("given", "missing"),
    [("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")],
)
def test_half_a_pair_is_named(monkeypatch: pytest.MonkeyPatch, given: str, missing: str) -> None:
    monkeypatch.setenv(given, "x")

    with pytest.raises(SettingsError, match=f"^{missing} is not set"):
        require_credentials(URL)


@pytest.mark.parametrize(
    "names",
    [
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI",),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",),
    ],
)
def test_each_source_is_enough(monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]) -> None:
    for name in names:
        monkeypatch.setenv(name, "x")

    require_credentials(URL)


def test_a_public_bucket_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")

    require_credentials(URL)


def test_the_role_of_the_machine_counts_where_its_service_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as service:
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://127.0.0.1:{service.getsockname()[1]}")
        require_credentials(URL)

        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        with pytest.raises(SettingsError):
            require_credentials(URL)

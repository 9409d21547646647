"""What is taken for a secret in a pools file, and what is not."""

from __future__ import annotations

import pytest

from alchemiscale_lake.pools_file.secrets import holds_secret, names_secret


@pytest.mark.parametrize(
    "name",
    ["AWS_SECRET_ACCESS_KEY", "password", "prefect-api-key", "MY_TOKEN", "apikey", "db.passwd", "HF_TOKENS_TOKEN"],
)
def test_names_of_secrets(name: str) -> None:
    assert names_secret(name)


@pytest.mark.parametrize("name", ["TOKEN_FILE", "SECRETS_DIR", "KEY", "keyboard", "cores", "CREDENTIALS_BLOCK", ""])
def test_names_of_places_and_of_other_things(name: str) -> None:
    assert not names_secret(name)


@pytest.mark.parametrize(
    "text",
    [
        "AKIA" + "A" * 16,
        "-----BEGIN RSA PRIVATE KEY-----",
        "postgresql://me:hunter2@host/db",
        "pnu_" + "a" * 20,
        "ghp_" + "a" * 30,
        "export MY_TOKEN=abc",
        "MY_TOKEN: 'abc'",
    ],
)
def test_texts_that_hold_a_secret(text: str) -> None:
    assert holds_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "export MY_TOKEN=$OTHER",
        'MY_TOKEN="$(cat /run/token)"',
        "MY_TOKEN=",
        "https://host:8080/path",
        "postgresql://me:$PASSWORD@host/db",
        "AKIA" + "A" * 15,
        "source ~/token.sh",
        "TOKEN_FILE=/run/token",
    ],
)
def test_references_to_secrets_hold_none(text: str) -> None:
    assert not holds_secret(text)

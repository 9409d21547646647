from __future__ import annotations

import pytest

from alchemiscale_lake.secrecy import HIDDEN, PASSED, is_secret, only_secrets, without_secrets


@pytest.mark.parametrize(
    "name",
    [
        "AWS_ACCESS_KEY_ID",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AZURE_STORAGE_ACCOUNT_KEY",
        "GITHUB_TOKEN",
        "KUBECONFIG",
        "OPENAI_API_KEY",
        "PGPASSWORD",
        "PREFECT_API_AUTH_STRING",
        "PREFECT_API_KEY",
        "PREFECT_API_URL",
        "PREFECT_CLIENT_CUSTOM_HEADERS",
        "PREFECT_SERVER_API_AUTH_STRING",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL",
        "SLURM_JWT",
        "SSH_AUTH_SOCK",
        "my_secret",
    ],
)
def test_what_gives_access_is_secret(name: str) -> None:
    assert is_secret(name, environment={})


@pytest.mark.parametrize(
    "name",
    [
        "ALCHEMISCALE_LAKE",
        "CONDA_PREFIX",
        "CUDA_VISIBLE_DEVICES",
        "HOME",
        "LD_LIBRARY_PATH",
        "LM_LICENSE_FILE",
        "OE_LICENSE",
        "OPENMM_PLUGIN_DIR",
        "PATH",
        "PREFECT_SERVER_ANALYTICS_ENABLED",
        "PWD",
        "PYTHONPATH",
        "SLURM_JOB_ID",
        "TMPDIR",
        "TOKENIZERS_PARALLELISM",
    ],
)
def test_what_calculations_need_is_not(name: str) -> None:
    assert not is_secret(name, environment={})


def test_a_password_in_a_url_is_secret_under_any_name() -> None:
    assert is_secret("https_proxy", "http://user:word@proxy:3128", environment={})
    assert not is_secret("https_proxy", "http://proxy:3128", environment={})
    assert not is_secret("ALCHEMISCALE_LAKE", "s3://bucket/a:b@c", environment={})


def test_lists_in_the_environment_add_and_win() -> None:
    environment = {HIDDEN: "MY_*, other", PASSED: "WANDB_API_KEY,MY_COLOUR"}
    values = {"MY_WORD": "1", "OTHER": "2", "WANDB_API_KEY": "3", "MY_COLOUR": "4"}
    kept = {**environment, "WANDB_API_KEY": "3", "MY_COLOUR": "4"}
    assert without_secrets(environment | values) == kept
    assert only_secrets(environment | values) == {"MY_WORD": "1", "OTHER": "2"}

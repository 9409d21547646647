"""Protection of secrets: which environment variables are secret, and how to make a process unreadable.

On Linux any process of the same user can read another one's initial environment and memory through `/proc`, and
Protocol code is untrusted. So processes with credentials forbid being read (`forbid_reading`), and those that run
Protocols are started without them (`without_secrets`). Imports only the standard library: it is called before anything
else. The code that starts processes decides who gets which credentials.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

__all__ = ["HIDDEN", "PASSED", "allow_reading", "forbid_reading", "is_secret", "only_secrets", "without_secrets"]

#: Environment variable: further names that are secret, as in `MY_*,LICENSE_SERVER`.
HIDDEN: Final = "ALCHEMISCALE_LAKE_HIDE"
#: Environment variable: names passed to units although they look secret, as in `WANDB_API_KEY`.
PASSED: Final = "ALCHEMISCALE_LAKE_PASS"

#: Families of variables that give access to storage, Prefect, a cluster or an agent, whatever their names.
_FAMILIES: Final = (
    "AWS_*",
    "AZURE_*",
    "GOOGLE_*",
    "GCLOUD_*",
    "GCP_*",
    "GCS_*",
    "CLOUDSDK_*",
    "S3_*",
    "MINIO_*",
    "VAULT_*",
    "PREFECT_API_URL",
    "PREFECT_*HEADERS*",
    "DASK_INTERNAL_*",
    "DASK_*TLS*",
    "KUBECONFIG",
    "SSH_AUTH_SOCK",
    "GPG_AGENT_INFO",
    "*PASSWORD*",
    "*PASSWD*",
    "*PASSPHRASE*",
    "*SECRET*",
    "*CREDENTIAL*",
    "*CONNECTION_URL",
    "*CONNECTION_STRING",
    "*DATABASE_URL",
    "ALCHEMISCALE_LAKE_ALERT_URL",
)
#: Words between underscores that indicate a secret.
_WORDS: Final = frozenset({"APIKEY", "AUTH", "AUTHORIZATION", "COOKIE", "DSN", "JWT", "KEY", "KEYS", "TOKEN", "TOKENS"})
#: `https://user:password@host`, as in the address of a proxy or of a package index.
_URL_WITH_PASSWORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/\s@:]*:[^/\s@]+@")
_PR_SET_DUMPABLE: Final = 4


def is_secret(name: str, value: str = "", *, environment: Mapping[str, str] | None = None) -> bool:
    """Return whether an environment variable must be hidden from processes that run Protocols.

    This is a deny list, since the variables that calculations need cannot be listed: modules, conda, CUDA, OpenMM and
    licences each bring their own. The lists in `ALCHEMISCALE_LAKE_HIDE` and `ALCHEMISCALE_LAKE_PASS` (names or glob
    patterns, separated by commas) extend and override it.

    Parameters
    ----------
    name, value : str
        A value that is a URL with a password is secret under any name.
    environment : mapping, optional
        Source of those lists; default: `os.environ`.
    """
    environment = os.environ if environment is None else environment
    named = _is_secret_name(name.upper(), environment.get(PASSED), environment.get(HIDDEN))
    return _URL_WITH_PASSWORD.search(value) is not None if named is None else named


@lru_cache(maxsize=4096)
def _is_secret_name(upper: str, passed: str | None, hidden: str | None) -> bool | None:
    """Return whether the name alone decides, and how; None if it does not."""
    if _listed(upper, passed):
        return False
    is_listed = _listed(upper, hidden) or any(fnmatchcase(upper, pattern) for pattern in _FAMILIES)
    return True if is_listed or not _WORDS.isdisjoint(upper.split("_")) else None


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without its secrets, see `is_secret`."""
    given = dict(environment)
    return {k: v for k, v in given.items() if not is_secret(k, v, environment=given)}


def only_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that `without_secrets` leaves out."""
    return {k: v for k, v in environment.items() if is_secret(k, v, environment=environment)}


def forbid_reading() -> None:
    """Keep other processes of the same user from reading this one's environment, memory and open files.

    They cannot trace it either; root still can. Forked children inherit this, programs that they start do not. Does
    nothing where there is no `/proc`.
    """
    _set_dumpable(0)


def allow_reading() -> None:
    """Undo `forbid_reading`, in a forked child without secrets."""
    _set_dumpable(1)


def _set_dumpable(value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, value, 0, 0, 0)


def _listed(upper: str, patterns: str | None) -> bool:
    names = [pattern.strip().upper() for pattern in (patterns or "").split(",")]
    return any(fnmatchcase(upper, name) for name in names if name)

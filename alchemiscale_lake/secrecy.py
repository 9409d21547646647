"""What a process must not show: which environment variables hold secrets, and how to keep memory unread.

On Linux any process of the same user can read the environment that another one was started with, and
its memory, through `/proc`, and Protocols are anybody's code. So processes that hold credentials forbid
being read (`forbid_reading`), and those that run Protocols are started without (`without_secrets`).
Imports nothing but the standard library: it is called first of all. Who gets which credentials is
decided by those who start processes.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

__all__ = ["HIDDEN", "PASSED", "allow_reading", "forbid_reading", "is_secret", "only_secrets", "without_secrets"]

#: Environment variable: further names that are secret, as in `MY_*,LICENSE_SERVER`.
HIDDEN: Final = "ALCHEMISCALE_LAKE_HIDE"
#: Environment variable: names that units get although they look secret, as in `WANDB_API_KEY`.
PASSED: Final = "ALCHEMISCALE_LAKE_PASS"

#: Families of variables that give access to storage, Prefect, a cluster or an agent, whatever their names say.
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
)
#: Words between underscores that tell a secret.
_WORDS: Final = frozenset({"APIKEY", "AUTH", "AUTHORIZATION", "COOKIE", "DSN", "JWT", "KEY", "KEYS", "TOKEN", "TOKENS"})
#: `https://user:password@host`, as in the address of a proxy or of a package index.
_URL_WITH_PASSWORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/\s@:]*:[^/\s@]+@")
_PR_SET_DUMPABLE: Final = 4


def is_secret(name: str, value: str = "", *, environment: Mapping[str, str] | None = None) -> bool:
    """Whether an environment variable is to be kept from processes that run Protocols.

    A list of what is denied, for what calculations need cannot be listed: modules, conda, CUDA, OpenMM and
    licences each bring variables of their own. The lists in `ALCHEMISCALE_LAKE_HIDE` and
    `ALCHEMISCALE_LAKE_PASS` (names or glob patterns, separated by commas) add to it and win over it.

    Parameters
    ----------
    name, value : str
        A value that is a URL with a password is secret under any name.
    environment : mapping, optional
        Where those lists are read from; `os.environ` by default.
    """
    environment = os.environ if environment is None else environment
    upper = name.upper()
    if _listed(upper, environment.get(PASSED)):
        return False
    return (
        _listed(upper, environment.get(HIDDEN))
        or any(fnmatchcase(upper, pattern) for pattern in _FAMILIES)
        or not _WORDS.isdisjoint(upper.split("_"))
        or _URL_WITH_PASSWORD.search(value) is not None
    )


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what `is_secret`."""
    return {k: v for k, v in environment.items() if not is_secret(k, v, environment=environment)}


def only_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what `without_secrets` leaves out."""
    return {k: v for k, v in environment.items() if is_secret(k, v, environment=environment)}


def forbid_reading() -> None:
    """Keep other processes of the same user from reading this one's environment, memory and open files.

    They cannot trace it either; root still can, and so can a debugger that runs as root. Forked children
    inherit it, programs that they start do not. Does nothing where there is no `/proc`.
    """
    _set_dumpable(0)


def allow_reading() -> None:
    """End `forbid_reading`, in a forked child that holds nothing secret."""
    _set_dumpable(1)


def _set_dumpable(value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, value, 0, 0, 0)


def _listed(upper: str, patterns: str | None) -> bool:
    names = [pattern.strip().upper() for pattern in (patterns or "").split(",")]
    return any(fnmatchcase(upper, name) for name in names if name)

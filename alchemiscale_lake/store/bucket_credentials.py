"""Early check that this process has credentials for a bucket.

Without any, the storage clients query the cloud metadata service for most of a minute, and then report only that it
did not answer.
"""

from __future__ import annotations

import os
import socket
from typing import Final
from urllib.parse import urlsplit

from ..errors import SettingsError

__all__ = ["require_credentials"]

_METADATA: Final = "http://169.254.169.254"
#: A machine that has the service gets an answer within milliseconds.
_PROBE_S: Final = 1.0
_PAIR: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_OTHERS: Final = (
    ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI",),
)
_YES: Final = frozenset({"1", "true", "yes", "on"})
_answered: bool | None = None


def require_credentials(url: str) -> None:
    """Check that credentials for a bucket are available, from the environment or the machine's role.

    Parameters
    ----------
    url : str
        URL of the lake, for the message.

    Raises
    ------
    SettingsError
        If there are none, or one variable of a pair is missing.
    """
    given = [name for name in _PAIR if os.environ.get(name)]
    if len(given) == 1:
        (missing,) = set(_PAIR) - set(given)
        raise SettingsError(f"{missing} is not set, but {given[0]} is; set both for {url}", variable=missing)
    if given or os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in _YES:
        return
    if any(all(os.environ.get(name) for name in names) for names in _OTHERS) or _has_metadata_service():
        return
    raise SettingsError(
        f"no credentials for {url}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
        "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN (files such as ~/.aws/credentials are not read; "
        "`eval $(aws configure export-credentials --format env)` exports a profile to the environment)",
        variable=_PAIR[0],
    )


def _has_metadata_service() -> bool:
    """Return whether the cloud metadata service answers here; the result is cached."""
    global _answered
    if os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() in _YES:
        return False
    if _answered is None:
        parts = urlsplit(os.environ.get("AWS_METADATA_ENDPOINT") or _METADATA)
        try:
            with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=_PROBE_S):
                _answered = True
        except OSError:
            _answered = False
    return _answered

"""Timeouts and retries for a bucket.

Every client (deltalake, polars, obstore) gets the same limits, so a bucket that stalls causes an error within about
`retry_for_s + timeout_s` and never a process that hangs. Credentials and endpoint are not part of these settings: the
clients read `AWS_*` themselves.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, Final, Self

from ..errors import SettingsError

__all__ = ["BucketSettings"]

_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_PREFIX: Final = "ALCHEMISCALE_LAKE_S3_"
#: Delta's commit on S3 is a conditional put; set explicitly so that no environment variable turns it off.
_CONDITIONAL_PUT: Final = {"aws_conditional_put": "etag"}


@dataclass(frozen=True, slots=True)
class BucketSettings:
    """Timeouts and retries; each can be set in the environment (`ALCHEMISCALE_LAKE_S3_TIMEOUT_S` and so on).

    Attributes
    ----------
    timeout_s : float
        Maximum duration of one request, including its data.
    connect_timeout_s : float
        Maximum time to establish a connection.
    retries : int
        Number of retries of a request that the bucket rejected (503) or broke off.
    retry_for_s : float
        Time since the first attempt of a request after which it is not retried.
    """

    timeout_s: float = 60.0
    connect_timeout_s: float = 5.0
    retries: int = 10
    retry_for_s: float = 60.0

    @classmethod
    def from_environment(cls) -> Self:
        """Read the settings from the environment.

        Raises
        ------
        SettingsError
            If a variable is not a positive number.
        """
        given: dict[str, Any] = {}
        for field in fields(cls):
            name = _PREFIX + field.name.upper()
            text = os.environ.get(name)
            if text is None:
                continue
            kind = int if field.name == "retries" else float
            try:
                given[field.name] = kind(text)
            except ValueError as e:
                raise SettingsError(f"{name}={text!r} is not a number; give one, as in {name}=30", value=text) from e
            if not given[field.name] >= 0 or (kind is float and not 0 < given[field.name] < float("inf")):
                raise SettingsError(f"{name}={text!r} is out of range; give a positive number", value=text)
        return cls(**given)

    def for_deltalake(self) -> dict[str, str]:
        """Return storage options for deltalake."""
        return {
            **_CONDITIONAL_PUT,
            **self._client(),
            "max_retries": str(self.retries),
            "retry_timeout": f"{self.retry_for_s:g}s",
        }

    def for_polars(self) -> dict[str, Any]:
        """Return storage options for polars."""
        return {
            **self._client(),
            "max_retries": self.retries,
            "retry_timeout_ms": int(self.retry_for_s * 1000),
        }

    def for_obstore(self) -> dict[str, Any]:
        """Return arguments for an obstore store."""
        return {
            "client_options": {
                "timeout": timedelta(seconds=self.timeout_s),
                "connect_timeout": timedelta(seconds=self.connect_timeout_s),
                "allow_http": _plain_http(),
            },
            "retry_config": {"max_retries": self.retries, "retry_timeout": timedelta(seconds=self.retry_for_s)},
        }

    def _client(self) -> dict[str, str]:
        return {
            "timeout": f"{int(self.timeout_s * 1000)}ms",
            "connect_timeout": f"{int(self.connect_timeout_s * 1000)}ms",
            "allow_http": str(_plain_http()).lower(),
        }


def _plain_http() -> bool:
    """Return whether the environment names an endpoint without TLS, as is common for an S3 server in a cluster."""
    if os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true", "yes"):
        return True
    return any(os.environ.get(name, "").lower().startswith("http://") for name in _ENDPOINTS)

"""How long a bucket is waited for, and how often asked again.

Every client that speaks to it (deltalake, polars, obstore) gets the same patience, so that a bucket
that stalls is an error within about `retry_for_s + timeout_s`, never a process that hangs.
Credentials and endpoint are none of these settings: the clients read `AWS_*` by themselves.
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
#: Delta's own commit on S3 is a conditional put; said aloud, so that no environment turns it off.
_CONDITIONAL_PUT: Final = {"aws_conditional_put": "etag"}


@dataclass(frozen=True, slots=True)
class BucketSettings:
    """Patience with a bucket; each from the environment (`ALCHEMISCALE_LAKE_S3_TIMEOUT_S` and so on).

    Attributes
    ----------
    timeout_s : float
        Longest time that one request may take, its data included.
    connect_timeout_s : float
        Longest time until a connection stands.
    retries : int
        Times a request is made again that the bucket refused (503) or broke off.
    retry_for_s : float
        Time since the first request after which it is not made again.
    """

    timeout_s: float = 60.0
    connect_timeout_s: float = 5.0
    retries: int = 10
    retry_for_s: float = 60.0

    @classmethod
    def from_environment(cls) -> Self:
        """Read the environment.

        Raises
        ------
        SettingsError
            If a variable is no positive number.
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
                raise SettingsError(f"{name}={text!r} is no number; give one, as in {name}=30", value=text) from e
            if not given[field.name] >= 0 or (kind is float and not 0 < given[field.name] < float("inf")):
                raise SettingsError(f"{name}={text!r} makes no sense; give a positive number", value=text)
        return cls(**given)

    def for_deltalake(self) -> dict[str, str]:
        """Storage options of deltalake."""
        return {
            **_CONDITIONAL_PUT,
            **self._client(),
            "max_retries": str(self.retries),
            "retry_timeout": f"{self.retry_for_s:g}s",
        }

    def for_polars(self) -> dict[str, Any]:
        """Storage options of polars."""
        return {
            **self._client(),
            "max_retries": self.retries,
            "retry_timeout_ms": int(self.retry_for_s * 1000),
        }

    def for_obstore(self) -> dict[str, Any]:
        """Arguments of an obstore store."""
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
    """Whether the environment names an endpoint without TLS, as one's own S3 server in a cluster often has."""
    if os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true", "yes"):
        return True
    return any(os.environ.get(name, "").lower().startswith("http://") for name in _ENDPOINTS)

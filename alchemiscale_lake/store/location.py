"""Where a lake lies: a folder or a bucket, told by its URL.

Credentials and endpoints of a bucket come from the environment (`AWS_*`), never from the URL, so
that no table, log or error can carry them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ..errors import SettingsError
from .bucket import BucketSettings

__all__ = ["Location"]


@dataclass(frozen=True, slots=True)
class Location:
    """A normalised root URL: `file:///...` or `s3://bucket/prefix`."""

    url: str

    @classmethod
    def parse(cls, place: str | Path) -> Location:
        """Accept a path or a URL.

        Raises
        ------
        SettingsError
            If the URL has another scheme, names no bucket, or carries credentials.
        """
        text = str(place)
        parts = urlsplit(text)
        if parts.scheme in ("", "file") or len(parts.scheme) == 1:
            path = unquote(parts.path) if parts.scheme == "file" else text
            if not path:
                raise SettingsError("the lake's place is empty; give a folder or an s3:// URL", value=text)
            return cls(Path(path).expanduser().absolute().as_uri())
        if parts.scheme not in ("s3", "s3a") or not parts.hostname:
            raise SettingsError(
                f"{text!r} is no place for a lake; give a folder, file:///... or s3://bucket/prefix", value=text
            )
        if "@" in parts.netloc:
            raise SettingsError(
                "credentials do not belong into a lake's URL; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        return cls(f"s3://{parts.netloc}/{parts.path.strip('/')}".rstrip("/"))

    @property
    def path(self) -> Path | None:
        """The folder, or None for a bucket."""
        parts = urlsplit(self.url)
        return Path(unquote(parts.path)) if parts.scheme == "file" else None

    @property
    def storage_options(self) -> dict[str, str]:
        """Options for deltalake beyond the environment's."""
        return {} if self.path is not None else BucketSettings.from_environment().for_deltalake()

    @property
    def scan_options(self) -> dict[str, Any]:
        """Options for polars beyond the environment's."""
        return {} if self.path is not None else BucketSettings.from_environment().for_polars()

    def join(self, *names: str) -> str:
        """URI of something inside, in the form that deltalake takes."""
        root = str(self.path) if self.path is not None else self.url
        return "/".join([root, *names])

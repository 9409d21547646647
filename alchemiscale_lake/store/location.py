"""Location of a lake: a folder or a bucket, given by a path or a URL.

Credentials and endpoints of a bucket come from the environment (`AWS_*`), never from the URL, so no table, log or
error can contain them.

deltalake, polars, obstore and DuckDB each parse a location in their own way. Names that they interpret differently are
rejected here, before anything is created: otherwise some of a lake's files would end up elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from ..errors import SettingsError
from .bucket import BucketSettings

__all__ = ["Location"]

_URL: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):(?P<slashes>//?)(?P<rest>.*)", re.DOTALL)
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
#: Characters that are not percent-encoded in the URL of a bucket.
_READABLE: Final = "/=~+@:&,'!$()*;-_."
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ENCODED: Final = re.compile(r"%[0-9A-Fa-f]{2}")
#: deltalake decodes the path of a folder twice, and its URL parser panics on the others.
_MISREAD: Final = re.compile(rf"{_ENCODED.pattern}|[\[\]^|\\]")
#: A lake's own paths have up to about 300 bytes; POSIX allows 255 per name and 4096 in total, S3 1024.
_LONGEST_NAME: Final = 255
_LONGEST_FOLDER: Final = 3500
_LONGEST_PREFIX: Final = 600
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Location:
    """A normalised root URL: `file:///...` or `s3://bucket/prefix`, percent-encoded.

    Parsing is idempotent.
    """

    url: str

    @classmethod
    def parse(cls, place: str | Path) -> Location:
        """Parse a path or a URL.

        Raises
        ------
        SettingsError
            If the URL has another scheme, names no bucket, contains credentials, or contains a name that the storage
            clients interpret differently.
        """
        text = str(place)
        if not text.strip():
            raise SettingsError("the location of the lake is empty; give a folder or an s3:// URL", value=text)
        match = None if isinstance(place, Path) else _URL.fullmatch(text)
        scheme = "" if match is None else match["scheme"].lower()
        if match is None or (scheme not in ("file", "s3", "s3a") and match["slashes"] == "/"):
            return cls(_folder_url(text, text))
        if scheme == "file":
            host, _, path = match["rest"].partition("/") if match["slashes"] == "//" else ("", "", match["rest"])
            if host not in ("", "localhost"):
                raise SettingsError(
                    f"{text!r} names the host {host!r}; a folder's URL has three slashes, as file:///path", value=text
                )
            return cls(_folder_url(f"/{unquote(path, errors='surrogateescape')}", text))
        if scheme not in ("s3", "s3a") or match["slashes"] != "//":
            raise SettingsError(
                f"{text!r} is not a location for a lake; give a folder, file:///... or s3://bucket/prefix", value=text
            )
        return cls(_bucket_url(match["rest"], text))

    @property
    def path(self) -> Path | None:
        """Return the folder, or None for a bucket."""
        return Path(unquote(urlsplit(self.url).path)) if self.url.startswith("file:") else None

    @property
    def argument(self) -> str:
        """Return the location as an argument of a shell command."""
        return shlex.quote(self.url if self.path is None else str(self.path))

    @property
    def storage_options(self) -> dict[str, str]:
        """Return options for deltalake in addition to those of the environment."""
        return {} if self.path is not None else BucketSettings.from_environment().for_deltalake()

    @property
    def scan_options(self) -> dict[str, Any]:
        """Return options for polars in addition to those of the environment."""
        return {} if self.path is not None else BucketSettings.from_environment().for_polars()

    def join(self, *names: str) -> str:
        """Return the URI of a path inside the lake, in the form that deltalake takes."""
        root = str(self.path) if self.path is not None else self.url
        return "/".join([root, *names])


def _folder_url(path: str, given: str) -> str:
    with contextlib.suppress(RuntimeError):  # no such user: then it is the name of a folder, as in a shell
        path = os.fspath(Path(path).expanduser())
    _refuse_unprintable(path, given)
    try:
        # behind a symbolic link, `..` may lead elsewhere
        folder = Path(os.path.realpath(path)) if ".." in Path(path).parts else Path(path).absolute()
        real = Path(os.path.realpath(folder))
    except OSError as e:
        raise SettingsError(f"cannot resolve {_shown(given)}: {e.strerror}; give an absolute path", value=given) from e
    # two leading slashes have a special meaning in POSIX that nobody intends
    folder = Path("/", *folder.parts[1:])
    # deltalake follows symbolic links, and then sees the names behind them
    for seen in dict.fromkeys((folder, real)):
        _refuse_unprintable(str(seen), given)
        found = _MISREAD.search(str(seen))
        if found is not None:
            raise SettingsError(
                f"the folder {_shown(str(seen))} has {found[0]!r} in its path, which the tables' storage "
                "misinterprets; give a folder without any of [ ] ^ | \\ and without % before two hex digits",
                value=given,
            )
        _refuse_long(seen, given)
    return folder.as_uri()


def _refuse_long(folder: Path, given: str) -> None:
    if len(os.fsencode(folder)) <= _LONGEST_FOLDER and all(len(os.fsencode(n)) <= _LONGEST_NAME for n in folder.parts):
        return
    raise SettingsError(
        f"the path of the folder {_shown(given)} is too long; give one of at most {_LONGEST_FOLDER} bytes, "
        f"each name of at most {_LONGEST_NAME}",
        value=given,
    )


def _bucket_url(rest: str, given: str) -> str:
    """Normalise `bucket/prefix`; the prefix may be percent-encoded or not."""
    bucket, _, prefix = rest.partition("/")
    if "@" in bucket:
        raise SettingsError(
            "a lake's URL must not contain credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if not _BUCKET.fullmatch(bucket):
        raise SettingsError(f"{bucket!r} in {_shown(given)} is not a bucket name; give s3://bucket/prefix", value=given)
    names = [name for name in unquote(prefix, errors="surrogateescape").split("/") if name]
    decoded = "/".join(names)
    _refuse_unprintable(decoded, given)
    if {".", ".."} & set(names):
        raise SettingsError(
            f"{_shown(given)} has . or .. in its prefix; buckets have no folders, so remove it", value=given
        )
    if _ENCODED.search(decoded):
        raise SettingsError(
            f"the prefix in {_shown(given)} has % before two hex digits in its name, which bucket clients "
            "interpret differently; give another prefix",
            value=given,
        )
    if len(decoded.encode()) > _LONGEST_PREFIX:
        raise SettingsError(
            f"the prefix in {_shown(given)} is too long; give one of at most {_LONGEST_PREFIX} bytes", value=given
        )
    return f"s3://{bucket}/{quote(decoded, safe=_READABLE)}".rstrip("/")


def _refuse_unprintable(path: str, given: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError as e:
        raise SettingsError(
            f"the path {_shown(given)} is not UTF-8; give another location for the lake", value=given
        ) from e
    found = _CONTROL.search(path)
    if found is not None:
        raise SettingsError(
            f"the path {_shown(given)} has the control character {found[0]!r}; give another location for the lake",
            value=given,
        )


def _shown(text: str) -> str:
    """Format a path for a message: quoted, escaped, shortened in the middle if it is long."""
    quoted = ascii(text) if _CONTROL.search(text) or not text.isprintable() else repr(text)
    return quoted if len(quoted) <= _SHOWN else f"{quoted[: _SHOWN // 2]}...{quoted[-_SHOWN // 2 :]}"

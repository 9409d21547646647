"""An S3 policy enforced by a proxy before the local server, like AWS: what is not allowed is forbidden.

A small part of the language: Allow statements with Action, Resource and StringLike conditions on `s3:prefix`. Like
AWS, a client that may not list a bucket gets "forbidden" for a missing object.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import unescape

_ACTIONS = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}


@dataclass(frozen=True)
class Policy:
    """Allow statements."""

    statements: list[dict[str, Any]]

    @classmethod
    def read(cls, path: Path, url: str) -> Policy:
        """Read a policy written for BUCKET and PREFIX, adapted to the lake at a URL."""
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        text = path.read_text().replace("BUCKET", bucket).replace("PREFIX", prefix)
        statements = json.loads(text)["Statement"]
        assert all(s["Effect"] == "Allow" for s in statements)
        return cls(statements)

    def allows(self, method: str, path: str, body: bytes = b"") -> bool:
        """Return whether a request is allowed."""
        parts = urlsplit(path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        query = parse_qs(parts.query, keep_blank_values=True)
        if method == "GET" and not key:
            return self._allows("s3:ListBucket", f"arn:aws:s3:::{bucket}", query.get("prefix", [None])[0])
        if method == "POST" and "delete" in query:
            keys = [unescape(key) for key in re.findall("<Key>(.*?)</Key>", body.decode())]
            return bool(keys) and all(self._allows("s3:DeleteObject", f"arn:aws:s3:::{bucket}/{k}", None) for k in keys)
        if method == "POST":  # parts of an upload
            return self._allows("s3:PutObject", f"arn:aws:s3:::{bucket}/{key}", None)
        return self._allows(_ACTIONS[method], f"arn:aws:s3:::{bucket}/{key}", None)

    def tells_what_is_missing(self, path: str) -> bool:
        """Return whether the client is told that an object is missing, rather than forbidden."""
        bucket = urlsplit(path).path.lstrip("/").partition("/")[0]
        return self._allows("s3:ListBucket", f"arn:aws:s3:::{bucket}", None)

    def _allows(self, action: str, resource: str, prefix: str | None) -> bool:
        return any(
            action in _several(statement["Action"])
            and any(fnmatchcase(resource, pattern) for pattern in _several(statement["Resource"]))
            and all(
                prefix is not None and any(fnmatchcase(prefix, pattern) for pattern in _several(condition["s3:prefix"]))
                for condition in statement.get("Condition", {}).values()
            )
            for statement in self.statements
        )


def _several(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value

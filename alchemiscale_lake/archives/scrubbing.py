"""Names that an archive must not have: of hosts, users, paths and Scopes.

In tables they are replaced, each by the same word everywhere. Objects are not changed, since their digests and gufe
keys depend on their content: one that contains such a name is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

import polars as pl

from ..content import decompress
from ..errors import ArchiveError, ContentError
from ..ids import Scope

__all__ = ["SCRUBBED", "Scrubber", "renamed"]

#: Kinds of names that can be removed.
SCRUBBED: Final = ("hosts", "users", "paths", "scopes")
_HOSTS: Final = ("hostname",)
_USERS: Final = ("creator", "actor", "entered_by", "imported_by")
#: Hidden, since such ids name a queue or an image of one site.
_OF_SITE: Final = ("queue_job", "image")
#: A path with a folder, or a URL, up to its last part; what may stand before it is kept.
_PATH: Final = r"""(^|[\s"'(=\[,<:])(?:[a-z0-9]+://|~?/)(?:[^/\s"'<>,;)\]]+/)+"""
_HIDDEN: Final = "${1}.../"
_PATH_IN_OBJECT: Final = re.compile(r'"(?:file://)?/[^"/\s]+/[^"]*"')
#: Shorter names are words of other meanings, and are replaced only where they stand alone in a column.
_SHORTEST: Final = 3


class Scrubber:
    """Replace names in rows, and find them in objects.

    Parameters
    ----------
    kinds : collection of str
        Of `SCRUBBED`.
    scopes : iterable of str
        Scopes of the networks, then others that rows mention; numbered in this order.
    hosts, users : iterable of str
        Names to replace.
    scope_names : mapping of str to str, optional
        New names of Scopes; default: `archive-network-n1`, `archive-network-n2`, ...

    Raises
    ------
    ArchiveError
        If a kind is unknown.
    """

    def __init__(
        self,
        kinds: Collection[str],
        *,
        scopes: Iterable[str] = (),
        hosts: Iterable[str] = (),
        users: Iterable[str] = (),
        scope_names: Mapping[str, str] | None = None,
    ) -> None:
        unknown = sorted(set(kinds) - set(SCRUBBED))
        if unknown:
            raise ArchiveError(f"{unknown[0]!r} cannot be scrubbed; {', '.join(SCRUBBED)} can", value=unknown[0])
        self.kinds = tuple(kind for kind in SCRUBBED if kind in kinds)
        self._hosts = _aliases(hosts, "host") if "hosts" in kinds else {}
        self._users = _aliases(users, "user") if "users" in kinds else {}
        self.scopes = dict(scope_names or {})
        if "scopes" in kinds:
            for n, scope in enumerate((scope for scope in dict.fromkeys(scopes) if scope not in self.scopes), start=1):
                self.scopes[scope] = str(Scope.from_str(f"archive-network-n{n}"))

    def rows(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return rows of a table without the names.

        Parameters
        ----------
        rows : polars.DataFrame
        """
        texts = [name for name, kind in rows.schema.items() if kind == pl.String]
        for name in texts:
            column = pl.col(name)
            if name in _HOSTS and self._hosts:
                column = column.replace(self._hosts)
            elif name in _USERS and self._users:
                column = column.replace(self._users)
            elif name in _OF_SITE and "hosts" in self.kinds:
                column = pl.lit(None, pl.String).alias(name)
            if "paths" in self.kinds and not name.endswith(("_path", "_json")):
                column = column.str.replace_all(_PATH, _HIDDEN)
            for words in (self._hosts, self._users):
                for word, alias in words.items():
                    if len(word) >= _SHORTEST:
                        column = column.str.replace_all(rf"\b{re.escape(word)}\b", alias)
            rows = rows.with_columns(column)
        return renamed(rows, self.scopes)

    def finds(self, data: bytes, source: str) -> str | None:
        """Return the kind of a name that an object contains; None if it has none.

        Parameters
        ----------
        data : bytes
            As stored.
        source : str
            Name of the object, for messages.
        """
        if not self.kinds:
            return None
        try:
            text = decompress(data, source).decode("utf-8", "replace")
        except ContentError:
            return "unreadable"
        checks: dict[str, Callable[[], bool]] = {
            "hosts": lambda: _has_word(text, self._hosts),
            "users": lambda: _has_word(text, self._users),
            "paths": lambda: _PATH_IN_OBJECT.search(text) is not None,
            "scopes": lambda: any(scope in text for scope in self.scopes),
        }
        return next((kind for kind in self.kinds if checks[kind]()), None)


def renamed(rows: pl.DataFrame, scopes: Mapping[str, str]) -> pl.DataFrame:
    """Return rows with other names of Scopes, in Scopes, ScopedKeys, paths and texts.

    Parameters
    ----------
    rows : polars.DataFrame
    scopes : mapping of str to str
        New names by old.
    """
    for old, new in scopes.items():
        pattern = rf"(^|[^0-9A-Za-z_]){re.escape(old)}($|[^0-9A-Za-z_-])"
        for name, kind in rows.schema.items():
            replaced = _replaced(pl.element() if kind == pl.List(pl.String) else pl.col(name), pattern, new)
            if kind == pl.String:
                rows = rows.with_columns(replaced.alias(name))
            elif kind == pl.List(pl.String):
                rows = rows.with_columns(pl.col(name).list.eval(replaced))
    return rows


def _replaced(column: pl.Expr, pattern: str, new: str) -> pl.Expr:
    return column.str.replace_all(pattern, f"${{1}}{new}${{2}}")


def _aliases(names: Iterable[str], word: str) -> dict[str, str]:
    return {name: f"{word}-{n}" for n, name in enumerate(sorted(set(names)), start=1)}


def _has_word(text: str, words: Iterable[str]) -> bool:
    return any(len(word) >= _SHORTEST and re.search(rf"\b{re.escape(word)}\b", text) is not None for word in words)

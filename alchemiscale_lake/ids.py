"""Names: Scope, ScopedKey, and the ids of Tasks and attempts.

Terms and string forms are those of alchemiscale, so that keys can be exchanged between the two systems. A ScopedKey
contains the gufe key *at ingestion*: join on it, never on a key recomputed by another gufe version.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .errors import InvalidKeyError, InvalidScopeError

__all__ = ["Scope", "ScopedKey", "new_attempt_id", "new_task_key"]

_COMPONENT: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
_PREFIX: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """Scope of networks and results: organisation, campaign, project.

    Parameters
    ----------
    org, campaign, project : str or None
        Each starts with a letter and consists of letters, digits and `_`; `None` and `"*"` are the wildcard. All
        levels below a wildcard must be wildcards too.

    Raises
    ------
    InvalidScopeError
        If a component has another form, or a wildcard precedes a name.
    """

    org: str | None = None
    campaign: str | None = None
    project: str | None = None

    def __post_init__(self) -> None:
        for level in ("org", "campaign", "project"):
            value = getattr(self, level)
            if value == "*":
                object.__setattr__(self, level, None)
            elif value is not None and not (isinstance(value, str) and _COMPONENT.fullmatch(value)):
                raise InvalidScopeError(
                    f"{level} of a Scope must be letters, digits and '_', beginning with a letter, "
                    f"not {value!r}; write a Scope as org-campaign-project",
                    level=level,
                    value=value,
                )
        parts = (self.org, self.campaign, self.project)
        if any(a is None and b is not None for a, b in itertools.pairwise(parts)):
            raise InvalidScopeError(
                f"Scope {self} has a name below a wildcard; make every level after a '*' a '*' too",
                value=str(self),
            )

    def __str__(self) -> str:
        return "-".join("*" if part is None else part for part in (self.org, self.campaign, self.project))

    @classmethod
    def from_str(cls, text: str) -> Scope:
        """Parse `org-campaign-project`."""
        parts = text.split("-") if isinstance(text, str) else []
        if len(parts) != 3:
            raise InvalidScopeError(
                f"{text!r} is not a Scope; write three names joined by '-', as in asap-sars2-mpro "
                "(a name cannot contain '-', and '*' is the wildcard)",
                value=text,
            )
        return cls(*parts)

    @classmethod
    def parse(cls, value: Scope | str) -> Scope:
        """Accept a Scope or its string form."""
        return value if isinstance(value, Scope) else cls.from_str(value)

    @property
    def specific(self) -> bool:
        """Return whether no level is a wildcard."""
        return self.project is not None

    def to_tuple(self) -> tuple[str | None, str | None, str | None]:
        """Return org, campaign and project; None is the wildcard."""
        return (self.org, self.campaign, self.project)

    def to_dict(self) -> dict[str, str | None]:
        """Return org, campaign and project by name; None is the wildcard."""
        return {"org": self.org, "campaign": self.campaign, "project": self.project}

    def require_specific(self) -> Scope:
        """Return self, or raise InvalidScopeError if a level is a wildcard."""
        if not self.specific:
            raise InvalidScopeError(
                f"Scope {self} has a wildcard; give org, campaign and project to write to it",
                value=str(self),
            )
        return self

    def is_superset(self, other: Scope) -> bool:
        """Return whether this Scope includes every Scope that `other` matches.

        Examples
        --------
        >>> Scope.from_str("org-campaign-*").is_superset(Scope.from_str("org-campaign-project"))
        True
        """
        pairs = zip((self.org, self.campaign, self.project), (other.org, other.campaign, other.project), strict=True)
        return all(mine is None or mine == theirs for mine, theirs in pairs)


@dataclass(frozen=True, slots=True, order=True, init=False)
class ScopedKey:
    """A gufe key within a Scope: `<qualname>-<token>-<org>-<campaign>-<project>`.

    Parameters
    ----------
    gufe_key : str
        `<qualname>-<token>`.
    scope : Scope, optional
        Without wildcard.
    org, campaign, project : str, optional
        The same, in place of `scope`.

    Raises
    ------
    InvalidKeyError, InvalidScopeError
        If the gufe key does not have the form `<qualname>-<token>`, or the Scope has a wildcard.
    """

    gufe_key: str
    scope: Scope

    def __init__(
        self,
        gufe_key: str,
        scope: Scope | None = None,
        *,
        org: str | None = None,
        campaign: str | None = None,
        project: str | None = None,
    ) -> None:
        key = unicodedata.normalize("NFC", str(gufe_key))
        prefix, dash, token = key.partition("-")
        if not dash or not _PREFIX.fullmatch(prefix) or not _TOKEN.fullmatch(token):
            raise InvalidKeyError(
                f"{gufe_key!r} is not a gufe key; it must have the form <qualname>-<token>", value=gufe_key
            )
        object.__setattr__(self, "gufe_key", key)
        place = Scope(org, campaign, project) if scope is None else scope
        object.__setattr__(self, "scope", place.require_specific())

    def __str__(self) -> str:
        return f"{self.gufe_key}-{self.scope}"

    @classmethod
    def from_str(cls, text: str) -> ScopedKey:
        """Parse the five-part string form.

        Examples
        --------
        >>> key = ScopedKey.from_str("AlchemicalNetwork-0123456789abcdef0123456789abcdef-org-campaign-project")
        >>> str(key.scope)
        'org-campaign-project'
        """
        parts = text.split("-") if isinstance(text, str) else []
        if len(parts) != 5:
            raise InvalidKeyError(
                f"{text!r} is not a ScopedKey; it must have the form <qualname>-<token>-<org>-<campaign>-<project>",
                value=text,
            )
        return cls("-".join(parts[:2]), Scope(*parts[2:]))

    @classmethod
    def parse(cls, value: ScopedKey | str) -> ScopedKey:
        """Accept a ScopedKey or its string form."""
        return value if isinstance(value, ScopedKey) else cls.from_str(value)

    @classmethod
    def from_dict(cls, value: Mapping[str, str]) -> ScopedKey:
        """Return the key of what `to_dict` returned."""
        return cls(value["gufe_key"], Scope(value["org"], value["campaign"], value["project"]))

    def to_dict(self) -> dict[str, str]:
        """Return gufe_key, org, campaign and project by name."""
        return {"gufe_key": self.gufe_key, **{name: str(part) for name, part in self.scope.to_dict().items()}}

    @property
    def org(self) -> str:
        """Return the organisation."""
        return str(self.scope.org)

    @property
    def campaign(self) -> str:
        """Return the campaign."""
        return str(self.scope.campaign)

    @property
    def project(self) -> str:
        """Return the project."""
        return str(self.scope.project)

    @property
    def qualname(self) -> str:
        """Return the class name of the object."""
        return self.gufe_key.partition("-")[0]

    @property
    def token(self) -> str:
        """Return the part of the gufe key that identifies an object within its class."""
        return self.gufe_key.partition("-")[2]


def new_task_key(scope: Scope | str) -> str:
    """Return a new Task ScopedKey, as text. Keys of Tasks are random, not derived from content."""
    return f"Task-{uuid.uuid4().hex}-{scope.require_specific() if isinstance(scope, Scope) else scope}"


def new_attempt_id() -> str:
    """Return a new attempt id (32 hexadecimal digits)."""
    return uuid.uuid4().hex

"""The caller of an operation: who asks, with which rights, and for which request.

Every operation that writes takes one. Its name is recorded in the rows it writes; rights are checked where an
operation knows the Scopes it changes. On a folder or a bucket the user of this process may do everything that the
storage allows.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from .errors import PermissionDeniedError
from .ids import Scope

__all__ = ["Caller", "Right"]

#: Rights in a Scope. Each includes those before it: `read` questions, `write` networks and Tasks, manage a `domain`
#: (networks, restart policies, budgets of others), `admin` of the whole lake (hosts, pools, maintenance).
Right = Literal["read", "write", "domain", "admin"]

_RANK: Final[dict[str, int]] = {"read": 0, "write": 1, "domain": 2, "admin": 3}
_EVERYWHERE: Final = Scope()


@dataclass(frozen=True, slots=True)
class Caller:
    """The user of an operation, their rights, and the request it belongs to.

    Parameters
    ----------
    name : str
        User or process, as recorded in the tables (`creator`, `actor`, `entered_by`).
    grants : tuple of (Scope, Right)
        Right per Scope or Scope pattern. Default: all rights everywhere.
    request : str, optional
        Identifier of the request that this operation belongs to, so that it can be traced.
    """

    name: str
    grants: tuple[tuple[Scope, Right], ...] = ((_EVERYWHERE, "admin"),)
    request: str | None = None

    @classmethod
    def this_user(cls) -> Caller:
        """Return the user of this process, with all rights."""
        try:
            return cls(getpass.getuser())
        except (OSError, KeyError):  # in a container, the user may have no name
            return cls("unknown")

    def may(self, right: Right, scope: Scope | str) -> bool:
        """Return whether the caller has a right in a Scope, or in every Scope that a pattern matches.

        Parameters
        ----------
        right : Right
            Right asked for; a higher one includes it.
        scope : Scope or str
            A Scope, or a pattern of which every Scope must be granted.

        Examples
        --------
        >>> Caller("ada", ((Scope.from_str("org-*-*"), "write"),)).may("read", "org-campaign-project")
        True
        >>> Caller("ada", ((Scope.from_str("org-*-*"), "write"),)).may("write", "*-*-*")
        False
        """
        wanted = Scope.parse(scope)
        return any(_RANK[held] >= _RANK[right] and where.is_superset(wanted) for where, held in self.grants)

    def require_for(self, right: Right, keys: Iterable[str]) -> None:
        """Raise PermissionDeniedError unless the caller has a right in the Scopes of all given ScopedKeys.

        Parameters
        ----------
        right : Right
            Right asked for; a higher one includes it.
        keys : iterable of str
            ScopedKeys of networks, Transformations or Tasks.
        """
        if not self.may(right, _EVERYWHERE):
            self.require(right, {key.partition("-")[2].partition("-")[2] for key in keys})

    def require(self, right: Right, scopes: Iterable[Scope | str]) -> None:
        """Raise PermissionDeniedError unless the caller has a right in all of the given Scopes.

        Parameters
        ----------
        right : {"read", "write", "domain", "admin"}
        scopes : iterable of Scope or str

        Raises
        ------
        PermissionDeniedError
            Names the Scopes without the right. Call before anything is written.
        """
        refused = sorted({str(scope) for scope in scopes if not self.may(right, scope)})
        if refused:
            raise PermissionDeniedError(
                f"{self.name} has no {right!r} right in {', '.join(refused)}; nothing was changed. Ask an "
                "administrator of the lake for it",
                caller=self.name,
                right=right,
                scopes=refused,
            )

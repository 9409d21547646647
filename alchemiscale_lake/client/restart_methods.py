"""Methods about restart patterns."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from ..ids import ScopedKey
from ..plurals import part
from .client_part import AnyKey, ClientPart, RefusedWarning, text

__all__ = ["RestartMethods"]


class RestartMethods(ClientPart):
    """Restart failed Tasks of a network whose tracebacks match a pattern."""

    def add_task_restart_patterns(
        self, network_scoped_key: AnyKey, patterns: Sequence[str], num_allowed_restarts: int
    ) -> ScopedKey:
        """Add patterns to a network; they also restart Tasks that are in error already.

        Parameters
        ----------
        network_scoped_key : ScopedKey or str
        patterns : sequence of str
            Regular expressions, searched in the traceback.
        num_allowed_restarts : int
            Restarts of each Task by each pattern.
        """
        network = text(network_scoped_key)
        self._ask(
            "add_task_restart_patterns",
            network=network,
            patterns=_several(patterns),
            num_allowed_restarts=num_allowed_restarts,
        )
        return ScopedKey.from_str(network)

    def get_task_restart_patterns(self, network_scoped_key: AnyKey) -> dict[str, int]:
        """Return the patterns of a network with the restarts that each allows."""
        return dict(self._ask("get_task_restart_patterns", network=text(network_scoped_key)))

    def set_task_restart_patterns_allowed_restarts(
        self, network_scoped_key: AnyKey, patterns: Sequence[str], num_allowed_restarts: int
    ) -> None:
        """Change the restarts that patterns of a network allow; warn about patterns that it does not have.

        Parameters
        ----------
        network_scoped_key : ScopedKey or str
        patterns : sequence of str
        num_allowed_restarts : int
        """
        changed = self._ask(
            "set_task_restart_patterns_allowed_restarts",
            network=text(network_scoped_key),
            patterns=_several(patterns),
            num_allowed_restarts=num_allowed_restarts,
        )
        _warn_of_unknown(patterns, changed)

    def remove_task_restart_patterns(self, network_scoped_key: AnyKey, patterns: Sequence[str]) -> None:
        """Remove patterns from a network; warn about patterns that it does not have.

        Parameters
        ----------
        network_scoped_key : ScopedKey or str
        patterns : sequence of str
        """
        removed = self._ask(
            "remove_task_restart_patterns", network=text(network_scoped_key), patterns=_several(patterns)
        )
        _warn_of_unknown(patterns, removed)

    def clear_task_restart_patterns(self, network_scoped_key: AnyKey) -> None:
        """Remove all patterns from a network."""
        self._ask("clear_task_restart_patterns", network=text(network_scoped_key))


def _several(patterns: str | Sequence[str]) -> list[str]:
    """Return a single pattern as a list of one, rather than a list of its letters."""
    return [patterns] if isinstance(patterns, str) else list(patterns)


def _warn_of_unknown(patterns: Sequence[str], known: Sequence[str]) -> None:
    unknown = [repr(pattern) for pattern in _several(patterns) if pattern not in known]
    if unknown:
        left = part(len(unknown), len(_several(patterns)), "pattern")
        warnings.warn(f"{left} refused: the network does not have {', '.join(unknown)}", RefusedWarning, stacklevel=3)

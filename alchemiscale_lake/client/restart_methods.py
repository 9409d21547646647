"""Methods about restart patterns."""

from __future__ import annotations

from collections.abc import Sequence

from ..ids import ScopedKey
from .client_part import AnyKey, ClientPart, text

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
            patterns=list(patterns),
            num_allowed_restarts=num_allowed_restarts,
        )
        return ScopedKey.from_str(network)

    def get_task_restart_patterns(self, network_scoped_key: AnyKey) -> dict[str, int]:
        """Return the patterns of a network with the restarts that each allows."""
        return dict(self._ask("get_task_restart_patterns", network=text(network_scoped_key)))

    def set_task_restart_patterns_allowed_restarts(
        self, network_scoped_key: AnyKey, patterns: Sequence[str], num_allowed_restarts: int
    ) -> None:
        """Change the restarts that patterns of a network allow.

        Parameters
        ----------
        network_scoped_key : ScopedKey or str
        patterns : sequence of str
        num_allowed_restarts : int
        """
        self._ask(
            "set_task_restart_patterns_allowed_restarts",
            network=text(network_scoped_key),
            patterns=list(patterns),
            num_allowed_restarts=num_allowed_restarts,
        )

    def remove_task_restart_patterns(self, network_scoped_key: AnyKey, patterns: Sequence[str]) -> None:
        """Remove patterns from a network.

        Parameters
        ----------
        network_scoped_key : ScopedKey or str
        patterns : sequence of str
        """
        self._ask("remove_task_restart_patterns", network=text(network_scoped_key), patterns=list(patterns))

    def clear_task_restart_patterns(self, network_scoped_key: AnyKey) -> None:
        """Remove all patterns from a network."""
        self._ask("clear_task_restart_patterns", network=text(network_scoped_key))

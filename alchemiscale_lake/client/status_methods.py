"""Methods that count Tasks by status."""

from __future__ import annotations

from collections.abc import Sequence

from ..ids import Scope
from ..report import lay_out
from ..report.status import STATUS_STYLES, status_table
from .client_part import AnyKey, ClientPart, scope_text, text, texts

__all__ = ["StatusMethods"]


class StatusMethods(ClientPart):
    """Count Tasks by status: all of them, actioned or not. Statuses without a Task are left out."""

    def get_scope_status(
        self, scope: Scope | str | None = None, visualize: bool | None = True, network_state: str | None = "active"
    ) -> dict[str, int]:
        """Count the Tasks of a Scope.

        Parameters
        ----------
        scope : Scope or str, optional
            A Scope or a pattern.
        visualize : bool, default True
            Print the counts as a table.
        network_state : str or None, default "active"
            Regular expression that the state of a network has to match for its Tasks to count; None: any.
        """
        state = None if network_state is None else str(network_state)
        counts = self._ask("scope_status", scope=scope_text(scope), network_state=state)
        return _shown(counts, scope_text(scope), visualize)

    def get_network_status(self, network: AnyKey, visualize: bool | None = True) -> dict[str, int]:
        """Count the Tasks of a network's Transformations.

        Parameters
        ----------
        network : ScopedKey or str
        visualize : bool, default True
            Print the counts as a table.
        """
        return _shown(self.get_networks_status([network])[0], text(network), visualize)

    def get_networks_status(self, networks: Sequence[AnyKey]) -> list[dict[str, int]]:
        """Count the Tasks of each network."""
        return list(self._ask("networks_status", networks=texts(networks)))

    def get_transformation_status(self, transformation: AnyKey, visualize: bool | None = True) -> dict[str, int]:
        """Count the Tasks of a Transformation.

        Parameters
        ----------
        transformation : ScopedKey or str
        visualize : bool, default True
            Show progress.
        """
        key = text(transformation)
        return _shown(self._ask("transformations_status", transformations=[key])[0], key, visualize)


def _shown(counts: dict[str, int], title: str, visualize: bool | None) -> dict[str, int]:
    if visualize:
        from rich.console import Console

        console = Console()
        table = status_table({name: counts.get(name, 0) for name in STATUS_STYLES}, title)
        console.print(title)
        console.print(lay_out(table, console.width).rich())
    return counts

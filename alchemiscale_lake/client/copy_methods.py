"""Methods that copy and merge networks."""

from __future__ import annotations

from collections.abc import Sequence

from ..ids import Scope, ScopedKey
from .client_part import AnyKey, ClientPart, parsed, text, texts, waiting, word

__all__ = ["CopyMethods"]


class CopyMethods(ClientPart):
    """Copy and merge networks with their finished Tasks and results, which are not stored again."""

    def copy_network(
        self,
        network: AnyKey,
        scope: Scope | str,
        name: str | None = None,
        state: str | None = None,
        visualize: bool = True,
    ) -> ScopedKey:
        """Copy a network to another Scope; return it there. Again, it adds what the network has got since.

        Parameters
        ----------
        network : ScopedKey or str
        scope : Scope or str
            Without wildcard.
        name : str, optional
            That of the network by default.
        state : str, optional
            State of the copy; by default active if it is new, unchanged otherwise.
        visualize : bool, default True
            Show that it is going on.

        Raises
        ------
        NotFoundError, InvalidNetworkError, AmbiguousScopeError
            See `alchemiscale_lake.copy_network`.
        """
        key, where = text(network), str(Scope.parse(scope).require_specific())
        stated = None if state is None else word(state)
        with waiting(f"copying {key}", visualize=visualize):
            return ScopedKey.from_str(self._ask("copy_network", network=key, scope=where, name=name, state=stated))

    def merge_networks(
        self,
        networks: Sequence[AnyKey],
        name: str,
        scope: Scope | str,
        state: str | None = None,
        visualize: bool = True,
    ) -> ScopedKey:
        """Make one network of several, of any Scopes; return it.

        Parameters
        ----------
        networks : sequence of ScopedKey or str
            At least two.
        name : str
            Name of the new network.
        scope : Scope or str
            Its Scope, without wildcard.
        state : str, optional
            Its state; by default active if it is new, unchanged otherwise.
        visualize : bool, default True
            Show that it is going on.

        Raises
        ------
        NotFoundError, InvalidNetworkError, AmbiguousScopeError
            See `alchemiscale_lake.merge_networks`.
        """
        where = str(Scope.parse(scope).require_specific())
        asked = {"networks": texts(networks), "scope": where, "state": None if state is None else word(state)}
        with waiting(f"merging {name}", visualize=visualize):
            return ScopedKey.from_str(self._ask("merge_networks", name=name, **asked))

    def merge_scopes(
        self, scopes: Sequence[Scope | str], target_scope: Scope | str, visualize: bool = True
    ) -> list[ScopedKey]:
        """Copy the active networks of Scopes to another Scope; return them there.

        Parameters
        ----------
        scopes : sequence of Scope or str
            Scopes or patterns.
        target_scope : Scope or str
            Without wildcard.
        visualize : bool, default True
            Show that it is going on.

        Raises
        ------
        NotFoundError, InvalidNetworkError
            See `alchemiscale_lake.merge_scopes`.
        """
        target = str(Scope.parse(target_scope).require_specific())
        sources = [str(Scope.parse(scope)) for scope in scopes]
        with waiting(f"copying to {target}", visualize=visualize):
            return parsed(self._ask("merge_scopes", scopes=sources, target_scope=target))

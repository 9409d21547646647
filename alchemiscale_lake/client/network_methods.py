"""Methods about Scopes, networks and their members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import gufe_adapter
from ..ids import Scope, ScopedKey
from .client_part import AnyKey, ClientPart, parsed, scope_text, text, texts, waiting, word

__all__ = ["NetworkMethods"]


class NetworkMethods(ClientPart):
    """Submit, find and retrieve networks, Transformations and ChemicalSystems."""

    _objects: dict[str, Any]

    def get_scopes(self) -> list[Scope]:
        """Return the Scopes that have networks and that you may read, sorted."""
        return [Scope.from_str(scope) for scope in self._ask("list_scopes")]

    def list_scopes(self) -> list[Scope]:
        """Return the Scopes, see `get_scopes`."""
        return self.get_scopes()

    def check_exists(self, scoped_key: AnyKey) -> bool:
        """Return whether the lake has the object or Task of a ScopedKey."""
        return bool(self._ask("exists", key=text(scoped_key)))

    def get_scoped_key(self, obj: Any, scope: Scope | str) -> ScopedKey:
        """Return the ScopedKey that a gufe object has in a Scope, whether it is there or not.

        A lake joins objects on the key that they came with, which another version of gufe may not compute. Prefer the
        keys that submissions and queries return.

        Parameters
        ----------
        obj : gufe.tokenization.GufeTokenizable
        scope : Scope or str

        Raises
        ------
        InvalidScopeError
            If the Scope has a wildcard.
        """
        return ScopedKey.from_str(f"{obj.key}-{Scope.parse(scope).require_specific()}")

    # --- submission and retrieval -----------------------------------------------------------------

    def create_network(
        self,
        network: Any,
        scope: Scope | str,
        state: str = "active",
        compress: bool | int = True,
        visualize: bool = True,
        *,
        name: str | None = None,
    ) -> ScopedKey:
        """Submit an AlchemicalNetwork to a Scope.

        Submitting a network that the Scope has changes nothing; a grown one stores only what is new.

        Parameters
        ----------
        network : gufe.AlchemicalNetwork
        scope : Scope or str
            Without wildcard.
        state : str, default "active"
            State of a network that is new to the Scope.
        compress : bool or int
            For scripts written for alchemiscale; objects are always stored compressed.
        visualize : bool, default True
            Show that it is going on.
        name : str, optional
            Name in the lake; default: the network's own.

        Raises
        ------
        InvalidScopeError
            If the Scope has a wildcard.
        InvalidNetworkError
            If the network cannot be stored. Nothing is written.
        """
        del compress
        where = str(Scope.parse(scope).require_specific())
        chain = gufe_adapter.dumps_chain(network)
        with waiting(f"submitting {network.key}", visualize=visualize):
            answer = self._ask("create_network", network=chain, scope=where, state=word(state), name=name)
        return ScopedKey.from_str(answer["network"])

    def get_network(self, network: AnyKey, compress: bool = True, visualize: bool = True) -> Any:
        """Return an AlchemicalNetwork.

        Parameters
        ----------
        network : ScopedKey or str
        compress : bool
            For scripts written for alchemiscale.
        visualize : bool, default True
            Show that it is going on.

        Raises
        ------
        NotFoundError
            If the lake has no such network.
        MissingClassError
            If a class in it cannot be imported here.
        """
        return self._object(network, compress, visualize)

    def get_transformation(self, transformation: AnyKey, compress: bool = True, visualize: bool = True) -> Any:
        """Return a Transformation.

        Parameters
        ----------
        transformation : ScopedKey or str
        compress : bool
            For scripts written for alchemiscale.
        visualize : bool, default True
            Show progress.
        """
        return self._object(transformation, compress, visualize)

    def get_chemicalsystem(self, chemicalsystem: AnyKey, compress: bool = True, visualize: bool = True) -> Any:
        """Return a ChemicalSystem.

        Parameters
        ----------
        chemicalsystem : ScopedKey or str
        compress : bool
            For scripts written for alchemiscale.
        visualize : bool, default True
            Show progress.
        """
        return self._object(chemicalsystem, compress, visualize)

    # names that say that objects are fetched

    retrieve_network = get_network
    retrieve_transformation = get_transformation
    retrieve_chemicalsystem = get_chemicalsystem

    def _object(self, key: AnyKey, compress: bool, visualize: bool) -> Any:
        del compress
        wanted = text(key)
        if wanted not in self._objects:
            with waiting(f"retrieving {wanted}", visualize=visualize):
                self._objects[wanted] = gufe_adapter.loads_chain(self._ask("object_chain", key=wanted))
        return self._objects[wanted]

    # --- queries ----------------------------------------------------------------------------------

    def query_networks(
        self, name: str | None = None, scope: Scope | str | None = None, state: str | None = "active"
    ) -> list[ScopedKey]:
        """Return the ScopedKeys of networks, oldest first.

        Parameters
        ----------
        name : str, optional
            Regular expression that the whole name has to match.
        scope : Scope or str, optional
            A Scope or a pattern.
        state : str or None, default "active"
            Regular expression that the state has to match; None: any.
        """
        stated = None if state is None else word(state)
        return parsed(self._ask("query_networks", name=name, scope=scope_text(scope), state=stated))

    def query_transformations(self, name: str | None = None, scope: Scope | str | None = None) -> list[ScopedKey]:
        """Return the ScopedKeys of Transformations, sorted.

        Parameters
        ----------
        name : str, optional
            Exact name.
        scope : Scope or str, optional
            A Scope or a pattern.
        """
        return parsed(self._ask("query_transformations", name=name, scope=scope_text(scope)))

    def query_chemicalsystems(self, name: str | None = None, scope: Scope | str | None = None) -> list[ScopedKey]:
        """Return the ScopedKeys of ChemicalSystems, sorted.

        Parameters
        ----------
        name : str
        scope : Scope or str, optional
            A Scope or a pattern.
        """
        return parsed(self._ask("query_chemicalsystems", name=name, scope=scope_text(scope)))

    # --- members ----------------------------------------------------------------------------------

    def get_network_transformations(self, network: AnyKey) -> list[ScopedKey]:
        """Return the Transformations of a network, sorted."""
        return parsed(self._ask("network_transformations", network=text(network)))

    def get_transformation_networks(self, transformation: AnyKey) -> list[ScopedKey]:
        """Return the networks with a Transformation, sorted."""
        return parsed(self._ask("transformation_networks", transformation=text(transformation)))

    def get_network_chemicalsystems(self, network: AnyKey) -> list[ScopedKey]:
        """Return the ChemicalSystems of a network, sorted."""
        return parsed(self._ask("network_chemicalsystems", network=text(network)))

    def get_chemicalsystem_networks(self, chemicalsystem: AnyKey) -> list[ScopedKey]:
        """Return the networks with a ChemicalSystem, sorted."""
        return parsed(self._ask("chemicalsystem_networks", chemicalsystem=text(chemicalsystem)))

    def get_transformation_chemicalsystems(self, transformation: AnyKey) -> list[ScopedKey]:
        """Return states A and B of a Transformation, in this order; the only system of a NonTransformation."""
        return parsed(self._ask("transformation_chemicalsystems", transformation=text(transformation)))

    def get_chemicalsystem_transformations(self, chemicalsystem: AnyKey) -> list[ScopedKey]:
        """Return the Transformations from or to a ChemicalSystem, sorted."""
        return parsed(self._ask("chemicalsystem_transformations", chemicalsystem=text(chemicalsystem)))

    # --- state and weight -------------------------------------------------------------------------

    def get_network_state(self, network: AnyKey) -> str | None:
        """Return the state of a network, None if the lake does not have it."""
        return self.get_networks_state([network])[0]

    def get_networks_state(self, networks: Sequence[AnyKey]) -> list[str | None]:
        """Return the state of each network, None for one that the lake does not have."""
        return list(self._ask("networks_state", networks=texts(networks)))

    def set_network_state(self, network: AnyKey, state: str, *, reason: str | None = None) -> ScopedKey | None:
        """Set the state of a network, see `set_networks_state`.

        Parameters
        ----------
        network : ScopedKey or str
        state : str
            `active`, `inactive`, `invalid` or `deleted`.
        reason : str, optional
            Recorded in the log.
        """
        return self.set_networks_state([network], [state], reason=reason)[0]

    def set_networks_state(
        self, networks: Sequence[AnyKey], states: Sequence[str], *, reason: str | None = None
    ) -> list[ScopedKey | None]:
        """Set the states of networks.

        Tasks of a network that is not active are not claimed; running ones are stopped and released.

        Parameters
        ----------
        networks : sequence of ScopedKey or str
        states : sequence of str
            `active`, `inactive`, `invalid` or `deleted`; one per network.
        reason : str, optional
            Recorded in the log.

        Returns
        -------
        list of ScopedKey or None
            None for a network that the lake does not have.
        """
        told = self._ask(
            "set_networks_state", networks=texts(networks), states=[word(state) for state in states], reason=reason
        )
        return _known(networks, told)

    def get_network_weight(self, network: AnyKey) -> float | None:
        """Return the weight of a network in [0, 1], None if the lake does not have it."""
        return self.get_networks_weight([network])[0]

    def get_networks_weight(self, networks: Sequence[AnyKey], batch_size: int = 1000) -> list[float | None]:
        """Return the weight of each network, None for one that the lake does not have.

        Parameters
        ----------
        networks : sequence of ScopedKey or str
        batch_size : int
            For scripts written for alchemiscale; all are one question.
        """
        del batch_size
        return list(self._ask("networks_weight", networks=texts(networks)))

    def set_network_weight(self, network: AnyKey, weight: float, *, reason: str | None = None) -> ScopedKey | None:
        """Set the weight of a network in [0, 1], relative to others; 0 gets no new compute.

        Parameters
        ----------
        network : ScopedKey or str
        weight : float
            Within [0, 1].
        reason : str, optional
            Recorded in the log.
        """
        return self.set_networks_weight([network], [weight], reason=reason)[0]

    def set_networks_weight(
        self,
        networks: Sequence[AnyKey],
        weights: Sequence[float],
        batch_size: int = 1000,
        *,
        reason: str | None = None,
    ) -> list[ScopedKey | None]:
        """Set the weights of networks.

        Parameters
        ----------
        networks : sequence of ScopedKey or str
        weights : sequence of float
            Within [0, 1], one per network.
        batch_size : int
            For scripts written for alchemiscale.
        reason : str, optional
            Recorded in the log.

        Returns
        -------
        list of ScopedKey or None
            None for a network that the lake does not have.
        """
        del batch_size
        told = self._ask("set_networks_weight", networks=texts(networks), weights=list(weights), reason=reason)
        return _known(networks, told)


def _known(networks: Sequence[AnyKey], told: Sequence[bool]) -> list[ScopedKey | None]:
    return [ScopedKey.parse(network) if known else None for network, known in zip(networks, told, strict=True)]

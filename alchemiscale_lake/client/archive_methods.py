"""Methods that return networks with their results as one object of gufe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import gufe_adapter
from ..errors import InvalidArgumentError
from .client_part import AnyKey, text
from .result_methods import ResultMethods

__all__ = ["ArchiveMethods"]


class ArchiveMethods(ResultMethods):
    """Archives in gufe's form; `write_archive` writes one file with everything else, too."""

    def get_network_archive(
        self,
        network: AnyKey,
        metadata: Mapping[str, Any] | None = None,
        compress: bool = True,
        visualize: bool = True,
    ) -> Any:
        """Return a network with its good results as an AlchemicalArchive; None if the lake has no such network.

        Parameters
        ----------
        network : ScopedKey or str
        metadata : mapping, optional
            Anything that gufe can write as JSON.
        compress : bool
            For scripts written for alchemiscale.
        visualize : bool, default True
            Show progress.

        Raises
        ------
        MissingDependencyError
            If the installed gufe has no archives.
        InvalidArgumentError
            If the metadata cannot be written.
        NotFoundError
            If a result was imported from a table and has no ProtocolDAGResult.
        """
        return self.get_network_archives([network], None if metadata is None else [metadata], compress, visualize)[0]

    def get_network_archives(
        self,
        networks: Sequence[AnyKey],
        metadata: Sequence[Mapping[str, Any] | None] | None = None,
        compress: bool = True,
        visualize: bool = True,
    ) -> list[Any]:
        """Return networks with their good results as AlchemicalArchives; None for one that the lake does not have.

        Parameters
        ----------
        networks : sequence of ScopedKey or str
            Each once.
        metadata : sequence of mapping or None, optional
            Of each.
        compress : bool
            For scripts written for alchemiscale.
        visualize : bool, default True
            Show progress.

        Raises
        ------
        MissingDependencyError
            If the installed gufe has no archives.
        InvalidArgumentError
            If a network is given twice, or the metadata do not fit or cannot be written.
        NotFoundError
            If a result was imported from a table and has no ProtocolDAGResult.
        """
        del compress
        keys = [text(network) for network in networks]
        if len(set(keys)) != len(keys):
            raise InvalidArgumentError("networks must not contain duplicate entries")
        if metadata is None:
            metadata = [None] * len(keys)
        elif isinstance(metadata, Mapping | str) or not isinstance(metadata, Sequence):
            raise InvalidArgumentError(f"Metadata must be a list of dictionaries or None, not {metadata!r}")
        if len(metadata) != len(keys):
            raise InvalidArgumentError("metadata and networks must have the same length")
        for key, one in zip(keys, metadata, strict=True):
            gufe_adapter.require_metadata(one, key)
        gufe_adapter.require_archives()
        return [self._archived(key, one, visualize) for key, one in zip(keys, metadata, strict=True)]

    retrieve_network_archive = get_network_archive
    retrieve_network_archives = get_network_archives

    def _archived(self, network: str, metadata: Mapping[str, Any] | None, visualize: bool) -> Any:
        if not self.check_exists(network):
            return None
        stored = self.get_network(network, visualize=visualize)
        found = self.get_network_results(network, return_as="ProtocolDAGResults", visualize=visualize)
        results = [(self.get_transformation(key, visualize=False), of_one) for key, of_one in found.items()]
        return gufe_adapter.build_archive(stored, results, metadata)

"""Methods that archive networks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path

from ..archives import SCRUBBED, Deposit
from ..durable import replace_file
from .client_part import AnyKey, ClientPart, texts, waiting

__all__ = ["ArchiveFileMethods"]


class ArchiveFileMethods(ClientPart):
    """Write networks to a file that opens anywhere."""

    def archive(
        self,
        networks: AnyKey | Sequence[AnyKey],
        path: str | Path,
        *,
        objects: bool = True,
        outputs: bool = True,
        files: bool = False,
        scrub: Collection[str] = (),
        deposit: Deposit | None = None,
        visualize: bool = True,
    ) -> Path:
        """Write networks to a zip file, with all that belongs to them; return its path.

        The archive is carried as a whole, so it must fit into memory. Of a lake that this process reaches itself,
        `write_archive` and the command `archive` stream trajectories and other kept files.

        Parameters
        ----------
        networks : ScopedKey or str, or sequence of these
        path : str or Path
            File to write; an existing one is replaced.
        objects : bool, default True
            Include results as gufe wrote them. Estimates, failures and provenance are in the tables without.
        outputs : bool, default True
            Include what units wrote to stdout, stderr and logs.
        files : bool, default False
            Include files that were kept from executions.
        scrub : collection of str
            Kinds of names to remove: `hosts`, `users`, `paths`, `scopes`, or `all`.
        deposit : Deposit, optional
            Title, authors, licence and related works.
        visualize : bool, default True
            Show that it is going on.

        Raises
        ------
        NotFoundError, ArchiveError, DamagedError
            See `alchemiscale_lake.write_archive`.
        """
        keys = texts([networks] if isinstance(networks, str) or not isinstance(networks, Sequence) else networks)
        asked = {
            "objects": objects,
            "outputs": outputs,
            "files": files,
            "scrub": sorted(SCRUBBED if "all" in scrub else scrub),
            "deposit": None if deposit is None else asdict(deposit),
        }
        target = Path(path)
        with waiting(f"archiving {len(keys)} networks", visualize=visualize):
            replace_file(target, self._ask("archive", networks=keys, **asked))
        return target

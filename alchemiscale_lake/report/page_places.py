"""Place of a network's page, and the state of the lake from which it was written.

Drawing is in `campaign_page`; checking that a page is current imports no plotting library.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import Final

from ..errors import NotFoundError, StorageError
from ..ids import ScopedKey
from ..store import Lake
from ..store.marker import package_version
from .file_names import file_stem

__all__ = ["basis", "kept_page", "page_place", "place_of", "report_path", "shown_place"]

#: The basis of a page stands within so many bytes, before anything that a user named.
_HEAD: Final = 1_000


def report_path(lake: Lake, network: str, suffix: str) -> str:
    """Return where a file about a network lies in the lake: `plots/<scope>/<name><suffix>`.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    suffix : str
        End of the name, such as `.html`.
    """
    return f"plots/{ScopedKey.from_str(network).scope}/{file_stem(lake, network, in_scope=True)}{suffix}"


def page_place(lake: Lake, network: str) -> str:
    """Return where the page of a network is: a path in a folder, a URL in a bucket.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    """
    return place_of(lake, report_path(lake, network, ".html"))


def shown_place(place: str) -> str:
    """Return a place as people read it: a path from the current folder on, if it lies there."""
    here = Path.cwd()
    return str(Path(place).relative_to(here)) if Path(place).is_relative_to(here) else place


def basis(seq: int, number: int | None) -> str:
    """Return the state of the lake that a page shows, as a line of its head.

    Parameters
    ----------
    seq : int
        Number of the last commit to the task log.
    number : int or None
        The newest estimate version, if there is one.
    """
    written_by = html.escape(f"alchemiscale-lake {package_version()}")
    return f'<meta name="generator" content="{written_by}: task log {seq}, estimates {number or 0}">'


def kept_page(lake: Lake, network: str, *, seq: int, number: int | None) -> str | None:
    """Return where the page of a network is, if it was written from this state; None if it must be written again.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    seq : int
        Number of the last commit to the task log.
    number : int or None
        The newest estimate version, if there is one.
    """
    path = report_path(lake, network, ".html")
    try:
        page = lake.objects.get(path)
    except (NotFoundError, StorageError):
        return None
    return place_of(lake, path) if basis(seq, number).encode() in page[:_HEAD] else None


def place_of(lake: Lake, path: str) -> str:
    """Return where an object of the lake is: a path in a folder, a URL in a bucket.

    Parameters
    ----------
    lake : Lake
    path : str
        Relative to the lake.
    """
    return f"{lake.url.rstrip('/')}/{path}" if lake.local_path is None else str(lake.local_path / path)

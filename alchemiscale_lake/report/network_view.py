"""A network as one page: open it in a browser, mail it, show it in a notebook.

Everything the page needs is inside it, and its content security policy forbids it to ask anybody for
anything or to run any script but its own. What it shows is gathered in `network_graph`.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from ..errors import NotFoundError
from ..query import find_network
from ..store import Lake
from .network_graph import NetworkGraph, network_graph
from .structures import HEIGHT, WIDTH

__all__ = ["COLOURS", "NetworkPage", "draw_page", "network_page"]

#: What ligands and edges may be coloured by.
COLOURS: Final = ("status", "estimate", "uncertainty", "residual", "experiment")

_PLACE: Final = re.compile(r"\{\{(\w+)\}\}")
_HEIGHT_PX: Final = 640


@dataclass(frozen=True, slots=True)
class NetworkPage:
    """A page; notebooks show it in a frame of its own.

    Attributes
    ----------
    html : str
        The whole page.
    n_ligands, n_edges : int
        What it shows, of all kinds.
    """

    html: str
    n_ligands: int
    n_edges: int

    def __str__(self) -> str:
        """Return the page, as it is to be written into a file."""
        return self.html

    def _repr_html_(self) -> str:
        """What Jupyter and marimo show: the page in a frame that may run scripts and nothing else."""
        return (
            f'<iframe sandbox="allow-scripts" title="network of ligands" srcdoc="{html.escape(self.html)}" '
            f'style="width: 100%; height: {_HEIGHT_PX}px; border: 1px solid #8884; border-radius: 8px"></iframe>'
        )


def network_page(lake: Lake, network: str | None = None, *, colour: str = "status") -> NetworkPage:
    """Draw a network as of its newest round.

    Parameters
    ----------
    lake : Lake
    network : str, optional
        Name, ScopedKey or the beginning of one; may be left out if there is only one.
    colour : str
        What it is coloured by at first, one of `COLOURS`; the reader may choose another.

    Returns
    -------
    NetworkPage
        `str()` of it is the page; a notebook shows the object itself.

    Raises
    ------
    NotFoundError
        If there is no such network, or no such colouring.
    EstimationError
        If it has no edge between ligands.
    """
    return draw_page(network_graph(lake, find_network(lake, network)), colour=colour)


def draw_page(graph: NetworkGraph, *, colour: str = "status") -> NetworkPage:
    """Write the page of what was gathered."""
    if colour not in COLOURS:
        raise NotFoundError(f"a network cannot be coloured by {colour!r}; choose of {', '.join(COLOURS)}")
    style, script = _asset("page.css"), _asset("page.js")
    parts = {
        "policy": (
            f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
            "base-uri 'none'; form-action 'none'"
        ),
        "title": html.escape(graph.name),
        "style": style,
        "script": script,
        "data": _data(graph, colour),
    }
    # in one pass: what a name says is never looked through for places
    page = _PLACE.sub(lambda place: parts[place[1]], _asset("page.html"))
    n_ligands, n_edges = (sum(len(kind[what]) for kind in graph.kinds) for what in ("nodes", "edges"))
    return NetworkPage(page, n_ligands, n_edges)


def _data(graph: NetworkGraph, colour: str) -> str:
    """JSON in which nothing can end the element it stands in."""
    content = {
        "name": graph.name,
        "scope": graph.scope,
        "as_of": graph.as_of,
        "colour": colour,
        "kinds": graph.kinds,
        "structures": graph.structures,
        "paper": (WIDTH, HEIGHT),
    }
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _asset(name: str) -> str:
    return (files(__package__) / "network_view_assets" / name).read_text(encoding="utf-8").strip()


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

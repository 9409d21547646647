"""A network as one self-contained HTML page for browsers, mail and notebooks.

The page loads nothing, and its content security policy forbids network requests and any script but its own.
Its data comes from `network_graph`.
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

#: Available colourings of ligands and edges.
COLOURS: Final = ("status", "estimate", "uncertainty", "residual", "experiment")

_PLACE: Final = re.compile(r"\{\{(\w+)\}\}")
_HEIGHT_PX: Final = 640


@dataclass(frozen=True, slots=True)
class NetworkPage:
    """An HTML page; notebooks show it in a frame.

    Attributes
    ----------
    html : str
        The complete page.
    n_ligands, n_edges : int
        Numbers of ligands and edges shown, over all kinds.
    """

    html: str
    n_ligands: int
    n_edges: int

    def __str__(self) -> str:
        """Return the page as HTML."""
        return self.html

    def _repr_html_(self) -> str:
        """Return the page in a sandboxed frame that allows scripts only, for Jupyter and marimo."""
        return (
            f'<iframe sandbox="allow-scripts" title="network of ligands" srcdoc="{html.escape(self.html)}" '
            f'style="width: 100%; height: {_HEIGHT_PX}px; border: 1px solid #8884; border-radius: 8px"></iframe>'
        )


def network_page(lake: Lake, network: str | None = None, *, colour: str = "status") -> NetworkPage:
    """Draw a network with its newest estimates.

    Parameters
    ----------
    lake : Lake
    network : str, optional
        Name, ScopedKey or a prefix of one; may be omitted if there is only one.
    colour : str
        Initial colouring, one of `COLOURS`; the reader can choose another.

    Returns
    -------
    NetworkPage
        `str()` of it is the HTML; notebooks display the object.

    Raises
    ------
    NotFoundError
        If the network or the colouring does not exist.
    EstimationError
        If it has no edge between ligands.
    """
    return draw_page(network_graph(lake, find_network(lake, network)), colour=colour)


def draw_page(graph: NetworkGraph, *, colour: str = "status") -> NetworkPage:
    """Build the page from collected data."""
    if colour not in COLOURS:
        raise NotFoundError(f"a network cannot be coloured by {colour!r}; choose one of {', '.join(COLOURS)}")
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
    # in one pass, so that placeholders inside names are not replaced
    page = _PLACE.sub(lambda place: parts[place[1]], _asset("page.html"))
    n_ligands, n_edges = (sum(len(kind[what]) for kind in graph.kinds) for what in ("nodes", "edges"))
    return NetworkPage(page, n_ligands, n_edges)


def _data(graph: NetworkGraph, colour: str) -> str:
    """Return JSON that cannot close the HTML element around it."""
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

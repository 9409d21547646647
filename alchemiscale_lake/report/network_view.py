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
from .network_graph import NetworkGraph, Row, network_graph

__all__ = ["COLOURS", "NetworkPage", "draw_page", "network_page"]

#: Available colourings of ligands and edges.
COLOURS: Final = ("status", "estimate", "uncertainty", "residual", "experiment")

_PLACE: Final = re.compile(r"\{\{(\w+)\}\}")
_HEIGHT_PX: Final = 640
#: Each uses only those before it.
_SCRIPTS: Final = ("basics.js", "molecule.js", "cards.js", "scatter.js", "page.js")
_UNNAMED: Final = "network without a name"
#: A gufe key.
_KEY: Final = re.compile(r"\w+-[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class NetworkPage:
    """An HTML page; notebooks show it in a frame.

    Attributes
    ----------
    html : str
        The complete page.
    n_ligands, n_edges : int
        Numbers of ligands and edges shown, over all kinds.
    notes : tuple of str
        Reasons why structures are missing.
    """

    html: str
    n_ligands: int
    n_edges: int
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the page as HTML."""
        return self.html

    def _repr_html_(self) -> str:
        """Return the page in a sandboxed frame that allows scripts only, for Jupyter and marimo."""
        return (
            f'<iframe sandbox="allow-scripts" title="network of ligands" srcdoc="{html.escape(self.html)}" '
            f'style="width: 100%; height: {_HEIGHT_PX}px; border: 1px solid #8884; border-radius: 8px"></iframe>'
        )


def network_page(lake: Lake, network: str | None = None, *, colour: str = "status", keys: bool = False) -> NetworkPage:
    """Draw a network with its newest estimates.

    Parameters
    ----------
    lake : Lake
    network : str, optional
        Name, ScopedKey or a prefix of one; may be omitted if there is only one.
    colour : str
        Initial colouring, one of `COLOURS`; the reader can choose another.
    keys : bool
        Show gufe keys next to names.

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
    return draw_page(network_graph(lake, find_network(lake, network)), colour=colour, keys=keys)


def draw_page(graph: NetworkGraph, *, colour: str = "status", keys: bool = False) -> NetworkPage:
    """Build the page from collected data.

    Parameters
    ----------
    graph : NetworkGraph
        Nodes and edges of the network.
    colour : str, default "status"
        What the colour of edges shows, one of `COLOURS`.
    keys : bool, default False
        Label objects by gufe key rather than by name.
    """
    if colour not in COLOURS:
        raise NotFoundError(f"a network cannot be coloured by {colour!r}; choose one of {', '.join(COLOURS)}")
    style = _asset("page.css")
    script = "\n".join(_asset(name) for name in _SCRIPTS)
    parts = {
        "policy": (
            f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
            "base-uri 'none'; form-action 'none'"
        ),
        "title": html.escape(graph.name or _UNNAMED),
        "style": style,
        "script": script,
        "data": _data(graph, colour, keys=keys),
    }
    # in one pass, so that placeholders inside names are not replaced
    page = _PLACE.sub(lambda place: parts[place[1]], _asset("page.html"))
    n_ligands, n_edges = (sum(len(kind[what]) for kind in graph.kinds) for what in ("nodes", "edges"))
    return NetworkPage(page, n_ligands, n_edges, tuple(graph.notes))


def _data(graph: NetworkGraph, colour: str, *, keys: bool) -> str:
    """Return JSON that cannot close the HTML element around it."""
    content = {
        "name": graph.name or _UNNAMED,
        "scope": graph.scope,
        "as_of": graph.as_of,
        "colour": colour,
        "network": graph.network if keys else "",
        "kinds": graph.kinds if keys else [_without_keys(kind) for kind in graph.kinds],
        "structures": graph.structures,
        "notes": graph.notes,
    }
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _without_keys(kind: Row) -> Row:
    """Remove gufe keys, and names that consist of them."""
    edges = []
    for edge in kind["edges"]:
        legs = [{name: value for name, value in leg.items() if name != "key"} for leg in edge["legs"]]
        edges.append(edge | {"legs": [leg | {"name": "" if _KEY.search(leg["name"]) else leg["name"]} for leg in legs]})
    return kind | {"edges": edges}


def _asset(name: str) -> str:
    return (files(__package__) / "network_view_assets" / name).read_text(encoding="utf-8").strip()


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

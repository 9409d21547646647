"""A network of ligands as a still picture in SVG, for pages that run no script; `network_view` is the one to explore.

Takes a kind of `network_graph`. Colours are classes of the page's style, or those of a scale, as attributes.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from .network_graph import EDGE_STATUSES, Row

__all__ = ["network_map"]

#: viridis without its darkest and lightest ends, as in the page of `view`: told apart without red and green.
_SCALE: Final = ("#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30")
_WORDS: Final = {"idle": "not started"}
_WIDTH: Final = 560.0
_HEIGHT: Final = 400.0
_MARGIN: Final = 34.0
#: Pixels per mean edge length at most.
_CLOSEST: Final = 110.0
#: Networks with more ligands are drawn without names.
_MOST_NAMES: Final = 60


def network_map(kind: Row, colour: Literal["status", "uncertainty"], *, asked: Mapping[str, int] | None = None) -> str:
    """Return the picture of a network, and its legend.

    Parameters
    ----------
    kind : dict
        Nodes and edges, from `network_graph`.
    colour : {"status", "uncertainty"}
        What colours show.
    asked : mapping of str to int, optional
        Tasks by ScopedKey of the Transformation, written on the edges.
    """
    nodes, edges = kind["nodes"], kind["edges"]
    places, height = _places(nodes)
    largest = max((row["uncertainty"] or 0.0 for row in [*nodes, *edges]), default=0.0)
    size = 9.0 if len(nodes) <= 40 else 6.0 if len(nodes) <= 150 else 3.5
    drawn = [_edge(edge, nodes, places, colour, largest) for edge in edges]
    drawn += [_badge(edge, places, asked or {}) for edge in edges]
    drawn += [
        _node(node, place, size, colour, largest, named=len(nodes) <= _MOST_NAMES)
        for node, place in zip(nodes, places, strict=True)
    ]
    picture = (
        f'<svg class="map" viewBox="0 0 {_WIDTH:g} {height:.0f}" role="img" '
        f'aria-label="network coloured by {colour}">{"".join(drawn)}</svg>'
    )
    legend = _statuses(nodes, edges) if colour == "status" else _ramp(largest)
    if asked and any(_tasks(edge, asked) for edge in edges):
        legend += '<span class="key"><span class="asked">+2</span> Tasks of this round</span>'
    return f'{picture}<p class="legend">{legend}</p>'


def _places(nodes: Sequence[Row]) -> tuple[list[tuple[float, float]], float]:
    """Return pixels, and the height of the picture."""
    xs, ys = ([node[axis] for node in nodes] for axis in ("x", "y"))
    wide, high = (max(values) - min(values) if values else 0.0 for values in (xs, ys))
    room = (_WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN)
    k = min(room[0] / wide if wide else _CLOSEST, room[1] / high if high else _CLOSEST, _CLOSEST)
    height = max(high * k + 2 * _MARGIN, 120.0)
    left, top = (_WIDTH - wide * k) / 2, (height - high * k) / 2
    return [(left + (x - min(xs)) * k, top + (y - min(ys)) * k) for x, y in zip(xs, ys, strict=True)], height


def _edge(edge: Row, nodes: Sequence[Row], places: Sequence[tuple[float, float]], colour: str, largest: float) -> str:
    (x1, y1), (x2, y2) = places[edge["i"]], places[edge["j"]]
    line = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    if colour == "status":
        paint = f'class="link {edge["status"]}"'
    elif edge["uncertainty"] is None:
        paint = 'class="link unknown"'
    else:
        paint = f'class="link" stroke="{_shade(edge["uncertainty"], largest)}"'
    title = f"{nodes[edge['i']]['name']} → {nodes[edge['j']]['name']}: {_estimate(edge)}"
    return f'<g><title>{html.escape(title)}</title><line {line} {paint}></line><line class="hit" {line}></line></g>'


def _badge(edge: Row, places: Sequence[tuple[float, float]], asked: Mapping[str, int]) -> str:
    n = _tasks(edge, asked)
    if not n:
        return ""
    (x1, y1), (x2, y2) = places[edge["i"]], places[edge["j"]]
    return f'<text class="asked" x="{(x1 + x2) / 2:.1f}" y="{(y1 + y2) / 2:.1f}" dy="0.35em">+{n}</text>'


def _tasks(edge: Row, asked: Mapping[str, int]) -> int:
    return sum(asked.get(leg["key"], 0) for leg in edge["legs"])


def _node(node: Row, place: tuple[float, float], size: float, colour: str, largest: float, *, named: bool) -> str:
    x, y = place
    if colour == "status":
        paint = f'class="dot {node["status"]}"'
    elif node["uncertainty"] is None:
        paint = 'class="dot unknown"'
    else:
        paint = f'class="dot" fill="{_shade(node["uncertainty"], largest)}"'
    name = html.escape(node["name"])
    label = f'<text class="label" x="{x:.1f}" y="{y + size + 11:.1f}">{name}</text>' if named else ""
    title = f"<title>{name}: {html.escape(_estimate(node))}</title>"
    return f'<g>{title}<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:g}" {paint}></circle>{label}</g>'


def _estimate(row: Row) -> str:
    status = _WORDS.get(row["status"], row["status"])
    if row["value"] is None:
        return f"no estimate, {status}"
    error = "" if row["uncertainty"] is None else f" ± {row['uncertainty']:.2f}"
    return f"{row['value']:.2f}{error} kcal/mol, {status}"


def _shade(value: float, largest: float) -> str:
    """Return a colour: dark for certain, light for uncertain."""
    at = min(max(value / largest if largest > 0 else 0.0, 0.0), 1.0) * (len(_SCALE) - 1)
    low = min(int(at), len(_SCALE) - 2)
    ends = ([int(text[k : k + 2], 16) for k in (1, 3, 5)] for text in _SCALE[low : low + 2])
    return "#" + "".join(f"{round(a + (b - a) * (at - low)):02x}" for a, b in zip(*ends, strict=True))


def _statuses(nodes: Sequence[Row], edges: Sequence[Row]) -> str:
    parts = []
    for status in ("complete", "running", "waiting", "error", "idle"):
        n = sum(edge["status"] == status for edge in edges)
        if n or any(node["status"] == status for node in nodes):
            parts.append(
                f'<span class="key"><span class="chip {status}"></span>{_WORDS.get(status, status)} ({n})</span>'
            )
    assert set(EDGE_STATUSES) >= {status for edge in edges for status in [edge["status"]]}
    return "".join(parts)


def _ramp(largest: float) -> str:
    if largest <= 0:
        return '<span class="key">no uncertainties yet</span>'
    stops = "".join(
        f'<rect x="{20 * k}" width="20.5" height="10" fill="{_shade((k + 0.5) / 8, 1.0)}"></rect>' for k in range(8)
    )
    bar = f'<svg class="ramp" viewBox="0 0 160 10" preserveAspectRatio="none" aria-hidden="true">{stops}</svg>'
    return (
        f'<span class="key">0 {bar} {largest:.2f} kcal/mol</span>'
        '<span class="key"><span class="chip unknown"></span>no estimate</span>'
    )

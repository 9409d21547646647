"""Parts of static HTML pages: sections, tables, assets, hashes for their content security policy.

The pages themselves are `campaign_page` and `round_page`; both look the same, run no script and load nothing.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

__all__ = ["asset", "fill_page", "hash_of", "html_table", "section"]

_PLACE: Final = re.compile(r"\{\{(\w+)\}\}")
_ASSETS: Final = "campaign_page_assets"


def section(title: str, body: Iterable[str], *, wide: bool = False) -> str:
    """Return a section with a heading.

    Parameters
    ----------
    title : str
    body : iterable of str
        HTML.
    wide : bool, default False
        Whether it takes the whole width of the page.
    """
    return f"<section{' class=wide' if wide else ''}><h2>{html.escape(title)}</h2>{''.join(body)}</section>"


def html_table(headers: Sequence[str], rows: Iterable[Sequence[Any]], *, numbers: Iterable[int] = ()) -> str:
    """Return a table; cells are escaped.

    Parameters
    ----------
    headers : sequence of str
        No line of headers if empty.
    rows : iterable of sequence
    numbers : iterable of int
        Columns that are aligned to the right.
    """
    right = set(numbers)

    def cells(tag: str, row: Sequence[Any]) -> str:
        made = (
            f"<{tag}{' class=number' if k in right else ''}>{html.escape(str(c))}</{tag}>" for k, c in enumerate(row)
        )
        return f"<tr>{''.join(made)}</tr>"

    head = f"<thead>{cells('th', headers)}</thead>" if headers else ""
    return f"<table>{head}<tbody>{''.join(cells('td', row) for row in rows)}</tbody></table>"


def fill_page(*, title: str, about: str, basis: str, style: str, sections: Iterable[str]) -> str:
    """Return a page.

    Parameters
    ----------
    title, about : str
        Text of its head; escaped here.
    basis : str
        Element of its head.
    style : str
        CSS.
    sections : iterable of str
        HTML.
    """
    parts: Mapping[str, str] = {
        "basis": basis,
        "policy": (
            f"default-src 'none'; img-src data:; style-src '{hash_of(style)}'; base-uri 'none'; form-action 'none'"
        ),
        "title": html.escape(title),
        "style": style,
        "about": html.escape(about),
        "sections": "\n".join(sections),
    }
    # in one pass, so that a name with braces is not substituted again
    return _PLACE.sub(lambda place: parts[place[1]], asset("page.html")) + "\n"


def asset(name: str) -> str:
    """Return the text of a file of the pages."""
    return (files(__package__) / _ASSETS / name).read_text(encoding="utf-8").strip()


def hash_of(text: str) -> str:
    """Return the hash by which a content security policy names a style or script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

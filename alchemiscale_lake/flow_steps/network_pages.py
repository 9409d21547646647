"""The lasting page of a network, written after each gathering, and where it is for the Prefect UI."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from ..estimates.gathering import GatherReport
from ..report.campaign_page import written_page
from ..store import Lake
from .artifacts import code, publish_markdown

__all__ = ["keep_pages", "page_text", "publish_page"]

_log = logging.getLogger(__name__)


def keep_pages(lake: Lake, reports: Iterable[GatherReport]) -> None:
    """Write the pages of networks that changed; what goes wrong with a page stops no dispatcher.

    Parameters
    ----------
    lake : Lake
    reports : iterable of GatherReport
        Reports of the last update of estimates.
    """
    for report in reports:
        if report.new_round:
            _written(lake, report.network)


def publish_page(lake: Lake, network: str, *, title: str) -> str | None:
    """Write the page of a network, show where it is as an artifact, and return the place.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    title : str
        Title of the artifact.
    """
    place, told = _written(lake, network)
    publish_markdown(f"{title}-page", told if place is None else page_text(place), description=f"Page of {title}")
    return place


def page_text(place: str) -> str:
    """Return a line of Markdown that names and links the page.

    >>> page_text("s3://bucket/lake/plots/a-b-c/tyk2.html")
    'Page: `s3://bucket/lake/plots/a-b-c/tyk2.html`'
    """
    if "://" in place:
        return f"Page: {code(place)}"
    # browsers open links to files only where the page with the link is a file itself: the path is there to be copied
    return f"Page: {code(place)} ([open](<{Path(place).absolute().as_uri()}>))"


def _written(lake: Lake, network: str) -> tuple[str | None, str]:
    try:
        place, told = written_page(lake, network)
    except Exception as e:
        # a fault of drawing, of whatever kind: the estimates are in the lake
        _log.warning("the page of %s was not written", network, exc_info=True)
        return None, f"The page was not written: {code(str(e))}"
    if place is None:
        _log.warning("%s", told)
        return None, code(told)
    return place, told

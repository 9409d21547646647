"""Notebooks served by marimo, in a real browser that can reach only this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser import browser
from tests.marimo_server import NOTEBOOKS, read_until, served


@pytest.mark.timeout(900)
def test_a_notebook_is_read_without_a_word_to_the_outside(example_lake: Path, tmp_path: Path) -> None:
    with served(NOTEBOOKS / "watch_campaign.py", example_lake, tmp_path) as address, browser() as new_tab:
        page = new_tab()
        page.size(1100, 1400)

        page.open(address)
        said = read_until(page, "is active", "of 192 Tasks", "SimulationNaNError", "bza-")

        assert "benzanilides" in said
        assert "Traceback" not in said
        page.wait("document.querySelector('img[alt=\"results over time\"]')?.naturalWidth > 500")
        # the frame's own document is closed to the notebook around it, and so to us
        page.wait("document.querySelector('iframe[title=\"network of ligands\"]')?.clientHeight > 500")
        assert len(page.requests) > 20, "the requests are heard"
        assert page.elsewhere() == []
        # marimo's own page loads a picture ahead that it then does not need
        assert [said for said in page.complaints if "preload" not in said] == []

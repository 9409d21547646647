"""Write the pictures of docs/notebooks.md anew: `python -m tests.screenshots FOLDER-FOR-A-LAKE`.

The campaign in them is `tests/example_campaign.py`: made up, the same every time.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.report.network_view import network_page
from alchemiscale_lake.report.round_page import round_page

from .browser import Page, browser
from .example_campaign import NETWORK, example_campaign
from .marimo_server import NOTEBOOKS, read_until, served
from .round_campaign import round_campaign

IMAGES = Path(__file__).parents[1] / "docs" / "images"

#: Height in pixels, and what can be read once all has run.
SHOTS = {
    "watch_campaign": (1250, ("is active", "bza-")),
    "compare_with_experiment": (1500, ("Largest deviations from experiment", "bza-")),
    "cost_and_throughput": (1250, ("Hours per result", "gpu-b7")),
}


def main(folder: Path) -> None:
    """Make the lake, look at it in every way, write what is seen."""
    campaign = example_campaign(folder)
    gather_network(campaign.lake, NETWORK)
    with tempfile.TemporaryDirectory() as scratch, browser() as new_tab:
        page = new_tab()
        file = Path(scratch) / "network.html"
        file.write_text(network_page(campaign.lake, colour="estimate").html, encoding="utf-8")
        shoot_page(page, file)
        lake, network = round_campaign(folder.with_name(f"{folder.name}-rounds"))
        file = Path(scratch) / "rounds.html"
        file.write_text(round_page(lake, network).html, encoding="utf-8")
        page.size(1100, 1250)
        page.open(file.as_uri())
        page.screenshot(IMAGES / "strategy-report.png")
        for name, (height, words) in SHOTS.items():
            with served(NOTEBOOKS / f"{name}.py", folder, Path(scratch)) as address:
                page.size(1000, height)
                page.open(address)
                read_until(page, *words)
                page.wait("[...document.images].every(image => image.complete)")
                # frames draw themselves once they are in sight
                page.evaluate("new Promise(done => setTimeout(done, 1500))")
                page.screenshot(IMAGES / f"notebook-{name.replace('_', '-')}.png")


def shoot_page(page: Page, file: Path) -> None:
    """The network, with a ligand chosen; and dark, with an edge chosen."""
    page.size(1200, 760)
    page.open(file.as_uri())
    page.click(*page.middle_of("[data-ligand='bza-10'] circle"))
    page.screenshot(IMAGES / "network-view.png")
    page.dark()
    page.evaluate(
        "(() => { const s = document.getElementById('colour');"
        " s.value = 'residual'; s.dispatchEvent(new Event('change')); })()"
    )
    a, b = (page.middle_of(f"[data-ligand='{name}'] circle") for name in ("bza-12", "bza-17"))
    page.click((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
    page.mouse("mouseMoved", 5, 300)
    page.screenshot(IMAGES / "network-view-dark.png")
    page.dark(False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

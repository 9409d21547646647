"""Prefect's pages in a real browser: they log in, work, and contact only our server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from alchemiscale_lake.prefect_api.local_api import Api
from tests.browser import Page, browser
from tests.prefect_requests import post


@pytest.fixture
def page() -> Iterator[Page]:
    with browser() as new_tab:
        yield new_tab()


def press_enter(page: Page) -> None:
    for kind, text in (("keyDown", "\r"), ("keyUp", "")):
        page.send("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text=text)


def wait_for_text(page: Page, text: str) -> None:
    page.wait(f"document.body.innerText.includes({text!r})", seconds=200)


@pytest.mark.timeout(900)
def test_the_pages_log_in_and_work_and_ask_nobody_else(api: Api, page: Page) -> None:
    assert api.login is not None
    flow = post(api, "flows/", name="shown-flow")
    run = post(api, "flow_runs/", flow_id=flow["id"], name="shown-run", state={"type": "PENDING"})
    for state in ("RUNNING", "COMPLETED"):
        post(api, f"flow_runs/{run['id']}/set_state", state={"type": state}, force=True)

    page.open(api.ui_url)
    page.wait("document.querySelector('input[type=password]') !== null")
    assert "shown-run" not in page.text()
    page.evaluate("document.querySelector('input[type=password]').focus()")
    page.send("Input.insertText", text=api.login.read_text().strip())
    press_enter(page)
    wait_for_text(page, "Flow Runs")
    home = page.evaluate("location.origin + '/v2'")
    page.open(f"{home}/runs")
    wait_for_text(page, "shown-run")
    # the graph of a run needs shaders, workers and inline styles
    page.open(f"{home}/runs/flow-run/{run['id']}")
    wait_for_text(page, "shown-flow")
    page.wait("document.querySelector('canvas') !== null")

    assert page.elsewhere() == []
    forbidden = [said for said in page.complaints if "Content Security Policy" in said or "unsafe-eval" in said]
    assert all("amplitude.com" in said for said in forbidden), forbidden
    assert any("amplitude.com" in said for said in forbidden), "they do try: a test that sees nothing proves nothing"

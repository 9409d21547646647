"""Flow `raise_alert`: tell people that a flow run has failed; automations start it."""

from __future__ import annotations

import json
import os
import urllib.request
from typing import Final

from prefect import flow, get_run_logger

from ..flow_steps.artifacts import code, escaped, publish_markdown
from ..prefect_api.credentials import load_credentials

__all__ = ["WEBHOOK", "raise_alert"]

#: Environment variable: URL to which alerts are posted.
WEBHOOK: Final = "ALCHEMISCALE_LAKE_ALERT_URL"
_PATIENCE_S: Final = 30.0


@flow(
    name="raise-alert",
    description="Show an alert in the Prefect UI, and post it to the webhook in ALCHEMISCALE_LAKE_ALERT_URL, if any.",
    persist_result=False,
    retries=3,
    retry_delay_seconds=60,
)
def raise_alert(flow_run: str, message: str | None = None, flow_run_id: str | None = None) -> None:
    """Show an alert about a flow run in the Prefect UI, and post it to a webhook.

    The webhook gets JSON with the field `text`, which Slack, Mattermost and others display. Its URL is a secret, so it
    is read from the environment of the worker.

    Args:
        flow_run: Name of the flow run that failed.
        message: Message of its state.
        flow_run_id: Id of the flow run.
    """
    load_credentials()
    text = f"{flow_run} failed: {message or 'no message'}"
    get_run_logger().error(text)
    shown = [
        f"# {escaped(flow_run)} failed",
        code(message or "no message"),
        f"Flow run: {code(flow_run_id or 'unknown')}",
    ]
    publish_markdown("alert", "\n\n".join(shown), description=f"{flow_run} failed")
    url = os.environ.get(WEBHOOK)
    if url:
        body = json.dumps({"text": text}).encode()
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")
        with urllib.request.urlopen(request, timeout=_PATIENCE_S):
            pass

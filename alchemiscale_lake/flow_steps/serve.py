"""`up`: a local Prefect server for one lake, with the deployments served from this machine.

While it runs, commands on the same lake use its server. It stores no results: after it is stopped or killed it
can be started again, and the history of runs is in the lake's `prefect` folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from ..prefect_api.addresses import is_loopback
from ..prefect_api.flow_entry_points import load_flow
from ..prefect_api.local_api import local_api
from ..prefect_api.server_files import state_dir
from ..store import Lake
from .signals import PARENT_VARIABLE

__all__ = ["DEPLOYMENTS", "up"]

#: Named like their flows' files.
DEPLOYMENTS = (
    "submit-network",
    "dispatch",
    "gather-network",
    "archive-network",
    "advance-network",
    "living-network",
    "run-campaign",
    "maintain-lake",
    "train-cost-model",
)
#: Time for flow runs to release their Tasks.
_GRACE_S = 15.0


def up(
    lake: Lake,
    *,
    host: str = "127.0.0.1",
    port: int = 4200,
    verbose: bool = False,
    say: Callable[[str], None],
    ready: Callable[[str, Path | None], None],
) -> None:
    """Serve the Prefect UI and the deployments of a lake until Ctrl-C or SIGTERM.

    Parameters
    ----------
    lake : Lake
        Default lake of the deployments.
    host, port : str, int
        Address to listen on. With `PREFECT_API_URL` set, no server is started, and the deployments are served to
        that one.
    verbose : bool
        Show Prefect's logs.
    say : callable
        Called with messages for the user.
    ready : callable
        Called with the address of the UI and the file with its login (None if the user runs the server) once
        everything is served.

    Raises
    ------
    SettingsError
        If the port is taken, or another command's server uses the lake's `prefect` folder.
    """
    # flow runs are separate processes; they end with this one, however it ends
    os.environ[PARENT_VARIABLE] = str(os.getpid())
    with local_api(state_dir(lake), host=host, port=port, lasting=True, verbose=verbose, on_restart=say) as api:
        if api.ours:
            from ..prefect_api.stale_runs import close_stale_runs  # imports Prefect

            close_stale_runs()
            if not is_loopback(host):
                say(
                    f"other machines can reach {api.ui_url}, and the login is sent unencrypted: anyone who can read "
                    "the network traffic can run code as you. Use a TLS proxy or an SSH tunnel"
                )
        try:
            with _stopping(say) as stop:
                _serve(lake, stop, lambda: ready(api.ui_url, api.login))
        except KeyboardInterrupt:
            say("stopped")


def _serve(lake: Lake, stop: Callable[..., None], ready: Callable[[], None]) -> None:
    from prefect.runner import Runner
    from prefect.types.entrypoint import EntrypointType

    runner: Any = Runner(pause_on_shutdown=False)
    # it would handle SIGTERM itself and kill its flow runs before they can release their Tasks
    runner.handle_sigterm = stop
    for name in DEPLOYMENTS:
        flow = load_flow(name)
        runner.add_deployment(
            flow.to_deployment(name, parameters={"lake": lake.url}, entrypoint_type=EntrypointType.MODULE_PATH)
        )
    ready()
    asyncio.run(runner.start())


@contextlib.contextmanager
def _stopping(say: Callable[[str], None]) -> Iterator[Callable[..., None]]:
    """Handle Ctrl-C and SIGTERM: stop the flow runs first, then this process; yield the handler."""
    before = {child.pid for child in psutil.Process().children()}
    asked = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        say("stopping now" if asked else "stopping: releasing running Tasks (Ctrl-C again to stop now)")
        grace_s, asked = 0.0 if asked else _GRACE_S, True
        _end_runs(before, grace_s)
        raise KeyboardInterrupt

    handlers = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _end_runs(before: set[int], grace_s: float) -> None:
    """Stop the flow runs, which release their Tasks; kill those that take too long."""
    runs = [child for child in psutil.Process().children() if child.pid not in before]
    everything = [process for run in runs for process in [run, *run.children(recursive=True)]]
    for run in runs:
        with contextlib.suppress(psutil.NoSuchProcess):
            run.terminate()
    psutil.wait_procs(runs, timeout=grace_s)
    for process in everything:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()

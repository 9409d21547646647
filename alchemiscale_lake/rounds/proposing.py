"""Ask a Strategy for its proposal; one that is not ours decides in a process of its own, with a time limit.

Its failure is an outcome, never an exception: a round in state `error`. The process gets no credentials.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from ..secrecy import without_secrets
from ..strategies import strategy_process
from ..strategies.catalog import load_strategy
from ..strategies.strategy_process import StrategyAnswer
from ..strategies.strategy_rows import NetworkRows
from .strategy_plan import OURS, StrategyPlan

__all__ = ["propose"]


def propose(plan: StrategyPlan, network: NetworkRows, chain: Callable[[], bytes] | None = None) -> StrategyAnswer:
    """Return the answer of a plan's Strategy about a network.

    Parameters
    ----------
    plan : StrategyPlan
    network : NetworkRows
    chain : callable, optional
        Returns the network's keyed chain, for a Strategy that needs gufe objects.
    """
    try:
        if plan.code is not None or plan.needs_objects:
            return _in_child(plan, network, chain)
        loaded = load_strategy(plan.strategy, plan.settings)
        strategy = loaded.strategy
        if not type(strategy).__module__.startswith(OURS):
            return _in_child(plan, network, chain)
        strategy.check(network)
        return StrategyAnswer(strategy.propose(network), strategy.weights_are_tasks, digest=loaded.digest)
    except Exception as e:  # whatever a Strategy raises is its failure
        return StrategyAnswer(None, exception=f"{type(e).__name__}: {e}", traceback=traceback.format_exc())


def _in_child(plan: StrategyPlan, network: NetworkRows, chain: Callable[[], bytes] | None) -> StrategyAnswer:
    with tempfile.TemporaryDirectory() as folder:
        answer, objects = Path(folder) / "answer.json", None
        if plan.needs_objects and chain is not None:
            objects = Path(folder) / "network.json"
            objects.write_bytes(chain())
        asked = strategy_process.question(
            plan.strategy, plan.settings, network, code=plan.code, digest=plan.digest, answer=answer, objects=objects
        )
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", strategy_process.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=without_secrets(os.environ),
            start_new_session=True,
            text=True,
        )
        try:
            _, said = process.communicate(asked, timeout=plan.time_limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return StrategyAnswer(None, exception=f"the Strategy did not answer within {plan.time_limit_s:g} s")
        if not answer.exists():
            return StrategyAnswer(
                None, exception=f"the Strategy's process ended with {process.returncode}", traceback=said
            )
        return strategy_process.answer_from(answer.read_text())

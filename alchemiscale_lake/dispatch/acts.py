"""Acts: carry out a turn's decision about attempts, and count what was done.

Every step is idempotent. If the lake fails in between, the same attempts are still in flight, and the next picture
leads to the remaining steps.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..caller import Caller
from ..execution.stop_requests import ask_to_stop
from ..schemas.receipt import Receipt
from ..statestore.attempt_ends import record_attempt_ends
from ..statestore.claims import change_claims, claim_of
from ..statestore.receipts import leave_failure
from ..statestore.restarts import resolve_restarts
from ..statestore.result_recording import record_receipts
from ..statestore.task_ends import RECENT, end_recorded
from ..statestore.task_names import TaskNames
from ..statestore.unwanted_tasks import release_unwanted
from ..store import Lake
from ..store.parallel_requests import at_once
from .decision import Decision
from .dispatch_report import RecordedTask, Tally
from .picture import InFlight, Picture, spec_of

__all__ = ["Acts"]

_log = logging.getLogger(__name__)


class Acts:
    """Carries out decisions for one dispatcher.

    Parameters
    ----------
    lake : Lake
    tally : Tally
        Counts what was done.
    names : TaskNames
    """

    def __init__(self, lake: Lake, tally: Tally, names: TaskNames) -> None:
        self._lake, self._tally, self._names = lake, tally, names

    def carry_out(self, decision: Decision, picture: Picture) -> dict[str, InFlight]:
        """Carry out a decision; return the attempts that are still in flight.

        Parameters
        ----------
        decision : Decision
            Acts to carry out.
        picture : Picture
            Observation on which the decision is based.

        Raises
        ------
        StorageError
            If the lake does not answer; whatever was not done is decided again.
        """
        in_flight = self._stop(decision, picture.in_flight)
        self._record(decision, picture)
        in_flight = self._change_claims(decision, picture, in_flight)
        if decision.release_unwanted:
            release_unwanted(self._lake, caller=picture.me.caller)
        self._end_recorded(picture)
        return {attempt: one for attempt, one in in_flight.items() if attempt not in decision.settled}

    def _stop(self, decision: Decision, in_flight: Mapping[str, InFlight]) -> dict[str, InFlight]:
        for attempt, last in decision.silent.items():
            _log.warning("attempt %s on %s has sent no heartbeat; given up", attempt, last)
        at_once(lambda claim: ask_to_stop(self._lake, spec_of(claim)), decision.stop)
        for handle in decision.cancel:
            handle.cancel()
        stopped = {claim.attempt for claim in decision.stop} & in_flight.keys()
        return {**in_flight, **{attempt: replace(in_flight[attempt], is_stopping=True) for attempt in stopped}}

    # --- recording ----------------------------------------------------------------------------------

    def _record(self, decision: Decision, picture: Picture) -> None:
        me, failed = picture.me, decision.fail.items()
        if failed:
            record_attempt_ends(self._lake, [(picture.claim(attempt), why) for attempt, why in failed])
        lost = [leave_failure(self._lake, spec_of(picture.claim(a)), me.pool, why) for a, why in failed]
        receipts: Sequence[Receipt] = (*decision.record, *lost)
        if not receipts:
            return
        recorded = record_receipts(self._lake, receipts, caller=me.caller)
        new = [r for r in recorded if r.new]
        names = self._names.of(new)
        self._tally.recorded([RecordedTask(names[r.task], r) for r in new], decision.recovered)
        # also after an earlier try that only got as far as the tables
        self._apply_restart_policies([r.task for r in recorded if not r.ok], me.caller)

    def _apply_restart_policies(self, failed: Sequence[str], caller: Caller) -> None:
        if failed:
            decisions = resolve_restarts(self._lake, failed, caller=caller)
            self._tally.count(restarted=len({d.task for d in decisions if d.kind == "restarted"}))

    def _end_recorded(self, picture: Picture) -> None:
        """End Tasks with a recorded result whose recorder was killed before it logged the event."""
        due, caller = picture.due, picture.me.caller
        if not (due.start or due.sweep):
            return
        ended = end_recorded(self._lake, caller=caller, within=None if due.start or due.sweep_all else RECENT)
        good = sum(one.ok for one in ended)
        self._tally.count(completed=good, failed=len(ended) - good, recovered=len(ended))
        self._apply_restart_policies([one.task for one in ended if not one.ok], caller)
        if due.start:
            # a process that recorded a failure may have died before it applied restart policies
            resolve_restarts(self._lake, None, caller=caller)

    # --- claims -------------------------------------------------------------------------------------

    def _change_claims(
        self, decision: Decision, picture: Picture, in_flight: Mapping[str, InFlight]
    ) -> dict[str, InFlight]:
        """Release, expire and renew claims in one commit."""
        if not (decision.release or decision.expire or decision.renew):
            return dict(in_flight)
        began_s = time.monotonic()
        if decision.release or decision.expire:
            ends = [(picture.claim(attempt), why) for attempt, why in decision.release.items()]
            ends += [(claim_of(state), "its lease expired") for state in decision.expire]
            record_attempt_ends(self._lake, ends)
        ended = change_claims(
            self._lake,
            release={attempt: (picture.claim(attempt).task, why) for attempt, why in decision.release.items()},
            expire=decision.expire,
            renew={attempt: picture.claim(attempt).task for attempt in decision.renew},
            lease_s=decision.lease_s,
            caller=picture.me.caller,
        )
        self._tally.count(released=ended)
        renewed = {attempt: replace(in_flight[attempt], leased_at_s=began_s) for attempt in decision.renew}
        return {**in_flight, **renewed}

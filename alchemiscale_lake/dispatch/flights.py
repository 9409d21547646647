"""Attempts in flight: submitted to an engine and not settled yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ..execution.assignment import AttemptSpec
from ..execution.stop_requests import ask_to_stop
from ..statestore.claims import Claim
from ..store import Lake
from ..store.parallel_requests import at_once
from .executor import Handle

__all__ = ["Flight", "Flights"]


@dataclass(slots=True)
class Flight:
    """One assignment in flight.

    Attributes
    ----------
    handle : Handle
    claims : dict
        Attempt -> claim, for attempts that are not settled.
    place : str
    claimed_at_s : float, optional
        A monotonic time before all of the claims; None if another process claimed them.
    """

    handle: Handle
    claims: dict[str, Claim]
    place: str
    claimed_at_s: float | None = None


class Flights:
    """The assignments of one dispatcher in flight."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._of: dict[str, Flight] = {}
        self._stopping: set[str] = set()

    def __len__(self) -> int:
        return len(self._of)

    def __contains__(self, attempt: str) -> bool:
        return attempt in self._of

    def __iter__(self) -> Iterator[Flight]:
        return iter(list({id(flight): flight for flight in self._of.values()}.values()))

    def add(self, flight: Flight) -> None:
        """Add a submitted assignment."""
        self._of |= dict.fromkeys(flight.claims, flight)

    def claims(self) -> dict[str, Claim]:
        """Return attempt -> claim for all attempts in flight."""
        return {attempt: flight.claims[attempt] for attempt, flight in self._of.items()}

    def claimed_at_s(self, attempt: str) -> float | None:
        """Return when this process claimed an attempt, by the monotonic clock; None if another did."""
        return self._of[attempt].claimed_at_s if attempt in self._of else None

    def at_places(self) -> Counter[str]:
        """Count attempts per place."""
        return Counter(flight.place for flight in self._of.values())

    def settle(self, attempts: Collection[str]) -> None:
        """Remove attempts whose end has been recorded."""
        for attempt in attempts:
            flight = self._of.pop(attempt, None)
            self._stopping.discard(attempt)
            if flight is not None:
                del flight.claims[attempt]

    def stop(self, attempts: Collection[str]) -> None:
        """Stop attempts through the lake, and at the engine once no attempt of an assignment is wanted.

        Raises
        ------
        StorageError
            If the lake does not answer; these are stopped again next time.
        """
        new = {attempt for attempt in attempts if attempt in self._of} - self._stopping
        at_once(lambda attempt: ask_to_stop(self._lake, spec_of(self._of[attempt].claims[attempt])), new)
        for flight in [f for f in self if not new.isdisjoint(f.claims)]:
            if (self._stopping | new).issuperset(flight.claims):
                flight.handle.cancel()
            self._stopping |= new & flight.claims.keys()


def spec_of(claim: Claim) -> AttemptSpec:
    """Convert a claim to an attempt of an assignment."""
    return AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope)

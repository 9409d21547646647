"""Assignments from claims: everything that a worker must know to run them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..execution.assignment import Assignment, AttemptSpec
from ..settings import FileRules
from ..statestore.claims import Claim
from ..statestore.extended_files import extended_files
from ..statestore.kept_sizes import kept_sizes
from ..statestore.result_recording import good_results
from ..store import Lake, ReceiptKey
from .allocation import TaskNeeds
from .dispatch_settings import DispatchSettings
from .executor import Place
from .picture import spec_of

__all__ = ["attempt_specs", "build_assignment", "grouped_by_place"]


def attempt_specs(
    lake: Lake, claims: Sequence[Claim], needs: Mapping[str, TaskNeeds], key: ReceiptKey, files: FileRules
) -> dict[str, AttemptSpec]:
    """Return by attempt what its worker must know, with the result that it continues, if any.

    Parameters
    ----------
    lake : Lake
    claims : sequence of Claim
    needs : mapping
        By Transformation.
    key : ReceiptKey
        Signs receipts.
    files : FileRules
        Limits of kept files, and which of them extending Tasks get.
    """
    sizes = kept_sizes(lake, [claim.task for claim in claims], of_scopes=files.per_scope_bytes is not None)
    extended = good_results(lake, [c.extends for c in claims if c.extends is not None])
    kept = extended_files(lake, {c.extends: extended[c.extends] for c in claims if c.extends in extended}, files)
    specs = {}
    for claim in claims:
        result = None if claim.extends is None else extended.get(claim.extends)
        specs[claim.attempt] = replace(
            spec_of(claim),
            extends_result=None if result is None else result.object_path,
            extends_digest=None if result is None else result.digest,
            extends_files=() if claim.extends is None else kept.get(claim.extends, ()),
            resources=needs[claim.transformation].resources,
            duration_s=needs[claim.transformation].duration_s,
            kept_bytes=sizes.by_task.get(claim.task, 0),
            scope_kept_bytes=None if sizes.by_scope is None else sizes.by_scope.get(claim.scope, 0),
            secret=key.secret_of(claim.attempt),
        )
    return specs


def grouped_by_place(
    claims: Sequence[Claim], placed: Mapping[str, str], *, whole_jobs: bool
) -> list[tuple[str, list[Claim]]]:
    """Return the claims of each assignment with its place: one claim each, or all of a place where jobs are whole.

    Parameters
    ----------
    claims : sequence of Claim
    placed : mapping
        Task -> place.
    whole_jobs : bool
    """
    if not whole_jobs:
        return [(placed[claim.task], [claim]) for claim in claims]
    groups: dict[str, list[Claim]] = {}
    for claim in claims:
        groups.setdefault(placed[claim.task], []).append(claim)
    return list(groups.items())


def build_assignment(lake: Lake, settings: DispatchSettings, specs: Sequence[AttemptSpec], place: Place) -> Assignment:
    """Return the assignment of these attempts at a place.

    Parameters
    ----------
    lake : Lake
    settings : DispatchSettings
        Settings of the dispatcher.
    specs : sequence of AttemptSpec
        The attempts.
    place : Place
        Worker or job that runs them.
    """
    return Assignment(
        lake=lake.url,
        pool=settings.pool,
        attempts=tuple(specs),
        resources=place.capacity,
        unit_needs=settings.unit_needs,
        process_per_unit=settings.process_per_unit,
        files=settings.files,
        monitors=settings.monitors,
        timeout_s=settings.timeout_s,
        stuck_after_s=settings.stuck_after_s,
        unit_retries=settings.unit_retries,
        output_bytes=settings.output_bytes,
        work_root=settings.work_root,
        retire_before_s=settings.retire_before_s,
    )

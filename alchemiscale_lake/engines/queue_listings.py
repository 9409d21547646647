"""Listings of a user's jobs: one command and parser per kind of queue.

A listed job is pending or running; an unlisted job has ended, with any outcome. Jobs that are held or about to
end are still listed.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from xml.etree import ElementTree

__all__ = ["Command", "QueueJob", "list_jobs", "list_nodes"]

#: Runs a command and returns its stdout. Raises if it failed, unless its stderr contains the given words.
Command = Callable[..., str]


@dataclass(frozen=True, slots=True)
class QueueJob:
    """A job listed by a queue.

    Attributes
    ----------
    job_id, name : str
    state : str
        "pending" or "running".
    """

    job_id: str
    name: str
    state: Literal["pending", "running"]


def list_jobs(kind: str, run: Command) -> dict[str, QueueJob]:
    """List this user's jobs in a queue, by id.

    Parameters
    ----------
    kind : str
        Kind of the pool, such as `slurm`.
    run : callable
        Runs a command and returns its output.

    Raises
    ------
    ValueError
        If the output of the queue cannot be parsed.
    """
    try:
        jobs = _LISTINGS[kind](run, getpass.getuser())
    except (ValueError, KeyError, TypeError, AttributeError, ElementTree.ParseError) as e:
        raise ValueError(f"the job listing of {kind} cannot be parsed ({type(e).__name__}: {e})") from e
    return {job.job_id: job for job in jobs}


def list_nodes(kind: str, run: Command) -> frozenset[str]:
    """Return the names of a queue's nodes if jobs can exclude nodes there; otherwise an empty set.

    Parameters
    ----------
    kind : str
        Kind of the pool, such as `slurm`.
    run : callable
        Runs a command and returns its output.
    """
    if kind != "slurm":
        return frozenset()
    return frozenset(run("sinfo", "--noheader", "--Node", "--format=%N").split())


def _slurm(run: Command, user: str) -> list[QueueJob]:
    lines = run("squeue", "--noheader", f"--user={user}", "--format=%i|%T|%j").splitlines()
    jobs = [line.split("|", 2) for line in lines if line.strip()]
    return [_job(job_id, name, state == "PENDING") for job_id, state, name in jobs]


def _pbs(run: Command, user: str) -> list[QueueJob]:
    # qstat takes a user or the full format, not both
    ids = run("qselect", "-u", user).split()
    if not ids:
        return []
    # a job that ended meanwhile is reported as unknown, the others are listed
    answer = json.loads(run("qstat", "-f", "-F", "json", *ids, unless="Unknown Job Id") or "{}")
    jobs: Mapping[str, Any] = answer.get("Jobs", {})
    # submission returns the number only
    return [_job(i.partition(".")[0], job["Job_Name"], job["job_state"] in "QHWT") for i, job in jobs.items()]


def _moab(run: Command, user: str) -> list[QueueJob]:
    answer = ElementTree.fromstring(run("showq", "--xml", "-w", f"user={user}"))
    jobs = [job.attrib for job in answer.iter("job")]
    return [_job(job["JobID"].rpartition(".")[2], job["JobName"], job["State"] in _MOAB_PENDING) for job in jobs]


_MOAB_PENDING: Final = ("Idle", "Hold", "BatchHold", "SystemHold", "UserHold", "Deferred", "Migrated", "NotQueued")


def _lsf(run: Command, user: str) -> list[QueueJob]:
    asked = "jobid stat job_name delimiter='|'"
    lines = run("bjobs", "-noheader", "-u", user, "-o", asked, unless="No unfinished job found").splitlines()
    jobs = [line.split("|", 2) for line in lines if line.strip()]
    return [_job(job_id, name, state in ("PEND", "PSUSP", "WAIT")) for job_id, state, name in jobs]


def _sge(run: Command, user: str) -> list[QueueJob]:
    answer = ElementTree.fromstring(run("qstat", "-xml", "-u", user))
    return [
        _job(_text(job, "JB_job_number"), _text(job, "JB_name"), job.get("state") == "pending")
        for job in answer.iter("job_list")
    ]


def _text(job: ElementTree.Element, name: str) -> str:
    text = job.findtext(name)
    if text is None:
        raise KeyError(name)
    return text


def _htcondor(run: Command, user: str) -> list[QueueJob]:
    said = run("condor_q", user, "-json", "-attributes", "ClusterId,ProcId,JobStatus,JobBatchName")
    # without jobs the output is empty; removed (3) or completed (4) jobs stay until their output is fetched
    jobs = [job for job in json.loads(said or "[]") if job["JobStatus"] not in (3, 4)]
    return [
        _job(f"{job['ClusterId']}.{job['ProcId']}", job.get("JobBatchName", ""), job["JobStatus"] in (1, 5))
        for job in jobs
    ]


def _oar(run: Command, user: str) -> list[QueueJob]:
    jobs: Mapping[str, Any] = json.loads(run("oarstat", "-J", "-u", user) or "{}")
    live = {job_id: job for job_id, job in jobs.items() if job["state"] not in ("Terminated", "Error")}
    return [_job(job_id, job.get("name") or "", job["state"] in _OAR_PENDING) for job_id, job in live.items()]


_OAR_PENDING: Final = ("Waiting", "Hold", "toLaunch", "Launching", "toAckReservation")


def _job(job_id: str, name: str, pending: bool) -> QueueJob:
    return QueueJob(job_id, name, "pending" if pending else "running")


_LISTINGS: Final[Mapping[str, Callable[[Command, str], list[QueueJob]]]] = {
    "slurm": _slurm,
    "pbs": _pbs,
    "moab": _moab,
    "lsf": _lsf,
    "sge": _sge,
    "htcondor": _htcondor,
    "oar": _oar,
}

"""Job scripts: from a pool's settings to a queue's script, through dask-jobqueue's classes.

The same settings serve jobs with a Dask worker and jobs that run one stored assignment. Operators add further
`directives`, which come last and therefore take precedence.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..directives import quoted
from ..errors import MissingDependencyError, SettingsError
from ..execution.job import ENDS_AT
from ..settings import Pool

__all__ = ["JobRequest", "cluster_class", "job_of", "job_options", "job_script", "python_of", "queue_name"]

_CLASSES: Final = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "lsf": "LSFCluster",
    "sge": "SGECluster",
    "htcondor": "HTCondorCluster",
    "oar": "OARCluster",
    "moab": "MoabCluster",
}
_LONGEST_NAME: Final = {"moab": 15}
#: Attributes that dask-jobqueue itself sets for HTCondor.
_OF_HTCONDOR: Final = ("batch_name", "RequestCpus", "RequestMemory", "RequestDisk")
#: A worker that cannot reach its dispatcher ends after this time.
_DEATH_TIMEOUT_S: Final = 60


@dataclass(frozen=True, slots=True)
class JobRequest:
    """Properties shared by all jobs of a pool.

    Attributes
    ----------
    pool : Pool
    log_folder : Path
        Folder for job output; it must exist when jobs start.
    excluded : tuple of str
        Nodes to avoid, on queues that support this.
    """

    pool: Pool
    log_folder: Path
    excluded: tuple[str, ...] = ()


def cluster_class(kind: str) -> Any:
    """Return dask-jobqueue's class for a kind of pool.

    Raises
    ------
    MissingDependencyError
        If dask-jobqueue is not installed.
    """
    try:
        with _signals_left_alone():
            module = importlib.import_module("dask_jobqueue")
    except ImportError as e:
        raise MissingDependencyError(
            f"a {kind} pool needs dask-jobqueue; install alchemiscale-lake[hpc]", package="dask-jobqueue"
        ) from e
    return getattr(module, _CLASSES[kind])


@contextlib.contextmanager
def _signals_left_alone() -> Iterator[None]:
    """Keep dask-jobqueue from setting a Ctrl-C handler on import, which fails outside the main thread."""
    set_handler = signal.signal
    signal.signal = lambda number, handler: signal.getsignal(number)  # type: ignore[assignment]
    try:
        yield
    finally:
        signal.signal = set_handler


def queue_name(kind: str, name: str) -> str:
    """Return the name of a job as its queue lists it: some queues truncate names.

    Parameters
    ----------
    kind : str
        Kind of the pool, such as `slurm`.
    name : str
        Name of the job as submitted.
    """
    return name[: _LONGEST_NAME.get(kind, len(name))]


def python_of(pool: Pool) -> str:
    """Return the Python that jobs of a pool run."""
    return pool.python or sys.executable


def job_options(request: JobRequest) -> dict[str, Any]:
    """Return the arguments for dask-jobqueue's class of a pool.

    Raises
    ------
    SettingsError
        If the pool has settings that its queue does not support.
    """
    pool = request.pool
    own = _KINDS[pool.kind](request)
    directives = own.pop("job_extra_directives")
    return {
        "cores": pool.cores,
        "memory": f"{pool.memory_bytes}B",
        "processes": 1,
        "nanny": False,
        "death_timeout": _DEATH_TIMEOUT_S,
        "interface": pool.interface,
        # the worker replaces the shell, so that it receives the queue's signals
        "python": f"exec {shlex.quote(python_of(pool))}",
        "job_script_prologue": _prologue(pool),
        "job_extra_directives": directives,
        **own,
    }


def job_of(request: JobRequest, name: str, command: str) -> Any:
    """Return a dask-jobqueue job that runs one command.

    Parameters
    ----------
    request : JobRequest
        Resources and directives of the job.
    name : str
        Name of the job.
    command : str
        Shell command.
    """
    kind = request.pool.kind
    options = {**job_options(request), "name": name, "job_name": queue_name(kind, name)}
    job = cluster_class(kind).job_cls("tcp://nobody:0", **options)
    # the class only supports jobs with a Dask worker; everything else is the same
    commands = [f"exec {command}"]
    if kind == "htcondor":
        commands = [*_prologue(request.pool), *commands]
    job._command_template = "; ".join(commands)
    return job


def job_script(name: str, pool: Pool, command: str) -> str:
    """Return the job script of a pool.

    Parameters
    ----------
    name : str
        Name of the job.
    pool : Pool
    command : str
        Command that the job runs.

    Raises
    ------
    MissingDependencyError
        If dask-jobqueue is not installed.
    SettingsError
        If the pool has settings that its queue does not support.
    """
    log_folder = Path(pool.log_folder).expanduser() if pool.log_folder else Path("logs")
    return str(job_of(JobRequest(pool, log_folder), name, command).job_script())


# --- settings per kind of queue ---------------------------------------------------------------------


def _prologue(pool: Pool) -> list[str]:
    """Return the first lines of a job: its clock starts before modules are loaded."""
    seconds = math.floor(pool.walltime_s or 0)
    # no $(...): that is a macro in a submit file of HTCondor
    return ["now=`date +%s`", f"export {ENDS_AT}=`expr $now + {seconds}`", *pool.environment]


def _slurm(request: JobRequest) -> dict[str, Any]:
    pool = request.pool
    # Tasks of a lost job are requeued in the lake; a requeued job would run Tasks that others have claimed
    output = quoted(pool.kind, f"{str(request.log_folder).replace('%', '%%')}/%x-%j.out")
    directives = [f"-o {output}", "--no-requeue"]
    if pool.gpus and not _says(pool, "--gres", "--gpus", "-G"):
        directives.append(f"--gres=gpu:{pool.gpus}")
    if request.excluded:
        directives.append(f"--exclude={','.join(request.excluded)}")
    return _with(pool, directives, **_named(pool), walltime=_clock(pool))


def _pbs(request: JobRequest) -> dict[str, Any]:
    pool = request.pool
    spec = f"select=1:ncpus={pool.cores}:mem={_mib(pool)}mb" + (f":ngpus={pool.gpus}" if pool.gpus else "")
    instead = ("select=",) if _says(pool, "select=") else ()
    directives = ["-j oe", f"-o {request.log_folder}/", "-r n"]
    names = {**_named(pool), "walltime": _clock(pool)}
    return _with(pool, directives, *instead, resource_spec=spec, **names)


def _moab(request: JobRequest) -> dict[str, Any]:
    pool = request.pool
    spec = f"nodes=1:ppn={pool.cores}" + (f":gpus={pool.gpus}" if pool.gpus else "") + f",mem={_mib(pool)}mb"
    instead = ("nodes=",) if _says(pool, "nodes=") else ()
    directives = ["-j oe", f"-o {request.log_folder}/", "-r n"]
    names = {**_named(pool), "walltime": _clock(pool)}
    return _with(pool, directives, *instead, resource_spec=spec, **names)


def _lsf(request: JobRequest) -> dict[str, Any]:
    pool = request.pool
    directives = [f"-o {quoted(pool.kind, f'{request.log_folder}/%J.out')}", "-rn"]
    if pool.gpus and not _says(pool, "-gpu", "ngpus"):
        directives.append(f'-gpu "num={pool.gpus}"')
    minutes = math.ceil((pool.walltime_s or 0) / 60)
    walltime = f"{minutes // 60:02d}:{minutes % 60:02d}"
    # dask-jobqueue quotes the project itself
    queue = _named(pool)["queue"]
    return _with(pool, directives, queue=queue, project=pool.account, walltime=walltime)


def _sge(request: JobRequest) -> dict[str, Any]:
    # names of cores, memory and GPUs depend on the site: use directives
    pool = request.pool
    directives = [f"-o {request.log_folder}/", "-r n"]
    return _with(pool, directives, queue=pool.queue, project=pool.account, walltime=_clock(pool))


def _oar(request: JobRequest) -> dict[str, Any]:
    # OAR treats a second -l as an alternative, so an operator's -l replaces ours
    pool = request.pool
    asked = [d for d in pool.directives if d.startswith("-l ")]
    spec = asked[0].removeprefix("-l ").strip() if asked else f"/nodes=1/core={pool.cores}"
    if pool.gpus and not asked:
        raise SettingsError(
            "the name of GPUs in OAR depends on the site; request cores and GPUs in directives, as in "
            f'"-l /nodes=1/gpu={pool.gpus}/core={pool.cores}"',
            gpus=pool.gpus,
        )
    directives = [f"-O {request.log_folder}/%jobid%.out", f"-E {request.log_folder}/%jobid%.out"]
    options = _with(pool, directives, queue=pool.queue, project=pool.account, walltime=_clock(pool))
    options["job_extra_directives"] = [d for d in options["job_extra_directives"] if d not in asked]
    return {**options, "resource_spec": spec, "memory_per_core_property_name": "not_applicable"}


def _htcondor(request: JobRequest) -> dict[str, Any]:
    pool = request.pool
    folder = request.log_folder
    lines = {"Output": f"{folder}/$(ClusterId).out", "Error": f"{folder}/$(ClusterId).out", "Log": f"{folder}/jobs.log"}
    lines |= {"Stream_Output": "True", "Stream_Error": "True"}
    if pool.account:
        lines["accounting_group"] = pool.account
    if pool.gpus:
        lines["request_gpus"] = str(pool.gpus)
    for directive in pool.directives:
        key, equals, value = directive.partition("=")
        if not equals:
            raise SettingsError(
                f"directive {directive!r} is not valid for HTCondor; write name = value", value=directive
            )
        lines = {k: v for k, v in lines.items() if k.lower() != key.strip().lower()} | {key.strip(): value.strip()}
    lines = {key: value for key, value in lines.items() if not _skipped(pool, key)}
    skip = [key for key in _OF_HTCONDOR if _skipped(pool, key)]
    return {"job_extra_directives": lines, "disk": f"{pool.disk_bytes}B", "job_directives_skip": skip}


_KINDS: Final[Mapping[str, Callable[[JobRequest], dict[str, Any]]]] = {
    "slurm": _slurm,
    "pbs": _pbs,
    "lsf": _lsf,
    "sge": _sge,
    "htcondor": _htcondor,
    "oar": _oar,
    "moab": _moab,
}


def _named(pool: Pool) -> dict[str, str | None]:
    """Return queue and account, quoted for the queue."""
    named = {"queue": pool.queue, "account": pool.account}
    return {key: None if text is None else quoted(pool.kind, text) for key, text in named.items()}


def _with(pool: Pool, directives: Sequence[str], *skip: str, **options: Any) -> dict[str, Any]:
    generated = [directive for directive in directives if not _skipped(pool, directive)]
    return {
        **options,
        "job_directives_skip": [*pool.skip_directives, *skip],
        "job_extra_directives": [*generated, *pool.directives],
    }


def _skipped(pool: Pool, directive: str) -> bool:
    return any(word in directive for word in pool.skip_directives)


def _says(pool: Pool, *words: str) -> bool:
    return any(word in directive for directive in pool.directives for word in words)


def _clock(pool: Pool) -> str:
    seconds = math.ceil(pool.walltime_s or 0)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _mib(pool: Pool) -> int:
    return math.ceil((pool.memory_bytes or 0) / 2**20)

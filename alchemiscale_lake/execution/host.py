"""Description of this host as a row of table `hosts`, and the queue job of this process."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import re
import socket
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import psutil

from ..store import now_utc
from .gpus import list_gpus

__all__ = ["describe_host", "hostname", "package_versions", "queue_job"]

#: Packages that affect numbers and speed; missing ones are left out.
_PACKAGES: Final = (
    "alchemiscale-lake",
    "cinnabar",
    "feflow",
    "gufe",
    "kartograf",
    "lomap2",
    "numpy",
    "openfe",
    "openff-toolkit",
    "openmm",
    "openmmtools",
    "perses",
    "pymbar",
    "rdkit",
    "scipy",
)
#: Variables with the id of a queue job, tried in this order.
_QUEUE_VARIABLES: Final = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID", "CONDOR_JOB_ID", "_CONDOR_JOB_ID")
#: Variables with the name of the host where its own would mislead: in a pod, or several hosts on one machine.
_NAME_VARIABLES: Final = ("ALCHEMISCALE_LAKE_HOSTNAME", "SLURMD_NODENAME", "ALCHEMISCALE_LAKE_NODE")
_IMAGE_VARIABLES: Final = ("ALCHEMISCALE_LAKE_IMAGE", "APPTAINER_CONTAINER", "SINGULARITY_CONTAINER")
_CONTAINER_FILES: Final = {"/.dockerenv": "docker (image not named)", "/run/.containerenv": "podman (image not named)"}


def describe_host() -> dict[str, Any]:
    """Describe this host as a row of `hosts`.

    `host` is a digest of everything but name and time, so that identical nodes of a cluster share one row; `results`
    has the names. Determined once per process.
    """
    return {**_description(), "hostname": hostname()}


def hostname() -> str:
    """Return the name of this host: the queue's node, the cluster's node of a pod, else the machine's own.

    `ALCHEMISCALE_LAKE_HOSTNAME` takes precedence; `ALCHEMISCALE_LAKE_NODE` passes the name of its node to a pod.
    """
    named = (os.environ.get(variable) for variable in _NAME_VARIABLES)
    return next((name for name in named if name), None) or socket.gethostname()


@cache
def _description() -> Mapping[str, Any]:
    description = {
        "cpu_model": _cpu_model(),
        "n_cores": os.cpu_count() or 1,
        "memory_bytes": int(psutil.virtual_memory().total),
        **_gpus(),
        "os": f"{_os_name()}, {platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages_json": json.dumps(package_versions(), sort_keys=True),
        "image": _image(),
    }
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()
    return {"host": digest, **description, "first_seen_at": now_utc()}


@cache
def package_versions() -> Mapping[str, str]:
    """Return the versions of the installed packages that affect numbers and speed."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def queue_job() -> str | None:
    """Return the id of the queue job, or the name of the Kubernetes pod, that this process runs in."""
    for variable in _QUEUE_VARIABLES:
        if value := os.environ.get(variable):
            return value
    # the host name of a pod is its own name
    return os.environ.get("HOSTNAME") if "KUBERNETES_SERVICE_HOST" in os.environ else None


def _cpu_model() -> str | None:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or None
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    # ARM reports no model
    return found[1].strip() if found else platform.machine() or None


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return sys.platform


def _image() -> str | None:
    for variable in _IMAGE_VARIABLES:
        if value := os.environ.get(variable):
            return value
    return next((said for path, said in _CONTAINER_FILES.items() if Path(path).exists()), None)


def _gpus() -> dict[str, Any]:
    """Return the columns of one GPU, and the number of GPUs."""
    gpus = list_gpus()
    if not gpus:
        return {"gpu_model": None, "gpu_driver": None, "gpu_memory_bytes": None, "n_gpus": 0}
    return {
        "gpu_model": gpus[0].model,
        "gpu_driver": gpus[0].driver,
        "gpu_memory_bytes": gpus[0].memory_bytes,
        "n_gpus": len(gpus),
    }

"""The GPUs of this host, from NVML (nvidia-ml-py) or else nvidia-smi, and the environment."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["VISIBLE", "Gpu", "list_gpus", "visible_devices"]

#: Environment variable with the devices that CUDA shows to a process.
VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
#: Values that queues set for a job without a GPU.
_NONE: Final = frozenset({"-1", "NoDevFiles", "none", "void"})
_FIELDS: Final = ("index", "uuid", "name", "driver_version", "memory.total", "memory.used", "utilization.gpu")


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU of this host, as of now. What the driver does not report is None.

    Attributes
    ----------
    index, uuid : str
        Its number, and its name for CUDA.
    model, driver : str
    memory_bytes, used_bytes : int or None
        None for unified memory.
    utilisation : float or None
        Fraction of time in use; None for a GPU that is split by MIG.
    instances : tuple of str
        UUIDs of its MIG instances, which are the devices that CUDA can use if there are any.
    """

    index: str
    uuid: str
    model: str
    driver: str
    memory_bytes: int | None = None
    used_bytes: int | None = None
    utilisation: float | None = None
    instances: tuple[str, ...] = ()


def list_gpus() -> list[Gpu]:
    """Return the GPUs of this host; empty without a GPU or its driver."""
    try:
        import pynvml
    except ImportError:
        return _from_tool()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:  # no driver
        return []
    try:
        driver = str(pynvml.nvmlSystemGetDriverVersion())
        return [_from_nvml(pynvml, index, driver) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:  # a device that is lost meanwhile
        return []
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def visible_devices() -> list[str] | None:
    """Return the names of the devices this process may use, None if unknown.

    They are those of `CUDA_VISIBLE_DEVICES` (numbers, UUIDs or MIG instances), which a queue sets for its jobs; else
    all of this host: MIG instances by UUID, whole GPUs by number.
    """
    named = os.environ.get(VISIBLE, "").strip()
    if named:
        names: list[str] = []
        for name in (word.strip() for word in named.split(",")):
            if name in _NONE or not name:  # CUDA also stops reading here
                break
            names.append(name)
        return names
    return [name for gpu in list_gpus() for name in gpu.instances or (gpu.index,)] or None


def _from_nvml(nvml: Any, index: int, driver: str) -> Gpu:
    def ask(what: str, *arguments: Any) -> Any:
        """Return an answer of NVML about this GPU; None if it does not support the question."""
        with contextlib.suppress(nvml.NVMLError):
            return getattr(nvml, what)(handle, *arguments)
        return None

    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    memory, rates = ask("nvmlDeviceGetMemoryInfo"), ask("nvmlDeviceGetUtilizationRates")
    mode = ask("nvmlDeviceGetMigMode")
    places = range(ask("nvmlDeviceGetMaxMigDeviceCount") or 0) if mode is not None and mode[0] else ()
    instances = (ask("nvmlDeviceGetMigDeviceHandleByIndex", place) for place in places)
    return Gpu(
        index=str(index),
        uuid=str(nvml.nvmlDeviceGetUUID(handle)),
        model=str(nvml.nvmlDeviceGetName(handle)),
        driver=driver,
        memory_bytes=None if memory is None else int(memory.total),
        used_bytes=None if memory is None else int(memory.used),
        utilisation=None if rates is None else rates.gpu / 100,
        instances=tuple(str(nvml.nvmlDeviceGetUUID(one)) for one in instances if one is not None),
    )


def _from_tool() -> list[Gpu]:
    rows = [dict(zip(_FIELDS, row, strict=True)) for row in _ask_tool()]
    return [
        Gpu(
            index=row["index"],
            uuid=row["uuid"],
            model=row["name"],
            driver=row["driver_version"],
            memory_bytes=_mebibytes(row["memory.total"]),
            used_bytes=_mebibytes(row["memory.used"]),
            utilisation=float(row["utilization.gpu"]) / 100 if row["utilization.gpu"].isdigit() else None,
        )
        for row in rows
    ]


def _ask_tool() -> Iterator[list[str]]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return
    query = [tool, f"--query-gpu={','.join(_FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(query, capture_output=True, text=True, timeout=30.0, check=True).stdout
    except (OSError, subprocess.SubprocessError):  # the tool exists, but not the driver
        return
    rows = ([word.strip() for word in line.split(",")] for line in told.splitlines())
    yield from (row for row in rows if len(row) == len(_FIELDS))


def _mebibytes(text: str) -> int | None:
    # unified memory is reported as "[N/A]"
    return int(text) * 2**20 if text.isdigit() else None

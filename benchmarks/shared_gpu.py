"""A Protocol whose only unit keeps a simulated GPU busy part of the time.

It steps like a molecular dynamics engine: a kernel on the device, then the host's part. A kernel has exclusive use of
the device, like kernels that fill it, simulated by a lock per name in `CUDA_VISIBLE_DEVICES`. The host's part mostly
waits, and uses little CPU.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Any

import gufe

from alchemiscale_lake.gufe_adapter.authoring import LakeSettings
from alchemiscale_lake.protocols.noop import NoOpProtocol

__all__ = ["SharedGpuProtocol"]


class SharedGpuSettings(LakeSettings):
    locks: str = "."
    n_steps: int = 80
    kernel_s: float = 0.0125
    host_s: float = 0.0375
    host_cpu_s: float = 0.001


class SharedGpuUnit(gufe.ProtocolUnit):
    @staticmethod
    def _execute(ctx: Any, *, settings: dict[str, Any], **_: Any) -> dict[str, Any]:
        device = os.environ["CUDA_VISIBLE_DEVICES"]
        with (Path(settings["locks"]) / f"gpu-{device}").open("a") as lock:
            for _step in range(settings["n_steps"]):
                fcntl.flock(lock, fcntl.LOCK_EX)
                time.sleep(settings["kernel_s"])
                fcntl.flock(lock, fcntl.LOCK_UN)
                until = time.process_time() + settings["host_cpu_s"]
                while time.process_time() < until:
                    pass
                time.sleep(settings["host_s"] - settings["host_cpu_s"])
        return {"device": device}


class SharedGpuProtocol(NoOpProtocol):
    _settings_cls = SharedGpuSettings

    def _units(self, state_a: Any, state_b: Any, extends: Any) -> list[Any]:
        return [SharedGpuUnit(name="simulate", settings=self.settings.model_dump(mode="json"))]

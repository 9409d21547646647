"""A Protocol whose one unit keeps a GPU busy part of the time, without a GPU.

It steps like a molecular dynamics engine: a kernel on the device, then the host's part. A kernel has
the device to itself, as kernels that fill it do: a lock per name in `CUDA_VISIBLE_DEVICES` stands for
that. The host's part mostly waits, and burns little CPU.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import gufe

from alchemiscale_lake.gufe_adapter.authoring import LakeProtocol, LakeProtocolResult, LakeSettings, energy

__all__ = ["SharedGpuProtocol"]


class SharedGpuSettings(LakeSettings):
    locks: str = "."
    n_steps: int = 80
    kernel_s: float = 0.0125
    host_s: float = 0.0375
    host_cpu_s: float = 0.001


class SharedGpuProtocolResult(LakeProtocolResult):
    def get_estimate(self) -> Any:
        return energy(0.0)

    def get_uncertainty(self) -> Any:
        return energy(0.0)


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


class SharedGpuProtocol(LakeProtocol):
    _settings_cls = SharedGpuSettings
    result_cls: ClassVar[type[SharedGpuProtocolResult]] = SharedGpuProtocolResult

    def _create(
        self,
        stateA: Any,  # noqa: N803
        stateB: Any,  # noqa: N803
        mapping: Any = None,
        extends: Any = None,
    ) -> list[Any]:
        return [SharedGpuUnit(name="simulate", settings=self.settings.model_dump(mode="json"))]

    def _gather(self, protocol_dag_results: Iterable[Any]) -> dict[str, Any]:
        return {}

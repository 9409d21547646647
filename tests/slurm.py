"""A real Slurm on this machine, for tests: own folder, own ports, several nodes with a fake GPU each.

Needs root (for device nodes) and Debian's `slurm-wlm` and `munge`, which are installed if missing. All nodes are this
machine: a job distinguishes them by `SLURMD_NODENAME`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.debian import require

_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/run/munge.socket
CryptoType=crypto/munge
SlurmctldPort={port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd-%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0
MpiDefault=none
ReturnToService=2
SwitchType=switch/none
InactiveLimit=0
KillWait={kill_wait_s}
MinJobAge=300
SlurmctldTimeout=30
SlurmdTimeout=30
Waittime=0
GresTypes=gpu
SlurmdParameters=config_overrides
{nodes}
PartitionName=gpu Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""
_NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cores} Boards=1 SocketsPerBoard=1 "
    "CoresPerSocket={cores} ThreadsPerCore=1 RealMemory=16000 Gres=gpu:{gpus} State=UNKNOWN"
)
_START_S = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """A job as listed by squeue."""

    job_id: str
    state: str
    name: str
    node: str


@dataclass
class Slurm:
    """A running Slurm."""

    folder: Path
    nodes: tuple[str, ...]
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def run(self, *command: str) -> str:
        """Run a Slurm command; return its output."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def jobs(self) -> list[Job]:
        """Return jobs that are pending, running, or about to end, oldest first."""
        lines = self.run("squeue", "--noheader", "--sort=i", "--format=%i|%T|%j|%N").splitlines()
        return [Job(*line.split("|")) for line in lines]

    def running(self) -> list[Job]:
        """Return running jobs."""
        return [job for job in self.jobs() if job.state == "RUNNING"]

    def cancel(self, job_id: str) -> None:
        """Cancel a job as a user does with scancel."""
        self.run("scancel", job_id)

    def drain(self, node: str) -> None:
        """Drain a node: its jobs may end, and nothing new starts there."""
        self.run("scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=test")

    def fail(self, node: str) -> None:
        """Take a node down with all its jobs."""
        self.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")

    def resume(self, node: str) -> None:
        """Return a node to service."""
        # a node that has recovered by itself refuses the command
        _said("scontrol", "update", f"NodeName={node}", "State=RESUME")
        self.wait_for(lambda s: s.run("sinfo", "-h", "-n", node, "-o", "%t").strip() in ("idle", "mix", "alloc"))

    def stop_controller(self) -> None:
        """Stop the controller, which saves its state; jobs continue."""
        process = self._processes.pop("slurmctld")
        process.terminate()
        process.wait()

    def start_controller(self, *options: str) -> None:
        """Start the controller with its saved state."""
        self._start("slurmctld", ["slurmctld", "-D", *options])
        _wait(lambda: "is UP" in _said("scontrol", "ping"), "slurmctld answers", self._logs)
        for name, process in self._processes.items():
            if name.startswith("slurmd-"):
                process.send_signal(signal.SIGHUP)  # registers immediately, not at the next ping

    def restart_controller(self) -> None:
        """Restart the controller."""
        self.stop_controller()
        self.start_controller()
        self.wait_for(lambda s: "unk" not in s.run("sinfo", "-h", "-o", "%t"))

    def wait_for(self, what: Callable[[Slurm], bool], timeout_s: float = 300.0) -> None:
        """Wait until a condition holds."""
        _wait(lambda: what(self), "what the test waits for", lambda: f"{self.jobs()}\n{self._logs()}", timeout_s)

    def _start(self, name: str, command: list[str]) -> None:
        with (self.folder / "log" / f"{name}.out").open("ab") as log:
            # a separate session, so that signals to the tests do not reach it
            self._processes[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _logs(self) -> str:
        return "\n".join(f"{p.name}: {p.read_text()[-1000:]}" for p in sorted((self.folder / "log").glob("*.log")))

    def _open(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        run = self.folder / "run"
        munge = {"key-file": key, "socket": run / "munge.socket", "pid-file": run / "munged.pid"}
        munge |= {"log-file": self.folder / "log" / "munged.log", "seed-file": run / "munged.seed"}
        options = [f"--{name}={value}" for name, value in munge.items()]
        self._start("munged", ["munged", "--foreground", "--force", "--num-threads=2", *options])
        _wait((run / "munge.socket").exists, "munged listens", self._logs)
        self.start_controller("-c")
        for node in self.nodes:
            self._start(f"slurmd-{node}", ["slurmd", "-D", "-N", node])
        _wait(lambda: _said("sinfo", "-h", "-o", "%T %D").split() == ["idle", str(len(self.nodes))], "idle", self._logs)

    def _close(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            _said("scancel", "--user=root")
        for process in _of_jobs(os.environ["SLURM_CONF"]):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for started in reversed(self._processes.values()):
            started.send_signal(signal.SIGKILL)
            started.wait()


@contextlib.contextmanager
def slurm(
    folder: Path, *, nodes: int = 3, gpus_per_node: int = 1, cores_per_node: int = 4, kill_wait_s: int = 5
) -> Iterator[Slurm]:
    """Start a Slurm in an empty folder, and stop it with all its jobs.

    Within the block, `SLURM_CONF` selects it for this process and its children.
    """
    require(["sbatch", "munged", "slurmctld", "slurmd"], ["slurm-wlm", "munge"])
    names = tuple(f"node{number}" for number in range(1, nodes + 1))
    _write(folder, names, gpus_per_node, cores_per_node, kill_wait_s)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        started = Slurm(folder, names)
        try:
            started._open()
            yield started
        finally:
            started._close()


def _write(folder: Path, names: tuple[str, ...], gpus: int, cores: int, kill_wait_s: int) -> None:
    for name in ("run", "state", "spool", "log", "dev"):
        (folder / name).mkdir(parents=True)
    host = socket.gethostname().partition(".")[0]
    controller, *ports = _free_ports(1 + len(names))
    nodes = [
        _NODE.format(name=name, host=host, port=port, cores=cores, gpus=gpus)
        for name, port in zip(names, ports, strict=True)
    ]
    conf = _CONF.format(host=host, folder=folder, port=controller, kill_wait_s=kill_wait_s, nodes="\n".join(nodes))
    (folder / "slurm.conf").write_text(conf)
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    gres = []
    for name in names:
        for number in range(gpus):
            device = folder / "dev" / f"{name}-gpu{number}"
            os.mknod(device, 0o600 | 0o020000, os.makedev(1, 3))  # a second /dev/null
            gres.append(f"NodeName={name} Name=gpu File={device}\n")
    (folder / "gres.conf").write_text("".join(gres))


def _free_ports(n: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(contextlib.closing(socket.create_server(("127.0.0.1", 0)))) for _ in range(n)]
        return [each.getsockname()[1] for each in taken]


def _of_jobs(conf: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            environment = process.environ()
            ours = environment.get("SLURM_CONF") == conf
            if ours and ("SLURM_JOB_ID" in environment or process.name().startswith("slurmstepd")):
                yield process


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False).stdout


def _wait(what: Callable[[], bool], name: str, tell: Callable[[], str], timeout_s: float = _START_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline, f"{name}: not within {timeout_s:g} s\n{tell()}"
        time.sleep(0.05)

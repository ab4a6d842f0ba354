"""A Slurm of one node for tests: its own munge, controller and node daemon in one folder."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel")
SEARCH = f"/usr/sbin:/usr/bin:{os.environ['PATH']}"

CONFIG = """
ClusterName=edgeflow
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
KillWait=2
ReturnToService=2
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=8000 State=UNKNOWN
PartitionName=train Nodes=ALL Default=YES MaxTime=60 State=UP
"""


def missing() -> list[str]:
    """Return the programs that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name, path=SEARCH) is None]


@dataclass
class Slurm:
    """The running daemons, and what a client must have in its environment."""

    folder: Path
    daemons: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.folder}/bin:{Path(sys.executable).parent}:{SEARCH}"
        return {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": path}

    def run(self, *command: str) -> str:
        result = subprocess.run(
            command,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        return result.stdout

    def jobs(self) -> dict[str, str]:
        """Return the state of every job that Slurm knows, by its id."""
        lines = self.run("squeue", "--states=all", "--noheader", "--format=%i %T").splitlines()
        return dict(line.split() for line in lines)

    def running(self) -> str:
        """Wait for a running job and return its id."""

        def find() -> str:
            return next((job for job, state in self.jobs().items() if state == "RUNNING"), "")

        return wait_for(find, "a running job")

    def forget_jobs(self) -> None:
        """Let the controller lose its state."""
        self.stop("slurmctld")
        self.start("slurmctld", "-D", "-c")
        wait_for(lambda: "idle" in self.run("sinfo", "--noheader", "--format=%T"), "the node")

    def start(self, name: str, *arguments: str) -> None:
        program = shutil.which(name, path=SEARCH)
        assert program is not None
        with (self.folder / f"{name}.log").open("ab") as log:
            self.daemons[name] = subprocess.Popen(
                [program, *arguments],
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self, name: str) -> None:
        daemon = self.daemons.pop(name)
        daemon.terminate()
        try:
            daemon.wait(timeout=10)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def wait_for(find: Callable[[], T], what: str, seconds: float = 300) -> T:
    """Return what `find` finds, once it does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = find()
        except subprocess.SubprocessError:  # the daemon is not up yet
            found = None
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"no sign of {what} after {seconds} s")


def _free_ports() -> tuple[int, int]:
    with (
        socket.create_server(("127.0.0.1", 0)) as first,
        socket.create_server(("127.0.0.1", 0)) as second,
    ):
        return first.getsockname()[1], second.getsockname()[1]


def _configure(folder: Path) -> None:
    for name in ("munge", "state", "spool"):
        (folder / name).mkdir(mode=0o755)
    key = folder / "munge" / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    controller_port, node_port = _free_ports()
    text = CONFIG.format(
        folder=folder,
        host=socket.gethostname().partition(".")[0],
        controller_port=controller_port,
        node_port=node_port,
        cpus=os.cpu_count(),
    )
    (folder / "slurm.conf").write_text(text)
    # Snakemake drops SLURM_CONF on the way into the job, where it calls srun.
    srun = folder / "bin" / "srun"
    srun.parent.mkdir()
    program = shutil.which("srun", path=SEARCH)
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {program} "$@"\n')
    srun.chmod(0o755)


@contextmanager
def started(folder: Path) -> Iterator[Slurm]:
    """Run a Slurm in an empty folder."""
    _configure(folder)
    slurm, munge = Slurm(folder), folder / "munge"
    files = {"key": "key-file", "socket": "socket", "pid": "pid-file", "seed": "seed-file"}
    options = [f"--{option}={munge / name}" for name, option in files.items()]
    try:
        # Forced: it distrusts folders below /tmp, which others may write to.
        slurm.start("munged", "--foreground", "--force", "--num-threads=2", *options)
        wait_for((munge / "socket").exists, "munge")
        slurm.start("slurmctld", "-D", "-c")
        slurm.start("slurmd", "-D")
        wait_for(lambda: "idle" in slurm.run("sinfo", "--noheader", "--format=%T"), "the node")
        yield slurm
    finally:
        for name in reversed(list(slurm.daemons)):
            slurm.stop(name)

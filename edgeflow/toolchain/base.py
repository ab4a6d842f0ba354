"""A target's toolchain, as data: what it is, not where."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Identity = dict[str, str]
"""By name of a program or lock, its version or digest; empty for edgeflow's own environment."""
Host = Mapping[str, Any] | None
"""A compile host's section of the configuration and its ``name``; None for this machine."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """A program that a worker calls, found on the PATH of the machine where the worker runs.

    Attributes:
        name: of the program.
        install: what to do where it is missing.
        version: arguments with which it says its version. All that it prints then is its
            identity, so it must print the same each time.
        machine: kind of machine of which alone it does so, as it reads what only those have.
    """

    name: str
    install: str
    version: tuple[str, ...] = ("--version",)
    machine: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """A Python environment of its own, built once and cached.

    Attributes:
        lock: requirements with hashes, as `uv pip compile --generate-hashes` writes them.
        python: version of Python that the lock was made for, such as ``3.9``.
    """

    lock: Path
    python: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Toolchain:
    """What compiles for a target; by default edgeflow's own environment, in the step itself.

    Attributes:
        worker: dotted module with a function `work(job, folder)`, which does the work in a process
            of its own (`edgeflow.worker`). In another environment and on a compile host it is
            copied there without the packages around it, and edgeflow is not installed.
        environment: where the worker runs; by default in edgeflow's own. A worker on a compile host
            runs with that host's `python`.
        host_environment: where the host runs the engine for the reference outputs; by default in
            edgeflow's own. The engine needs numpy there.
        programs: what the worker calls.
        threads: cores that a compilation takes.
        mem_mb: memory that it takes, in MB.
        runtime_min: longest time it may take, in minutes. Where it is given, and no compile host
            does the work, the compilation is a job for the cluster, as a training is.
        locks: what one compilation at a time may hold, such as a licence.
    """

    worker: str | None = None
    environment: Environment | None = None
    host_environment: Environment | None = None
    programs: tuple[Program, ...] = ()
    threads: int = 1
    mem_mb: int = 4000
    runtime_min: int | None = None
    locks: tuple[str, ...] = ()

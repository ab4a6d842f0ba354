"""Which toolchain each target compiles with, and whether it is there."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeflow.errors import EdgeflowError

if TYPE_CHECKING:
    from edgeflow.plan import Plan
    from edgeflow.toolchain.base import Host, Identity, Toolchain


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A target's toolchain: what it is called, what it is, or why it cannot be used.

    Attributes:
        target: name in the configuration.
        title: what compiles, and where.
        identity: versions and digests; empty where nobody asked.
        error: why it is missing.
    """

    target: str
    title: str
    identity: "Identity"
    error: EdgeflowError | None = None

    def line(self) -> str:
        """Return it for people, with the first line of each version."""
        said = ", ".join(text.partition("\n")[0] for text in self.identity.values())
        return f"target {self.target}: {self.title}" + (f" ({said})" if said else "")

    def record(self) -> dict[str, object]:
        """Return it for programs."""
        return {"toolchain": self.title, "versions": self.identity}


def toolchains(plan: "Plan", *, over_ssh: bool) -> Iterator[Found]:
    """Yield the toolchains of all targets; those on compile hosts are asked only `over_ssh`."""
    from edgeflow.plan import targets

    for target in plan.config.targets:
        toolchain, host = targets.toolchain(plan, target), targets.compile_host(plan, target)
        title = _title(toolchain, host)
        try:
            identity = look(toolchain, host) if over_ssh or host is None else {}
        except EdgeflowError as error:
            yield Found(target=target, title=title, identity={}, error=error)
        else:
            yield Found(target=target, title=title, identity=identity)


def failures(found: Iterable[Found]) -> dict[str, EdgeflowError]:
    """Return why toolchains cannot be used, by what messages call the target."""
    return {f"target {each.target}": each.error for each in found if each.error}


def _title(toolchain: "Toolchain", host: "Host") -> str:
    names = ", ".join(program.name for program in toolchain.programs) or "its worker"
    if host is not None:
        return f"{names} on compile host {host['name']}"
    if toolchain.environment is not None:
        return f"Python {toolchain.environment.python} with {toolchain.environment.lock.name}"
    return f"{names} on PATH" if toolchain.programs else "edgeflow's own environment"


def look(toolchain: "Toolchain", host: "Host") -> "Identity":
    """Return what a toolchain is.

    Raises:
        EdgeflowError: it, or its host, is missing.
    """
    from edgeflow.targets.identity import identify
    from edgeflow.toolchain.environment import find_python

    own = None if host else toolchain.environment
    for environment in filter(None, (own, toolchain.host_environment)):
        find_python(environment.python)
    return identify(toolchain, host)

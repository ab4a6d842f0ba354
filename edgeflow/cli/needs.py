"""What a target needs on this machine: what is there, what is missing, and how to get it.

Nothing is built and nothing heavy imported: programs are asked for their version, packages looked
up, and environments looked for in the cache.
"""

import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgeflow.errors import EdgeflowError
from edgeflow.text import excerpt

if TYPE_CHECKING:
    from pydantic import BaseModel

    from edgeflow.targets.base import Target
    from edgeflow.toolchain.base import Environment, Program

Sort = Literal["package", "program", "python", "environment", "other"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """Something that a kind of target needs.

    Attributes:
        what: its name.
        sort: what it is: a package of edgeflow's Python, a program on PATH, another Python, an
            environment that edgeflow builds by itself, or something else.
        found: its version or state; None where it is missing.
        install: what to do to get it.
        choices: options that need it, as ``kernels: cmsis-nn``; empty where all do.
    """

    what: str
    sort: Sort
    found: str | None
    install: str
    choices: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The need, with what is found of it, in a few words."""
        if self.sort == "environment":
            return f"{Path(self.what).name} ({self.found or 'missing'})"
        return self.what if self.sort == "python" else f"{self.what} {self.found or ''}".rstrip()

    def record(self) -> dict[str, Any]:
        """Return it for programs."""
        return asdict(self)


def needs_with(target: "type[Target]", options: "BaseModel") -> Iterator[Need]:
    """Yield what a target needs with its options."""
    from edgeflow.config.target import toolchain_of

    toolchain, host = toolchain_of(target, options), getattr(options, "compile_host", None)
    missing = target.check(options)
    for item in missing:
        yield Need(what=item.what, sort="other", found=None, install=item.install)
    said = {item.what for item in missing}
    packages = map(_package, dict.fromkeys(target.runtime(options).reference_tools))
    yield from (need for need in packages if need.what not in said)
    for program in toolchain.programs:
        yield _on_host(program, host) if host else _program(program, _elsewhere(options))
    for environment in (None if host else toolchain.environment, toolchain.host_environment):
        yield from _environment(environment) if environment else ()


def _elsewhere(options: "BaseModel") -> str:
    """Return that a compile host may have a program, where the options go with one."""
    from pydantic import ValidationError

    if "compile_host" not in type(options).model_fields:
        return ""
    try:
        type(options).model_validate({**options.model_dump(), "compile_host": "elsewhere"})
    except ValidationError:
        return ""
    return ", or name a `compile_host` that has it"


def _package(name: str) -> Need:
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        found = None
    return Need(what=name, sort="package", found=found, install=f"run `pip install {name}`")


def _on_host(program: "Program", host: str) -> Need:
    found = f"on compile host {host}"
    what = program.machine or program.name
    return Need(what=what, sort="program", found=found, install=program.install)


@cache
def _program(program: "Program", elsewhere: str) -> Need:
    """Return a program on PATH; one that does not say its version is missing, with the reason."""
    from edgeflow.targets.identity import identify
    from edgeflow.toolchain.base import Toolchain

    what, install = program.machine or program.name, program.install
    try:
        said = identify(Toolchain(programs=(program,)), None)[program.name]
    except EdgeflowError as error:
        if program.machine:
            install = f"this machine is none: {install}"
            return Need(what=what, sort="other", found=None, install=install)
        if shutil.which(program.name):  # it is there, and of no use
            install = f"{error.message}: {install}"
        return Need(what=what, sort="program", found=None, install=install + elsewhere)
    version = _VERSION.search(said)
    found = version[0] if version else excerpt(said, 40)
    return Need(what=what, sort="program", found=found, install=install)


def _environment(environment: "Environment") -> Iterator[Need]:
    """Yield a Python of a version, and an environment with it that is built when it is needed."""
    from edgeflow.toolchain.environment import is_built

    lock = environment.lock
    yield _python(environment.python)
    if not lock.is_file():
        again = "reinstall the package that provides the target"
        yield Need(what=str(lock), sort="environment", found=None, install=again)
        return
    found = "built" if is_built(environment) else "not built yet"
    first = "the first compilation builds it"
    yield Need(what=str(lock), sort="environment", found=found, install=first)


@cache
def _python(version: str) -> Need:
    from edgeflow.toolchain.environment import find_python

    what = f"Python {version}"
    try:
        path = str(find_python(version))
    except EdgeflowError as error:
        return Need(what=what, sort="python", found=None, install=error.hint)
    return Need(what=what, sort="python", found=path, install=f"run `uv python install {version}`")


_VERSION = re.compile(r"\d+(\.\d+)+[\w.+~-]*")

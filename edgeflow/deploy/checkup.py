"""How devices are, what they lack, and the command that fixes it."""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from edgeflow.deploy.facts import Facts
from edgeflow.errors import DeployError, EdgeflowError, MissingToolError
from edgeflow.ondevice import checkup
from edgeflow.remote.answer import Answer, Count, Words, parse
from edgeflow.remote.inventory import Endpoint
from edgeflow.remote.session import INTERPRETER, Session
from edgeflow.text import tail

PROGRAM = inspect.getsource(checkup)
MEBIBYTE = 1 << 20
LOW_DISK_BYTES = 256 * MEBIBYTE
LOW_INODES = 1000
LOW_MEMORY_BYTES = 64 * MEBIBYTE
SET_UNIX_S = 1_704_067_200.0
"""2024-01-01: a clock before that was never set."""
CLOCK_OFF_S = 300.0
HOT_C = 80.0
THROTTLING = {
    0: "the supply voltage is too low",
    1: "the clock is held down",
    2: "it is throttled",
    3: "it is at its soft temperature limit",
}
"""Bits of a Raspberry Pi's firmware that tell of now."""
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)

State = Literal["ok", "warning", "missing", "fault"]


class Checkup(Answer):
    """What `edgeflow.ondevice.checkup` prints."""

    free_bytes: Count
    free_inodes: Count | None
    writable: bool
    memory_bytes: Count | None
    available_bytes: Count | None
    provisioned: bool
    unix_s: Annotated[float, Field(ge=-1e12, le=1e12)]
    governor: Words | None
    temperature_c: Annotated[float, Field(ge=-273.15, le=1000)] | None
    throttled: Count | None
    trust: dict[Words, Annotated[str, Field(max_length=1 << 20)] | None]
    ssh_keygen: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing about a device, and the command that fixes it where it is not in order.

    Attributes:
        state: deployments go on in spite of a warning; what is missing or a fault ends them, or
            has ended what was deployed.
        kind: class of the failure that something missing or a fault is.
    """

    what: str
    state: State
    detail: str
    fix: str = ""
    kind: type[EdgeflowError] = DeployError

    @property
    def exit_code(self) -> int:
        """What a command ends with that finds this."""
        return self.kind.exit_code if self.state in ("missing", "fault") else 0

    def to_json(self) -> dict[str, str | int]:
        """Return it for programs."""
        return {
            "what": self.what,
            "state": self.state,
            "detail": self.detail,
            "fix": self.fix,
            "exit_code": self.exit_code,
        }


def checkup_over(session: Session) -> Checkup:
    """Return how the device at the other end is.

    Raises:
        DeployError: its Python cannot say.
    """
    where = session.endpoint
    done = session.run([INTERPRETER, "-c", PROGRAM, where.path], where.run_timeout_s)
    if done.exit_code != 0:
        raise DeployError(
            f"{where.title} cannot say how it is: {tail(done.stderr)}",
            hint=f"look at it: {where.shell_command('df -h')}",
        )
    return parse(Checkup, done.stdout, device=where.title, program="Python")


def checks(
    where: Endpoint, facts: Facts, found: Checkup, lock: Path | None, now_unix_s: float
) -> Iterator[Check]:
    """Yield what is in order and what is not.

    Args:
        where: the device.
        facts: what it is.
        found: how it is.
        lock: packages that its target is tested with, if edgeflow has a lock of them.
        now_unix_s: time of this machine.
    """
    detail = f"{facts.cpu}, {facts.machine}, Python {facts.python}"
    yield Check(what="machine", state="ok", detail=detail)
    yield from _packages(where, facts, lock)
    yield from _storage(where, found)
    yield from _clock(where, found, now_unix_s)
    yield from _load(where, found)


def _packages(where: Endpoint, facts: Facts, lock: Path | None) -> Iterator[Check]:
    """Compare what is installed with a lock; a Python too old to say leaves it out."""
    if lock is None or facts.python.startswith("3.7."):
        return
    wanted = pinned(lock.read_text())
    fix = f"edgeflow device provision {where.name}"
    for name in (name for name in wanted if name in facts.packages or name in _ENGINES):
        have, versions = facts.packages.get(name), wanted[name]
        if have is None:
            detail = f"{lock.name} has it"
            kind = MissingToolError
            yield Check(what=name, state="missing", detail=detail, fix=fix, kind=kind)
        elif have not in versions:
            detail = f"{have}; {lock.name} has {' or '.join(versions)}"
            yield Check(what=name, state="warning", detail=detail, fix=fix)
        else:
            yield Check(what=name, state="ok", detail=have)


_ENGINES = frozenset({"numpy", "ai-edge-litert", "tflite-runtime", "openvino", "onnxruntime"})


def pinned(lock: str) -> dict[str, list[str]]:
    """Return the versions that a lock has of each package: one for some Pythons, one for others."""
    found: dict[str, list[str]] = {}
    for name, version in _PIN.findall(lock):
        found.setdefault(name.lower(), []).append(version)
    return found


def _storage(where: Endpoint, found: Checkup) -> Iterator[Check]:
    fix = f"edgeflow device gc {where.name}"
    low = found.free_bytes < LOW_DISK_BYTES
    detail = f"{found.free_bytes // MEBIBYTE} MiB free"
    yield Check(
        what="disk", state="warning" if low else "ok", detail=detail, fix=fix if low else ""
    )
    if not found.writable:
        fix = f"set `path` of {where.title} to a folder that {where.user} may write to"
        yield Check(what="folder", state="fault", detail=f"{where.path}: read-only", fix=fix)
    if found.free_inodes is not None and found.free_inodes < LOW_INODES:
        detail = f"{found.free_inodes} free"
        yield Check(what="inodes", state="warning", detail=detail, fix=fix)


def _clock(where: Endpoint, found: Checkup, now_unix_s: float) -> Iterator[Check]:
    """Nothing is decided by a device's clock; but people read its times."""
    off_s = found.unix_s - now_unix_s
    if found.unix_s >= SET_UNIX_S and abs(off_s) <= CLOCK_OFF_S:
        yield Check(what="clock", state="ok", detail=f"{off_s:+.0f} s from this machine's")
        return
    detail = "it was never set" if found.unix_s < SET_UNIX_S else f"{off_s:+.0f} s off"
    fix = where.shell_command("sudo timedatectl set-ntp true")
    yield Check(what="clock", state="warning", detail=f"{detail}; times in logs are wrong", fix=fix)


def _load(where: Endpoint, found: Checkup) -> Iterator[Check]:
    """Yield what makes latencies differ, or runs fail."""
    if found.available_bytes is not None:
        low = found.available_bytes < LOW_MEMORY_BYTES
        detail = f"{found.available_bytes // MEBIBYTE} MiB available"
        fix = where.shell_command("top -b -n 1 -o %MEM") if low else ""
        yield Check(what="memory", state="warning" if low else "ok", detail=detail, fix=fix)
    if found.governor is not None:
        steady = found.governor == "performance"
        detail = found.governor if steady else f"{found.governor}: latencies vary with its clock"
        fix = "" if steady else where.shell_command("sudo cpupower frequency-set -g performance")
        yield Check(what="governor", state="ok" if steady else "warning", detail=detail, fix=fix)
    if found.temperature_c is not None:
        hot = found.temperature_c >= HOT_C
        detail, fix = f"{found.temperature_c:.0f} °C", "cool it" if hot else ""
        yield Check(what="temperature", state="warning" if hot else "ok", detail=detail, fix=fix)
    flags = found.throttled or 0
    for text in (text for bit, text in THROTTLING.items() if flags >> bit & 1):
        yield Check(what="throttling", state="warning", detail=text, fix="check supply and cooling")


def trust_check(where: Endpoint, found: Checkup, wanted: Mapping[str, bytes]) -> Iterator[Check]:
    """Compare whose bundles a device takes with what the configuration says."""
    have = found.trust.get("allowed_signers")
    fix = f"edgeflow device provision {where.name}"
    for name, content in wanted.items():
        same = (found.trust.get(name) or "").strip() == content.decode().strip()
        there = name in found.trust and found.trust[name] is not None
        detail = "that of the configuration" if same else "not that of the configuration"
        detail = detail if there else "it has none"
        state: State = "ok" if same else "warning" if there else "missing"
        yield Check(what=name, state=state, detail=detail, fix="" if same else fix)
    if not wanted:
        detail = "it takes unsigned bundles" if have is None else "it takes signed bundles alone"
        yield Check(what="signatures", state="ok", detail=detail)

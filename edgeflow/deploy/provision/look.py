"""The device half of provisioning, as it is called from here."""

import inspect
from typing import Annotated

from pydantic import Field

from edgeflow.deploy.provision.wheels import Machine
from edgeflow.errors import DeployError
from edgeflow.ondevice import provision
from edgeflow.remote.answer import A, Answer, Sha256, Words, parse
from edgeflow.remote.session import INTERPRETER, Session
from edgeflow.text import tail

PROGRAM = inspect.getsource(provision)
_Line = Annotated[str, Field(max_length=100_000)]
_AbsolutePath = Annotated[str, Field(max_length=4096, pattern=r"^/[^\x00]*$")]


class Found(Answer):
    """What a device is, and what of it is provisioned; `edgeflow.ondevice.provision` is the source.

    Attributes:
        root: the folder that edgeflow owns there, absolute.
        base_python: the interpreter below any environment.
        environment: name of the current environment.
        programs: SHA-256 of each file in ``bin/``, by name.
        trust: the same of ``trust/``.
        authorized: lines of the account's ``authorized_keys``; None where it cannot be read.
        boot: what starts an account's programs at boot.
        is_root: whether the account is root.
        units: text of each unit of edgeflow's, by name, without its last line's end.
        crontab: lines of the account's table; None where it cannot be read.
        recovers_by: name of the agent that does.
    """

    root: _AbsolutePath
    python: Annotated[str, Field(pattern=r"^3\.[0-9]{1,3}\.[0-9a-z+]{1,20}$")]
    base_python: _AbsolutePath
    machine: Words
    bits: int
    libc: Words
    environment: Sha256 | None
    programs: dict[Words, Sha256]
    trust: dict[Words, Sha256]
    authorized: list[_Line] | None
    boot: Words | None
    is_root: bool
    units: dict[Words, _Line]
    crontab: list[_Line] | None
    recovers_by: Words

    def machine_of(self, title: str) -> Machine:
        """Return what decides which wheels fit."""
        minor = self.python.rpartition(".")[0]
        return Machine(
            title=title, machine=self.machine, bits=self.bits, libc=self.libc, python=minor
        )


class Done(Answer):
    """What a verb did; `failed` is why it did not."""

    failed: Annotated[str, Field(max_length=4000)] = ""
    used: bool = False


def call(session: Session, kind: type[A], verb: str, *arguments: str) -> A:
    """Run a verb of the device's half.

    Raises:
        DeployError: it fails.
    """
    where = session.endpoint
    program = [INTERPRETER, "-I", "-c", PROGRAM, verb, *arguments]
    done = session.run(program, where.run_timeout_s)
    if done.exit_code != 0:
        raise DeployError(
            f"{where.title} cannot be provisioned (`{verb}`): {tail(done.stderr)}",
            hint=f"look at it: {where.shell_command('df -h')}",
        )
    return parse(kind, done.stdout, device=where.title, program="Python")

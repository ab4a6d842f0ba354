"""Why a device cannot be used, and what a person does about it."""

import errno
import os
import secrets
from typing import TYPE_CHECKING, NoReturn

from edgeflow.errors import DeployError, EdgeflowError, MissingToolError, UnreachableError
from edgeflow.ondevice import guard
from edgeflow.remote.channel import Program, RefusedError
from edgeflow.remote.inventory import Account, Endpoint
from edgeflow.text import clean, excerpt, tail

if TYPE_CHECKING:
    from collections.abc import Callable

    from paramiko import Channel, ChannelException

_PROHIBITED = 1  # SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, RFC 4254
_ECHO_MAX_BYTES = 1 << 20


def no_login(account: Account, error: Exception) -> NoReturn:
    """Raise why no connection could be opened.

    Raises:
        DeployError: the host key is not the pinned one, or the login is refused.
        UnreachableError: nothing answers in time.
    """
    from paramiko import AuthenticationException, BadHostKeyException

    where = f"{account.title} ({account.host}:{account.port})"
    if isinstance(error, BadHostKeyException):
        raise DeployError(
            f"{where} has another host key than the pinned one; nothing was sent\n"
            f"  pinned:  {error.expected_key.fingerprint}\n"
            f"  offered: {error.key.fingerprint}",
            hint="if the device was set up anew, compare the offered one with what it says "
            "itself (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`), then change host_key",
        ) from error
    if isinstance(error, AuthenticationException) and "timeout" not in str(error).lower():
        raise DeployError(
            f"{where} refuses to log in {account.user} with {account.identity}: "
            f"{excerpt(str(error))}",
            hint=f"ssh-copy-id {account.ssh_options()} {account.user}@{account.host}",
        ) from error
    raise UnreachableError(
        f"{where} does not answer: {_reason(error, account.timeout_s)}",
        hint=f"is it on, and on this network? try: {account.shell_command()}",
    ) from error


def _reason(error: Exception, timeout_s: float) -> str:
    from paramiko.ssh_exception import NoValidConnectionsError

    if isinstance(error, NoValidConnectionsError):
        return "; ".join(str(cause) for cause in error.errors.values())
    if isinstance(error, TimeoutError):
        return f"no connection within {timeout_s:g} s"
    if "banner" in str(error):
        return f"it accepts the connection, but no SSH server speaks within {timeout_s:g} s"
    return excerpt(str(error)) or "it closed the connection"


def no_forwarding(account: Account, error: "ChannelException") -> EdgeflowError:
    """Return why the jump host does not open the way to a device."""
    jump = account.proxy_jump
    assert jump is not None  # noqa: S101 # nothing else forwards
    where = f"{account.host}:{account.port}"
    if error.code == _PROHIBITED:
        return DeployError(
            f"{jump.title} forwards nothing to {where}: {excerpt(error.text)}",
            hint="does AllowTcpForwarding, PermitOpen or `restrict` forbid it there? try: "
            + account.shell_command(),
        )
    return UnreachableError(
        f"{jump.title} does not reach {account.title} ({where}): {excerpt(error.text)}",
        hint=f"is it on, and on that network? try: {account.shell_command()}",
    )


def no_session(account: Account, error: "ChannelException") -> DeployError:
    """Return the failure of a server that lets nobody run programs."""
    return DeployError(
        f"{account.title} lets {account.user} log in, but run no program: {excerpt(error.text)}",
        hint="does MaxSessions in its sshd_config, or a Match block there, forbid sessions? try: "
        + account.shell_command(),
    )


def not_started(
    endpoint: Endpoint, program: Program, open_channel: "Callable[[], Channel]"
) -> EdgeflowError:
    """Return why no Python runs: the device has none, or its login gets in the way.

    Args:
        endpoint: the device.
        program: what was started, and has ended.
        open_channel: opens one more, to see whether the shell runs anything at all.
    """
    code, said = program.exit_code(), tail(program.noise)
    program.close()
    if code == guard.EX_NOPERM and "edgeflow's guard" in said:
        return DeployError(
            f"{endpoint.title} lets this key run nothing but the edgeflow that provisioned it: "
            f"{said}",
            hint=f"provision it anew with a key that may do anything: edgeflow device provision "
            f"{endpoint.argument} --admin-identity KEY",
        )
    if "nknown option" in said:
        return too_old(endpoint, "older than 3.4")
    if _echoes(open_channel()):
        return MissingToolError(
            f"{endpoint.title} cannot run {endpoint.python} (exit code {code}): {said}",
            hint=f"install Python 3.7 or newer there, or set `python` of {endpoint.title}",
        )
    return DeployError(
        f"{endpoint.title} lets {endpoint.user} log in, but ends before any program starts (exit "
        f"code {code}): {said or 'it says nothing'}",
        hint="a login script there exits (~/.bashrc, ~/.profile), or the account may only run a "
        f"command of its own; this must print hello: {endpoint.shell_command('echo hello')}",
    )


def _echoes(channel: "Channel") -> bool:
    mark = secrets.token_hex(16)
    channel.exec_command(f"echo {mark}")
    heard = b""
    while len(heard) < _ECHO_MAX_BYTES and (block := channel.recv(65536)):
        heard += block
    channel.close()
    return mark.encode() in heard


def too_old(endpoint: Endpoint, version: str) -> MissingToolError:
    """Return the failure of a Python that is too old."""
    return MissingToolError(
        f"{endpoint.python} on {endpoint.title} is Python {version}; 3.7 is the oldest that works",
        hint=f"install a newer one there and set `python` of {endpoint.title} to it",
    )


def killed(endpoint: Endpoint, doing: str) -> DeployError:
    """Return the failure of a program that ended without a word, on a connection that holds."""
    return DeployError(
        f"something on {endpoint.title} ended the program while {doing}",
        hint="is its memory full? look for the kernel's reason: " + endpoint.shell_command("dmesg"),
    )


def refused(endpoint: Endpoint, doing: str, error: RefusedError) -> DeployError:
    """Return the failure of a file that the device does not take or give."""
    look = endpoint.shell_command("df -h")
    hint = unwritable(endpoint, str(error)) or f"look at the device: {look}"
    if error.code in {"ENOSPC", "EDQUOT"}:
        hint = f"make room: {look}"
    elif error.code == "EAGAIN":
        hint = "another run sends the same file; wait for it, then run again"
    return DeployError(f"{endpoint.title} fails when {doing}: {clean(str(error))}", hint=hint)


def unwritable(endpoint: Endpoint, reason: str) -> str | None:
    """Return what to do where a device cannot write, by the reason it gives; else None."""
    if os.strerror(errno.EROFS) in reason:
        return (
            "the disk is mounted read-only, or became so after an error; mount it again, or set "
            f"`path` of {endpoint.title} to a folder on another one: "
            + endpoint.shell_command("mount")
        )
    if any(os.strerror(code) in reason for code in (errno.EACCES, errno.EPERM)):
        return f"set `path` of {endpoint.title} to a folder that {endpoint.user} may write to"
    return None

"""Runs a client's command in a virtual device, with the device's own environment."""

import asyncio
import contextlib
import os
import signal
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.remote.virtual.layout import USER, DeviceFolder

if TYPE_CHECKING:
    import asyncssh

    Process = asyncssh.SSHServerProcess[bytes]

_BLOCK_BYTES = 64 << 10


def _environment(folder: DeviceFolder) -> dict[str, str]:
    return {
        "HOME": str(folder.root),
        "LANG": "C.UTF-8",
        "LOGNAME": USER,
        "PATH": f"{folder.python().parent}:/usr/local/bin:/usr/bin:/bin",
        "SHELL": "/bin/sh",
        "USER": USER,
    }


async def serve(folder: DeviceFolder, process: "Process") -> None:
    """Run the client's command to its end, or until the client goes away.

    What goes wrong here ends this command alone: asyncssh would end the whole connection, and with
    it what the client runs next.
    """
    try:
        await _serve(folder, process)
    except Exception as error:  # whatever it is, the log of the server has it
        traceback.print_exc()
        with contextlib.suppress(OSError):
            process.stderr.write(f"this device cannot run programs: {error}\n".encode())
        process.exit(1)


async def _serve(folder: DeviceFolder, process: "Process") -> None:
    behaviour = folder.behaviour()
    only = process.get_extra_info("only")
    command, environment = only or process.command, _environment(folder)
    if only:
        environment["SSH_ORIGINAL_COMMAND"] = process.command or ""
    if command is None:
        process.stderr.write(b"this device runs commands, it has no login shell\n")
        process.exit(1)
        return
    child = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        behaviour.login.encode() + b"\n" + os.fsencode(command),
        cwd=folder.root,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    run = asyncio.create_task(_attend(process, child))
    gone = asyncio.create_task(process.wait_closed())
    await asyncio.wait({run, gone}, return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    if behaviour.on_disconnect == "kill":
        _end_session(child.pid)
    await asyncio.wait({run})


def _end_session(pid: int) -> None:
    """Kill all that a login started, as systemd does where KillUserProcesses is set."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(int(entry.name)) == pid:
                os.kill(int(entry.name), signal.SIGKILL)


async def _attend(process: "Process", child: asyncio.subprocess.Process) -> None:
    """Pump input and output and report the exit status.

    asyncssh's own redirection loses the status now and then: the channel may close first.
    """
    feed = asyncio.create_task(_feed(process.stdin, child.stdin))
    async with asyncio.TaskGroup() as pumps:
        pumps.create_task(_pump(child.stdout, process.stdout))
        pumps.create_task(_pump(child.stderr, process.stderr))
    status = await child.wait()
    feed.cancel()
    if status < 0:
        process.exit_with_signal(signal.Signals(-status).name.removeprefix("SIG"))
    else:
        process.exit(status)


async def _feed(source: "asyncssh.SSHReader[bytes]", sink: asyncio.StreamWriter | None) -> None:
    """Pass the client's input on; its end, or the client's, closes the program's input."""
    import asyncssh

    if sink is None:
        return
    with contextlib.suppress(ConnectionError, asyncssh.Error):
        while block := await source.read(_BLOCK_BYTES):
            sink.write(block)
            await sink.drain()
    sink.close()


async def _pump(source: asyncio.StreamReader | None, sink: "asyncssh.SSHWriter[bytes]") -> None:
    """Pass the program's output on; without a client it goes nowhere."""
    import asyncssh

    while source and (block := await source.read(_BLOCK_BYTES)):
        with contextlib.suppress(OSError, asyncssh.Error):
            sink.write(block)
            await sink.drain()

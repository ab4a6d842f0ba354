"""Runs a client's command in a virtual device, with the device's own environment."""

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING

from edgeflow.testing.virtual_layout import USER, DeviceFolder

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
    """Run the client's command to its end, or until the client goes away."""
    if process.command is None:
        process.stderr.write(b"this device runs commands, it has no login shell\n")
        process.exit(1)
        return
    child = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        process.command,
        cwd=folder.root,
        env=_environment(folder),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    run = asyncio.create_task(_attend(process, child))
    gone = asyncio.create_task(process.wait_closed())
    try:
        await asyncio.wait({run, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        run.cancel()
        gone.cancel()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


async def _attend(process: "Process", child: asyncio.subprocess.Process) -> None:
    """Pump the output and report the exit status.

    asyncssh's own redirection loses the status now and then: the channel may close first.
    """
    async with asyncio.TaskGroup() as pumps:
        pumps.create_task(_pump(child.stdout, process.stdout))
        pumps.create_task(_pump(child.stderr, process.stderr))
    status = await child.wait()
    if status < 0:
        process.exit_with_signal(signal.Signals(-status).name.removeprefix("SIG"))
    else:
        process.exit(status)


async def _pump(source: asyncio.StreamReader | None, sink: "asyncssh.SSHWriter[bytes]") -> None:
    while source and (block := await source.read(_BLOCK_BYTES)):
        sink.write(block)
        await sink.drain()

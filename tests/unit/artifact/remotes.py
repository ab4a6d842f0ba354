"""Real servers on loopback that hold a remote store."""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncssh

S3_SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


SFTP_SERVER = """
import asyncio, sys
import asyncssh
root, host_key, authorized = sys.argv[1:]

class Folder(asyncssh.SFTPServer):
    def __init__(self, channel):
        super().__init__(channel, chroot=root.encode())

async def main():
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[host_key], authorized_client_keys=authorized,
        sftp_factory=Folder,
    )
    print(server.get_port(), flush=True)
    await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@contextlib.contextmanager
def served(program: str, *arguments: str) -> Iterator[int]:
    """Run a server in a process of its own; yield the port that it prints."""
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(120)


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """Run an S3 server; yield its URL."""
    with served(S3_SERVER) as port:
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def sftp_server(root: Path, home: Path, *, known: bool = True) -> Iterator[str]:
    """Serve a folder over SFTP; `home` gets the key to it, and its host key if `known`."""
    ssh = home / ".ssh"
    ssh.mkdir(parents=True)
    for name in ("host", "id_ed25519"):
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(str(ssh / name))
        key.write_public_key(str(ssh / f"{name}.pub"))
    with served(SFTP_SERVER, str(root), str(ssh / "host"), str(ssh / "id_ed25519.pub")) as port:
        if known:
            line = f"[127.0.0.1]:{port} {(ssh / 'host.pub').read_text()}"
            (ssh / "known_hosts").write_text(line)
        yield f"sftp://me@127.0.0.1:{port}/"


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """Take connections and never answer; yield the port."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield server.getsockname()[1]

"""Files on their way to a device near and far, and back, against OpenSSH's tools and rsync."""

import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.case import Case
from benchmarks.project import ROOT, alternating
from benchmarks.table import PAGE, replace_between, rows
from edgeflow.remote.inventory import Endpoint
from edgeflow.remote.session import Session
from edgeflow.testing.openssh import Sshd, has_server, serve

ROUND_TRIPS_MS = (0, 10, 100)
SIZE_BYTES, LARGE_BYTES = 20_000_000, 200_000_000
# As Debian has it: a program that the login shell starts, like those of edgeflow.
SFTP = "Subsystem sftp /usr/lib/openssh/sftp-server"


def transfers(repeats: int) -> list[Case]:
    """Measure a login and 20 MB to the device, and back, for each round trip."""
    if not (has_server() and shutil.which("scp")):
        print("transfers are skipped: they need OpenSSH's sshd and scp", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        (folder / "file").write_bytes(random.Random(7).randbytes(SIZE_BYTES))
        (folder / "board").mkdir()
        with serve(folder / "sshd", SFTP, home=folder / "board") as sshd:
            cases = [_cases(repeats, sshd, folder, ms) for ms in ROUND_TRIPS_MS]
    return [case for both in cases for case in both]


def throughput(repeats: int) -> list[Case]:
    """Measure a large file to the device by each tool in turns, and write a table of its own."""
    tools = ("sftp", "scp", "rsync")
    if not (has_server() and all(map(shutil.which, tools))):
        print(f"throughput is skipped: it needs sshd, {', '.join(tools)}", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        (folder / "file").write_bytes(random.Random(7).randbytes(LARGE_BYTES))
        (folder / "board").mkdir()
        with serve(folder / "sshd", SFTP, home=folder / "board") as sshd:
            way = Way(sshd=sshd, port=sshd.port, folder=folder)
            ways = {"": way.put, "sftp": way.sftp_to, "scp": way.scp_to, "rsync": way.rsync_to}
            taken: dict[str, list[float]] = {tool: [] for tool in ways}
            for _ in range(repeats):
                for tool, send in ways.items():
                    taken[tool].append(send())
    cases = [
        Case(
            name=f"{LARGE_BYTES // 10**6} MB to the device",
            what="a session, with its login",
            against=f"`{tool}`",
            target=1.0,
            seconds=taken[""],
            baseline=taken[tool],
        )
        for tool in tools
    ]
    replace_between(PAGE, rows(cases), "throughput")
    return cases


def _cases(repeats: int, sshd: Sshd, folder: Path, round_trip_ms: float) -> list[Case]:
    with _delayed(sshd.port, round_trip_ms) as port:
        way = Way(sshd=sshd, port=port, folder=folder)
        pairs = {
            "To the device": alternating(repeats, way.put, way.scp_to),
            "From the device": alternating(repeats, way.get, way.scp_from),
        }
    return [
        Case(
            name=f"{where}, {SIZE_BYTES // 10**6} MB, round trip of {round_trip_ms} ms",
            what="a session, with its login",
            against="`scp`",
            target=1.0,
            seconds=own,
            baseline=other,
        )
        for where, (own, other) in pairs.items()
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """A way to a server and back; each method returns the seconds that it took.

    Attributes:
        port: where the server is reached.
        folder: has `file`, to be sent; what comes back is written beside it.
    """

    sshd: Sshd
    port: int
    folder: Path

    def put(self) -> float:
        """Send the file by a session."""
        self._there.unlink(missing_ok=True)  # or nothing would be sent
        start = time.monotonic()
        with Session(self._endpoint()) as session:
            session.put(self.folder / "file", str(self._there), str(self._there))  # as bundles go
        return time.monotonic() - start

    def get(self) -> float:
        """Fetch it by a session."""
        start = time.monotonic()
        with Session(self._endpoint()) as session:
            session.get(str(self._there), self.folder / "back", SIZE_BYTES)
        return time.monotonic() - start

    def scp_to(self) -> float:
        """Send it by scp."""
        return self._scp(str(self.folder / "file"), self._remote)

    def scp_from(self) -> float:
        """Fetch it by scp."""
        return self._scp(self._remote, str(self.folder / "back"))

    @property
    def _there(self) -> Path:
        return self.sshd.home / "file"

    @property
    def _remote(self) -> str:
        return f"{self.sshd.user}@127.0.0.1:{self._there}"

    def sftp_to(self) -> float:
        """Send it by sftp."""
        self._there.unlink(missing_ok=True)
        batch = f"put {self.folder / 'file'} {self._there}\n"
        account = f"{self.sshd.user}@127.0.0.1"
        command = ["sftp", "-q", "-b", "-", *self._login(), "-P", str(self.port), account]
        start = time.monotonic()
        subprocess.run(command, input=batch.encode(), stdout=subprocess.DEVNULL, check=True)
        return time.monotonic() - start

    def rsync_to(self) -> float:
        """Send it by rsync, which has nothing to compare it with there."""
        self._there.unlink(missing_ok=True)
        shell = shlex.join(["ssh", *self._login(), "-p", str(self.port)])
        start = time.monotonic()
        source = str(self.folder / "file")
        subprocess.run(["rsync", "-W", "-e", shell, source, self._remote], check=True)
        return time.monotonic() - start

    def _login(self) -> list[str]:
        known = self.folder / "known_hosts"
        known.write_text(f"[127.0.0.1]:{self.port} {self.sshd.host_key}\n")
        options = ["-o", f"UserKnownHostsFile={known}", "-o", "BatchMode=yes"]
        return ["-F", "none", "-i", str(self.sshd.identity), *options]

    def _scp(self, source: str, target: str) -> float:
        command = ["scp", "-q", *self._login(), "-P", str(self.port), source, target]
        start = time.monotonic()
        subprocess.run(command, check=True)
        return time.monotonic() - start

    def _endpoint(self) -> Endpoint:
        return Endpoint(
            title="the server", name="board", host="127.0.0.1", port=self.port, user=self.sshd.user,
            host_key=self.sshd.host_key, identity=self.sshd.identity, path=str(self.sshd.home),
            python=sys.executable, timeout_s=30.0, run_timeout_s=60.0,
        )  # fmt: skip


@contextmanager
def _delayed(port: int, round_trip_ms: float) -> Iterator[int]:
    """Give a port of this machine another one, a round trip away; none is the port itself."""
    if not round_trip_ms:
        yield port
        return
    command = [sys.executable, "-m", "benchmarks.delay_line", str(port), str(round_trip_ms)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as line:
        if line.stdin is None or line.stdout is None:
            raise RuntimeError("the delay line has no pipes")
        yield int(line.stdout.readline())
        line.stdin.close()

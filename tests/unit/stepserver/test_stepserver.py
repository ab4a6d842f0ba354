"""A step in the step server is what it would be in a process of its own."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeflow.stepserver.client import ADDRESS
from tests.unit.stepserver.conftest import Commands

SEEN = """
import json, os, sys
os.write(2, b"said")
print(json.dumps([sys.argv, sys.path, os.getcwd(), dict(os.environ), os.umask(0), sys.stdin.read(),
    sorted(os.listdir("/proc/self/fd")), sys.stdout.line_buffering, sys.gettrace()]))
sys.exit(7)
"""
PARENT = "import os; print(os.getppid())"


def run(
    commands: Commands, code: str, step: str = "gate", address: str | None = None, **more: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        commands.command(step, code),
        env=commands.environment(address, **more),
        input="heard",
        capture_output=True,
        text=True,
        check=False,
        umask=0o027,
    )


def is_served(commands: Commands, **more: str) -> bool:
    """Return whether a command's step runs in another process than a child of this one."""
    return int(run(commands, PARENT, **more).stdout) != os.getpid()


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def gone(pid: int) -> bool:
    return _stat(pid)[0] in "ZX"


def parent(pid: int) -> int:
    return int(_stat(pid)[1])


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return ["X", "0"]


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_served_step_sees_and_says_what_its_own_process_would(commands: Commands) -> None:
    served = run(commands, SEEN)
    alone = run(commands, SEEN, address="off")
    seen, expected = json.loads(served.stdout), json.loads(alone.stdout)
    assert expected[3].pop(ADDRESS) == "off"
    assert seen == expected
    assert (served.returncode, served.stderr) == (7, "said") == (alone.returncode, alone.stderr)
    assert is_served(commands)
    assert is_served(commands, FIRST_SEEN="here")  # by a warm process of its own


@pytest.mark.parametrize(
    "different",
    [
        {"step": "device"},  # no step
        {"OPENBLAS_NUM_THREADS": "2"},  # a library with threads cannot be forked
        {"address": "/nowhere/steps"},
    ],
)
def test_what_the_server_does_not_take_runs_by_itself(
    commands: Commands, different: dict[str, str]
) -> None:
    if "OPENBLAS_NUM_THREADS" in different and os.cpu_count() == 1:
        pytest.skip("OpenBLAS starts no thread on one core")
    assert not is_served(commands, **different)


def test_a_training_runs_by_itself_unless_the_store_has_it(commands: Commands) -> None:
    assert is_served(commands, step="train")  # as where the store has it
    code = (
        "from edgeflow.artifact import events, step\n"
        "if not step._BUILDS['here']: raise events.ElsewhereError\n" + PARENT
    )
    assert int(run(commands, code, step="train").stdout) == os.getpid()


def test_a_crash_an_exception_and_an_early_end_are_the_commands(commands: Commands) -> None:
    crash = run(commands, "import os; os.kill(os.getpid(), 11)")
    assert crash.returncode == -signal.SIGSEGV
    error = run(commands, "import atexit; atexit.register(print, 'last'); 1 / 0")
    assert (error.returncode, error.stdout) == (1, "last\n")
    assert "ZeroDivisionError" in error.stderr
    assert run(commands, "import sys; sys.exit('no')").stderr == "no\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_to_the_command_reaches_the_step(
    commands: Commands, tmp_path: Path, number: signal.Signals
) -> None:
    place = tmp_path / "pid"
    code = (
        "import os, time, pathlib, subprocess\n"
        f"place = pathlib.Path({str(place)!r})\n"
        "other = subprocess.Popen(['sleep', '100'])\n"
        "try:\n"
        "    place.with_suffix('.new').write_text(f'{os.getpid()} {other.pid}')\n"
        "    place.with_suffix('.new').rename(place)\n"
        "    time.sleep(100)\n"
        "except KeyboardInterrupt:\n"
        "    place.write_text('interrupted')\n"
        "    raise\n"
    )
    command = subprocess.Popen(
        commands.command("gate", code), env=commands.environment(), stderr=subprocess.DEVNULL
    )
    wait_for(place.exists)
    pids = [int(word) for word in place.read_text().split()]
    assert pids[0] != command.pid
    command.send_signal(number)
    assert command.wait(60) == -number
    wait_for(lambda: all(map(gone, pids)))
    assert (place.read_text() == "interrupted") == (number == signal.SIGINT)


def test_a_killed_snakemake_takes_its_steps_with_it(commands: Commands, tmp_path: Path) -> None:
    """Whether they run in the server or by themselves; until then, its claim is not free."""
    claim = tmp_path / "claim"
    alone = "import subprocess; print(subprocess.Popen(['sleep', '99']).pid, flush=True); input()"
    code = (
        "import subprocess, sys, os\n"
        "from edgeflow.stepserver.launch import Launcher\n"
        f"held = os.open({str(claim)!r}, os.O_RDWR | os.O_CREAT)\n"
        "import fcntl; fcntl.flock(held, fcntl.LOCK_EX)\n"
        "launcher = Launcher([held])\n"
        f"os.environ.update({commands.environment()!r}, EDGEFLOW_STEP_SERVER=launcher.address)\n"
        f"subprocess.run({commands.command('gate', PARENT)!r})\n"
        "print(launcher._server.pid, launcher._folder, flush=True)\n"
        f"print(subprocess.Popen({commands.command('device', alone)!r}).pid, flush=True)\n"
        f"subprocess.run({commands.command('gate', 'input()')!r})\n"
    )
    snakemake = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert snakemake.stdout is not None
    warm = int(snakemake.stdout.readline())
    server, folder = snakemake.stdout.readline().split()
    assert parent(warm) == int(server)
    others = [int(snakemake.stdout.readline()) for _ in range(2)]
    wait_for(lambda: children(warm))
    (step,) = children(warm)
    snakemake.kill()
    snakemake.wait()
    with claim.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert all(map(gone, (step, *others)))
    wait_for(lambda: all(map(gone, (warm, int(server)))))
    assert not Path(folder).exists()
    snakemake.communicate()


def test_the_socket_is_this_users_alone(commands: Commands) -> None:
    folder = Path(commands.launcher.address).parent
    assert folder.stat().st_mode & 0o777 == 0o700

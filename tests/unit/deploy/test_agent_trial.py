"""A release on trial: what is not confirmed is taken back, whatever becomes of the host."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgeflow.ondevice import agent
from edgeflow.ondevice.agent.journal import journal_of
from edgeflow.ondevice.agent.model import Model
from edgeflow.ondevice.agent.pending import watched
from tests.unit.deploy.test_agent import damage, members, upload

if TYPE_CHECKING:
    from tests.unit.deploy.conftest import Call

HEALTHY = b'print(\'{"passed": true, "latency_ms": 2.0, "peak_rss_mb": 30.0}\')\n'
SICK = b"print('{\"passed\": false}')\nraise SystemExit(1)\n"
TRY = ("--python", sys.executable, "--health-s", "20", "--confirm-s")


@pytest.fixture
def call(folder: Path, capsys: pytest.CaptureFixture[str]) -> "Call":
    """Run a verb of the agent on that folder, with processes of its own as on a device."""

    def run(verb: str, *arguments: str) -> tuple[int, dict[str, Any]]:
        code = agent.main([verb, str(folder), *arguments])
        return code, json.loads(capsys.readouterr().out)

    return run


def bring(call: "Call", folder: Path, name: str, runner: bytes = HEALTHY, **facts: Any) -> str:
    """Install a release with a runner; `facts` go into its manifest."""
    parts = members({"runner.py": runner, "data/model": name.encode()})
    info, manifest = parts[0]
    manifest = json.dumps({**json.loads(manifest), **facts}).encode()
    info.size = len(manifest)
    sha = upload(folder, [(info, manifest), *parts[1:]])
    assert call("install", sha)[0] == 0
    return sha


def confirmed(call: "Call", folder: Path, name: str, **facts: Any) -> str:
    """Install a release, switch to it and confirm it."""
    sha = bring(call, folder, name, **facts)
    code, answer = call("switch", sha, *TRY, "60")
    assert (code, answer["state"]) == (0, "healthy"), answer
    assert call("confirm", sha, answer["token"])[1] == {"state": "confirmed", "current": sha}
    return sha


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "audit.log").read_text().splitlines()]


def test_a_switch_is_on_trial_until_it_is_confirmed(call: "Call", folder: Path) -> None:
    old = confirmed(call, folder, "old")
    new = bring(call, folder, "new")
    code, answer = call("switch", new, *TRY, "60")
    token = answer.pop("token")
    trial = {"state": "healthy", "changed": True, "current": new, "previous": old}
    assert (code, answer) == (0, trial)
    assert len(token) == 32
    assert token not in (folder / "journal.json").read_text()
    status = call("status")[1]
    assert (status["current"], status["state"], status["previous"]) == (new, "healthy", old)
    assert (status["pending"]["sha"], status["pending"]["previous"]) == (new, old)
    assert 0 < status["pending"]["left_s"] <= 60
    assert call("switch", old, *TRY, "60")[0] == 75, "one trial at a time"
    for _ in range(2):  # the answer to the first may be lost
        assert call("confirm", new, token) == (0, {"state": "confirmed", "current": new})
    status = call("status")[1]
    assert (status["state"], status["pending"], status["previous"]) == ("confirmed", None, old)
    assert status["protocol"] == 2
    code, answer = call("switch", new, *TRY, "60")
    assert (code, answer["state"], answer["token"]) == (0, "confirmed", None)
    assert answer["changed"] is False
    verbs = [(line["verb"], line["sha"]) for line in log(folder)]
    both = [("install", old), ("switch", old), ("confirm", old)]
    assert verbs == [*both, *((verb, new) for verb, _ in both)]


def test_without_a_confirmation_the_device_goes_back_by_itself(call: "Call", folder: Path) -> None:
    old = confirmed(call, folder, "old")
    new = bring(call, folder, "new")
    token = call("switch", new, *TRY, "0.1")[1]["token"]
    wait_until(lambda: call("status")[1]["pending"] is None)
    status = call("status")[1]
    assert (status["current"], status["state"]) == (old, "confirmed")
    last = log(folder)[-1]
    assert (last["verb"], last["sha"], last["to"]) == ("rollback", new, old)
    assert (last["state"], last["reason"]) == ("rolled_back", "no confirmation in time")
    code, answer = call("confirm", new, token)
    assert (code, answer["error"], answer["current"]) == (70, "rolled back", old)
    assert len(log(folder)) == 6
    assert call("verify") == (0, {"verified": old})
    assert confirmed(call, folder, "new") == new, "nothing stands in the way of the next try"


def test_a_first_release_that_is_not_confirmed_leaves_none(call: "Call", folder: Path) -> None:
    new = bring(call, folder, "new")
    assert call("switch", new, *TRY, "0.1")[1]["previous"] is None
    wait_until(lambda: call("status")[1]["pending"] is None)
    assert not os.path.lexists(folder / "current")


def test_a_foreign_token_changes_nothing(call: "Call", folder: Path) -> None:
    new = bring(call, folder, "new")
    token = call("switch", new, *TRY, "60")[1]["token"]
    before = (folder / "journal.json").read_bytes()
    for sha, foreign in ((new, "0" * 32), ("0" * 64, token)):
        code, answer = call("confirm", sha, foreign)
        assert (code, answer["error"]) == (70, "refused")
    assert (folder / "journal.json").read_bytes() == before
    assert call("confirm", new, token)[0] == 0


FAULTS = {
    "wrong": (SICK, [], "its golden vectors failed (exit code 1)"),
    "crash": (b"import os; os.abort()", [], "killed by signal 6"),
    "slow": (HEALTHY, ["--max-latency-ms", "1"], "2 ms, allowed are 1"),
    "large": (HEALTHY, ["--max-rss-mb", "29"], "30 MB of memory, allowed are 29"),
    "swells": (b"a = bytearray(300 << 20)\nimport time; time.sleep(60)", ["--max-rss-mb", "100"],
               "more than 100 MB of memory"),
    "hangs": (b"import signal, time\nsignal.signal(15, signal.SIG_IGN)\ntime.sleep(60)",
              ["--health-s", "0.3"], "more than 0.3 s"),
    "prints": (b"while True: print('x' * 999)", [], "bytes of output"),
    "no python": (HEALTHY, ["--python", "/no/python"], "its runner does not start"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FAULTS)
def test_an_unhealthy_release_is_taken_back_at_once(call: "Call", folder: Path, kind: str) -> None:
    runner, options, said = FAULTS[kind]
    old = confirmed(call, folder, "old")
    new = bring(call, folder, "new", runner)
    code, answer = call("switch", new, *TRY, "60", *options)
    assert (code, answer["error"]) == (66, "unhealthy")
    assert said in answer["detail"]
    assert (answer["state"], answer["current"]) == ("rolled_back", old)
    assert call("verify") == (0, {"verified": old})
    last = log(folder)[-1]
    assert (last["verb"], last["to"]) == ("rollback", old)
    assert said in last["reason"]
    assert [line["verb"] for line in log(folder)].count("rollback") == 1
    assert confirmed(call, folder, "better") != old


def test_what_a_runner_has_started_ends_with_it(call: "Call", folder: Path) -> None:
    started = folder / "started"
    child = f"import os\nif not os.fork():\n  open({str(started)!r}, 'w').write(str(os.getpid()))\n"
    hang = (
        f"{child}  import time; time.sleep(60)\nwhile not os.path.exists({str(started)!r}): pass\n"
    )
    sha = bring(call, folder, "new", hang.encode() + HEALTHY)
    assert call("switch", sha, *TRY, "0.1")[1]["state"] == "healthy"
    wait_until(lambda: not Path(f"/proc/{started.read_text()}").exists())


def switching(program: Path, folder: Path, sha: str, confirm_s: str) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-I", str(program), "switch", str(folder), sha, *TRY, confirm_s]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True)


def test_a_lost_connection_does_not_end_the_supervisor(
    call: "Call", folder: Path, program: Path
) -> None:
    """The host's program is killed with its whole group, as a session does it."""
    old = confirmed(call, folder, "old")
    gate = folder / "gate"
    wait = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
    new = bring(call, folder, "new", wait.encode() + HEALTHY)
    with switching(program, folder, new, "60") as verb:
        wait_until(lambda: call("status")[1]["state"] == "switched")
        os.killpg(verb.pid, signal.SIGKILL)
    gate.touch()
    wait_until(lambda: call("status")[1]["pending"] is None)
    assert call("status")[1]["current"] == old
    assert log(folder)[-1]["reason"] == "the host was gone before the answer"


@pytest.fixture
def recover(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[], dict[str, Any]]:
    """Run `recover` on the folder of all models."""

    def run() -> dict[str, Any]:
        agent.main(["recover", str(folder.parent)])
        answer: dict[str, Any] = json.loads(capsys.readouterr().out)
        return answer

    return run


def supervisor(folder: Path) -> int:
    """Return the process that watches the folder's switch."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            argv = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:  # another process, which has ended since
            continue
        if b"supervise" in argv and str(folder).encode() in argv:
            return int(process.name)
    raise AssertionError("no supervisor")


def test_a_supervisor_that_was_killed_is_recovered_from(
    call: "Call", folder: Path, recover: Callable[[], dict[str, Any]]
) -> None:
    old = confirmed(call, folder, "old")
    new = bring(call, folder, "new")
    assert call("switch", new, *TRY, "60")[0] == 0
    recovered = [{"model": "net", "sha": new, "state": "rolled_back"}]
    assert recover() == {"recovered": []}, "it is watched"
    os.kill(supervisor(folder), signal.SIGKILL)
    wait_until(lambda: not watched(Model(str(folder)), journal_of(Model(str(folder)))["pending"]))
    assert call("status")[1]["current"] == new
    assert recover() == {"recovered": recovered}
    assert call("status")[1]["current"] == old
    assert log(folder)[-1]["reason"] == "nobody watched it"
    assert recover() == {"recovered": []}


def test_after_a_reboot_nothing_is_on_trial(
    call: "Call",
    folder: Path,
    recover: Callable[[], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = confirmed(call, folder, "old")
    new = bring(call, folder, "new")
    token = call("switch", new, *TRY, "60")[1]["token"]
    for module in ("boot", "pending", "repair"):
        monkeypatch.setattr(f"edgeflow.ondevice.agent.{module}.boot_id", lambda: "another")
    assert call("status")[1]["pending"]["left_s"] == 0
    recovered = [{"model": "net", "sha": new, "state": "rolled_back"}]
    assert recover() == {"recovered": recovered}
    assert call("status")[1]["current"] == old
    assert log(folder)[-1]["reason"] == "the device was restarted"
    assert call("confirm", new, token)[1]["error"] == "rolled back"


def test_a_way_back_that_is_damaged_refuses_the_switch(call: "Call", folder: Path) -> None:
    old = confirmed(call, folder, "old")
    damage(folder / "releases" / old / "data" / "model")
    new = bring(call, folder, "new")
    code, answer = call("switch", new, *TRY, "60")
    assert (code, answer["error"]) == (65, "corrupt")
    assert old in answer["detail"]
    assert call("status")[1]["current"] == old
    assert log(folder)[-1]["error"] == "corrupt"


def test_where_an_older_release_is_whole_that_is_the_way_back(call: "Call", folder: Path) -> None:
    oldest, old = confirmed(call, folder, "oldest"), confirmed(call, folder, "old")
    damage(folder / "releases" / old / "data" / "model")
    new = bring(call, folder, "new", SICK)
    answer = call("switch", new, *TRY, "60")[1]
    assert (answer["error"], answer["current"]) == ("unhealthy", oldest)


def test_a_way_back_that_is_lost_on_trial_is_said_aloud(call: "Call", folder: Path) -> None:
    old = confirmed(call, folder, "old")
    model_file = folder / "releases" / old / "data" / "model"
    new = bring(call, folder, "new", f"open({str(model_file)!r}, 'w')\n".encode() + SICK)
    model_file.chmod(0o644)
    code, answer = call("switch", new, *TRY, "60")
    assert (code, answer["error"], answer["current"]) == (70, "unable to roll back", None)
    assert old in answer["detail"]
    assert log(folder)[-1]["fault"] == answer["detail"]


def test_a_lower_counter_is_a_downgrade(call: "Call", folder: Path) -> None:
    low, high = (
        confirmed(call, folder, "low", counter=1),
        confirmed(call, folder, "high", counter=3),
    )
    assert call("status")[1]["counter"] == 3
    code, answer = call("switch", low, *TRY, "60")
    assert (code, answer["error"]) == (65, "rejected")
    assert "counter 1 is lower than 3" in answer["detail"]
    assert call("status")[1]["current"] == high
    assert log(folder)[-1]["error"] == "rejected"
    token = call("switch", low, *TRY, "60", "--allow-downgrade")[1]["token"]
    assert "counter 1 is lower than 3" in log(folder)[-1]["downgrade"]
    assert call("confirm", low, token)[0] == 0
    assert call("status")[1]["counter"] == 3
    unnumbered = bring(call, folder, "unnumbered")
    assert call("switch", unnumbered, *TRY, "60")[1]["error"] == "rejected"


def test_a_release_that_is_not_confirmed_raises_no_counter(call: "Call", folder: Path) -> None:
    low = confirmed(call, folder, "low", counter=1)
    call("switch", bring(call, folder, "high", SICK, counter=3), *TRY, "60")
    status = call("status")[1]
    assert (status["current"], status["counter"]) == (low, 1)


def test_a_rollback_ends_a_trial(call: "Call", folder: Path) -> None:
    old = confirmed(call, folder, "old")
    new = bring(call, folder, "new")
    token = call("switch", new, *TRY, "60")[1]["token"]
    assert call("rollback", new, "--reason", "gate")[1] == {"current": old, "rolled_back": True}
    status = call("status")[1]
    assert (status["pending"], status["rejected"], status["current"]) == (None, [new], old)
    assert call("confirm", new, token)[1]["error"] == "rolled back"


def test_a_prune_leaves_what_is_on_trial(call: "Call", folder: Path) -> None:
    old = confirmed(call, folder, "old")
    new = bring(call, folder, "new")
    token = call("switch", new, *TRY, "60")[1]["token"]
    bring(call, folder, "newer")
    assert call("prune", "0")[0] == 0
    assert {old, new} <= set(call("status")[1]["releases"])
    assert call("forget")[0] == 75
    assert call("confirm", new, token)[0] == 0

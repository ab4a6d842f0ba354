"""Deployment over real SSH to a virtual device, when nothing goes wrong."""

import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgeflow.artifact import events
from edgeflow.artifact.hashing import sha256_file
from edgeflow.deploy.deploy import bring, deploy
from edgeflow.deploy.release import connect, open_device
from edgeflow.errors import DeployError, EdgeflowError, IntegrityError, MissingToolError
from tests.unit.deploy.conftest import PASSES

if TYPE_CHECKING:
    from tests.unit.deploy.conftest import Lab

MakeBundle = Callable[..., Path]

PYTHON_3_6 = (
    f"shift 4; exec {sys.executable} -c 'import sys; sys.version_info = (3, 6, 9); "
    'exec(eval(sys.stdin.buffer.readline()))\' "$@"'
)


def test_a_second_deploy_sends_nothing(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_LOG", [tmp_path / "events.jsonl"])
    pi, bundle, out = lab.device(), make_bundle(), tmp_path / "deploy.json"
    first = deploy(bundle, lab.slice(pi), "code", out)
    sha = sha256_file(bundle)
    assert json.loads(out.read_text()) == first
    assert (first["bundle_sha256"], first["current_sha256"]) == (sha, None)
    assert (first["changed"], first["sent_bytes"]) == (True, bundle.stat().st_size)
    lab.serve(pi, bundle)
    second = deploy(bundle, lab.slice(pi), "code", out)
    assert (second["changed"], second["sent_bytes"]) == (False, 0)
    assert lab.current(pi) == sha
    logged = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [(event["name"], event["sent_bytes"]) for event in logged] == [
        (f"{first['device']}/net", first["sent_bytes"]),
        (f"{first['device']}/net", 0),
    ]


def test_a_bundle_is_brought_beside_what_serves_and_rolls_back(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path
) -> None:
    pi = lab.device()
    old, new = lab.serve(pi, make_bundle(b"old")), make_bundle(b"new")
    record = deploy(new, lab.slice(pi), "code", tmp_path / "deploy.json")
    sha, folder = sha256_file(new), lab.root(pi) / "edgeflow" / "net"
    assert (record["changed"], record["current_sha256"]) == (True, old)
    assert lab.current(pi) == old, "nobody has judged the new one yet"
    with connect(lab.endpoint(pi)) as device:
        device.verify("net", sha)
        assert device.activate("net", sha) is True
        assert (folder / "current" / "data" / "model.tflite").read_bytes() == b"new"
        assert device.activate("net", sha) is False
        rejection = device.reject("net", sha, "gate: accuracy")
        assert (rejection.current, rejection.rolled_back) == (old, True)
        assert (folder / "current" / "data" / "model.tflite").read_bytes() == b"old"
        assert "gate: accuracy" in (folder / "audit.log").read_text()
    again = deploy(new, lab.slice(pi), "code", tmp_path / "deploy.json")
    assert (again["changed"], again["sent_bytes"]) == (True, 0)
    assert lab.current(pi) == old


def test_what_is_damaged_of_a_release_is_sent_again(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path
) -> None:
    pi, bundle = lab.device(), make_bundle()
    lab.serve(pi, bundle)
    model = lab.root(pi) / "edgeflow" / "net" / "current" / "data" / "model.tflite"
    model.chmod(0o644)
    model.write_bytes(b"bit rot")
    record = deploy(bundle, lab.slice(pi), "code", tmp_path / "deploy.json")
    assert (record["changed"], record["sent_form"]) == (True, "delta.zst")
    assert model.read_bytes() == b"weights"


def test_only_three_releases_stay(lab: "Lab", make_bundle: MakeBundle) -> None:
    pi, bundles = lab.device(), [make_bundle(bytes([number])) for number in range(4)]
    served = [lab.serve(pi, bundle) for bundle in bundles]
    with connect(lab.endpoint(pi)) as device:
        assert device.status("net").releases == tuple(served[1:])


def test_a_damaged_agent_is_replaced(lab: "Lab") -> None:
    pi = lab.device()
    with connect(lab.endpoint(pi)) as device:
        device.status("net")
        name = f"agent-{device.agent_sha256}.pyz"
    agent = lab.root(pi) / "edgeflow" / "bin" / name
    agent.write_text("print('half of it')")
    with connect(lab.endpoint(pi)) as device:
        assert device.status("net").current is None
    assert sha256_file(agent) in name
    assert [path for path in agent.parent.iterdir() if not path.name.startswith("session-")] == [
        agent
    ]


def test_one_server_serves_two_devices_apart(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path
) -> None:
    one, two = lab.device(), lab.device()
    assert one.pid == two.pid
    assert one.port != two.port
    assert one.host_key != two.host_key
    jobs = [
        threading.Thread(
            target=deploy, args=(make_bundle(name), lab.slice(pi), "code", tmp_path / name.hex())
        )
        for pi, name in ((one, b"one"), (two, b"two"))
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    for pi, name in ((one, b"one"), (two, b"two")):
        model = lab.root(pi) / "edgeflow" / "net" / "releases"
        assert [path.read_bytes() for path in model.glob("*/data/model.tflite")] == [name]
    stolen = lab.endpoint(one, identity=str(two.identity))
    with pytest.raises(DeployError, match="refuses to log in"), connect(stolen):
        pass


def test_a_virtual_device_is_started_by_name(
    own_lab: "Lab", make_bundle: MakeBundle, tmp_path: Path
) -> None:
    section = {"transport": "virtual", "environment": None, "timeout_s": 10, "run_timeout_s": 60}
    slice_ = {"name": "bench", "device": section}
    record = deploy(make_bundle(), slice_, "code", tmp_path / "deploy.json")
    assert record["device"] == "bench"
    assert record["python"] == sys.version.split()[0]
    releases = own_lab.state / "bench" / "root" / "edgeflow" / "net" / "releases"
    assert [path.name for path in releases.iterdir()] == [record["bundle_sha256"]]


def test_data_is_sent_once_and_fetched_back(lab: "Lab", tmp_path: Path) -> None:
    data = tmp_path / "x.npy"
    data.write_bytes(random.Random(7).randbytes(700_000))
    with connect(lab.endpoint(lab.device())) as device:
        remote = device.send_data(data)
        before = Path(remote).stat().st_mtime_ns
        assert device.send_data(data) == remote
        assert Path(remote).stat().st_mtime_ns == before
        assert sha256_file(data) in remote
        device.fetch(remote, tmp_path / "back.npy", 700_000)
        with pytest.raises(DeployError, match="fetching"):
            device.fetch(device.model_dir("net") + "/absent", tmp_path / "absent", 9)
    assert (tmp_path / "back.npy").read_bytes() == data.read_bytes()
    assert not list(tmp_path.glob("*absent*"))


def test_the_runner_runs_in_the_models_folder_with_its_arguments_untouched(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path
) -> None:
    pi, bundle = lab.device(), make_bundle()
    deploy(bundle, lab.slice(pi), "code", tmp_path / "deploy.json")
    with connect(lab.endpoint(pi)) as device:
        said = device.run_release("net", sha256_file(bundle), ["$(id)", "a  b;'\""], 60)
    assert said == "net $(id) a  b;'\"\n"
    with connect(lab.endpoint(pi, unit={"serial": "$(id) '\"", "bus": 3})) as device:
        said = device.run_release("net", sha256_file(bundle), ["golden"], 60)
    assert said == 'net --unit {"serial": "$(id) \'\\"", "bus": 3} golden\n'
    assert not list(lab.root(pi).rglob("__pycache__"))


def test_a_failing_runner_is_reported_without_its_terminal_tricks(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path
) -> None:
    tricky = b"import sys\nsys.exit('\\x1b[2J\\x1b]0;title\\x07no model\\r\\x00')\n"
    pi, bundle = lab.device(), make_bundle(runner=PASSES + tricky)
    deploy(bundle, lab.slice(pi), "code", tmp_path / "deploy.json")
    with connect(lab.endpoint(pi)) as device, pytest.raises(DeployError) as caught:
        device.run_release("net", sha256_file(bundle), [], 60)
    assert "(exit code 1): no model" in caught.value.message
    assert not set(caught.value.message) & set("\x1b\x07\r\x00")


def test_a_runner_that_does_not_end_is_left_after_its_time(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path
) -> None:
    pi, bundle = lab.device(), make_bundle(runner=PASSES + b"import time\ntime.sleep(60)\n")
    deploy(bundle, lab.slice(pi), "code", tmp_path / "deploy.json")
    with connect(lab.endpoint(pi)) as device:
        with pytest.raises(DeployError, match=r"did not end within 0\.5 s"):
            device.run_release("net", sha256_file(bundle), [], 0.5)
        assert device.status("net").releases == (sha256_file(bundle),)


NO_GOLDEN = b"import sys\nsys.exit('golden vectors differ')\n"


RUNNERS: dict[str, tuple[bytes, type[EdgeflowError], str]] = {
    "silent": (b"", DeployError, "malformed answer"),
    "lying": (
        b'print(\'{"passed": true, "max_abs": {"output": 3.0}}\')',
        DeployError,
        "differ on device",
    ),
    "forgetful": (b'print(\'{"passed": true, "max_abs": {}}\')', DeployError, "they are output"),
    "without numpy": (
        b'print(\'{"missing": "No module named numpy"}\'); raise SystemExit(69)',
        MissingToolError,
        "lacks what the model needs: No module named numpy",
    ),
    "without a stick": (
        b'print(\'{"missing": "no stick", "hardware": true}\'); raise SystemExit(69)',
        DeployError,
        "lacks what the model runs on: no stick",
    ),
    "killed": (b"import os; os.kill(os.getpid(), 9)", DeployError, "killed by signal 9"),
}


@pytest.mark.parametrize(("runner", "error", "said"), RUNNERS.values(), ids=RUNNERS)
def test_golden_vectors_pass_by_an_answer_and_nothing_else(
    lab: "Lab",
    make_bundle: MakeBundle,
    tmp_path: Path,
    runner: bytes,
    error: type[EdgeflowError],
    said: str,
) -> None:
    pi = lab.device()
    with pytest.raises(error, match=said):
        deploy(make_bundle(runner=runner), lab.slice(pi), "code", tmp_path / "deploy.json")
    assert not (tmp_path / "deploy.json").exists()


def test_a_bundle_that_misses_its_golden_vectors_never_becomes_current(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path
) -> None:
    pi = lab.device()
    old, broken = lab.serve(pi, make_bundle(b"old")), make_bundle(b"new", runner=NO_GOLDEN)
    with pytest.raises(DeployError, match="golden vectors differ") as caught:
        deploy(broken, lab.slice(pi), "code", tmp_path / "deploy.json")
    assert f"the device still serves release {old[:12]}" in caught.value.message
    assert lab.current(pi) == old


def test_releases_that_fail_push_no_good_one_out(lab: "Lab", make_bundle: MakeBundle) -> None:
    pi = lab.device()
    good = [lab.serve(pi, make_bundle(bytes([number]))) for number in range(3)]
    with connect(lab.endpoint(pi)) as device:
        for number in range(4):
            with pytest.raises(DeployError, match="golden vectors differ"):
                bring(device, "net", make_bundle(bytes([number]), runner=NO_GOLDEN))
        status = device.status("net")
    assert status.releases[:3] == tuple(good)
    assert len(status.releases) == 4, "the last one that failed, perhaps to be looked at"


def test_a_release_that_is_not_there_cannot_become_current(
    lab: "Lab", make_bundle: MakeBundle
) -> None:
    pi = lab.device()
    old = lab.serve(pi, make_bundle(b"old"))
    with connect(lab.endpoint(pi)) as device:
        for verb in (device.activate, device.verify):
            with pytest.raises(DeployError, match="0000 is not on the device") as caught:
                verb("net", "0" * 64)
            assert "delete deploy.json" in caught.value.hint
    assert lab.current(pi) == old


def test_a_file_that_is_no_bundle_is_refused_before_connecting(lab: "Lab", tmp_path: Path) -> None:
    (tmp_path / "bundle.tar").write_bytes(b"junk")
    slice_ = lab.slice(lab.device(), port=1)
    with pytest.raises(IntegrityError, match="is not a bundle"):
        deploy(tmp_path / "bundle.tar", slice_, "code", tmp_path / "deploy.json")


def test_a_model_name_cannot_leave_the_devices_folder(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path
) -> None:
    slice_ = lab.slice(lab.device())
    with pytest.raises(IntegrityError, match="unusable name"):
        deploy(make_bundle(model="../net"), slice_, "code", tmp_path / "deploy.json")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (None, "cannot run"),
        (PYTHON_3_6, "Python 3.6.9; 3.7 is the oldest"),
        ("echo Unknown option: -I >&2; exit 2", "older than 3.4"),
        ("echo no interpreter >&2; exit 3", "no interpreter"),
    ],
)
def test_a_device_without_a_usable_python_is_named(
    lab: "Lab", script: str | None, message: str
) -> None:
    pi = lab.device()
    if script is not None:
        (lab.root(pi) / "bin").mkdir()
        (lab.root(pi) / "bin" / "old-python").write_text(f"#!/bin/sh\n{script}\n")
        (lab.root(pi) / "bin" / "old-python").chmod(0o755)
    with (
        pytest.raises(MissingToolError, match=message) as caught,
        connect(lab.endpoint(pi, python="bin/old-python")) as device,
    ):
        device.status("net")
    assert pi.identity.parent.name in caught.value.message


def test_a_device_in_use_by_this_project_is_waited_for(
    lab: "Lab", capsys: pytest.CaptureFixture[str]
) -> None:
    slice_ = lab.slice(lab.device(), run_timeout_s=0.3)
    holder = (
        "import sys, time; from filelock import FileLock\n"
        f"with FileLock('.edgeflow/locks/{slice_['name']}.lock'):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    Path(".edgeflow/locks").mkdir(parents=True)
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with (
            pytest.raises(DeployError, match="in use by another process for"),
            open_device(slice_),
        ):
            pass
        other.communicate()
    assert "waiting" in capsys.readouterr().err
    with open_device({**slice_, "device": {**slice_["device"], "run_timeout_s": 60}}) as device:
        assert device.status("net").current is None

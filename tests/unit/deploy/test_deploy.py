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
from edgeflow.errors import DeployError, IntegrityError, MissingToolError
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
    first = deploy(bundle, lab.options(pi), "code", out)
    sha = sha256_file(bundle)
    assert json.loads(out.read_text()) == first
    assert (first["bundle_sha256"], first["previous_sha256"]) == (sha, None)
    assert (first["changed"], first["sent_bytes"]) == (True, bundle.stat().st_size)
    second = deploy(bundle, lab.options(pi), "code", out)
    assert (second["changed"], second["sent_bytes"]) == (False, 0)
    logged = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [(event["name"], event["sent_bytes"]) for event in logged] == [
        (f"{first['device']}/net", first["sent_bytes"]),
        (f"{first['device']}/net", 0),
    ]


def test_a_changed_bundle_becomes_current_and_rolls_back(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path
) -> None:
    pi = lab.device()
    old, new = make_bundle(b"old"), make_bundle(b"new")
    deploy(old, lab.options(pi), "code", tmp_path / "deploy.json")
    record = deploy(new, lab.options(pi), "code", tmp_path / "deploy.json")
    folder = lab.root(pi) / "edgeflow" / "net"
    assert record["previous_sha256"] == sha256_file(old)
    assert (folder / "current" / "data" / "model.tflite").read_bytes() == b"new"
    with connect(lab.endpoint(pi)) as device:
        assert device.rollback("net", sha256_file(new), "gate: accuracy") == sha256_file(old)
        assert (folder / "current" / "data" / "model.tflite").read_bytes() == b"old"
        assert "gate: accuracy" in (folder / "audit.log").read_text()
    again = deploy(new, lab.options(pi), "code", tmp_path / "deploy.json")
    assert (again["changed"], again["sent_bytes"]) == (True, 0)


def test_a_release_damaged_on_the_device_is_sent_again(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path
) -> None:
    pi, bundle = lab.device(), make_bundle()
    deploy(bundle, lab.options(pi), "code", tmp_path / "deploy.json")
    model = lab.root(pi) / "edgeflow" / "net" / "current" / "data" / "model.tflite"
    model.chmod(0o644)
    model.write_bytes(b"bit rot")
    record = deploy(bundle, lab.options(pi), "code", tmp_path / "deploy.json")
    assert (record["changed"], record["sent_bytes"]) == (True, bundle.stat().st_size)
    assert model.read_bytes() == b"weights"


def test_only_three_releases_stay(lab: "Lab", make_bundle: MakeBundle) -> None:
    with connect(lab.endpoint(lab.device())) as device:
        bundles = [make_bundle(bytes([number])) for number in range(4)]
        for bundle in bundles:
            bring(device, "net", bundle)
        assert device.status("net").releases == tuple(map(sha256_file, bundles[1:]))


def test_a_damaged_agent_is_replaced(lab: "Lab") -> None:
    pi = lab.device()
    with connect(lab.endpoint(pi)) as device:
        name = f"agent-{device.agent_sha256}.py"
    agent = lab.root(pi) / "edgeflow" / "bin" / name
    agent.write_text("print('half of it')")
    with connect(lab.endpoint(pi)) as device:
        assert device.status("net").current is None
    assert sha256_file(agent) in name
    assert list(agent.parent.iterdir()) == [agent]


def test_one_server_serves_two_devices_apart(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path
) -> None:
    one, two = lab.device(), lab.device()
    assert one.pid == two.pid
    assert one.port != two.port
    assert one.host_key != two.host_key
    jobs = [
        threading.Thread(
            target=deploy, args=(make_bundle(name), lab.options(pi), "code", tmp_path / name.hex())
        )
        for pi, name in ((one, b"one"), (two, b"two"))
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    for pi, name in ((one, b"one"), (two, b"two")):
        model = lab.root(pi) / "edgeflow" / "net" / "current" / "data" / "model.tflite"
        assert model.read_bytes() == name
    stolen = lab.endpoint(one, identity=str(two.identity))
    with pytest.raises(DeployError, match="refuses to log in"), connect(stolen):
        pass


def test_a_virtual_device_is_started_by_name(
    own_lab: "Lab", make_bundle: MakeBundle, tmp_path: Path
) -> None:
    section = {"transport": "virtual", "environment": None, "timeout_s": 10, "run_timeout_s": 60}
    options = {"name": "bench", "store": str(tmp_path / "store"), "device": section}
    record = deploy(make_bundle(), options, "code", tmp_path / "deploy.json")
    assert record["device"] == "bench"
    assert record["python"] == sys.version.split()[0]
    assert (own_lab.state / "bench" / "root" / "edgeflow" / "net" / "current").is_symlink()


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
    deploy(bundle, lab.options(pi), "code", tmp_path / "deploy.json")
    with connect(lab.endpoint(pi)) as device:
        said = device.run_release("net", sha256_file(bundle), ["$(id)", "a  b;'\""], 60)
    assert said == "net $(id) a  b;'\"\n"
    assert not list(lab.root(pi).rglob("__pycache__"))


def test_a_failing_runner_is_reported_without_its_terminal_tricks(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path
) -> None:
    tricky = b"import sys\nsys.exit('\\x1b[2J\\x1b]0;title\\x07no model\\r\\x00')\n"
    pi, bundle = lab.device(), make_bundle(runner=PASSES + tricky)
    deploy(bundle, lab.options(pi), "code", tmp_path / "deploy.json")
    with connect(lab.endpoint(pi)) as device, pytest.raises(DeployError) as caught:
        device.run_release("net", sha256_file(bundle), [], 60)
    assert "(exit code 1):\nno model" in caught.value.message
    assert not set(caught.value.message) & set("\x1b\x07\r\x00")


def test_a_runner_that_does_not_end_is_left_after_its_time(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path
) -> None:
    pi, bundle = lab.device(), make_bundle(runner=PASSES + b"import time\ntime.sleep(60)\n")
    deploy(bundle, lab.options(pi), "code", tmp_path / "deploy.json")
    with connect(lab.endpoint(pi)) as device:
        with pytest.raises(DeployError, match=r"did not end within 0\.5 s"):
            device.run_release("net", sha256_file(bundle), [], 0.5)
        assert device.status("net").current == sha256_file(bundle)


def test_a_bundle_that_misses_its_golden_vectors_never_becomes_current(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path
) -> None:
    pi, old = lab.device(), make_bundle(b"old")
    deploy(old, lab.options(pi), "code", tmp_path / "deploy.json")
    broken = make_bundle(b"new", runner=b"import sys\nsys.exit('golden vectors differ')\n")
    with pytest.raises(DeployError, match="golden vectors differ"):
        deploy(broken, lab.options(pi), "code", tmp_path / "deploy.json")
    with connect(lab.endpoint(pi)) as device:
        assert device.status("net").current == sha256_file(old)


def test_the_wanted_release_is_made_current_if_it_is_there(
    lab: "Lab", make_bundle: MakeBundle
) -> None:
    old, new = make_bundle(b"old"), make_bundle(b"new")
    with connect(lab.endpoint(lab.device())) as device:
        bring(device, "net", old)
        bring(device, "net", new)
        for _ in range(2):
            device.ensure_active("net", sha256_file(old))
            assert device.status("net").current == sha256_file(old)
        with pytest.raises(DeployError, match="has no release 000000000000"):
            device.ensure_active("net", "0" * 64)


def test_a_file_that_is_no_bundle_is_refused_before_connecting(lab: "Lab", tmp_path: Path) -> None:
    (tmp_path / "bundle.tar").write_bytes(b"junk")
    options = lab.options(lab.device(), port=1)
    with pytest.raises(IntegrityError, match="is not a bundle"):
        deploy(tmp_path / "bundle.tar", options, "code", tmp_path / "deploy.json")


def test_a_model_name_cannot_leave_the_devices_folder(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path
) -> None:
    options = lab.options(lab.device())
    with pytest.raises(IntegrityError, match="unusable name"):
        deploy(make_bundle(model="../net"), options, "code", tmp_path / "deploy.json")


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
        connect(lab.endpoint(pi, python="bin/old-python")),
    ):
        pass
    assert pi.identity.parent.name in caught.value.message


def test_a_device_in_use_by_this_project_is_waited_for(
    lab: "Lab", capsys: pytest.CaptureFixture[str]
) -> None:
    options = lab.options(lab.device(), run_timeout_s=0.3)
    holder = (
        "import sys, time; from filelock import FileLock\n"
        f"with FileLock('.edgeflow/locks/{options['name']}.lock'):\n"
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
            open_device(options),
        ):
            pass
        other.communicate()
    assert "waiting" in capsys.readouterr().err
    with open_device({**options, "device": {**options["device"], "run_timeout_s": 60}}) as device:
        assert device.status("net").current is None

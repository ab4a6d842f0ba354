"""Bad input and broken runs: one clear message, the documented code, no partial output."""

import copy
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.workflow.conftest import CONFIG, NewProject, Project


def run(project: Project, *arguments: str) -> tuple[int, str]:
    result = project.command("edgeflow", "run", "--", "--cores", "2", *arguments)
    return result.returncode, result.stdout + result.stderr


def with_npz(folder: Path, x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    np.savez(folder / "data.npz", x=x, y=y)
    config = copy.deepcopy(CONFIG)
    config["datasets"] = {
        "digits": {"source": "npz", "path": str(folder / "data.npz"), "calibration": 10}
    }
    return config


def test_a_wrong_config_stops_before_anything_runs(new_project: NewProject) -> None:
    config = copy.deepcopy(CONFIG)
    config["models"]["tiny"]["train"]["epoch"] = 3
    config["devices"]["pi-1"]["target"] = "intl"
    project = new_project(config=config)
    result = project.snakemake()
    text = result.stdout + result.stderr
    assert result.returncode != 0
    assert "models.tiny.train.epoch" in text
    assert "did you mean 'epochs'?" in text
    assert "did you mean 'intel'?" in text
    assert "Traceback" not in text
    assert not (project.folder / "results").exists()
    assert project.command("edgeflow", "check").returncode == 2
    code, text = run(project)
    assert (code, text.count("did you mean 'epochs'?")) == (2, 1)
    assert "Using workflow specific profile" not in text


def test_an_empty_config_is_one_message(new_project: NewProject) -> None:
    project = new_project()
    (project.folder / "config.yaml").write_text("")
    result = project.snakemake()
    assert result.returncode != 0
    assert "Traceback" not in result.stdout + result.stderr
    assert project.command("edgeflow", "check").returncode == 2


def test_samples_of_one_class_only(new_project: NewProject, tmp_path: Path) -> None:
    config = with_npz(tmp_path, np.zeros((60, 8, 8, 1), np.uint8), np.zeros(60, np.int64))
    project = new_project(config=config)
    code, text = run(project)
    assert code == 9
    assert "class" in text
    assert not list(project.folder.glob("results/datasets/*/*.npy"))


def test_a_gate_that_cannot_be_met_fails_its_own_branch(
    new_project: NewProject, shared_store: Path
) -> None:
    config = copy.deepcopy(CONFIG)
    config["deployments"][0]["gates"] = {"latency_p50_ms_max": 1e-9}
    project = new_project(config=config, store=shared_store)
    code, text = run(project)
    assert code == 6
    assert "failed: gate pi-1/tiny: " in text
    assert "  exit code 6: " in text
    assert "  log: logs/gate/pi-1.tiny.log" in text
    assert "report: results/report/index.html" in text
    devices = project.folder / "results/devices"
    assert not (devices / "pi-1/tiny/gates.json").exists()
    assert json.loads((devices / "intel-1/tiny/gates.json").read_text())["passed"] is True
    assert "false" in (project.folder / "results/report/metrics.csv").read_text().lower()
    virtual = project.folder / ".edgeflow/virtual/pi-1/root/edgeflow/tiny"
    assert not (virtual / "current").exists(), "the device keeps a release that missed its gate"

    config["deployments"][0]["gates"] = {"latency_p50_ms_max": 1000}
    project.write_config(config)
    assert project.would_run() == {"gate": 1, "report": 1}
    assert run(project)[0] == 0
    assert (virtual / "current").exists()


def test_a_device_that_refuses_leaves_the_others_measured(
    new_project: NewProject, shared_store: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    config = copy.deepcopy(CONFIG)
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    config["devices"]["pi-1"] = {
        "target": "pi", "transport": "ssh", "host": "127.0.0.1", "port": port, "user": "root",
        "host_key": key, "identity": "no-such-key", "timeout_s": 3, "trust": "transport",
    }  # fmt: skip
    project = new_project(config=config, store=shared_store)
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(project.folder / "no-such-key")],
        check=True,
    )
    code, text = run(project)
    assert code == 4
    assert f"127.0.0.1:{port}" in text or str(port) in text
    assert (project.folder / "results/devices/intel-1/tiny/gates.json").exists()
    page = (project.folder / "results/report/index.html").read_text()
    assert "not measured" in page


def test_interrupted_training_continues_with_the_next_run(new_project: NewProject) -> None:
    config = copy.deepcopy(CONFIG)
    config["models"]["tiny"]["train"]["epochs"] = 400
    config["models"]["tiny"]["train"]["patience"] = 400
    project = new_project(config=config)
    # What a shell runs in the background ignores Ctrl-C, and so would what is started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        ["edgeflow", "run", "--cores", "2"],
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    log = project.folder / "logs/train/tiny.log"
    while not (log.exists() and "train tiny: 2/" in log.read_text()):
        assert process.poll() is None
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "report: results/report/index.html" in said, "Snakemake was not left to end by itself"
    assert not list(project.folder.glob("results/models/tiny/baseline/*"))
    project.write_config(CONFIG)
    jobs = project.would_run()
    assert "dataset" not in jobs
    assert jobs["train"] == 1
    project.build("--until", "dataset")  # Snakemake's lock has not stayed behind

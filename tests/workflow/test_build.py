"""A full build: what it leaves behind, and that it does so again, byte by byte."""

import copy
import csv
import hashlib
import json
import shutil
from pathlib import Path

import jsonschema
import pytest

from tests.workflow.conftest import CONFIG, ROOT, NewProject, Project

COLUMNS = [
    "model", "recipe", "target", "device", "metric", "metric_baseline", "metric_recipe",
    "metric_compiled", "metric_device", "parity", "latency_p50_ms", "latency_p90_ms",
    "latency_p99_ms", "peak_rss_mb", "model_bytes",
    "bundle_bytes", "gates_passed",
]  # fmt: skip


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".snakemake_timestamp"
    }


def test_every_deployment_is_measured_on_its_device(built: Project) -> None:
    with (built.folder / "results/report/metrics.csv").open() as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    assert list(reader.fieldnames or [])[: len(COLUMNS)] == COLUMNS
    assert {(row["device"], row["recipe"]) for row in rows} == {
        ("pi-1", "int8"),
        ("intel-1", "fp32"),
    }
    for row in rows:
        assert float(row["latency_p50_ms"]) > 0
        assert float(row["metric_device"]) > 0.2


def test_bundles_travel_packed(built: Project) -> None:
    records = [
        json.loads(p.read_text()) for p in built.folder.glob("results/devices/*/*/deploy.json")
    ]
    assert len(records) == 2
    for record in records:
        assert record["sent_form"] == "tar.zst"
    sent = {record["sent_bytes"] for record in records}
    packed = built.folder.glob("results/targets/*/*/*/bundle.tar.zst")
    assert sent <= {path.stat().st_size for path in packed}


def test_int8_on_the_device_is_the_host_bit_by_bit(built: Project) -> None:
    record = json.loads((built.folder / "results/devices/pi-1/tiny/validation.json").read_text())
    assert record["parity"]["bit_exact"] is True
    assert record["parity"]["share"] == 1.0
    assert record["parity"]["max_abs"] == 0.0


def test_validation_json_fits_its_schema(built: Project) -> None:
    schema = json.loads((ROOT / "edgeflow/validate/validation.schema.json").read_text())
    for path in built.folder.glob("results/devices/*/*/validation.json"):
        jsonschema.validate(json.loads(path.read_text()), schema)


def test_manifests_name_no_time_host_or_folder(built: Project) -> None:
    manifests = [
        *built.folder.glob("results/**/manifest.json"),
        *built.folder.glob("results/**/compile.json"),
        *built.folder.glob("results/**/bundle.json"),
    ]
    assert len(manifests) == 10
    for path in manifests:
        assert str(built.folder) not in path.read_text()


def test_a_clean_build_elsewhere_gives_the_same_bytes(
    built: Project, new_project: NewProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here each step is a process of its own; there only the training was."""
    monkeypatch.setenv("EDGEFLOW_STEP_SERVER", "off")
    other = new_project("another-place/with a space")
    other.build("--until", "bundle", "debug")
    assert {event["process"] for event in other.events()} == {"own"}
    assert {e["step"] for e in built.events()[:12] if e["process"] == "own"} == {"train"}
    for part in ("datasets", "models", "targets"):
        mine, theirs = (digests(p.folder / "results" / part) for p in (built, other))
        assert mine == theirs
        assert any(name.endswith(("manifest.json", "bundle.tar")) for name in mine)


def test_snakemakes_own_report_holds_ours(built: Project) -> None:
    built.build("--report", "report.zip")
    assert (built.folder / "report.zip").stat().st_size > 100_000


def test_a_device_runs_its_own_environment_built_once(pristine: Project, tmp_path: Path) -> None:
    lock = tmp_path / "device.txt"
    lock.write_bytes((ROOT / "envs/litert-device.txt").read_bytes())
    config = copy.deepcopy(CONFIG)
    config["devices"]["pi-1"]["environment"] = str(lock)
    config["store"] = {"path": str(tmp_path / "store")}
    pristine.write_config(config)
    wanted = "results/devices/pi-1/tiny/validation.json"
    pristine.build(wanted)
    environments = [path for path in (tmp_path / "store/toolchains").iterdir() if path.is_dir()]
    assert len(environments) == 1
    request = pristine.folder / ".edgeflow/virtual/pi-1/request.json"
    assert json.loads(request.read_text())["python"].startswith(str(environments[0]))
    assert not list(environments[0].glob("lib/*/site-packages/tensorflow"))
    record = json.loads((pristine.folder / wanted).read_text())
    assert record["conditions"]["engine"].startswith("ai-edge-litert")
    assert record["parity"]["share"] == 1.0

    lock.write_text("# another word\n" + lock.read_text())
    assert pristine.would_run()["deploy"] >= 1
    pristine.write_config(CONFIG)
    pristine.build()


def test_a_selection_builds_its_deployments_alone(pristine: Project) -> None:
    devices = pristine.folder / "results/devices"
    kept = devices.rename(devices.with_name("kept"))
    try:
        seen = pristine.command("edgeflow", "run", "-n", "--device", "pi-1")
        assert "selected: 1 of 2 deployments (--device pi-1)" in seen.stderr
        assert "jobs:     3 (1 deploy, 1 validate, 1 gate)" in seen.stderr
        done = pristine.command("edgeflow", "run", "--device", "pi-1", "--cores", "2")
        assert done.returncode == 0, done.stderr
        assert [path.parts[-3] for path in devices.glob("*/*/gates.json")] == ["pi-1"]
        page = (pristine.folder / "results/report/index.html").read_text()
        assert "not measured" in page, "the report is not of what is there"
        assert "report: results/report/index.html" in done.stderr
        unknown = pristine.command("edgeflow", "run", "--device", "pi-2")
        assert (unknown.returncode, "did you mean 'pi-1'?" in unknown.stderr) == (2, True)
    finally:
        shutil.rmtree(devices)
        kept.rename(devices)
        pristine.build()

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.artifact import events
from edgeflow.artifact.hashing import sha256_file
from edgeflow.artifact.packed import packed_size
from edgeflow.bundle.manifest import read_bundle
from edgeflow.deploy.agent import outputs_stem
from edgeflow.errors import DeployError, IntegrityError
from edgeflow.targets.litert import LiteRT
from edgeflow.testing.trained import Trained
from edgeflow.validate import run
from edgeflow.validate.run import ATTEMPTS, Folders, validate
from edgeflow.validate.schema import Validation
from tests.unit.config.test_gatefit import INSTRUCTIONS
from tests.unit.validate.conftest import FakeDevice


@pytest.fixture
def folders(trained: Trained, packed: Path) -> Folders:
    return Folders(
        dataset=trained.dataset,
        model=trained.model,
        recipe=trained.recipe("ptq-int8"),
        compiled=packed,
    )


@pytest.fixture
def event_log(tmp_path: Path) -> Iterator[Path]:
    events.set_event_log(tmp_path / "events.jsonl")
    yield tmp_path / "events.jsonl"
    events._LOG.clear()


def slice_of(**measure: Any) -> dict[str, Any]:
    return {
        "device": {"name": "bench", "device": {"transport": "virtual"}},
        "measure": {"warmup": 2, "runs": 10, **measure},
        "names": {"device": "bench", "target": "pi", "model": "tiny", "recipe": "int8"},
    }


def deployed(folder: Path, *, changed: bool = True) -> Path:
    """Write what the deploy step leaves, now."""
    path = folder / "deploy.json"
    path.write_text(json.dumps({"changed": changed, "signed_by": "release@lab"}))
    return path


def test_a_measurement(
    device: FakeDevice, folders: Folders, trained: Trained, tmp_path: Path
) -> None:
    out = tmp_path / "out" / "validation.json"
    result = validate(slice_of(), "0", folders, deployed(tmp_path), out)
    assert Validation.model_validate(json.loads(out.read_text())) == result

    truth = trained.view().truth("test")
    accuracy = {
        name: (np.load(folder / "outputs.npy").argmax(axis=1) == truth).mean()
        for name, folder in (("baseline", folders.model), ("recipe", folders.recipe))
    }
    assert result.metric.baseline == pytest.approx(accuracy["baseline"])
    assert result.metric.recipe == pytest.approx(accuracy["recipe"])
    assert result.metric.device == result.metric.compiled == result.metric.recipe
    assert (result.parity.share, result.parity.max_abs, result.parity.bit_exact) == (1.0, 0.0, True)
    assert result.confusion is not None
    assert result.samples == len(truth) == np.sum(result.confusion.device)
    assert np.trace(result.confusion.baseline) / len(truth) == pytest.approx(accuracy["baseline"])
    assert (result.kind, result.quantize, result.recipe) == ("litert", "ptq-int8", "int8")
    assert result.latency_ms is not None
    assert (result.latency_ms.runs, result.latency_ms.warmup) == (10, 2)
    assert result.sizes.bundle_bytes == (folders.compiled / "bundle.tar").stat().st_size
    assert result.sizes.recipe_bytes == (folders.recipe / "model.tflite").stat().st_size
    assert result.sizes.model_bytes == result.sizes.recipe_bytes < result.sizes.float_bytes
    assert result.sizes.bundle_packed_bytes == (folders.compiled / "bundle.tar.zst").stat().st_size
    model = (folders.recipe / "model.tflite").read_bytes()
    assert result.sizes.model_packed_bytes == packed_size(model) < result.sizes.model_bytes
    assert result.bundle_sha256 == sha256_file(folders.compiled / "bundle.tar")
    assert result.signed_by == json.loads(out.read_text())["signed_by"] == "release@lab"
    assert device.verbs() == ["verify", "send_data", "run_release"], "nothing is made current"
    assert device.calls[0] == ("verify", "tiny", result.bundle_sha256)
    assert device.calls[1] == ("send_data", sha256_file(trained.dataset / "test_x.npy"))


def test_a_part_of_the_test_set(device: FakeDevice, folders: Folders, tmp_path: Path) -> None:
    result = validate(slice_of(samples=40), "0", folders, deployed(tmp_path), tmp_path / "v.json")
    assert result.confusion is not None
    assert result.samples == np.sum(result.confusion.baseline) == 40
    assert result.parity.share == 1.0
    assert len(np.load(tmp_path / "data.npy")) == 40
    assert all(2 <= sum(row) <= 6 for row in result.confusion.device)


def test_a_run_under_throttling_is_repeated(
    device: FakeDevice, folders: Folders, tmp_path: Path
) -> None:
    device.throttled = [True, True, False]
    result = validate(slice_of(samples=5), "0", folders, deployed(tmp_path), tmp_path / "v.json")
    assert result.conditions.throttled is False
    assert device.verbs().count("run_release") == 3


def test_a_device_that_keeps_throttling_is_refused(
    device: FakeDevice, folders: Folders, tmp_path: Path, event_log: Path
) -> None:
    device.throttled = [True] * 9
    with pytest.raises(DeployError, match="throttled its CPU in 3 runs") as caught:
        validate(slice_of(samples=5), "0", folders, deployed(tmp_path), tmp_path / "v.json")
    assert "cooling" in caught.value.hint
    assert device.verbs().count("run_release") == ATTEMPTS
    assert not (tmp_path / "v.json").exists()
    event = json.loads(event_log.read_text())
    assert (event["step"], event["name"], event["exit_code"]) == ("validate", "bench/tiny", 5)


def test_outputs_that_changed_on_their_way(
    device: FakeDevice, folders: Folders, tmp_path: Path
) -> None:
    device.damage = True
    with pytest.raises(IntegrityError, match="outputs from bench changed"):
        validate(slice_of(samples=5), "0", folders, deployed(tmp_path), tmp_path / "v.json")
    assert not (tmp_path / "v.json").exists()


def test_another_project_that_measures_the_same_model_changes_nothing(
    device: FakeDevice, folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its outputs come between the end of our run and the fetch, into the same folder."""

    def measures_too(record: dict[str, Any]) -> None:
        with monkeypatch.context() as other:
            (tmp_path / "other").mkdir()
            other.chdir(tmp_path / "other")
            stem = outputs_stem()
        (name,) = record["outputs_sha256"]
        assert (device.home / f"{outputs_stem()}.{name}.npy").exists()
        (device.home / f"{stem}.{name}.npy").write_bytes(b"others")

    device.lie = measures_too
    result = validate(slice_of(samples=5), "0", folders, deployed(tmp_path), tmp_path / "v.json")
    assert result.parity.share == 1.0


LIES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "fewer latencies": (lambda r: r["latencies_ms"].pop(), "9 latencies instead of 10"),
    "more latencies": (lambda r: r["latencies_ms"].append(1.0), "11 latencies instead of 10"),
    "a negative one": (lambda r: r["latencies_ms"].__setitem__(3, -1.0), "latencies_ms.3"),
    "one of text": (lambda r: r["latencies_ms"].__setitem__(3, "1"), "latencies_ms.3"),
    "one not a number": (lambda r: r["latencies_ms"].__setitem__(3, math.nan), "latencies_ms.3"),
    "an endless one": (lambda r: r["latencies_ms"].__setitem__(3, math.inf), "latencies_ms.3"),
    "a stopped clock": (lambda r: r.update(latencies_ms=[0.0] * 10), "in no time at all"),
    "a fast clock": (lambda r: r.update(latencies_ms=[9e6] * 10), "9e\\+04 s of work in a run of"),
    "negative memory": (lambda r: r.update(peak_rss_mb=-1.0), "peak_rss_mb"),
    "no conditions": (lambda r: r.pop("conditions"), "conditions"),
    "hot as a star": (lambda r: r["conditions"].update(temperature_c=5e3), "temperature_c"),
    "a long name": (lambda r: r["conditions"].update(cpu="x" * 501), "conditions.cpu"),
    "a deep fact": (lambda r: r["conditions"].update(deep=[[[1]]]), "conditions.deep"),
    "many facts": (lambda r: r["conditions"].update({f"k{n}": n for n in range(99)}), "than 64"),
    "no outputs": (lambda r: r.update(outputs_sha256={}), "they are output"),
    "no digest": (
        lambda r: r.update(outputs_sha256={"output": "../../etc/passwd"}),
        "outputs_sha256",
    ),
}


@pytest.mark.parametrize(("lie", "said"), LIES.values(), ids=LIES)
def test_a_record_that_cannot_be_true(
    device: FakeDevice,
    folders: Folders,
    tmp_path: Path,
    lie: Callable[[dict[str, Any]], object],
    said: str,
) -> None:
    device.lie = lie
    with pytest.raises(DeployError, match=f"tiny on device bench.*malformed.*{said}") as caught:
        validate(slice_of(samples=5), "0", folders, deployed(tmp_path), tmp_path / "v.json")
    assert caught.value.exit_code == 5
    assert not (tmp_path / "v.json").exists()


def test_an_engine_without_a_clock_has_figures_of_its_own_and_no_latency(
    device: FakeDevice, folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (device.release / "engine.py").open("a") as file:
        file.write(
            "\nEngine.clock = 'none'\nEngine.figures = lambda self: {'instructions': 1234}\n"
        )
    clockless = read_bundle(folders.compiled / "bundle.tar").model_copy(update={"clock": "none"})
    monkeypatch.setattr(run, "read_bundle", lambda path: clockless)
    monkeypatch.setattr(LiteRT, "figures", (INSTRUCTIONS,), raising=False)
    device.throttled = [True]
    result = validate(slice_of(samples=5), "0", folders, deployed(tmp_path), tmp_path / "v.json")
    assert (result.latency_ms, result.load_time_ms, result.peak_rss_mb) == (None, None, None)
    assert result.figures == {"instructions": 1234}
    assert result.parity.share == 1.0
    assert device.verbs().count("run_release") == 1, "throttling spoils no count"


def test_times_of_a_device_that_looks_emulated_are_refused(
    device: FakeDevice, folders: Folders, tmp_path: Path
) -> None:
    device.lie = lambda record: record["conditions"].update(emulated=True)
    with pytest.raises(DeployError, match="device bench is emulated") as caught:
        validate(slice_of(samples=5), "0", folders, deployed(tmp_path), tmp_path / "v.json")
    assert "emulated: true" in caught.value.hint
    assert not (tmp_path / "v.json").exists()


def test_a_figure_that_the_target_does_not_declare_is_refused(
    device: FakeDevice, folders: Folders, tmp_path: Path
) -> None:
    device.lie = lambda record: record["figures"].update(instructions=1)
    with pytest.raises(DeployError, match="does not declare: instructions"):
        validate(slice_of(samples=5), "0", folders, deployed(tmp_path), tmp_path / "v.json")


def test_what_the_compiler_told_stands_beside_what_the_device_measured(
    device: FakeDevice, folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flash = replace(INSTRUCTIONS, name="flash_bytes", kind="estimated")
    monkeypatch.setattr(LiteRT, "figures", (INSTRUCTIONS, flash), raising=False)
    told = {"flash_bytes": 2048.0, "instructions": 7.0}
    monkeypatch.setattr(run, "_compiler_figures", lambda folders: told)
    device.lie = lambda record: record["figures"].update(instructions=9)
    result = validate(slice_of(samples=5), "0", folders, deployed(tmp_path), tmp_path / "v.json")
    assert result.figures == {"flash_bytes": 2048.0, "instructions": 9}


def test_words_of_a_device_are_safe_to_print(
    device: FakeDevice, folders: Folders, tmp_path: Path
) -> None:
    device.lie = lambda r: r["conditions"].update(
        cpu="\x1b]0;owned\x07Cortex\n-A53\u202e", fan="\x1b[2Jfast"
    )
    result = validate(slice_of(samples=5), "0", folders, deployed(tmp_path), tmp_path / "v.json")
    assert result.conditions.cpu == "Cortex -A53"
    assert result.conditions.model_dump()["fan"] == "fast"


def test_an_answer_with_words_before_it(
    device: FakeDevice, folders: Folders, tmp_path: Path
) -> None:
    device.banner = "Welcome!\n"
    with pytest.raises(DeployError, match=r"malformed answer: Invalid JSON"):
        validate(slice_of(samples=5), "0", folders, deployed(tmp_path), tmp_path / "v.json")


@pytest.mark.parametrize("change", [".reshape(1, 1, -1)", "[:, :1]", ".astype('float64')", "[0]"])
def test_outputs_of_another_shape_or_type(
    device: FakeDevice, folders: Folders, tmp_path: Path, change: str
) -> None:
    with (device.release / "engine.py").open("a") as file:
        file.write("\n_infer = Engine.infer\n")
        file.write(f"Engine.infer = lambda self, x: _infer(self, x)[0]{change}\n")
    with pytest.raises(DeployError, match=r"outputs of .* instead of \(5, 10\) of int8"):
        validate(slice_of(samples=5), "0", folders, deployed(tmp_path), tmp_path / "v.json")


def test_a_device_that_answers_otherwise_is_seen(
    device: FakeDevice, folders: Folders, tmp_path: Path
) -> None:
    with (device.release / "engine.py").open("a") as file:
        file.write(
            "\n_infer = Engine.infer\n"
            "Engine.infer = lambda self, sample: _infer(self, sample)[0][:, ::-1].copy()\n"
        )
    result = validate(slice_of(), "0", folders, deployed(tmp_path), tmp_path / "v.json")
    assert result.first_divergence in {"recipe", "device"}
    assert result.metric.device < 0.5 < result.metric.compiled
    assert result.parity.share < 0.1


def test_a_deployment_that_changed_nothing_is_not_measured_again(
    device: FakeDevice, folders: Folders, tmp_path: Path, event_log: Path
) -> None:
    def measure(where: Path, **measuring: Any) -> Validation:
        return validate(slice_of(samples=5, **measuring), "0", folders, where, tmp_path / "v.json")

    first = measure(deployed(tmp_path))
    (tmp_path / "v.json").unlink()
    assert measure(deployed(tmp_path, changed=False)) == first
    assert Validation.model_validate(json.loads((tmp_path / "v.json").read_text())) == first
    assert device.verbs().count("run_release") == 1
    measure(tmp_path / "deploy.json")  # nothing was deployed since: somebody asked for it
    measure(deployed(tmp_path, changed=True))
    measure(deployed(tmp_path, changed=False), runs=11)
    assert device.verbs().count("run_release") == 4
    told = [json.loads(line)["measured"] for line in event_log.read_text().splitlines()]
    assert told == [True, False, True, True, True]


def test_another_environment_of_a_virtual_device_is_measured(
    device: FakeDevice, folders: Folders, tmp_path: Path
) -> None:
    slice_ = slice_of(samples=5)
    lock = tmp_path / "device.txt"
    slice_["device"]["device"]["environment"] = str(lock)
    for text in ("numpy==1.26", "numpy==1.26", "numpy==2.0"):
        lock.write_text(text)
        where = deployed(tmp_path, changed=False)
        validate(slice_, "0", folders, where, tmp_path / "v.json")
    assert device.verbs().count("run_release") == 2


def test_a_kept_measurement_that_cannot_be_read_is_measured_again(
    device: FakeDevice, folders: Folders, tmp_path: Path
) -> None:
    validate(slice_of(samples=5), "0", folders, deployed(tmp_path), tmp_path / "v.json")
    (tmp_path / ".edgeflow/measured/bench/tiny.json").write_text("{}")
    again = deployed(tmp_path, changed=False)
    validate(slice_of(samples=5), "0", folders, again, tmp_path / "v.json")
    assert device.verbs().count("run_release") == 2

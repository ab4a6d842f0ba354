"""The bundle's programs, run as the agent runs them: in a folder of their own, by themselves."""

import argparse
import hashlib
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgeflow.ondevice import facts, runner
from edgeflow.ondevice import release as release_module
from edgeflow.testing.trained import Trained
from tests.unit.packed import compile_tiny, pack_tiny, unpack


@pytest.fixture
def release(packed: Path, tmp_path: Path) -> Path:
    """An unpacked bundle."""
    return unpack(packed / "bundle.tar", tmp_path / "release")


EXPECTED = "golden_y/output.npy"


def manifest_of(release: Path) -> Any:
    return json.loads((release / "manifest.json").read_text())


def run(release: Path, *arguments: str, cwd: Path | None = None) -> Any:
    command = [sys.executable, "-B", str(release / "runner.py"), *arguments]
    return subprocess.run(
        command, cwd=cwd or release.parent, capture_output=True, text=True, check=False
    )


def test_golden_vectors_pass_on_the_machine_that_made_them(release: Path) -> None:
    before = sorted(release.rglob("*"))
    done = run(release, "golden")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"passed": True, "max_abs": {"output": 0.0}}
    assert sorted(release.rglob("*")) == before


def test_latency_and_memory_are_told_if_asked(release: Path) -> None:
    answer = json.loads(run(release, "golden", "--timed").stdout)
    assert answer["passed"] is True
    assert answer["latency_ms"] > 0
    assert answer["peak_rss_mb"] > 1


def test_golden_vectors_within_the_tolerance_pass(trained: Trained, tmp_path: Path) -> None:
    compile_tiny(trained, "openvino", "ptq-int8", tmp_path)
    pack_tiny(trained, "openvino", "ptq-int8", tmp_path)
    release = unpack(tmp_path / "bundle.tar", tmp_path / "release")
    assert json.loads(run(release, "golden").stdout)["passed"]
    tolerance = manifest_of(release)["io"]["outputs"][0]["tolerance"]
    assert tolerance > 0
    np.save(release / EXPECTED, np.load(release / EXPECTED) + np.float32(2 * tolerance))
    done = run(release, "golden")
    assert done.returncode == 1
    assert json.loads(done.stdout)["max_abs"]["output"] == pytest.approx(2 * tolerance, rel=0.1)


def test_a_tampered_golden_vector_fails(release: Path) -> None:
    expected = np.load(release / EXPECTED)
    expected[3, 2] += 1 if expected[3, 2] < 127 else -1
    np.save(release / EXPECTED, expected)
    done = run(release, "golden")
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    step = manifest_of(release)["io"]["outputs"][0]["scale"]
    assert not answer["passed"]
    assert answer["max_abs"]["output"] == pytest.approx(step)


def test_a_tampered_model_fails(release: Path, trained: Trained) -> None:
    model = release / "model" / "model.tflite"
    good = bytearray(model.read_bytes())
    middle = len(good) // 2
    good[middle : middle + 400] = bytes(byte ^ 0x55 for byte in good[middle : middle + 400])
    model.write_bytes(good)
    assert run(release, "golden").returncode != 0
    shutil.copyfile(trained.recipe("none") / "float.tflite", model)
    assert run(release, "golden").returncode == 1


def test_golden_vectors_in_this_process(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "HERE", str(release))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    try:
        answer = runner.golden(argparse.Namespace(unit={}, timed=False))
        np.save(release / EXPECTED, np.load(release / EXPECTED) // 2)
        other = runner.golden(argparse.Namespace(unit={}, timed=False))
    finally:
        sys.modules.pop("engine", None)
    assert answer == {"passed": True, "max_abs": {"output": 0.0}}
    assert not other["passed"]


def test_latencies_are_milliseconds_of_single_inferences(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 10.002, 20.0, 20.004])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    asked: list[list[int]] = []
    engine = argparse.Namespace(infer=lambda sample: asked.append(sample.tolist()))
    times = runner.latencies(engine, [np.arange(3)], warmup=4, runs=2)
    assert times == pytest.approx([2.0, 4.0])
    assert asked == [[0], [1], [2], [0], [0], [1]]


def test_measure_runs_every_sample(
    release: Path, trained: Trained, packed: Path, tmp_path: Path
) -> None:
    data, work = trained.dataset / "test_x.npy", tmp_path / "work"
    work.mkdir()
    arguments = ("--data", str(data), "--out", "outputs", "--warmup", "3", "--runs", "25")
    done = run(release, "measure", *arguments, cwd=work)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    made, wanted = work / "outputs.output.npy", packed / "reference/output.npy"
    np.testing.assert_array_equal(np.load(made), np.load(wanted))
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    assert record["outputs_sha256"] == {"output": digest}
    assert len(record["latencies_ms"]) == 25
    assert min(record["latencies_ms"]) > 0
    assert record["load_time_ms"] > 0
    assert record["figures"] == {}
    assert 10 < record["peak_rss_mb"] < 2000
    conditions = record["conditions"]
    assert conditions["numpy"] == np.__version__
    assert conditions["engine"].startswith("ai-edge-litert 2.")
    assert conditions["instruction_sets"] == facts.instruction_sets()
    assert {"cpu", "machine", "kernel", "python", "governor", "temperature_c", "throttled"} <= set(
        conditions
    )


EMULATOR = """
class Emulator(Engine):
    clock = "none"

    def __init__(self, folder, engine_options):
        super().__init__(folder, engine_options)
        self._unit, self._runs = engine_options["unit"], 0

    def infer(self, sample):
        self._runs += 1
        return super().infer(sample)

    def figures(self):
        return {"runs": self._runs, "joules": 0.25, "board": self._unit["board"]}

    def profile(self, sample):
        raise RuntimeError("its times are not the model's")


Engine = Emulator
"""


def test_an_engine_without_a_clock_is_not_timed_and_counts_by_itself(
    release: Path, trained: Trained, tmp_path: Path
) -> None:
    with (release / "engine.py").open("a") as file:
        file.write(EMULATOR)
    arguments = ("--data", str(trained.dataset / "test_x.npy"), "--out", str(tmp_path / "o"))
    unit = ("--unit", json.dumps({"board": 7}))
    done = run(release, *unit, "measure", *arguments, "--warmup", "3", "--runs", "25")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert (record["load_time_ms"], record["latencies_ms"], record["peak_rss_mb"]) == (
        None,
        [],
        None,
    )
    samples = len(np.load(trained.dataset / "test_x.npy"))
    assert record["figures"] == {"runs": samples, "joules": 0.25, "board": 7}
    assert record["layers"] == []


def test_on_an_emulated_device_instructions_are_counted_and_nothing_is_timed(
    release: Path, trained: Trained, tmp_path: Path
) -> None:
    samples = tmp_path / "few.npy"
    np.save(samples, np.load(trained.dataset / "test_x.npy")[:3])
    program = tmp_path / "counted.py"
    program.write_text(
        f"import sys; sys.path.insert(0, {str(release)!r}); import runner\n"
        "counts = iter([0, 900, 1000, *range(1100, 9999, 7)])\n"
        "runner.instruction_counter = lambda: counts.__next__\n"
        "sys.exit(runner.main(runner.claim_stdout()))\n"
    )
    command = [sys.executable, "-B", str(program)]
    where = ("--data", str(samples), "--out", str(tmp_path / "o"))
    found = []
    for verb in (("measure", *where, "--warmup", "3", "--runs", "25"), ("predict", *where)):
        done = subprocess.run([*command, "--emulated", *verb], capture_output=True, check=True)
        found.append(json.loads(done.stdout))
    measured, predicted = found
    assert measured["figures"] == {"instructions": 7}
    assert measured["latencies_ms"] == measured["layers"] == predicted["latencies_ms"] == []
    assert measured["load_time_ms"] is measured["peak_rss_mb"] is None
    assert measured["conditions"]["emulated"]


def test_silicon_counts_no_instructions_for_the_runner() -> None:
    assert runner.instruction_counter() is None
    assert runner.instructions(Doubler(), [np.ones((3, 2))]) == {}


@pytest.mark.parametrize(
    ("machine", "cpuinfo", "emulated"),
    [
        ("x86_64", "vendor_id : GenuineIntel\nmodel name : Core\n", False),
        ("aarch64", "vendor_id : GenuineIntel\nmodel name : Core\n", True),
        ("aarch64", "CPU implementer : 0x41\nHardware : BCM2711\n", False),
    ],
)
def test_a_cpu_that_is_not_the_kernels_is_emulated(
    monkeypatch: pytest.MonkeyPatch, machine: str, cpuinfo: str, *, emulated: bool
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    files = {"/proc/cpuinfo": cpuinfo}
    monkeypatch.setattr(facts, "read_text", files.get)
    assert facts.is_emulated() == emulated
    assert (facts.cpu_name() == "emulated aarch64") == emulated


def test_only_an_installed_release_has_a_place_to_keep_things_in() -> None:
    assert release_module.cache_folder("/opt/net/releases/ab12") == "/opt/net/cache/ab12"
    assert release_module.cache_folder("/tmp/release") is None


def test_an_unknown_verb_is_a_usage_error(release: Path) -> None:
    done = run(release, "fly")
    assert (done.returncode, done.stdout) == (2, "")


def test_inputs_are_quantized_like_on_the_host(release: Path, trained: Trained) -> None:
    view, tensor = trained.view(), manifest_of(release)["io"]["inputs"][0]
    steps = np.rint(view.inputs("test") / np.float32(tensor["scale"])) + tensor["zero_point"]
    wanted = np.clip(steps, -128, 127).astype(np.int8)
    np.testing.assert_array_equal(release_module.to_input(view.raw("test"), tensor), wanted)
    tensor.update({"dtype": "float32", "scale": 0.0, "zero_point": 0})
    np.testing.assert_array_equal(
        release_module.to_input(view.raw("test"), tensor), view.inputs("test")
    )


class Doubler:
    """An engine that doubles, and counts how often it is asked."""

    calls = 0

    def infer(self, sample: Any) -> Any:
        self.calls += 1
        return sample * 2


class ManyDoubler:
    """An engine for many samples at once, of two inputs and outputs."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def infer_many(self, one: Any, other: Any) -> Any:
        self.lengths.append(len(one))
        return one * 2, other * 3


def test_many_samples_are_run_at_once_as_far_as_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = np.arange(14, dtype=np.uint8).reshape(7, 2), np.arange(7, dtype=np.uint8)
    tensor = {"preprocess": {"scale": 1.0, "offset": 0.0}, "dtype": "float32", "scale": 0.0}
    manifest = {"io": {"inputs": [tensor, tensor]}}
    for limit_bytes, lengths in ((1, [1] * 7), (37, [3, 3, 1]), (1 << 20, [7])):
        engine = ManyDoubler()
        monkeypatch.setattr(runner, "MANY_BYTES", limit_bytes)
        twice, thrice = runner.run_all(engine, [one, other], manifest)
        np.testing.assert_array_equal(twice, one * 2.0)
        np.testing.assert_array_equal(thrice, other * 3.0)
        assert engine.lengths == lengths


def test_warmup_runs_are_not_timed() -> None:
    engine = Doubler()
    times = runner.latencies(engine, [np.ones((3, 2), np.float32)], warmup=4, runs=7)
    assert len(times) == 7
    assert engine.calls == 11


def test_a_latency_is_in_ms_of_the_engine_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        now_s = 100.0

    class Slow(Doubler):
        def infer(self, sample: Any) -> Any:
            Clock.now_s += 0.25
            return super().infer(sample)

    monkeypatch.setattr("edgeflow.ondevice.runner.time.perf_counter", lambda: Clock.now_s)
    assert runner.latencies(Slow(), [np.ones((3, 2))], warmup=1, runs=2) == [250.0, 250.0]


@pytest.mark.parametrize("name", ["numpy", "ai_edge_litert"])
def test_what_is_missing_is_answered(release: Path, tmp_path: Path, name: str) -> None:
    for module in {name, "tflite_runtime"}:
        text = f"raise ModuleNotFoundError({f'No module named {module!r}'!r})"
        (release / f"{module}.py").write_text(text)
    done = run(release, "golden")
    assert done.returncode == runner.EX_UNAVAILABLE
    assert json.loads(done.stdout) == {"missing": f"No module named '{name}'"}


def test_an_engine_that_prints_does_not_spoil_the_answer(release: Path) -> None:
    with (release / "engine.py").open("a") as file:
        file.write("\nimport os\nprint('INFO: hello')\nos.write(1, b'from C\\n')\n")
    done = run(release, "golden")
    assert json.loads(done.stdout)["passed"]
    assert "INFO: hello" in done.stderr
    assert "from C" in done.stderr


@pytest.mark.parametrize("change", [".reshape(1, 1, -1)", ".astype('float64')", ".T", "[:, :1]"])
def test_golden_vectors_of_another_shape_or_type_fail(release: Path, change: str) -> None:
    with (release / "engine.py").open("a") as file:
        file.write("\n_infer = Engine.infer\n")
        file.write(f"Engine.infer = lambda self, x: _infer(self, x)[0]{change}\n")
    done = run(release, "golden")
    assert done.returncode == 1
    assert "here, the host's are" in done.stderr
    assert done.stdout == ""


BOARDS: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "Raspberry Pi": (
        {
            "/proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
            "/sys/devices/platform/soc/soc:firmware/get_throttled": "50005",
            "/sys/class/thermal/thermal_zone0/temp": "48312",
            "/proc/self/status": "Name:\tx\nVmHWM:\t   50000 kB\n",
        },
        {"cpu": "Raspberry Pi 4 Model B Rev 1.4", "flags": 0x50005, "celsius": 48.312,
         "rss": 51.2},
    ),
    "PC": (
        {"/proc/cpuinfo": "processor\t: 0\nmodel name\t: Intel(R) N100\n"},
        {"cpu": "Intel(R) N100", "flags": None, "celsius": None, "rss": None},
    ),
    "odd sensor": (
        {"/proc/cpuinfo": "Hardware\t: BCM2835\n", "/sys/class/thermal/thermal_zone0/temp": "?"},
        {"cpu": "BCM2835", "flags": None, "celsius": None, "rss": None},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("files", "wanted"), BOARDS.values(), ids=BOARDS)
def test_what_a_board_says_of_itself(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, str], wanted: dict[str, Any]
) -> None:
    monkeypatch.setitem(sys.modules, "facts", facts)
    monkeypatch.setattr(facts, "read_text", files.get)
    assert {
        "cpu": facts.cpu_name(),
        "flags": runner.throttle_flags(),
        "celsius": runner.temperature_c(),
        "rss": runner.peak_rss_mb(),
    } == wanted


Answer = Callable[[], dict[str, Any]]


@pytest.fixture
def answer(
    release: Path, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Answer:
    """Measure an engine that doubles, in this process; return what the runner answers."""

    class Engine(Doubler):
        @staticmethod
        def version() -> str:
            return "doubler 1"

    monkeypatch.setattr(runner, "HERE", str(release))
    monkeypatch.setattr(release_module, "load_engine", lambda folder, manifest, unit: Engine())
    monkeypatch.setitem(sys.modules, "facts", facts)
    monkeypatch.setitem(sys.modules, "energy", SimpleNamespace(measure=lambda infer: None))
    verb = ["measure", "--data", str(trained.dataset / "test_x.npy"), "--warmup", "1"]
    verb += ["--out", str(tmp_path / "o"), "--runs", "2"]
    monkeypatch.setattr(sys, "argv", ["runner.py", *verb])

    def run() -> dict[str, Any]:
        out = io.StringIO()
        assert runner.main(out) == 0
        said: dict[str, Any] = json.loads(out.getvalue())
        return said

    return run


@pytest.mark.parametrize(
    ("flags", "throttled"), [(None, None), (0, False), (0x50000, False), (0x4, True), (0x1, True)]
)
def test_only_throttling_during_the_run_counts(
    answer: Answer, monkeypatch: pytest.MonkeyPatch, flags: int | None, throttled: bool | None
) -> None:
    monkeypatch.setattr(runner, "throttle_flags", lambda: flags)
    conditions = answer()["conditions"]
    assert conditions["throttled"] is throttled
    assert conditions["engine"] == "doubler 1"


def test_energy_is_a_figure_and_idle_power_a_condition(
    answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = answer()
    assert without["figures"] == {}
    assert not without["conditions"].keys() & {"idle_power_w", "energy_sensors"}

    def sense(infer: Callable[[], Any]) -> dict[str, Any]:
        assert infer().shape[0] == 1, "one sample"
        return {"energy_mj": 2.5, "idle_power_w": 1.5, "energy_sensors": ["ina219 channel 1"]}

    monkeypatch.setitem(sys.modules, "energy", SimpleNamespace(measure=sense))
    said = answer()
    assert said["figures"] == {"energy_mj": 2.5}
    assert said["conditions"]["idle_power_w"] == 1.5
    assert said["conditions"]["energy_sensors"] == ["ina219 channel 1"]


def test_layers_are_timed_after_all_that_counters_would_disturb(
    answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answer()["layers"] == []
    order: list[str] = []

    def note(name: str, value: Any) -> Any:
        order.append(name)
        return value

    conv = {"name": "Conv_1", "type": "Conv", "kernel": "gemm", "time_us": 2.0}
    for name, value in (("infer", np.zeros((1, 1))), ("profile", [conv])):
        monkeypatch.setattr(Doubler, name, lambda *_, n=name, v=value: note(n, v), raising=False)
    monkeypatch.setattr(runner, "peak_rss_mb", lambda: note("memory", 50.0))
    assert answer()["layers"] == [conv]
    assert order[order.index("memory") + 1 :] == ["profile"]


def test_slow_models_are_profiled_with_few_samples_and_texts_are_cut() -> None:
    class Engine:
        def profile(self, one: Any, other: Any) -> list[dict[str, Any]]:
            np.testing.assert_array_equal(one, other)
            self.rows = one.tolist()
            return [{"name": "ab" * 500, "type": "Conv", "kernel": "gemm", "time_us": 2.0}]

    engine, samples = Engine(), np.arange(2)
    for latency_ms, wanted in (
        (5000.0, [0]),
        (700.0, [0, 1]),
        (600.0, [0, 1, 0]),
        (0.0, [0, 1] * 25),
    ):
        (layer,) = runner.layers(engine, [samples, samples], [latency_ms, latency_ms])
        assert engine.rows == wanted
        assert layer == {"name": "ab" * 100, "type": "Conv", "kernel": "gemm", "time_us": 2.0}


def test_a_system_that_does_not_tell_its_load(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError

    monkeypatch.setattr("os.getloadavg", fail)
    assert runner.load_1min() is None


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "text").write_text(" ondemand\n")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    assert facts.read_text(str(tmp_path / "text")) == "ondemand"
    assert facts.read_text(str(tmp_path / "bytes")) is None
    assert facts.read_text(str(tmp_path / "none")) is None


class Sums:
    """An engine with two inputs, whose outputs are their sum and their difference."""

    def infer(self, one: Any, other: Any) -> Any:
        return one + other, (one - other)[:, None]


def tensor(name: str, **figures: Any) -> dict[str, Any]:
    return {"name": name, "dtype": "float32", "scale": 0.0, "zero_point": 0, **figures}


def test_several_inputs_and_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = [
        tensor("left", preprocess={"scale": 0.5, "offset": 1.0}),
        tensor("right", dtype="int8", scale=0.25, preprocess={"scale": 1.0, "offset": 0.0}),
    ]
    outputs = [tensor("sum", tolerance=0.5), tensor("difference", scale=2.0, tolerance=1.0)]
    stored = {
        "left": np.arange(6, dtype="uint8").reshape(3, 2),
        "right": np.ones((3, 2), np.uint8),
    }
    expected = {"sum": np.arange(6.0).reshape(3, 2) / 2 + 5, "difference": np.zeros((3, 1, 2))}
    expected["difference"][:, 0] = np.arange(6.0).reshape(3, 2) / 2 - 3
    (tmp_path / "golden_x").mkdir()
    (tmp_path / "golden_y").mkdir()
    for name, samples in stored.items():
        np.save(tmp_path / "golden_x" / f"{name}.npy", samples)
    for name, array in expected.items():
        np.save(tmp_path / "golden_y" / f"{name}.npy", array.astype(np.float32))
    manifest = {"io": {"inputs": inputs, "outputs": outputs}}
    monkeypatch.setattr(runner, "HERE", str(tmp_path))
    monkeypatch.setattr(release_module, "load_manifest", lambda folder: manifest)
    monkeypatch.setattr(release_module, "load_engine", lambda folder, manifest, unit: Sums())
    answer = runner.golden(argparse.Namespace(unit={}, timed=False))
    assert answer == {"passed": True, "max_abs": {"sum": 0.0, "difference": 0.0}}

    off = (expected["difference"] + 1).astype(np.float32)
    np.save(tmp_path / "golden_y/difference.npy", off)
    answer = runner.golden(argparse.Namespace(unit={}, timed=False))
    assert answer == {"passed": False, "max_abs": {"sum": 0.0, "difference": 2.0}}

    found = runner.run_all(Sums(), [stored["left"], stored["right"]], manifest)
    digests = runner.save_outputs(found, manifest, str(tmp_path / "o"))
    for name, array in expected.items():
        path = tmp_path / f"o.{name}.npy"
        np.testing.assert_array_equal(np.load(path), array)
        assert digests[name] == hashlib.sha256(path.read_bytes()).hexdigest()

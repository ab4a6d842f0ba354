"""The target kind: options, budgets, figures and findings; its compiler is a stand-in."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edgeflow import plugins
from edgeflow.artifact.code import read_code
from edgeflow.artifact.fingerprint import closure
from edgeflow.config.recipe import Recipe
from edgeflow.config.target import target_slice
from edgeflow.errors import CompileError
from edgeflow.targets import mcu
from edgeflow.targets.base import CompiledModel, CompileInput, parse_options
from edgeflow.targets.mcu import Mcu
from edgeflow.targets.mcu.options import McuOptions
from edgeflow.targets.worker import Worker
from tests.unit.targets.mcu.nets import Net, Quant, conv2d, elu, fully_connected
from tests.unit.targets.mcu.test_board import OWN

BUILT = {"elf": "fw.elf", "flash_bytes": 4096, "ram_bytes": 512, "stack_bytes": 128}


class StandIn(Worker):
    """A worker that links nothing and says what it likes, each time the next."""

    levels: list[str]

    def __init__(self, *answers: Mapping[str, Any]) -> None:
        super().__init__(title="mcu/net/int8")
        object.__setattr__(self, "_answers", list(answers))
        object.__setattr__(self, "levels", [])

    def run(self, job: Any, files: Any, out: Path, *, hint: str) -> dict[str, Any]:
        assert {"main.c", "model.c", "model.h", "tensors.h"} <= set(files)
        assert all(path.is_file() for path in files.values())
        (out / "fw.elf").write_bytes(b"firmware")
        self.levels.extend(job["optimize"])
        return {**BUILT, "invoke_address": 0x100, **self._answers.pop(0)}  # type: ignore[attr-defined]


def options(**given: Any) -> McuOptions:
    parsed = parse_options(Mcu, {"kind": "mcu", "board": "microbit", **given})
    assert isinstance(parsed, McuOptions)
    return parsed


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A network of two dense layers; 8 x 16 and 16 x 4 weights."""
    net = Net()
    path = tmp_path / "net.tflite"
    path.write_bytes(
        net.model(fully_connected(net, fully_connected(net, net.input((1, 8)), 16), 4))
    )
    return path


def compiled(model: Path, tmp_path: Path, worker: Worker, **given: Any) -> CompiledModel:
    (tmp_path / "out").mkdir()
    job = CompileInput(
        model=model,
        float_model=model,
        network=None,
        recipe=Recipe(quantize="ptq-int8"),
        calibration=None,
        worker=worker,
    )
    return Mcu.compile(job, options(**given), tmp_path / "out")


def test_the_first_form_that_fits_is_taken(model: Path, tmp_path: Path) -> None:
    worker = StandIn(*[{"flash_bytes": 300_000}] * 3, {"flash_bytes": 5_120})
    made = compiled(model, tmp_path, worker)
    assert made.figures == {"flash_kb": 5.0, "ram_kb": 0.5}
    assert (made.facts["mode"], made.facts["optimize"]) == ("compact", "O2")
    assert worker.levels == ["-Os", "-O2", "-Os", "-O2"]
    assert made.facts["macs"] == 8 * 16 + 16 * 4
    assert made.facts["stack_bound_bytes"] == 128
    text = (tmp_path / "out" / made.model).read_text()
    described = json.loads(text)
    assert described["board"]["emulator"] == {"program": "qemu-system-arm", "machine": "microbit"}
    assert [one["shape"] for one in described["io"]["inputs"]] == [[1, 8]]
    assert "nn_dense" in (tmp_path / "out/model_kernels.h").read_text()
    assert (tmp_path / "out/fw.elf").read_bytes() == b"firmware"


def test_a_small_dense_network_is_unrolled(model: Path, tmp_path: Path) -> None:
    made = compiled(model, tmp_path, StandIn({}))
    assert (made.facts["mode"], made.facts["optimize"]) == ("unrolled", "Os")
    assert "nn_dense" not in (tmp_path / "out/model.c").read_text()


def test_a_budget_may_be_used_to_the_last_byte(model: Path, tmp_path: Path) -> None:
    worker = StandIn({"flash_bytes": 5_121}, {"flash_bytes": 5_120, "ram_bytes": 1_024 - 128})
    made = compiled(model, tmp_path, worker, flash_kb=5, ram_kb=1)
    assert (made.facts["mode"], made.figures["flash_kb"]) == ("specialized", 5.0)


def test_a_level_of_ones_own(model: Path, tmp_path: Path) -> None:
    worker = StandIn(*[{"flash_bytes": 300_000}] * 2, {})
    made = compiled(model, tmp_path, worker, optimize="O3")
    assert (made.facts["mode"], made.facts["optimize"]) == ("compact", "O3")


def test_simd_kernels_are_left_out_where_they_do_not_fit(model: Path, tmp_path: Path) -> None:
    worker = StandIn(*[{"ram_bytes": 5_000_000}] * 2, {})
    made = compiled(model, tmp_path, worker, board="mps2-an386")
    assert (made.facts["mode"], made.facts["simd"]) == ("specialized", False)
    assert worker.levels == ["-O2", "-Os", "-O2"]
    assert "nn_dense_simd" not in (tmp_path / "out/model.c").read_text()


def test_networks_of_other_layers_are_not_unrolled(tmp_path: Path) -> None:
    net = Net()
    path = tmp_path / "net.tflite"
    x = conv2d(net, net.input((1, 4, 4, 1)), 2)
    path.write_bytes(net.model(fully_connected(net, x, 3)))
    assert compiled(path, tmp_path, StandIn({})).facts["mode"] == "specialized"


def test_what_fits_in_no_form(model: Path, tmp_path: Path) -> None:
    worker = StandIn(*[{"ram_bytes": 1900}] * 4, {"ram_bytes": 1900, "flash_bytes": 4000})
    with pytest.raises(CompileError) as caught:
        compiled(model, tmp_path, worker, ram_kb=1.9, flash_kb=3.9)
    said = caught.value.message
    assert "mcu/net/int8 does not fit microbit" in said
    assert "needs 3.9 kB of flash and may take 3.9 kB (4.0 kB unrolled -Os, " in said
    assert ", 4.0 kB compact -O2, 3.9 kB compact -Os; " in said
    assert "needs 2.0 kB of RAM and may take 1.9 kB (0.1 kB are stack" in said
    assert "FULLY_CONNECTED" in said
    assert not list((tmp_path / "out").iterdir())


def test_a_budget_that_is_missed_with_a_mode_of_ones_own(model: Path, tmp_path: Path) -> None:
    worker = StandIn(*[{"flash_bytes": 4200}] * 2)
    with pytest.raises(CompileError) as caught:
        compiled(model, tmp_path, worker, flash_kb=4.0, mode="specialized")
    assert "`mode: auto`" in str(caught.value.hint)
    # 104 bytes too many of 272 that are weights: their root is 0.79 of the channels.
    assert "prune_channels: {share: 0.25}" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("flash_kb", "exact", "share"), [(64, True, 1.0), (3.9, True, 0.75), (1.5, False, None)]
)
def test_what_a_network_takes_is_told_before_it_is_trained(
    model: Path, flash_kb: float, exact: bool, share: float | None
) -> None:
    worker = StandIn({"flash_bytes": 8192}, *[{}] * 4) if exact else None
    found = Mcu.fit(model, options(flash_kb=flash_kb), worker)
    flash, ram = found.memories
    assert flash.limit_bytes == int(flash_kb * 1024)
    assert found.macs == 192
    assert (found.exact, found.share) == (exact, share)
    assert bool(found.problem) == (share != 1.0) == (flash.needed_bytes > flash.limit_bytes)
    # 16 hidden values, 8 in and 4 out; the stack beside them.
    assert 28 < ram.needed_bytes <= 640


@pytest.mark.parametrize("lie", [{"flash_bytes": -1}, {"elf": "../x"}, {"ram_bytes": "1"}])
def test_a_worker_that_cannot_be_believed(
    model: Path, tmp_path: Path, lie: dict[str, object]
) -> None:
    with pytest.raises(CompileError, match="says what no firmware is"):
        compiled(model, tmp_path, StandIn(lie))


def test_a_board_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "boards.toml"
    path.write_text(OWN)
    mine = options(board="mine", boards=str(path))
    assert (mine.flash_bytes, mine.ram_bytes) == (65_536, 8_192)
    assert options(board="mine", boards=str(path), ram_kb=4.5).ram_bytes == 4_608
    assert options(board="mine", boards=str(path), ram_kb=4096).ram_bytes == 8_192
    described = target_slice(mine)
    assert parse_options(Mcu, described) == mine
    path.write_text(OWN.replace("8_192", "4_096"))
    assert target_slice(options(board="mine", boards=str(path))) != described
    path.write_text(f"{OWN}{OWN.replace('[mine]', '[other]')}")
    assert target_slice(options(board="mine", boards=str(path))) == described
    assert target_slice(options(boards=str(path))) == target_slice(options())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"board": "microbot"}, "did you mean 'microbit'"),
        ({"board": "esp32"}, "can only be exported"),
        ({"board": "sifive-e", "kernels": "cmsis-nn"}, "needs `kernels: portable`"),
        ({"boards": "nowhere.toml"}, "cannot be read"),
        ({"boards": {"microbit": {"title": "x"}}}, "Field required"),
    ],
)
def test_a_board_that_cannot_be_meant(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        options(**given)


def test_figures_depend_on_the_board() -> None:
    always = {"flash_kb", "ram_kb", "stack_bytes", "instructions"}
    found: dict[str, set[str]] = {
        name: set(Mcu.runtime(options(board=name)).figures or ()) - always
        for name in ("microbit", "mps2-an386", "sifive-e", "arduino-uno")
    }
    assert found == {
        "microbit": {"cycles_estimate", "latency_us"},
        "mps2-an386": set(),
        "sifive-e": set(),
        "arduino-uno": {"cycles", "latency_us"},
    }
    assert Mcu.runtime(options()).unit_figures == frozenset(always - {"instructions"}), "on silicon"


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_operators_that_no_kernel_takes_are_named(tmp_path: Path, dtype: str) -> None:
    net, path = Net(), tmp_path / "net.tflite"
    quant = Quant(0.1) if dtype == "int8" else None
    x = net.input((1, 8), quant, dtype)
    for name in ("ABS", "EXP", "ABS"):
        y = net.tensor((1, 8), quant, dtype)
        net.operator(name, [x], [y])
        x = y
    path.write_bytes(net.model(x))
    said = [str(one) for one in Mcu.lint(path, options())]
    if dtype == "int8":
        assert len(said) == 3
        assert said[1].startswith("warning: EXP at t2: has no kernel: use one of ADD, ")
    else:
        assert [line.partition(": has")[0] for line in said] == [
            "warning: 2 ABS, the first at t1", "warning: EXP at t2",
        ]  # fmt: skip


def test_nothing_is_said_of_what_is_fine_or_no_model(model: Path, tmp_path: Path) -> None:
    assert Mcu.lint(model, options()) == []
    (tmp_path / "no.tflite").write_bytes(b"text" * 9)
    assert Mcu.lint(tmp_path / "no.tflite", options()) == []


def test_reference_kernels_and_sources_that_are_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Mcu.check(options()) == []
    monkeypatch.setattr(mcu, "find_spec", lambda module: None)
    (missing,) = Mcu.check(options())
    assert missing.what == "tflite-micro"
    assert "Linux on x86-64" in missing.install
    assert "profile: litert-ref" in missing.install
    told = Mcu.check(options(profile="litert-ref", kernels="cmsis-nn"))
    assert [one.what for one in told] == ["ai-edge-litert", "bakenn"]


def test_every_file_that_code_is_made_of_counts_as_code() -> None:
    folder = Path(mcu.__file__).parent
    named: set[Path] = set()
    for module in closure("edgeflow.targets.mcu"):
        spec = plugins.find_module(module)
        assert spec is not None
        assert spec.origin is not None
        place = Path(spec.origin)
        data = read_code(place.read_bytes(), module).data
        named |= {path for pattern in data for path in place.parent.glob(pattern)}
    files = {path for path in folder.rglob("*") if path.is_file()}
    exported = set((folder / "templates/export").rglob("*"))  # by `edgeflow export c` alone
    python = {path for path in files if path.suffix in (".py", ".pyc")}
    assert files - exported - python <= named


def test_what_the_reference_kernels_lack_is_told_before_the_training(tmp_path: Path) -> None:
    net = Net()
    path = tmp_path / "model.tflite"
    path.write_bytes(net.model(elu(net, net.input((1, 8), Quant(0.05, -3)))))
    Mcu.fit(path, options(), None)
    with pytest.raises(CompileError, match="litert-ref") as caught:
        Mcu.fit(path, options(profile="litert-ref"), None)
    assert "profile: tflm" in caught.value.hint

"""Each command hands its arguments to the one function that does the work."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edgeflow.bundle.pack import made_from
from edgeflow.cli.app import app
from edgeflow.config.load import parse
from edgeflow.plan import Plan
from edgeflow.validate.run import Folders
from tests.unit.test_plan import RAW

PLAN = Plan(parse(RAW))
SLICES: dict[str, dict[str, Any]] = {
    "dataset": PLAN.job("dataset", dataset="digits").slice,
    "train": PLAN.job("train", model="a").slice,
    "import": {"kind": "onnx"},
    "compress": PLAN.job("compress", model="a", recipe="int8").slice,
    "debug": PLAN.job("debug").slice,
    "compile": PLAN.job("compile", target="pi").slice,
    "bundle": PLAN.job("bundle", target="pi", model="a", recipe="int8").slice,
    "deploy": PLAN.job("deploy", device="pi-1").slice,
    "validate": PLAN.job("validate", device="pi-1", model="a").slice,
    "gate": PLAN.job("gate", device="pi-1", model="a").slice,
    "report": PLAN.job("report").slice,
}
COMMON = ["--code", "c0de", "--out", "o"]
BUILDER = {"name": "builder", "transport": "virtual"}
D, M, R, C = (Path(name) for name in "dmrc")
CALLS: dict[str, tuple[str, list[str], tuple[object, ...]]] = {
    "dataset": (
        "edgeflow.dataset.build.build_dataset",
        ["--name", "n", "--planned", "5eed"],
        ("n", SLICES["dataset"], "c0de", Path("o"), "5eed"),
    ),
    "train": (
        "edgeflow.train.build.train_model",
        ["--name", "n", "--dataset", "d"],
        ("n", D, SLICES["train"], "c0de", Path("o")),
    ),
    "import": (
        "edgeflow.imported.build.import_model",
        ["--name", "n", "--dataset", "d", "--source", "m.onnx", "--planned", "5eed"],
        ("n", D, Path("m.onnx"), SLICES["import"], "c0de", Path("o"), "5eed"),
    ),
    "compress": (
        "edgeflow.compress.build.compress_model",
        ["--name", "n", "--dataset", "d", "--model", "m"],
        ("n", D, M, SLICES["compress"], "c0de", Path("o"), (), None),
    ),
    "debug": (
        "edgeflow.compress.debug.build.debug_recipe",
        ["--name", "n", "--dataset", "d", "--recipe", "r"],
        ("n", D, R, SLICES["debug"], "c0de", Path("o")),
    ),
    "compile": (
        "edgeflow.targets.build.compile_model",
        [
            *("--name", "n", "--dataset", "d", "--recipe", "r"),
            *("--toolchain", '{"tinyc": "1.0"}', "--host", json.dumps(BUILDER)),
        ],
        ("n", D, R, SLICES["compile"], "c0de", Path("o"), {"tinyc": "1.0"}, BUILDER),
    ),
    "bundle": (
        "edgeflow.bundle.pack.pack_bundle",
        ["--name=n", "--dataset=d", "--compiled=c", "--model=m", "--recipe=r"],
        (
            *("n", D, C, SLICES["bundle"], "c0de", Path("o")),
            made_from(D, M, R, SLICES["bundle"]["parts"]),
            None,
        ),
    ),
    "deploy": (
        "edgeflow.deploy.deploy.deploy",
        ["--bundle", "b.tar"],
        (Path("b.tar"), SLICES["deploy"], "c0de", Path("o")),
    ),
    "validate": (
        "edgeflow.validate.run.validate",
        ["--dataset=d", "--model=m", "--recipe=r", "--compiled=c", "--deployed=y.json"],
        (
            SLICES["validate"],
            "c0de",
            Folders(dataset=D, model=M, recipe=R, compiled=C),
            Path("y.json"),
            Path("o"),
        ),
    ),
    "gate": (
        "edgeflow.validate.confirm.confirm",
        ["--validation", "v.json"],
        (SLICES["gate"], "c0de", Path("v.json"), Path("o")),
    ),
    "report": (
        "edgeflow.report.build.build_report",
        ["--results", "r"],
        (SLICES["report"], "c0de", R, Path("o")),
    ),
}


def slice_of(command: str) -> list[str]:
    return ["--slice", json.dumps(SLICES[command])]


@pytest.mark.parametrize(("command", "call"), CALLS.items(), ids=CALLS)
def test_a_step_calls_its_function(
    monkeypatch: pytest.MonkeyPatch, command: str, call: tuple[str, list[str], tuple[object, ...]]
) -> None:
    function, arguments, wanted = call
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(function, lambda *given: calls.append(given))
    done = CliRunner().invoke(app, [command, *arguments, *COMMON, *slice_of(command)])
    assert done.exit_code == 0, done.output
    assert calls == [wanted]


def test_a_slice_too_long_for_a_command_line_comes_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    function, arguments, wanted = CALLS["report"]
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(function, lambda *given: calls.append(given))
    file = tmp_path / "slice.json"
    given = ["report", *arguments, *COMMON, "--slice", f"@{file}"]
    done = CliRunner().invoke(app, given)
    assert (done.exit_code, calls) == (2, [])
    file.write_text(json.dumps(SLICES["report"]))
    assert CliRunner().invoke(app, given).exit_code == 0
    assert calls == [wanted]


@pytest.mark.parametrize("command", CALLS)
def test_every_argument_is_needed(command: str) -> None:
    done = CliRunner().invoke(app, [command, *COMMON, *slice_of(command)])
    assert done.exit_code == 2
    assert "Missing option" in done.output


def harmed(slice_: dict[str, Any]) -> list[object]:
    """Return slices of another shape: nothing, a key too few, and values of another type."""
    fewer = [{key: slice_[key] for key in slice_ if key != one} for one in slice_]
    others = [{**slice_, key: other} for key in slice_ for other in (None, 3, [None])]
    return [{}, [], 3, "{", *fewer, *others]


@pytest.mark.parametrize("command", CALLS)
def test_options_of_another_shape_are_a_wrong_command_line(
    monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    function, arguments, _ = CALLS[command]
    monkeypatch.setattr(function, lambda *given: None)
    refused = 0
    for slice_ in harmed(SLICES[command]):
        text = slice_ if isinstance(slice_, str) else json.dumps(slice_)
        given = [command, *arguments, *COMMON, "--slice", text]
        done = CliRunner().invoke(app, given)
        assert done.exit_code in (0, 2), (slice_, done.output)
        assert done.exit_code == 0 or "--slice" in done.output
        refused += done.exit_code == 2
    # A key may have a default, or take a value of one of the other types.
    assert refused >= 3 + len(SLICES[command])


def test_trust_prints_what_to_compare_and_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def scan(*arguments: object) -> tuple[str, str]:
        asked.append(arguments)
        return "ssh-ed25519 AAAA", "SHA256:xyz"

    monkeypatch.setattr("edgeflow.remote.trust.scan_host_key", scan)
    done = CliRunner().invoke(app, ["device", "trust", "pi.local", "--port", "2222"])
    assert done.exit_code == 0
    assert asked == [("pi.local", 2222, 10.0, None)]
    assert "fingerprint: SHA256:xyz" in done.output
    assert "host_key: ssh-ed25519 AAAA" in done.output


@pytest.mark.parametrize(
    "given",
    [
        ["--toolchain", '{"tinyc": 1}'],
        ["--host", '{"transport": "virtual"}'],
        ["--host", '{"name": "builder", "transport": "ssh", "host": "h"}'],
        ["--host", "[]"],
    ],
)
def test_a_toolchain_of_another_shape_is_a_wrong_command_line(
    monkeypatch: pytest.MonkeyPatch, given: list[str]
) -> None:
    function, arguments, _ = CALLS["compile"]
    monkeypatch.setattr(function, lambda *given: None)
    line = ["compile", *arguments, *COMMON, *slice_of("compile"), *given]
    done = CliRunner().invoke(app, line)
    assert done.exit_code == 2
    assert given[0] in done.output

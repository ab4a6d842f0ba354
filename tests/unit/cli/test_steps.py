"""Each command hands its arguments to the one function that does the work."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edgeflow.cli.app import app
from edgeflow.validate.run import Folders

OPTIONS = {"a": [1, {"b": None}]}
COMMON = ["--options", json.dumps(OPTIONS), "--code", "c0de", "--out", "o"]
D, M, R, C = (Path(name) for name in "dmrc")
CALLS: dict[str, tuple[str, list[str], tuple[object, ...]]] = {
    "dataset": (
        "edgeflow.dataset.build.build_dataset",
        ["--name", "n", "--planned", "5eed"],
        ("n", OPTIONS, "c0de", Path("o"), "5eed"),
    ),
    "train": (
        "edgeflow.train.build.train_model",
        ["--name", "n", "--dataset", "d"],
        ("n", D, OPTIONS, "c0de", Path("o")),
    ),
    "import": (
        "edgeflow.imported.build.import_model",
        ["--name", "n", "--dataset", "d", "--source", "m.onnx", "--planned", "5eed"],
        ("n", D, Path("m.onnx"), OPTIONS, "c0de", Path("o"), "5eed"),
    ),
    "compress": (
        "edgeflow.compress.build.compress_model",
        ["--name", "n", "--dataset", "d", "--model", "m"],
        ("n", D, M, OPTIONS, "c0de", Path("o"), ()),
    ),
    "debug": (
        "edgeflow.compress.debug.build.debug_recipe",
        ["--name", "n", "--dataset", "d", "--recipe", "r"],
        ("n", D, R, OPTIONS, "c0de", Path("o")),
    ),
    "compile": (
        "edgeflow.targets.build.compile_model",
        ["--name", "n", "--dataset", "d", "--recipe", "r"],
        ("n", D, R, OPTIONS, "c0de", Path("o")),
    ),
    "bundle": (
        "edgeflow.bundle.pack.pack_bundle",
        ["--name", "n", "--dataset", "d", "--compiled", "c"],
        ("n", D, C, OPTIONS, "c0de", Path("o")),
    ),
    "deploy": (
        "edgeflow.deploy.deploy.deploy",
        ["--bundle", "b.tar"],
        (Path("b.tar"), OPTIONS, "c0de", Path("o")),
    ),
    "validate": (
        "edgeflow.validate.run.validate",
        ["--dataset=d", "--model=m", "--recipe=r", "--compiled=c", "--deployed=y.json"],
        (
            OPTIONS,
            "c0de",
            Folders(dataset=D, model=M, recipe=R, compiled=C),
            Path("y.json"),
            Path("o"),
        ),
    ),
    "gate": (
        "edgeflow.validate.confirm.confirm",
        ["--validation", "v.json"],
        (OPTIONS, "c0de", Path("v.json"), Path("o")),
    ),
    "report": (
        "edgeflow.report.build.build_report",
        ["--results", "r"],
        (OPTIONS, "c0de", R, Path("o")),
    ),
}


@pytest.mark.parametrize(("command", "call"), CALLS.items(), ids=CALLS)
def test_a_step_calls_its_function(
    monkeypatch: pytest.MonkeyPatch, command: str, call: tuple[str, list[str], tuple[object, ...]]
) -> None:
    function, arguments, wanted = call
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(function, lambda *given: calls.append(given))
    done = CliRunner().invoke(app, [command, *arguments, *COMMON])
    assert done.exit_code == 0, done.output
    assert calls == [wanted]


@pytest.mark.parametrize("command", CALLS)
def test_every_argument_is_needed(command: str) -> None:
    done = CliRunner().invoke(app, [command, *COMMON])
    assert done.exit_code == 2
    assert "Missing option" in done.output


def test_trust_prints_what_to_compare_and_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def scan(*arguments: object) -> tuple[str, str]:
        asked.append(arguments)
        return "ssh-ed25519 AAAA", "SHA256:xyz"

    monkeypatch.setattr("edgeflow.deploy.trust.scan_host_key", scan)
    done = CliRunner().invoke(app, ["device", "trust", "pi.local", "--port", "2222"])
    assert done.exit_code == 0
    assert asked == [("pi.local", 2222, 10.0)]
    assert "fingerprint: SHA256:xyz" in done.output
    assert "host_key: ssh-ed25519 AAAA" in done.output

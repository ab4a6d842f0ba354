"""`edgeflow target list` and `show`: what each kind needs here, without building anything."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import Field
from typer.testing import CliRunner

from edgeflow.cli import needs as needs_module
from edgeflow.cli.app import app
from edgeflow.errors import MissingToolError
from edgeflow.targets import registry
from edgeflow.targets.base import HostedOptions, Missing, TargetOptions
from edgeflow.targets.litert import LiteRT, LiteRTOptions
from edgeflow.toolchain import environment
from edgeflow.toolchain.base import Environment, Program, Toolchain

OTHER_PYTHON = "3.4"
"""A version that no machine of ours has."""


class BoardOptions(HostedOptions):
    kind: Literal["litert"]
    board: Annotated[str, Field(examples=["small", "large"])]
    model: Literal["fast", "exact"] = "fast"


class Board(LiteRT):
    Options: ClassVar[type[TargetOptions]] = BoardOptions

    @staticmethod
    def check(options: Any) -> list[Missing]:
        exact = [Missing(what="exactlib", install="pip install exactlib")]
        return exact if options.model == "exact" else []

    @staticmethod
    def toolchain(options: Any) -> Toolchain:
        program = Program(name=f"{options.board}-cc", install=f"apt install {options.board}-cc")
        return Toolchain(programs=(program,))

    @staticmethod
    def runtime(options: Any) -> Any:
        return LiteRT.runtime(LiteRTOptions(kind="litert"))


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv(environment.FOLDER, str(tmp_path / "toolchains"))
    needs_module._program.cache_clear()
    needs_module._python.cache_clear()


def install(name: str, says: str = "echo 'cc (Debian 12.2-1) 12.2.0'") -> None:
    Path("bin").mkdir(exist_ok=True)
    Path("bin", name).write_text(f"#!/bin/sh\n{says}\n")
    Path("bin", name).chmod(0o755)


def use(monkeypatch: pytest.MonkeyPatch, target: Any) -> None:
    """Let kind `litert`, the only one, be another class."""
    monkeypatch.setattr(registry, "names", lambda: ["litert"])
    monkeypatch.setattr(registry, "get", lambda kind: target)


def ask(*arguments: str) -> Any:
    done = CliRunner().invoke(app, ["target", *arguments, "--json"], catch_exceptions=False)
    return json.loads(done.stdout)


def said(*arguments: str) -> list[str]:
    done = CliRunner().invoke(app, ["target", *arguments], catch_exceptions=False)
    return done.stdout.splitlines()


def needed(record: Any) -> dict[str, tuple[str | None, Sequence[str]]]:
    return {need["what"]: (need["found"], need["choices"]) for need in record["needs"]}


def test_each_choice_of_an_option_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Board)
    (record,) = ask("list")
    assert record["state"] == "missing"
    install("small-cc")
    needs_module._program.cache_clear()
    (record,) = ask("list")
    assert record["state"] == "partly"
    assert record["choices"] == {"board": ["small", "large"], "model": ["fast", "exact"]}
    assert {name: found for name, found in needed(record).items() if name != "ai-edge-litert"} == {
        "small-cc": ("12.2-1", ["board: small"]),
        "large-cc": (None, ["board: large"]),
        "exactlib": (None, ["model: exact"]),
    }
    hosted = ", or name a `compile_host` that has it"
    assert record["missing"] == [
        f"needs large-cc for board: large: apt install large-cc{hosted}",
        "needs exactlib for model: exact: pip install exactlib",
    ]
    header, row, *missing = said("list")
    assert header.split() == ["KIND", "STATE", "RECIPES", "COMPILES", "WITH"]
    assert row.startswith("litert  partly ready  dynamic, fp16")
    assert row.endswith("  small-cc 12.2-1")
    assert row.index("dynamic") == header.index("RECIPES")
    assert missing == [f"litert: {line}" for line in record["missing"]]
    shown = said("show", "litert")
    assert "  small-cc (board: small): 12.2-1" in shown
    assert f"  large-cc (board: large): missing; apt install large-cc{hosted}" in shown
    assert "  board: needed (of small, large)  # " in shown


def test_a_program_that_does_not_say_its_version_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, Board)
    install("small-cc", "echo no licence; exit 3")
    (record,) = ask("list")
    (line,) = [line for line in record["missing"] if "small-cc" in line]
    assert "(exit code 3): no licence: apt install small-cc" in line


def test_environments_and_their_python_are_looked_for_and_not_built(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lock, here = tmp_path / "tool.txt", "{}.{}".format(*sys.version_info)
    own, other = (Environment(lock=lock, python=version) for version in (here, OTHER_PYTHON))
    toolchain = Toolchain(worker="w", environment=own)
    use(monkeypatch, LiteRT)
    monkeypatch.setattr(LiteRT, "toolchain", lambda options: toolchain, raising=False)
    (record,) = ask("list")
    again = "reinstall the package that provides the target"
    assert record["missing"] == [f"needs {lock}: {again}"]
    lock.write_text("tool==1\n")
    (record,) = ask("list")
    assert (record["state"], record["missing"]) == ("ready", [])
    assert needed(record)[str(lock)] == ("not built yet", [])
    assert needed(record)[f"Python {here}"] == (sys.executable, [])
    assert not (tmp_path / "toolchains").exists()
    folder = environment.folder() / environment._key(lock.read_bytes(), here)
    monkeypatch.setattr(environment, "_uv", lambda *arguments: folder.mkdir(exist_ok=True))
    environment.python_of(own, "the test")
    assert needed(ask("list")[0])[str(lock)] == ("built", [])
    assert said("list")[1].endswith(f"Python {here}, tool.txt (built)")
    toolchain = Toolchain(worker="w", host_environment=other)
    (record,) = ask("list")
    assert record["missing"] == [f"needs Python {OTHER_PYTHON}: run `uv python install 3.4`"]


def test_what_nobody_knows_a_value_for_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class LicensedOptions(LiteRTOptions):
        licence: str

    class Licensed(LiteRT):
        Options: ClassVar[type[TargetOptions]] = LicensedOptions

    use(monkeypatch, Licensed)
    (record,) = ask("list")
    assert (record["state"], record["needed_options"]) == ("options", ["licence"])
    assert said("list")[2:] == [
        "litert: what it compiles with depends on the options that it needs: licence"
    ]


def test_a_kind_that_cannot_be_loaded_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(kind: str) -> None:
        raise MissingToolError("target 'litert' cannot be loaded", hint="reinstall it")

    monkeypatch.setattr(registry, "names", lambda: ["litert"])
    monkeypatch.setattr(registry, "get", broken)
    assert said("list")[1].split() == ["litert", "broken", "-", "-"]
    assert "reinstall it" in ask("list")[0]["error"]


def test_packages_of_the_host_have_their_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    use(monkeypatch, LiteRT)
    (record,) = ask("list")
    assert needed(record)["ai-edge-litert"] == (metadata.version("ai-edge-litert"), [])

    def none(name: str) -> str:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "version", none)
    (record,) = ask("list")
    assert record["missing"] == ["needs ai-edge-litert: run `pip install ai-edge-litert`"]


def test_all_kinds_say_what_they_need() -> None:
    for record in ask("list"):
        assert "error" not in record
        assert record["state"] in ("ready", "partly", "missing"), record["kind"]
        assert all(need["install"] for need in record["needs"])

"""The contract itself: a target that breaks a rule must not pass."""

import ast
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

from edgeflow.figures.figure import Figure
from edgeflow.figures.table import figure
from edgeflow.targets import registry
from edgeflow.targets.base import (
    Capabilities,
    CompiledModel,
    CompileInput,
    Lint,
    Missing,
    Runtime,
    TargetOptions,
)
from edgeflow.targets.litert import LiteRT, LiteRTOptions
from edgeflow.testing.contract import TargetContract
from edgeflow.testing.subject import Subject, foreign_imports
from edgeflow.testing.trained import Trained


class BadOptions(BaseModel):
    kind: Literal["other"]


class Careless:
    """Another name, loose options, no recipe, a figure of other meaning, any input is fine."""

    name: ClassVar[str] = "careful"
    capabilities: ClassVar[Capabilities] = Capabilities(quantize=frozenset())
    Options: ClassVar[type[Any]] = BadOptions
    figures: ClassVar[tuple[Figure, ...]] = (replace(figure("energy_mj"), kind="estimated"),)

    @staticmethod
    def check(options: Any) -> list[Missing]:
        return [Missing(what="frobc", install="")]

    @staticmethod
    def compile(job: CompileInput, options: Any, out: Path) -> CompiledModel:
        (out / "model").write_text(f"made in {out}")
        return CompiledModel(model="model", operators={"cpu": 1})

    @staticmethod
    def runtime(options: Any) -> Runtime:
        return Runtime(
            engine_module="ast", engine_options={}, host_engine_options={}, tolerance=-1.0, tools=()
        )


class LooseOptions(TargetOptions):
    kind: Literal["careless"]


CHECKS = [
    "test_its_name_is_that_of_its_entry_point",
    "test_its_options_are_strict_and_survive_json",
    "test_its_capabilities_are_a_value",
    "test_it_says_what_is_missing_and_how_to_install_it",
    "test_its_figures_have_names_and_gates_of_their_own",
]


@pytest.mark.parametrize("check", CHECKS)
def test_a_careless_target_is_caught(monkeypatch: pytest.MonkeyPatch, check: str) -> None:
    monkeypatch.setattr(registry, "get", lambda kind: Careless)
    if "options" not in check:
        monkeypatch.setattr(Careless, "Options", LooseOptions)
    with pytest.raises(AssertionError):
        getattr(TargetContract(), check)("careless")


def test_a_compiler_that_takes_anything_is_caught(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Careless, "Options", LooseOptions)
    monkeypatch.setattr(Careless, "name", "careless")
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        TargetContract().test_it_rejects_what_is_no_model(Careless, "none", trained, tmp_path)


def test_a_path_in_the_output_is_caught(trained: Trained, tmp_path: Path) -> None:
    subject = Subject(
        recipe="none",
        trained=trained,
        options={"kind": "careless"},
        runtime=Careless.runtime(None),
        compiled=Careless.compile(trained.job("none"), None, tmp_path),
        out=tmp_path,
    )
    with pytest.raises(AssertionError):
        TargetContract().test_what_it_writes_names_no_folder_of_this_machine(subject)


@pytest.mark.parametrize(
    "said",
    [
        lambda model: [Lint(severity="note", place="", message="odd")],
        lambda model: [Lint(severity="note", place="ADD", message="")],
        lambda model: [Lint(severity="fatal", place="ADD", message="odd")],  # type: ignore[arg-type]
        lambda model: [Lint(severity="note", place=str(model), message="odd")],
        lambda model: ["ADD is odd"],
    ],
)
def test_careless_words_on_a_model_are_caught(
    trained: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: Callable[[Path], list[Any]],
) -> None:
    monkeypatch.setattr(registry, "get", lambda kind: Careless)
    monkeypatch.setattr(Careless, "Options", LooseOptions)
    check = TargetContract().test_what_it_says_of_a_model_before_compiling_is_of_the_model_alone
    fine = Lint(severity="note", place="ADD", message="odd")
    monkeypatch.setattr(Careless, "lint", lambda model, options: [fine], raising=False)
    check("careless", "none", trained, tmp_path)
    monkeypatch.setattr(Careless, "lint", lambda model, options: said(model))
    with pytest.raises(AssertionError):
        check("careless", "none", trained, tmp_path)


class LyingEngine:
    """Counts what nobody declared, and answers many samples otherwise than one."""

    clock = "none"
    counted: ClassVar[dict[str, float]] = {}

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.io = engine.io

    def infer(self, sample: Any) -> Any:
        return self._engine.infer(sample)

    def infer_many(self, samples: Any) -> Any:
        return np.concatenate([self.infer(sample[None])[0] for sample in samples[::-1]])

    def figures(self) -> dict[str, float]:
        return self.counted


@pytest.fixture
def lying(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Subject:
    options = LiteRTOptions(kind="litert")
    subject = Subject(
        recipe="none",
        trained=trained,
        options={"kind": "litert"},
        runtime=replace(LiteRT.runtime(options), clock="none"),
        compiled=LiteRT.compile(trained.job("none"), options, tmp_path),
        out=tmp_path,
    )
    engine = LyingEngine(subject.engine())
    monkeypatch.setattr(Subject, "engine", lambda self: engine)
    return subject


def test_an_engine_that_takes_many_samples_otherwise_is_caught(lying: Subject) -> None:
    with pytest.raises(AssertionError, match="not equal"):
        TargetContract().test_its_engine_takes_many_samples_as_it_takes_one(lying)


def test_figures_and_clocks_that_cannot_be_believed_are_caught(
    lying: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = TargetContract().test_its_compiler_and_engine_count_what_it_declares
    check(lying)
    monkeypatch.setattr(LyingEngine, "counted", {"cycles": 1})
    with pytest.raises(AssertionError):
        check(lying)
    monkeypatch.setattr(Subject, "declared", {"cycles"})
    check(lying)
    monkeypatch.setattr(LyingEngine, "counted", {"cycles": float("inf")})
    with pytest.raises(ValidationError):
        check(lying)
    monkeypatch.setattr(LyingEngine, "counted", {})
    monkeypatch.setattr(LyingEngine, "clock", "device")
    with pytest.raises(AssertionError):
        check(lying)


def test_imports_of_an_engine() -> None:
    text = (
        "import os, numpy\nfrom . import x\nfrom edgeflow import y\n"
        "def f():\n  try:\n    import one.two\n  except ImportError:\n    import other\n"
    )
    assert foreign_imports(ast.parse(text)) == {"a relative import", "edgeflow", "one"}

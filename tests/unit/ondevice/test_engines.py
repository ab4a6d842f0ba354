import builtins
import sys
import types
from typing import Any

import pytest

from edgeflow.ondevice import engine_litert


def test_an_old_board_with_tflite_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter = types.ModuleType("tflite_runtime.interpreter")
    package = types.ModuleType("tflite_runtime")
    package.interpreter = interpreter  # type: ignore[attr-defined]
    package.__version__ = "2.11.0"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tflite_runtime", package)
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", interpreter)
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)  # as if it were not installed
    assert engine_litert._interpreter_module() is interpreter
    assert engine_litert.Engine.version() == "tflite-runtime 2.11.0"


def test_a_board_without_any_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def nothing(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name.startswith(("ai_edge_litert", "tflite_runtime")):
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", nothing)
    assert engine_litert.Engine.version().startswith("none on ")
    with pytest.raises(ImportError):
        engine_litert._interpreter_module()

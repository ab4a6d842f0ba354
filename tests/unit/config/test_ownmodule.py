"""A user's own architecture: what its source tells, without running it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Check = Callable[[object], dict[str, str]]
BUILD = "def build(keras, input_shape, classes, depth=2, *, width, kernel=3):\n    ...\n"
HERE = "models.cnn.architecture"


@pytest.fixture
def found(
    good: dict[str, Any], problems: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, str]]:
    """Return what is wrong with an architecture of the given source and options."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["/nonexistent"])

    def check(source: str, function: str = "build", **options: object) -> dict[str, str]:
        (tmp_path / "mine.py").write_text(source)
        good["models"]["cnn"]["architecture"] = {"name": f"mine:{function}", **options}
        return problems(good)

    return check


@pytest.mark.parametrize(
    ("source", "options"),
    [
        (BUILD, {"width": 1}),
        (BUILD, {"width": 1, "kernel": 5, "depth": 3}),
        ("def build(*given, **options): ...", {"anything": 1}),
        ("@wrapped\ndef build(): ...", {"anything": 1}),
        ("build = make(3)", {"anything": 1}),
        ("from nets import other as build", {"anything": 1}),
        ("from nets import *", {}),
        ("def __getattr__(name): ...", {}),
        (
            "if new:\n    def build(k, i, c, *, a): ...\nelse:\n    def build(k, i, c, *, b): ...",
            {"a": 1},
        ),
        ("def build(k): ...\nbuild = wrapped(build)", {"a": 1}),
        ("vars()['build'] = make()", {}),
        ("globals()['build'] = make()", {}),
        ("def fill():\n    global build\n    build = 3\nfill()", {}),
        ("try:\n    import fast\nexcept ImportError:\n    def build(k, i, c): ...", {}),
        ("import frob\ndef build(k, i, c): ...", {}),
    ],
)
def test_what_may_work_is_not_refused(
    found: Callable[..., dict[str, str]], source: str, options: dict[str, object]
) -> None:
    assert found(source, **options) == {}


@pytest.mark.parametrize(
    ("source", "options", "where", "says"),
    [
        ("x = 1\ndef build(:\n", {}, "name", "mine.py, line 2: invalid syntax"),
        ("\0", {}, "name", "mine.py"),
        ("def biuld(k, i, c): ...", {}, "name", "no 'build' (did you mean 'biuld'?)"),
        ("class A:\n    def build(self): ...", {}, "name", "no 'build'"),
        (BUILD, {"width": 1, "kernl": 3}, "kernl", "did you mean 'kernel'?"),
        (BUILD, {}, "width", "required"),
        (BUILD, {"width": 1, "classes": 3}, "classes", "unknown key"),
        ("def build(k, i, c, x): ...", {}, "x", "required"),
        ("def build(keras, classes): ...", {}, "name", "takes 2 arguments by position"),
    ],
)
def test_what_cannot_work(
    found: Callable[..., dict[str, str]],
    source: str,
    options: dict[str, object],
    where: str,
    says: str,
) -> None:
    problems = found(source, **options)
    assert list(problems) == [f"{HERE}.{where}"]
    assert says in problems[f"{HERE}.{where}"]

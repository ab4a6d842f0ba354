import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from edgeflow.artifact import fingerprint as module
from edgeflow.artifact.fingerprint import closure, fingerprint, normalized_source
from edgeflow.errors import EdgeflowError

FILES = {
    "shop/__init__.py": "",
    "shop/main.py": '''
        """What the step does."""
        from typing import TYPE_CHECKING
        from shop import helper
        from .inner import deep
        if TYPE_CHECKING:
            from shop import types_only

        def run(x):
            """Say it."""
            return helper.twice(x)
    ''',
    "shop/helper.py": "def twice(x):\n    return 2 * x\n",
    "shop/inner/__init__.py": "from ..base import ROOT\n",
    "shop/inner/deep.py": "import json, yaml\nfrom . import sibling\n",
    "shop/inner/sibling.py": "VALUE = 1\n",
    "shop/base.py": "ROOT = 1\n",
    "shop/types_only.py": "X = 1\n",
    "shop/unrelated.py": "X = 1\n",
}


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package in the working folder, which is not on the import path by itself."""
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    monkeypatch.chdir(tmp_path)
    forget()
    for name, text in FILES.items():
        write(tmp_path / name, text)
    return tmp_path


def forget() -> None:
    """Read the files anew, as another process would."""
    for cached in (module._closure, module._read, module._is_ours, module.fingerprint):
        cached.cache_clear()


def write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(textwrap.dedent(text))


def after(path: Path, old: str, new: str) -> bool:
    """Return whether replacing `old` by `new` in a file changes the fingerprint."""
    before, text = fingerprint("shop.main"), path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    forget()
    return fingerprint("shop.main") != before


def test_the_closure_is_what_the_step_can_reach() -> None:
    assert closure("shop.main") == [
        "shop",
        "shop.base",
        "shop.helper",
        "shop.inner",
        "shop.inner.deep",
        "shop.inner.sibling",
        "shop.main",
    ]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("shop/helper.py", "2 * x", "2  *  (x)  # doubled"),
        ("shop/helper.py", "def twice", "\n\n# About twice.\ndef twice"),
        ("shop/helper.py", "    return", '    """Return it twice."""\n    return'),
        ("shop/main.py", "Say it.", "Say it in other words."),
        ("shop/main.py", "What the step does.", "Something else."),
        ("shop/base.py", "ROOT = 1", 'ROOT = 1\n"""The root."""'),
        ("shop/base.py", "ROOT = 1", "ROOT = 1\npass"),
        ("shop/main.py", "from shop import types_only", "from shop import unrelated"),
        ("shop/types_only.py", "X = 1", "X = 2"),
        ("shop/unrelated.py", "X = 1", "X = 2"),
    ],
)
def test_what_cannot_change_the_outcome_does_not_count(
    shop: Path, name: str, old: str, new: str
) -> None:
    assert not after(shop / name, old, new)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("shop/main.py", "helper.twice(x)", "helper.twice(x) + 1"),
        ("shop/helper.py", "2 * x", "3 * x"),
        ("shop/inner/sibling.py", "1", "2"),
        ("shop/base.py", "ROOT = 1", "ROOT = 'text that is used'"),
        (
            "shop/main.py",
            "from shop import types_only\n",
            "pass\nelse:\n    from shop import base\n",
        ),
        ("shop/main.py", "from shop import helper", "from shop import helper, unrelated"),
    ],
)
def test_what_can_change_the_outcome_counts(shop: Path, name: str, old: str, new: str) -> None:
    assert after(shop / name, old, new)


def test_a_package_counts_with_its_modules(shop: Path) -> None:
    assert after(shop / "shop/__init__.py", "", "LIMIT = 3\n")


def test_files_that_a_module_names_as_its_data_count(shop: Path) -> None:
    write(shop / "shop/helper.py", 'DATA = ("forms/*.h",)\n')
    write(shop / "shop/forms/a.h", "int a;")
    write(shop / "shop/forms/a.txt", "a note")
    assert after(shop / "shop/forms/a.h", "int", "long")
    assert not after(shop / "shop/forms/a.txt", "note", "word")


def test_a_docstring_alone_is_the_same_as_pass(shop: Path) -> None:
    write(shop / "shop/helper.py", 'def twice(x):\n    """Nothing yet."""\n')
    assert not after(shop / "shop/helper.py", '"""Nothing yet."""', "pass")


def test_the_code_of_else_counts_where_the_type_checker_has_its_own(shop: Path) -> None:
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    A = 1\nelse:\n    A = 2\n"
    write(shop / "shop/helper.py", text)
    forget()
    assert not after(shop / "shop/helper.py", "A = 1", "A = 3")
    assert after(shop / "shop/helper.py", "A = 2", "A = 4")


def test_a_users_own_module_in_the_working_folder(shop: Path) -> None:
    write(
        shop / "nets.py", "import layers_of_mine\nimport yaml\nraise SystemExit('not to be run')\n"
    )
    write(shop / "layers_of_mine.py", "WIDTH = 8\n")
    assert closure("nets") == ["layers_of_mine", "nets"]
    before = fingerprint("nets")
    write(shop / "layers_of_mine.py", "WIDTH = 16\n")
    forget()
    assert fingerprint("nets") != before


def test_a_module_with_an_error_is_named(shop: Path) -> None:
    write(shop / "nets.py", "x = 1\ndef broken(:\n")
    with pytest.raises(EdgeflowError, match=r"nets\.py, line 2"):
        fingerprint("nets")


def test_edgeflows_steps() -> None:
    modules = closure("edgeflow.train.build", "edgeflow.train.architectures.ds_cnn")
    assert {"edgeflow", "edgeflow.train", "edgeflow.train.loop"} <= set(modules)
    assert "edgeflow.train.architectures.ds_cnn" in modules
    assert "edgeflow.train.architectures.convnet" not in modules
    assert not {"edgeflow.errors", "edgeflow.console", "edgeflow.config.load"} & set(modules)
    assert all(name.partition(".")[0] == "edgeflow" for name in modules)


def test_a_closure_reads_each_module_once_and_imports_none() -> None:
    code = (
        "import ast, sys; from unittest.mock import patch;"
        "from edgeflow.artifact.fingerprint import closure\n"
        "with patch('ast.parse', wraps=ast.parse) as parse:\n"
        "    modules = closure('edgeflow.train.build'); again = closure('edgeflow.train.loop')\n"
        "assert set(again) < set(modules)\n"
        "print(parse.call_count - len(modules), 'edgeflow.train' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "False"]


def test_normalized_source_runs_and_differs_only_where_the_fingerprint_does(shop: Path) -> None:
    text = "def f(x):\n    try:\n        return x[0]\n    except IndexError:\n        pass\n"
    write(shop / "nets.py", text)
    source = normalized_source("nets")
    write(shop / "nets.py", '"""Doc."""\n' + text.replace("pass", '"""Doc."""  # why'))
    assert normalized_source("nets") == source
    names: dict[str, Any] = {}
    exec(source, names)
    assert (names["f"]([7]), names["f"]([])) == (7, None)
    with pytest.raises(EdgeflowError, match="no module nothing_here"):
        normalized_source("nothing_here")

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgeflow.stepserver.client import ADDRESS
from edgeflow.stepserver.launch import Launcher
from edgeflow.stepserver.server import ON_ONE_CORE

STUB = """
import sys, types
app = types.ModuleType("edgeflow.cli.app")
app.command_line = lambda: None
app.main = lambda: exec(sys.argv[2])
sys.modules["edgeflow.cli.app"] = app
"""
"""Lets `edgeflow gate CODE` run any code, in each Python that finds this as sitecustomize.py."""


@dataclass(frozen=True)
class Commands:
    """A step server, and how to run commands with it and without."""

    folder: Path
    launcher: Launcher

    def command(self, step: str, code: str) -> list[str]:
        return [sys.executable, str(self.folder / "edgeflow"), step, code]

    def environment(self, address: str | None = None, **more: str) -> dict[str, str]:
        changing = ("THREADS", "PYTEST")  # pytest names the test in a variable
        kept = {n: t for n, t in os.environ.items() if not any(word in n for word in changing)}
        ours = {"PYTHONPATH": str(self.folder), **ON_ONE_CORE}
        return {**kept, **ours, ADDRESS: address or self.launcher.address, **more}


@pytest.fixture(scope="module", autouse=True)
def interrupts() -> Iterator[None]:
    """Take Ctrl-C, which what a shell starts in the background ignores, and its children too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    folder = tmp_path_factory.mktemp("commands")
    (folder / "sitecustomize.py").write_text(STUB)
    (folder / "edgeflow").write_text("from edgeflow.entry import main\nmain()\n")
    launcher = Launcher()
    yield Commands(folder, launcher)
    launcher.close()

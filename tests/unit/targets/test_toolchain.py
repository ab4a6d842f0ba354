"""A worker does the same work wherever its toolchain is, under what the toolchain says it is."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeflow import console
from edgeflow.errors import (
    CompileError,
    DeployError,
    EdgeflowError,
    IntegrityError,
    MissingToolError,
    UnreachableError,
)
from edgeflow.remote import compile_host
from edgeflow.remote.virtual.layout import Behaviour, DeviceFolder
from edgeflow.targets import identity
from edgeflow.targets.identity import identify, planned
from edgeflow.targets.worker import Worker
from edgeflow.testing.virtual_devices import stop_devices
from edgeflow.toolchain.base import Environment, Host, Program, Toolchain

TOOL = "#!/bin/sh\necho 'tinyc {version}'\n"
WORKER = """\
import os, signal, subprocess, sys
from dataclasses import replace
from pathlib import Path

class Refused(Exception):
    hint = "write another model"

def work(job, folder):
    text = (folder / "model").read_text()
    if text == "garbage":
        raise Refused("tinyc cannot read it")
    if text == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    said = subprocess.run(["tinyc"], stdout=subprocess.PIPE, check=True).stdout.decode()
    print("warning of tinyc", file=sys.stderr, flush=True)
    subprocess.run(["echo", "tinyc takes", text], check=True)
    (folder / "made").mkdir()
    (folder / "made" / "model.bin").write_text(said + text * job["times"])
    os.symlink("/etc/passwd", str(folder / "passwd"))
    (folder.parent / "outside.txt").write_text("no output")
    return {"names": sorted(os.listdir(str(folder))), "edgeflow": "edgeflow" in sys.modules}
"""
TOOLCHAIN = Toolchain(
    worker="tiny_worker", programs=(Program(name="tinyc", install="install tinyc"),)
)
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHGouOOZTwMVfqgCUXxxD/tfOWANN+G7diwlcDZU5hb3"
BUILDER = {"name": "builder", "transport": "virtual", "timeout_s": 60.0}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project folder with a worker beside it, and no answers of earlier tests."""
    (tmp_path / "tiny_worker.py").write_text(WORKER)
    (tmp_path / "model").write_text("abc")
    (tmp_path / "step/out").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    # A worker in edgeflow's own environment is found as any module.
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    identity._planned.cache_clear()
    yield tmp_path
    stop_devices(tmp_path)


def install(place: Path, version: str = "1.0") -> None:
    """Put the tool on the PATH of a place."""
    (place / "bin").mkdir(parents=True, exist_ok=True)
    (place / "bin/tinyc").write_text(TOOL.format(version=version))
    (place / "bin/tinyc").chmod(0o755)


def host_folder(project: Path) -> DeviceFolder:
    folder = DeviceFolder(project / ".edgeflow/virtual/compile_host.builder")
    folder.root.mkdir(parents=True, exist_ok=True)
    folder.behave(Behaviour(login='PATH="$HOME/bin:$PATH"'))
    return folder


def run(project: Path, host: Host, text: str = "abc", **given: Any) -> dict[str, Any]:
    (project / "model").write_text(text)
    worker = Worker(**{"title": "net", "toolchain": TOOLCHAIN, "host": host, **given})
    files, out = {"model": project / "model"}, project / "step/out"
    return worker.run({"times": 2}, files, out, hint="do it again")


def test_a_worker_makes_the_same_here_and_on_a_host_and_leaves_nothing_there(project: Path) -> None:
    root = host_folder(project).root
    for place, host in ((project, None), (root, BUILDER)):
        install(place)
        assert identify(TOOLCHAIN, host) == {"tinyc": "tinyc 1.0"}
        result = run(project, host)
        assert not result["edgeflow"]
        assert result["names"] == ["job.json", "made", "model", "passwd"]
        made = project / "step/out/made/model.bin"
        assert made.read_text() == "tinyc 1.0\nabcabc"
        made.unlink()
        assert list((project / "step").iterdir()) == [project / "step/out"]
    assert list((root / "edgeflow/.compile").iterdir()) == []
    assert not (project / "step/out/passwd").is_symlink()


@pytest.mark.parametrize("host", [None, BUILDER], ids=["here", "host"])
def test_what_worker_and_tools_print_is_in_the_log(
    project: Path, host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(host_folder(project).root if host else project)
    monkeypatch.setattr(console, "_log", [project / "step.log"])
    run(project, host)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("|")]
    assert sorted(lines) == ["| tinyc takes abc", "| warning of tinyc"]


@pytest.mark.parametrize("host", [None, BUILDER], ids=["here", "host"])
def test_refusals_and_crashes_are_the_compilers(project: Path, host: Host) -> None:
    install(host_folder(project).root if host else project)
    with pytest.raises(CompileError, match="net: tinyc cannot read it") as caught:
        run(project, host, "garbage")
    assert caught.value.hint == "write another model"
    with pytest.raises(CompileError, match="(?s)net: .*SIGSEGV.*tiny_worker.py") as caught:
        run(project, host, "crash")
    assert caught.value.hint == "do it again"
    assert list((project / "step/out").iterdir()) == []


@pytest.mark.parametrize("host", [None, BUILDER], ids=["here", "host"])
def test_a_missing_program_says_where_and_what_to_do(project: Path, host: Host) -> None:
    place = "compile host builder" if host else "this machine"
    with pytest.raises(MissingToolError, match=f"{place} has no program tinyc") as caught:
        identify(TOOLCHAIN, host)
    assert caught.value.hint == "install tinyc"
    install(host_folder(project).root if host else project)
    broken = (host_folder(project).root if host else project) / "bin/tinyc"
    broken.write_text("#!/bin/sh\necho no licence >&2; exit 3\n")
    with pytest.raises(MissingToolError, match=r"tinyc --version` on .* \(exit code 3\): no lic"):
        identify(TOOLCHAIN, host)


@pytest.mark.parametrize("host", [None, BUILDER], ids=["here", "host"])
def test_another_version_than_planned_with_is_not_used(project: Path, host: Host) -> None:
    place = host_folder(project).root if host else project
    install(place, "2.0")
    with pytest.raises(IntegrityError, match="net: tinyc is of another version"):
        run(project, host, identity={"tinyc": "tinyc 1.0"})
    assert run(project, host, identity={"tinyc": "tinyc 2.0"})


def test_what_answered_last_counts_while_a_host_is_off(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    off = {
        **{"name": "builder", "transport": "ssh", "host": "127.0.0.1", "port": 1, "user": "me"},
        "host_key": HOST_KEY,
        "identity": str(project / ".edgeflow/virtual/compile_host.builder/identity"),
    }
    install(host_folder(project).root)
    assert planned(TOOLCHAIN, BUILDER) == {"tinyc": "tinyc 1.0"}
    with pytest.raises(UnreachableError, match="compile host builder .* does not answer"):
        identify(TOOLCHAIN, off)
    assert planned(TOOLCHAIN, off) == {"tinyc": "tinyc 1.0"}
    assert "it last answered counts" in capsys.readouterr().err
    assert planned(TOOLCHAIN, {**off, "name": "other"}) == {}
    assert "never answered before" in capsys.readouterr().err


OFFERS: list[tuple[list[dict[str, Any]], str]] = [
    ([{"name": "../escape"}], "pattern"),
    ([{"name": "/etc/passwd"}], "pattern"),
    ([{"name": "a"}, {"name": "a"}], "two files of one name"),
    ([{"name": "a"}, {"name": "a/b"}], "two files of one name"),
    ([{"name": "model"}], "two files of one name"),
    ([{"name": "job.json/x"}], "two files of one name"),
    ([{"name": "a", "size_bytes": 3 << 30}], "more than"),
    ([{"name": str(n)} for n in range(1001)], "at most 1000"),
]


def test_files_that_a_host_offers_must_fit(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lies = project / "lies.py"
    monkeypatch.setattr(compile_host, "CHILD", lies)
    install(host_folder(project).root)
    for files, message in OFFERS:
        offered = {"files": [{"size_bytes": 1, "sha256": "0" * 64, **file} for file in files]}
        says = f"print({json.dumps(offered)!r})"
        lies.write_text(f"import sys\nif sys.argv[1] == 'files':\n    {says}\n")
        with pytest.raises(DeployError, match=f"compile host builder.*{message}"):
            run(project, BUILDER)
    assert list((project / "step/out").iterdir()) == []
    assert not (project / "step/escape").exists()


def test_bytes_from_a_host_are_those_it_promised(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lies = project / "lies.py"
    offered = {"files": [{"name": "made", "size_bytes": 3, "sha256": "0" * 64}]}
    lies.write_text(
        "import sys\n"
        "if sys.argv[1] == 'files':\n"
        f"    print({json.dumps(offered)!r})\n"
        "else:\n"
        "    open('made', 'w').write('abc')\n"
    )
    monkeypatch.setattr(compile_host, "CHILD", lies)
    install(host_folder(project).root)
    with pytest.raises(IntegrityError, match="made from compile host builder has other bytes"):
        run(project, BUILDER)


def test_a_lock_counts_by_its_bytes_and_its_python(tmp_path: Path) -> None:
    lock = tmp_path / "tool.txt"
    toolchain = Toolchain(worker="w", environment=Environment(lock=lock, python="3.9"))
    with pytest.raises(MissingToolError, match=r"tool\.txt is missing"):
        identify(toolchain, None)
    lock.write_text("one")
    first = identify(toolchain, None)
    lock.write_text("two")
    second = identify(toolchain, None)
    assert first["Python of tool.txt"] == second["Python of tool.txt"] == "3.9"
    assert first["tool.txt"] != second["tool.txt"]
    engine = replace(toolchain, environment=None, host_environment=toolchain.environment)
    assert identify(engine, None) == second


@pytest.mark.parametrize("host", [None, BUILDER], ids=["here", "host"])
def test_each_plan_asks_programs_for_their_version(project: Path, host: Host) -> None:
    place = host_folder(project).root if host else project
    for version in ("1.0", "2.0"):
        install(place, version)
        identity._planned.cache_clear()  # as in another process
        assert planned(TOOLCHAIN, host) == {"tinyc": f"tinyc {version}"}


def test_edgeflows_own_environment_is_nothing_to_ask_for() -> None:
    assert identify(Toolchain(), None) == {} == planned(Toolchain(), None)
    assert not Path(".edgeflow").exists()
    with pytest.raises(EdgeflowError, match="names no worker"):
        Worker(title="net").run({}, {}, Path("step/out"), hint="")


def test_a_program_may_not_answer_for_ever(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(project)
    (project / "bin/tinyc").write_text(f"#!{sys.executable}\nimport time; time.sleep(300)\n")
    monkeypatch.setattr(identity, "ANSWER_S", 0.3)
    with pytest.raises(MissingToolError, match="no end within"):
        identify(TOOLCHAIN, None)


@pytest.mark.parametrize("text", ["no program", "#!/no/such/interpreter\n"])
def test_a_program_that_cannot_be_started_is_a_missing_one(
    project: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    install(project)
    assert planned(TOOLCHAIN, None) == {"tinyc": "tinyc 1.0"}
    (project / "bin/tinyc").write_text(text)
    identity._planned.cache_clear()
    with pytest.raises(MissingToolError, match=r"this machine .*\(exit code 126\): .*tinyc"):
        identify(TOOLCHAIN, None)
    assert planned(TOOLCHAIN, None) == {"tinyc": "tinyc 1.0"}
    assert "it last answered counts" in capsys.readouterr().err

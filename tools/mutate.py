"""Mutation testing: which small faults in a module do its own tests miss?

`make mutate` runs it over the modules of `[tool.mutate]` in pyproject.toml; names of modules limit
that. A mutant is a copy of the module with one fault; its tests run in a process that was forked
with the libraries loaded, in a copy of the repository, so that what the tests start is mutated
too. Survivors that change nothing are listed in tools/mutants.txt, each with the reason.
"""

import argparse
import contextlib
import importlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tools.mutants import Mutant, mutants

ROOT = Path(__file__).parents[1]
EXPLAINED = ROOT / "tools/mutants.txt"
LIBRARIES = ("pytest", "numpy", "pydantic", "yaml", "typer", "asyncssh", "paramiko")
SPARE = 5.0
"""A mutant may take this many times as long as the tests of the module as it is, and 10 s."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the tests made of a mutant."""

    module: str
    mutant: Mutant
    killed: bool

    @property
    def name(self) -> str:
        """How the list of explained mutants calls it: lines move, changes do not."""
        return f"{self.module} {self.mutant.place}: {self.mutant.change}"


def run_tests(folder: Path, tests: Sequence[str], limit_s: float) -> tuple[bool, float]:
    """Return whether the tests pass in a copy of the repository, and the seconds they took."""
    start, child = time.monotonic(), os.fork()
    if child == 0:
        code = 1
        try:
            os.setsid()
            code = _tested(folder, tests)
        finally:
            os._exit(code)
    while time.monotonic() - start < limit_s:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0, time.monotonic() - start
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False, limit_s


def _tested(folder: Path, tests: Sequence[str]) -> int:
    """Run pytest in this process, which ends then."""
    import pytest

    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    os.environ["PYTHONPATH"] = str(folder)
    options = ("-x", "-q", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib")
    return int(pytest.main([*options, f"--basetemp={folder / 'scratch'}", *tests]))


def judge(folder: Path, module: str, tests: Sequence[str], share: slice) -> list[Verdict]:
    """Run the tests against every mutant of a module that `share` takes."""
    path = folder / module
    text = path.read_text()
    passed, took_s = run_tests(folder, tests, 600)
    if not passed:
        raise SystemExit(f"the tests of {module} fail without a mutant: {' '.join(tests)}")
    verdicts = []
    for mutant in list(mutants(text))[share]:
        path.write_text(mutant.source)
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
            compiled.unlink()  # it counts as new if size and second are the same
        passed, _ = run_tests(folder, tests, SPARE * took_s + 10)
        verdicts.append(Verdict(module=module, mutant=mutant, killed=not passed))
        mark = "survives" if passed else "killed"
        print(f"{mark}: line {mutant.line}: {verdicts[-1].name}", file=sys.stderr, flush=True)
    path.write_text(text)
    return verdicts


def copy_of_repository(folder: Path) -> None:
    """Copy all files that Git knows."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)


def work(job: tuple[str, Sequence[str], int, int]) -> list[Verdict]:
    """Judge one share of a module's mutants in a copy of its own."""
    module, tests, start, step = job
    for library in LIBRARIES:
        importlib.import_module(library)
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        copy_of_repository(Path(folder))
        return judge(Path(folder), module, tests, slice(start, None, step))


def explained() -> set[str]:
    """Return the names of the mutants that need not be killed."""
    lines = EXPLAINED.read_text().splitlines() if EXPLAINED.is_file() else []
    return {line for line in lines if line.startswith("edgeflow/")}


def report(verdicts: Sequence[Verdict], known: set[str]) -> int:
    """Print survivors and rates; return how many survivors nobody explained."""
    unexplained = 0
    for module in dict.fromkeys(verdict.module for verdict in verdicts):
        mine = [verdict for verdict in verdicts if verdict.module == module]
        alive = [verdict for verdict in mine if not verdict.killed]
        open_ = [verdict for verdict in alive if verdict.name not in known]
        unexplained += len(open_)
        killed = len(mine) - len(alive)
        print(
            f"{module}: {killed} of {len(mine)} killed ({killed / max(len(mine), 1):.1%}), "
            f"{len(alive) - len(open_)} explained, {len(open_)} not"
        )
        for verdict in sorted(open_, key=lambda verdict: verdict.mutant.line):
            print(f"  line {verdict.mutant.line}: {verdict.name}")
    return unexplained


def tests_by_module(root: Path) -> dict[str, list[str]]:
    """Return the tests of each module that `[tool.mutate]` names; `*` stands for any name."""
    table = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["mutate"]
    return {
        str(path.relative_to(root)): tests
        for pattern, tests in table.items()
        for path in sorted(root.glob(pattern))
    }


def main() -> None:
    """Mutate what the command line names, or all of `[tool.mutate]`."""
    modules = tests_by_module(ROOT)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "modules", nargs="*", help="Modules to mutate, such as edgeflow/dataset/split.py."
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--every", type=int, default=1, help="Judge a sample: each of so many.")
    given = parser.parse_args()
    verdicts: list[Verdict] = []
    for module in given.modules or modules:
        starts, step = range(0, given.jobs * given.every, given.every), given.jobs * given.every
        jobs = [(module, modules[module], start, step) for start in starts]
        # Not multiprocessing.Pool: its workers may have no processes of their own, and tests do.
        with ProcessPoolExecutor(given.jobs, multiprocessing.get_context("spawn")) as pool:
            verdicts += [verdict for share in pool.map(work, jobs) for verdict in share]
    sys.exit(1 if report(verdicts, explained()) else 0)


if __name__ == "__main__":
    main()

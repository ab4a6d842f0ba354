"""What a run of the workflow depends on, for the stamp of a project that is up to date."""

import atexit
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgeflow import plugins
from edgeflow.artifact.fingerprint import closure
from edgeflow.paths import workflow_folder
from edgeflow.plan import Plan
from edgeflow.plan.outside import files_from_outside, may_change_unseen
from edgeflow.stamp.keep import OFFER
from edgeflow.stamp.look import CODE, MODULES, RESULTS, SOURCE, Root

_PACKAGE = Path(__file__).parents[1]
_SNAKEFILES = ("Snakefile", "snakefile", "workflow/Snakefile", "workflow/snakefile")
_PROFILES = ("default", "profiles", "workflow/profiles")


def offer(plan: Plan, workflow: Any, results: Path) -> None:
    """Write down, when Snakemake ends, what it looked at; nothing if nobody asked.

    A Snakefile that was added to may look at anything: such a project gets no stamp.

    Args:
        plan: what is built.
        workflow: Snakemake's object.
        results: folder of the results.
    """
    place = os.environ.pop(OFFER, None)  # steps and other Snakemakes are not asked
    main = Path(workflow.main_snakefile)
    if place is None or may_change_unseen(plan) or not _is_ours(main):
        return
    process = os.getpid()

    def write() -> None:
        if os.getpid() == process and workflow.dag is not None:
            jobs = list(workflow.dag.jobs)
            outputs = {str(path) for job in jobs for path in job.output}
            inputs = {str(path) for job in jobs for path in job.input}
            roots = _roots(plan, workflow, results, inputs | outputs)
            content = {"roots": roots, "outputs": sorted(outputs)}
            Path(place).write_text(json.dumps(content))

    atexit.register(write)


def _is_ours(main: Path) -> bool:
    ours = (workflow_folder() / "Snakefile", _PACKAGE / "project" / "templates" / "Snakefile")
    return main.read_bytes() in [path.read_bytes() for path in ours]


def _roots(plan: Plan, workflow: Any, results: Path, files: set[str]) -> list[Root]:
    ours = results / ""
    beyond = sorted(file for file in files if not Path(file).is_relative_to(ours))
    read = [*workflow.included, *workflow.configfiles, *_SNAKEFILES, *_PROFILES]
    read += [Path(workflow.main_snakefile).parent / name for name in _PROFILES]
    read += [workflow_folder() / "profiles"]  # where the project has none
    modules = _modules(plan)
    folders = [*map(_absolute, sys.path), *[path.parent for path in modules]]
    return [
        *((SOURCE, path) for path in _unique([*read, *files_from_outside(plan), *modules])),
        (CODE, str(_PACKAGE)),
        *((MODULES, path) for path in _unique(folders)),
        (RESULTS, str(results)),
        *((RESULTS, path) for path in beyond),
        *((RESULTS, f".snakemake/{name}") for name in ("metadata", "incomplete", "locks")),
    ]


def _modules(plan: Plan) -> list[Path]:
    """Return the files of all modules that steps run and that are not installed."""
    names = closure(*sorted({name for job in plan.asked() for name in job.modules}))
    specs = [plugins.find_module(name) for name in names if not name.startswith("edgeflow.")]
    return [Path(spec.origin) for spec in specs if spec and spec.origin]


def _absolute(folder: str) -> Path:
    return Path(folder).absolute()


def _unique(paths: Iterable[Any]) -> list[str]:
    standard = Path(os.__file__).parent
    return list(dict.fromkeys(str(path) for path in paths if Path(path) != standard))

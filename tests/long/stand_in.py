"""Snakemake in a few lines: which jobs of the building steps would run, and running them.

What a rule declares is read from its file in rules/, so a trigger that a rule loses is lost here
too. With the project's profile, Snakemake 9.27 (`DAG.update_needrun`) runs a job if

- a job that it takes a file from runs, were that file not marked as ancient;
- a job that runs takes a file from it which is missing, or that file was asked for and is missing;
- nothing is known of its last run, as after a failure;
- a parameter (slice, code, tools, the source's digest) or the set of its input files is not that
  of its last run;
- an input file is newer than its oldest output, and has other bytes than in its last run.

No job runs only because a file of its own is missing that no job which runs takes: Snakemake does
not look for it. All outputs of a job are removed before it runs. Times are counted, not taken from
the clock, as two builds may lie closer together than two ticks of a file system.
"""

import itertools
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import edgeflow.plan.files
from edgeflow import paths
from edgeflow.artifact.fingerprint import distributions, fingerprint
from edgeflow.artifact.hashing import canonical_json, sha256_file
from edgeflow.artifact.manifest import tool_versions
from edgeflow.bundle.pack import made_from, pack_bundle
from edgeflow.compress.build import compress_model
from edgeflow.dataset.build import build_dataset, source_digest
from edgeflow.errors import IntegrityError
from edgeflow.plan import Plan, wildcards_of
from edgeflow.plan.job import Job as Planned
from edgeflow.targets.build import compile_model
from edgeflow.train.build import train_model

_clock = itertools.count(1)
_utime = os.utime


def set_time(path: Path) -> None:
    """Let a file be changed now, later than all before."""
    now = next(_clock)
    _utime(path, (now, now))


RULES = Path(__file__).parents[2] / "rules"


def _pack(
    name: str,
    dataset: Path,
    compiled: Path,
    model: Path,
    recipe: Path,
    slice_: Mapping[str, Any],
    code: str,
    out: Path,
) -> None:
    origin = made_from(dataset, model, recipe, slice_["parts"])
    pack_bundle(name, dataset, compiled, slice_, code, out, origin)


STEPS: dict[str, Callable[..., object]] = {
    "dataset": build_dataset,
    "train": train_model,
    "compress": compress_model,
    "compile": compile_model,
    "bundle": _pack,
}

_PARAMS: dict[str, Callable[[Planned], str]] = {
    "slice": lambda job: canonical_json(job.slice),
    "code": lambda job: fingerprint(*job.modules),
    "tools": lambda job: canonical_json(tool_versions(distributions(job))),
}


@dataclass(frozen=True, slots=True)
class Ancient:
    """An input whose time does not count."""

    files: Any


Files = Callable[[Plan, Mapping[str, str]], list[str]]
"""The files of an argument, below the folder of results, for a plan and the values of wildcards."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What a rule's file declares."""

    inputs: tuple[Files, ...]
    ancient: tuple[Files, ...]
    outputs: tuple[Files, ...]
    params: Mapping[str, Any]


@cache
def rule(step: str) -> Rule:
    """Return the rule of a step; whatever is not understood in its file is an error."""
    text = (RULES / f"{step}.smk").read_text()
    names = dict(NAMES)
    exec(text[: text.index("\n\nrule ")], names)
    inputs, outputs, params = (
        _section(text, part, names) for part in ("input", "output", "params")
    )
    return Rule(
        inputs=tuple(_files(each) for each in inputs.values() if not isinstance(each, Ancient)),
        ancient=tuple(_files(each.files) for each in inputs.values() if isinstance(each, Ancient)),
        outputs=tuple(_files(each) for each in outputs.values()),
        params=params,
    )


NAMES: dict[str, Any] = {
    **{name: pattern for name, pattern in vars(paths).items() if name.isupper()},
    **vars(edgeflow.plan.files),
    "PLAN": MagicMock(),
    "slots_of": lambda *_: {},
    "ancient": Ancient,
    "directory": str,
    "reads": lambda function: function,
    "once": lambda function: function,
    "of_step": lambda step: dict.fromkeys(("slice", "code", "tools"), step),
    "subpath": lambda *_, **__: None,
    "input": MagicMock(),
    "output": MagicMock(),
    "os": os,
}
"""What the rules take from rules/common.smk and from Snakemake."""


def _section(text: str, name: str, names: dict[str, Any]) -> dict[str, Any]:
    found = re.search(rf"^    {name}:\n((?:        .*\n)+)", text, re.MULTILINE)
    assert found or name == "input", name  # a dataset has none
    declared: dict[str, Any] = eval(f"dict({found[1]})" if found else "{}", names)
    return declared


def _files(argument: Any) -> Files:
    """Return the files of an argument: a pattern, a list of them, or a function of the plan."""

    def files(plan: Plan, wildcards: Mapping[str, str]) -> list[str]:
        if callable(argument):
            found = argument(plan, *(wildcards[name] for name in wildcards_of(argument)))
        else:
            found = argument
        each = [found] if isinstance(found, str) else found
        return [path.format(**wildcards) for path in each]

    return files


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A rule with its wildcards filled in; paths are below the project's folder."""

    step: str
    name: str
    wildcards: Mapping[str, str]
    planned: Planned
    inputs: tuple[Path, ...]
    ancient: tuple[Path, ...]
    outputs: tuple[Path, ...]

    @property
    def out(self) -> Path:
        """The folder of the outputs; a manifest is declared last."""
        return self.outputs[-1].parent

    def params(self) -> dict[str, str]:
        """Return what of a job's parameters Snakemake remembers."""
        declared = rule(self.step).params
        params = {name: of(self.planned) for name, of in _PARAMS.items() if name in declared}
        if "planned" in declared:
            params["planned"] = source_digest(self.name, self.planned.slice)
        return params

    def run(self) -> None:
        """Call the step as the rule's command does."""
        folders = [path.parent for path in self.inputs]
        code = fingerprint(*self.planned.modules)
        STEPS[self.step](self.name, *folders, self.planned.slice, code, self.out)


@cache
def jobs_of(plan: Plan, results: Path) -> list[Job]:
    """Return the plan's building jobs, each after those it takes files from."""
    found: dict[tuple[str, str], Job] = {}
    for step in STEPS:
        for unit in plan.units:
            wildcards = {
                "dataset": plan.config.models[unit.model].dataset,
                "model": unit.model,
                "recipe": unit.recipe,
                "target": unit.target,
            }
            job = _job(plan, step, wildcards, results)
            found.setdefault((step, job.name), job)
    return list(found.values())


def _job(plan: Plan, step: str, wildcards: Mapping[str, str], results: Path) -> Job:
    names = {
        "dataset": ("dataset",),
        "train": ("model",),
        "compress": ("model", "recipe"),
    }.get(step, ("target", "model", "recipe"))
    declared = rule(step)

    def fill(arguments: Iterable[Files]) -> tuple[Path, ...]:
        return tuple(results / path for files in arguments for path in files(plan, wildcards))

    return Job(
        step=step,
        name="/".join(wildcards[name] for name in names),
        wildcards=wildcards,
        planned=plan.job(step, **wildcards),
        inputs=fill(declared.inputs),
        ancient=fill(declared.ancient),
        outputs=fill(declared.outputs),
    )


@dataclass(frozen=True, slots=True)
class LastRun:
    """What Snakemake remembers of a job's last success."""

    params: dict[str, str]
    inputs: dict[Path, str]


@dataclass
class StandIn:
    """One project's Snakemake, with what it remembers from run to run."""

    results: Path
    remembered: dict[tuple[str, str], LastRun] = field(default_factory=dict)

    def run(self, plan: Plan, at_most: int | None = None) -> list[IntegrityError]:
        """Bring all bundles up to date, or be interrupted after some jobs; return what failed."""
        jobs = jobs_of(plan, self.results)
        chosen = self._need_run(jobs)
        failed: list[IntegrityError] = []
        lost: set[Path] = set()
        for job in [job for job in jobs if (job.step, job.name) in chosen][:at_most]:
            if not lost.isdisjoint((*job.inputs, *job.ancient)):
                lost.update(job.outputs)
                continue
            try:
                self._execute(job)
            except IntegrityError as error:
                failed.append(error)
                lost.update(job.outputs)
        return failed

    def _execute(self, job: Job) -> None:
        self.remembered.pop((job.step, job.name), None)
        for path in job.outputs:
            remove(path)
        job.run()
        for path in job.outputs:
            set_time(path)
        self.remembered[job.step, job.name] = LastRun(job.params(), _contents(job))

    def _need_run(self, jobs: list[Job]) -> set[tuple[str, str]]:
        maker = {path: job for job in jobs for path in job.outputs}
        oldest = _oldest_outputs(jobs, maker)
        chosen: dict[tuple[str, str], Job] = {}
        queue = [job for job in jobs if self._has_reason(job, oldest[job.step, job.name])]
        while queue:
            job = queue.pop()
            if (job.step, job.name) in chosen:
                continue
            chosen[job.step, job.name] = job
            taken = (*job.inputs, *job.ancient)
            queue += [maker[path] for path in taken if not path.exists()]
            made = set(job.outputs)
            queue += [
                below
                for below in jobs
                if made & set(below.inputs)
                or any(not p.exists() for p in made & set(below.ancient))
            ]
        return set(chosen)

    def _has_reason(self, job: Job, oldest: float | None) -> bool:
        """Return whether a job runs for itself, not for one above or below it."""
        asked_for = job.outputs[:1] if job.step == "bundle" else ()
        last = self.remembered.get((job.step, job.name))
        if last is None or not all(path.exists() for path in asked_for):
            return True
        if last.params != job.params() or last.inputs.keys() != set(_inputs(job)):
            return True
        return oldest is not None and any(
            path.exists()
            and path.stat().st_mtime > oldest
            and not (path.is_file() and sha256_file(path) == last.inputs[path])
            for path in job.inputs
        )


def _inputs(job: Job) -> tuple[Path, ...]:
    return (*job.inputs, *job.ancient)


def _contents(job: Job) -> dict[Path, str]:
    return {path: sha256_file(path) if path.is_file() else "" for path in _inputs(job)}


def _oldest_outputs(
    jobs: list[Job], maker: Mapping[Path, Job]
) -> dict[tuple[str, str], float | None]:
    """Return the time of each job's oldest output; where none is there, that of a job below."""
    below: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for job in jobs:
        for path in (*job.inputs, *job.ancient):
            above = maker[path]
            below.setdefault((above.step, above.name), []).append((job.step, job.name))
    oldest: dict[tuple[str, str], float | None] = {}
    for job in reversed(jobs):
        key = (job.step, job.name)
        times = [path.stat().st_mtime for path in job.outputs if path.exists()]
        others = [time for name in below.get(key, ()) if (time := oldest[name]) is not None]
        oldest[key] = min(times) if times else next(iter(others), None)
    return oldest


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

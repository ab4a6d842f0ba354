"""Where each job of a build is: waiting, running, done or failed."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from edgeflow.cli.display.announced import Planned


class State(Enum):
    """Where a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


Key = tuple[str, tuple[tuple[str, str], ...]]
"""A job's rule and wildcards. Modules may run one step by several rules."""
AGGREGATES = ("all", "selection")
"""Rules that only name what is wanted."""


@dataclass(slots=True)
class Job:
    """One job.

    Attributes:
        step: what it runs.
        wildcards: what it makes.
        state: where it is.
        logs: files with what it says.
        began_unix_s: when it was started last.
        seconds: how long it ran, once it has ended.
        message: what whoever ran it says of a failure, such as a cluster's state of the job.
    """

    step: str
    wildcards: Mapping[str, str]
    state: State = State.WAITING
    logs: Sequence[str] = ()
    began_unix_s: float = 0.0
    seconds: float = 0.0
    message: str = ""

    @property
    def title(self) -> str:
        """What people call it: ``deploy tiny to pi-1`` is `deploy pi-1/tiny`."""
        names = ("dataset", "device", "target", "model", "recipe", "rollout")
        parts = [self.wildcards[name] for name in names if name in self.wildcards]
        return " ".join([self.step, "/".join(parts)]).strip()


@dataclass(slots=True)
class Board:
    """All jobs that Snakemake planned, by what they make, and those that it started, by id.

    Attributes:
        jobs: by rule and wildcards.
        counts: how many jobs are in each state, without those that only name what is wanted.
    """

    jobs: dict[Key, Job] = field(default_factory=dict)
    counts: Counter[State] = field(default_factory=Counter)
    _by_id: dict[int, Job] = field(default_factory=dict)
    _rules: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)

    def plan(self, jobs: Iterable[Planned]) -> None:
        """Note the jobs that will run."""
        for job in jobs:
            self._job(job)

    def start(self, number: int, planned: Planned, logs: Sequence[str], now_s: float) -> Job:
        """Note that a job was started, perhaps once more."""
        job = self._job(planned)
        job.logs, job.began_unix_s = logs, now_s
        self._move(job, State.RUNNING)
        self._by_id[number] = job
        return job

    def end(self, number: int, state: State, now_s: float) -> Job | None:
        """Note how a job ended; None if it is none that was started."""
        job = self._by_id.get(number)
        if job is not None:
            job.seconds = now_s - job.began_unix_s
            self._move(job, state)
        return job

    def of(self, state: State) -> list[Job]:
        """Return the jobs in a state, without those that only name what is wanted."""
        return [
            job for job in self.jobs.values() if job.state is state and job.step not in AGGREGATES
        ]

    def cell(self, step: str, names: Mapping[str, str]) -> State | None:
        """Return where a step is for one deployment; None if it has nothing to do there."""
        for rule, wanted in self._rules.get(step, {}).items():
            job = self.jobs.get((rule, tuple((name, names.get(name, "")) for name in wanted)))
            if job is not None:
                return job.state
        return None

    def steps(self) -> set[str]:
        """Return the steps that have anything to do."""
        return set(self._rules)

    def rules(self) -> dict[str, str]:
        """Return the step that each rule runs."""
        return {rule: step for step, rules in self._rules.items() for rule in rules}

    def _job(self, job: Planned) -> Job:
        ordered = tuple(sorted(job.wildcards))
        self._rules.setdefault(job.step, {})[job.rule] = ordered
        key = (job.rule, tuple((name, job.wildcards[name]) for name in ordered))
        if key not in self.jobs:
            self.jobs[key] = Job(job.step, dict(job.wildcards))
            self.counts[State.WAITING] += job.step not in AGGREGATES
        return self.jobs[key]

    def _move(self, job: Job, state: State) -> None:
        if job.step not in AGGREGATES:
            self.counts[job.state] -= 1
            self.counts[state] += 1
        job.state = state

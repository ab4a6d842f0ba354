"""Lines about a build: what was resolved, how many jobs, what became of one."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from edgeflow.cli.display.announced import Build
from edgeflow.cli.display.board import AGGREGATES, Board, Job, State

NAMES_SHOWN = 6
KINDS = ("datasets", "models", "recipes", "targets", "devices")


def resolved(build: Build) -> Iterator[str]:
    """Yield what is built: the names of each kind, and what a selection left."""
    units, models = build.units, build.plan.config.models
    found: dict[str, list[str]] = {
        "datasets": [models[unit.model].dataset for unit in units],
        "models": [unit.model for unit in units],
        "recipes": [unit.recipe for unit in units],
        "targets": [unit.target for unit in units],
        "devices": [unit.device for unit in units if unit.device],
    }
    for kind in KINDS:
        yield f"{kind + ':':<10}{listed(found[kind])}"
    if build.chosen:
        count = f"{len(units)} of {len(build.plan.units)} deployments"
        yield f"selected: {count} ({build.chosen})"


def listed(names: Iterable[str]) -> str:
    """Return names, each once; of many, the first ones and how many there are."""
    unique = list(dict.fromkeys(names))
    shown = ", ".join(unique[:NAMES_SHOWN])
    more = f", ... ({len(unique)} in all)" if len(unique) > NAMES_SHOWN else ""
    return shown + more


def counted(stats: Mapping[str, int], steps: Mapping[str, str]) -> str:
    """Return how many jobs of each step Snakemake will run.

    Args:
        stats: how many jobs of each rule.
        steps: what a rule runs, where it is not called so.
    """
    kinds: Counter[str] = Counter()
    for name, count in stats.items():
        if name not in (*AGGREGATES, "total"):
            kinds[steps.get(name, name)] += count
    each = ", ".join(f"{count} {name}" for name, count in kinds.items())
    return f"jobs:     {sum(kinds.values())}" + (f" ({each})" if each else "")


def ended(job: Job, board: Board) -> str:
    """Return one line about a job that ended."""
    states = board.counts
    past = states[State.DONE] + states[State.FAILED]
    return f"{job.title}: {job.state.value} ({duration(job.seconds)}), {past} of {states.total()}"


def duration(seconds: float) -> str:
    """Return a duration for people."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02} min"


def why(reason: str) -> str:
    """Return Snakemake's reasons for a job without the files that each names."""
    heads = [part.partition(":")[0].strip().lower() for part in reason.split("; ")]
    return ", ".join(dict.fromkeys(filter(None, heads)))


def short(text: str, characters: int = 100) -> str:
    """Return a text as one line of limited length."""
    line = " ".join(text.split())
    return line if len(line) <= characters else line[: characters - 3] + "..."

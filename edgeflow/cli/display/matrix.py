"""The live picture on a terminal: a row for each deployment, a column for each step."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.cli.display.announced import Build
from edgeflow.cli.display.board import Board, State
from edgeflow.cli.display.failures import last_words
from edgeflow.cli.display.text import duration, short

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

STEPS = ("dataset", "import", "train", "compress", "debug", "compile", "bundle", "deploy",
         "validate", "gate", "judge")  # fmt: skip
ROWS_SHOWN = 20
RUNNING_SHOWN = 4
MARKS = {
    None: (" ", " ", ""),
    State.WAITING: ("·", ".", "dim"),
    State.RUNNING: ("▶", ">", "yellow"),
    State.DONE: ("✓", "x", "green"),
    State.FAILED: ("✗", "!", "bold red"),
}
_URGENT = (State.FAILED, State.RUNNING, State.WAITING, State.DONE)

Row = tuple[Mapping[str, str], Sequence[State | None]]


def rows(builds: Sequence[Build], board: Board) -> tuple[list[str], list[Row]]:
    """Return the steps that have anything to do, and of each deployment where they are."""
    steps = [step for step in STEPS if step in board.steps()]
    found: list[Row] = []
    for build in builds:
        models = build.plan.config.models
        for unit in build.units:
            names = {**unit.names(), "dataset": models[unit.model].dataset}
            found.append((names, [board.cell(step, names) for step in steps]))
    return steps, found


def most_urgent(found: Sequence[Row], limit: int) -> list[Row]:
    """Return so many rows, in their order: what failed, runs or waits before what is done."""

    def urgency(index: int) -> tuple[int, int]:
        states = [_URGENT.index(state) for state in found[index][1] if state is not None]
        return min(states, default=len(_URGENT)), index

    return [found[index] for index in sorted(sorted(range(len(found)), key=urgency)[:limit])]


def picture(builds: Sequence[Build], board: Board, *, unicode: bool, height: int) -> "Group":
    """Return what is shown at this moment, no higher than a terminal of that height."""
    from rich.console import Group
    from rich.text import Text

    steps, found = rows(builds, board)
    limit = max(1, min(ROWS_SHOWN, height - RUNNING_SHOWN - 5))
    shown = most_urgent(found, limit)
    parts: list[Table | Text] = [_table(steps, shown, unicode=unicode)]
    if len(shown) < len(found):
        parts.append(Text(f"and {len(found) - len(shown)} more deployments", style="dim"))
    running = board.of(State.RUNNING)
    now = time.time()
    for job in running[:RUNNING_SHOWN]:
        said = last_words(Path(job.logs[0])) if job.logs else ""
        line = f"{job.title} {duration(now - job.began_unix_s)}  {said}"
        parts.append(Text(short(line, 120), style="yellow", no_wrap=True, overflow="ellipsis"))
    parts.append(Text(progress(board)))
    return Group(*parts)


def progress(board: Board) -> str:
    """Return how far the build is."""
    count = board.counts
    said = [f"{count[State.DONE]} of {count.total()} jobs done"]
    others = (State.RUNNING, State.FAILED)
    said += [f"{count[state]} {state.value}" for state in others if count[state]]
    return ", ".join(said)


def _table(steps: Sequence[str], shown: Sequence[Row], *, unicode: bool) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for title in ("deployment", "device"):
        table.add_column(title, overflow="ellipsis", no_wrap=True)
    for step in steps:
        table.add_column(step, justify="center", no_wrap=True)
    for names, states in shown:
        marks = [MARKS[state] for state in states]
        cells = [Text(it[0 if unicode else 1], style=it[2]) for it in marks]
        table.add_row(
            Text(f"{names['model']}/{names['recipe']}"),
            Text(names["device"] or names["target"]),
            *cells,
        )
    return table

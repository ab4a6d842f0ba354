"""The display of one build: lines as they come, or a live picture on a terminal."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from edgeflow.artifact.events import EVENTS
from edgeflow.cli.display import announced, text
from edgeflow.cli.display.board import AGGREGATES, Board, State
from edgeflow.cli.display.failures import error_in, events_since, failures
from edgeflow.cli.log import QUIET

if TYPE_CHECKING:
    from rich.live import Live

MANY = 100
"""Deployments beyond which the picture changes once a second: it looks at each of them."""


class Display:
    """What is known of a build, and its picture.

    Args:
        file: where it is shown.
        dry_run: nothing will be executed.
        quiet: only what was resolved, failures and the end are shown.
    """

    def __init__(self, file: TextIO, *, dry_run: bool = False, quiet: bool = False) -> None:
        self.board = Board()
        self._file, self._dry_run, self._quiet = file, dry_run, quiet
        self._live: Live | None = None
        self._pictured = not dry_run and not quiet and _is_terminal(file)
        if self._pictured:  # the jobs' own bars would run through the picture
            os.environ[QUIET] = "1"
        self._planned = False
        self._notes: list[str] = []
        self._events = Path(os.environ.get("EDGEFLOW_EVENTS") or EVENTS)
        self._start = self._events.stat().st_size if self._events.exists() else 0

    def say(self, line: str) -> None:
        """Show a line, above the picture if there is one."""
        if self._live is not None:
            self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=self._file, flush=True)

    def note(self, line: str) -> None:
        """Keep what Snakemake says beside a build; it is shown if there is none."""
        self._notes.append(line)

    def drop_notes(self) -> None:
        """Forget what Snakemake said: why there is no build is told."""
        self._notes.clear()

    def plan(self, stats: Mapping[str, int]) -> None:
        """Show what was resolved and how many jobs will run, once."""
        if self._planned:  # Snakemake says it before and after a dry run
            return
        self._planned = True
        builds = announced.builds()
        for build in builds:
            for line in text.resolved(build):
                self.say(line)
        for build in builds[:1]:  # all of one workflow
            self.board.plan(build.jobs())
        self.say(text.counted(stats, self.board.rules()))
        if self._pictured:
            self._go_live(builds)

    def start(
        self,
        number: int,
        planned: announced.Planned,
        logs: Sequence[str],
        reason: str,
        now_s: float,
    ) -> None:
        """Show that a job was started, or would be."""
        job = self.board.start(number, planned, logs, now_s)
        if job.step in AGGREGATES or self._live is not None or self._quiet:
            return
        self.say(f"{job.title}: {text.why(reason)}" if self._dry_run else f"{job.title}: started")

    def fail(self, number: int, logs: Sequence[str], message: str, now_s: float) -> None:
        """Show that a job failed; it may be tried again.

        Args:
            number: Snakemake's number of the job.
            logs: files that say why; of a cluster's job more than those of the step.
            message: what whoever ran it says, if anything.
            now_s: Unix time.
        """
        job = self.board.end(number, State.FAILED, now_s)
        if job is not None:
            job.logs, job.message = logs, message
            self.say(text.ended(job, self.board))
            own = error_in(Path(logs[0])) if logs else []
            for line in [*own, *([message] if message else [])]:
                self.say(f"  {line}")

    def finish(self, number: int, now_s: float) -> None:
        """Show that a job is done."""
        job = self.board.end(number, State.DONE, now_s)
        if job is None or job.step in AGGREGATES:
            return
        if self._live is None and not self._quiet:
            self.say(text.ended(job, self.board))

    def close(self) -> None:
        """Show the end: what failed, the table, and where the report is."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        idle = any(line.startswith("Nothing to be done") for line in self._notes)
        if self._planned and not self._dry_run:
            self._end()
        elif idle:
            self._tables()
            self.say("nothing to do: all is up to date")
        elif not self._planned:
            for line in self._notes:
                self.say(line)

    def _end(self) -> None:
        failed = self.board.of(State.FAILED)
        self._tables()
        for line in failures(failed, events_since(self._events, self._start)):
            self.say(line)

    def _tables(self) -> None:
        """Print the table, after making the report where its rule did not run but others did.

        That rule waits for all deployments: some failed, were interrupted, or were left out.
        """
        from edgeflow.cli.ending import finish

        done = self.board.counts[State.DONE] == self.board.counts.total()
        for build in announced.builds():
            finish(
                build,
                self._file,
                build_report=self._planned and (not done or bool(build.chosen)),
            )

    def _go_live(self, builds: Sequence[announced.Build]) -> None:
        from rich.console import Console
        from rich.live import Live

        from edgeflow.cli.display.matrix import picture

        console = Console(file=self._file)
        unicode = console.encoding.startswith("utf")
        self._live = Live(
            get_renderable=lambda: picture(
                builds, self.board, unicode=unicode, height=console.height
            ),
            console=console,
            refresh_per_second=4 if sum(len(it.units) for it in builds) <= MANY else 1,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()


def _is_terminal(file: TextIO) -> bool:
    return file.isatty() and os.environ.get("TERM") != "dumb"


def on_standard_error(*, dry_run: bool, quiet: bool) -> Display:
    """Return the display of this process' build."""
    display = Display(sys.stderr, dry_run=dry_run, quiet=quiet)
    announced.attach(display)
    return display

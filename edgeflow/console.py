"""What a step says while it runs: a progress bar on a terminal, plain lines elsewhere."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

Advance = Callable[[str], None]
"""Call after each unit of work with a short text, for example ``val_accuracy 0.981``."""


_terminal: list[TextIO] = []
_log: list[Path] = []


def attach_log(path: Path) -> None:
    """Know that standard error of this process goes to a log file."""
    _log[:] = [path]


def log_file() -> Path | None:
    """Return the log file of this process, if it has one."""
    return _log[0] if _log else None


def note(text: str) -> None:
    """Write to the log file alone; nothing where there is none."""
    if _log:
        print(text, end="", file=sys.stderr, flush=True)


def attach_terminal(stream: TextIO) -> None:
    """Show progress on `stream` as well: standard error now goes to a log file."""
    _terminal[:] = [stream]


def say(text: str) -> None:
    """Write one line to standard error, and to the terminal where that is another."""
    print(text, file=sys.stderr, flush=True)
    for terminal in _terminal:
        with suppress(OSError):  # it is gone, and what runs may be finishing all the same
            print(text, file=terminal, flush=True)


@contextmanager
def native_quiet() -> Iterator[None]:
    """Drop what C++ writes to standard error: the notes of TensorFlow and LiteRT heed no level."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def progress(title: str, total: int) -> Iterator[Advance]:
    """Yield a function that advances the progress of `total` units by one."""
    terminal = _terminal[0] if _terminal else sys.stderr
    if terminal.isatty():
        with _bar(title, total, terminal) as advance_bar:
            yield advance_bar
        return
    done = 0

    def advance(text: str) -> None:
        nonlocal done
        done += 1
        say(f"{title}: {done}/{total} {text}")

    yield advance


@contextmanager
def _bar(title: str, total: int, terminal: TextIO) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    columns = (*Progress.get_default_columns(), TextColumn("{task.fields[text]}", markup=False))
    with Progress(*columns, console=Console(file=terminal)) as bar:
        task = bar.add_task(title, total=total, text="")
        yield lambda text: bar.update(task, advance=1, text=text)

"""What a step says while it runs: a progress bar on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[str], None]
"""Call after each unit of work with a short text, for example ``val_accuracy 0.981``."""


def say(text: str) -> None:
    """Write one line to standard error."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def progress(title: str, total: int) -> Iterator[Advance]:
    """Yield a function that advances the progress of `total` units by one."""
    if sys.stderr.isatty():
        with _bar(title, total) as advance:
            yield advance
        return
    done = 0

    def advance(text: str) -> None:
        nonlocal done
        done += 1
        say(f"{title}: {done}/{total} {text}")

    yield advance


@contextmanager
def _bar(title: str, total: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    columns = (*Progress.get_default_columns(), TextColumn("{task.fields[text]}"))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total, text="")
        yield lambda text: bar.update(task, advance=1, text=text)

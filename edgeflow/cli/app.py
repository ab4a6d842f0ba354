"""`edgeflow`: the command line, and the exit code of every failure."""

import contextlib
import functools
import os
import sys
from collections.abc import Callable

import typer

from edgeflow.cli import bundle, explain, lazy, steps, store
from edgeflow.cli.check import check
from edgeflow.cli.clean import clean
from edgeflow.cli.doctor import doctor
from edgeflow.cli.help import help_
from edgeflow.cli.init import init, schema
from edgeflow.cli.lint import lint
from edgeflow.cli.predict import predict
from edgeflow.cli.rollout import rollout
from edgeflow.cli.run import run
from edgeflow.cli.summary import summary
from edgeflow.console import log_file
from edgeflow.errors import EdgeflowError, known, shown

GROUPS = {
    "data": "Look at data before it is built.",
    "device": "Look at devices, pin host keys, go back to a release, remove models.",
    "fleet": "Look at the devices of inventories, and let neighbours serve for them.",
    "target": "Look at the kinds of targets and their options.",
    "model": "Look into model files, and measure them.",
    "export": "Export networks for builds of your own.",
}
app = typer.Typer(
    name="edgeflow",
    help="From data to a fleet of embedded devices. `edgeflow run` builds; the others look, "
    "check, and run single steps.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (init, check, doctor, lint, predict, summary, clean, schema):
    app.command(rich_help_panel="Project")(command)
# What `run` does not know is snakemake's.
app.command(rich_help_panel="Project", context_settings={"ignore_unknown_options": True})(run)
app.command(rich_help_panel="Project")(rollout)
app.command("help", rich_help_panel="Project")(help_)
explain.register(app)
steps.register(app)
app.add_typer(bundle.app, name="bundle")
for name, says in GROUPS.items():
    app.add_typer(lazy.group(f"edgeflow.cli.{name}", says), name=name)
store.register(app)


@functools.cache
def command_line() -> Callable[[], object]:
    """Return the command line, made of `app` once."""
    return typer.main.get_command(app)


def main() -> None:
    """Run the command line; a known failure prints its message and exits with its code."""
    # Said once here rather than in each step: TensorFlow writes its start-up notes otherwise.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        command_line()()
    except (EdgeflowError, OSError) as error:
        failure = known(error)
        if failure is None:
            raise
        with contextlib.suppress(OSError):  # a log on a full disk
            print(shown(failure, log_file()), file=sys.stderr, flush=True)
        sys.exit(failure.exit_code)

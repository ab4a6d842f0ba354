"""Snakemake's events, shown by edgeflow: `snakemake --logger edgeflow`.

Snakemake finds a logger by the name of its package, at the top of the path; `edgeflow run` puts
this folder there.
"""

import logging
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from edgeflow.cli.display.announced import Planned, refusal, refuse, step_of
from edgeflow.cli.display.show import on_standard_error
from edgeflow.cli.workflow import busy
from edgeflow.errors import EdgeflowError, shown

if TYPE_CHECKING:
    from collections.abc import Callable

SAID_BETTER = (
    "At least one job did not complete",
    "Exiting because a job execution failed",
    "Command 'set -euo pipefail; edgeflow ",
)
"""Which jobs failed, and why, is said by the display."""
NO_CONFIG = "Config file "
"""What Snakemake begins with where it cannot read one, before it reads any rule."""


class LogHandler(LogHandlerBase):
    """Hands Snakemake's events to the display."""

    def __post_init__(self) -> None:
        settings = self.common_settings
        self._display = on_standard_error(dry_run=settings.dryrun, quiet=bool(settings.quiet))
        self._closed = self._refused = False
        self._handlers: dict[object, Callable[[Any], None]] = {
            LogEvent.RUN_INFO: lambda record: self._display.plan(record.stats),
            LogEvent.JOB_INFO: self._start,
            LogEvent.JOB_FINISHED: lambda it: self._display.finish(it.job_id, it.created),
            LogEvent.JOB_ERROR: self._fail,
            LogEvent.SHELLCMD: self._command,
            LogEvent.ERROR: self._error,
        }

    def emit(self, record: logging.LogRecord) -> None:
        """Show one event."""
        event = getattr(record, "event", None)
        try:
            if event in self._handlers:
                self._handlers[event](record)
            elif record.levelno >= logging.WARNING:
                self._error(record)
            elif event is None and record.levelno >= logging.INFO:
                self._display.note(str(record.msg))
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Show the end of the build, once; Snakemake would swallow what goes wrong here."""
        if not self._closed:
            self._closed = True
            try:
                self._display.close()
            except EdgeflowError as error:
                self._display.say(shown(error))
            except Exception:
                traceback.print_exc()
        super().close()

    def _start(self, record: Any) -> None:
        step = step_of(record.shellcmd, record.rule_name)
        job = Planned(record.rule_name, step, record.wildcards or {})
        self._display.start(record.jobid, job, list(record.log), record.reason, record.created)

    def _fail(self, record: Any) -> None:
        message = str(record.rule_msg or "")
        self._display.fail(record.jobid, list(record.log), message, record.created)

    def _command(self, record: Any) -> None:
        command = getattr(record, "shellcmd", None)
        if command and self.common_settings.printshellcmds:
            self._display.say(command)

    def _error(self, record: Any) -> None:
        message, error = str(record.msg).rstrip(), refusal()
        if getattr(record, "exception", "") == "LockException":
            message = shown(busy(Path.cwd()))
            self._display.drop_notes()
        if error is None and NO_CONFIG in message and Path("config.yaml").is_file():
            error = _read_config()
        if error is not None:  # without the place in the rules where it was raised
            message, self._refused = "" if self._refused else shown(error), True
        if message and not any(text in " ".join(message.split()) for text in SAID_BETTER):
            self._display.say(message)

    @property
    def writes_to_stream(self) -> bool:
        """It takes the place of Snakemake's own output."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """It writes to no file."""
        return False

    @property
    def has_filter(self) -> bool:
        """It wants all events, whatever `--quiet` hides."""
        return True

    @property
    def has_formatter(self) -> bool:
        """It formats for itself."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """It needs no graph of the rules."""
        return False


def _read_config() -> EdgeflowError | None:
    """Return what is wrong with the configuration, kept as why there is no build."""
    from edgeflow.config.load import load_file

    try:
        load_file(Path("config.yaml"))
    except EdgeflowError as error:
        refuse(error)
        return error
    return None

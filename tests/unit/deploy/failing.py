"""Runs a verb of the agent in copies of a folder, on a disk that fails at one more call each time.

``python -m tests.unit.deploy.failing TEMPLATE COPIES VERB ARGUMENTS...`` leaves copy 0, where the
first call that writes has failed, copy 1, where the second has, and so on; in the last one none
has. Each third one fails for another reason. In odd copies only that call fails, in even ones all
that follow do too, until the switch has come to its end. It prints the answers as one JSON list.
"""

import contextlib
import errno
import io
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from edgeflow.ondevice import agent
from edgeflow.ondevice.agent import cli, switch, trial
from edgeflow.ondevice.agent.model import Model
from tests.unit.deploy.killed import Killer
from tests.unit.deploy.trials import in_this_process

REASONS = (errno.ENOSPC, errno.EIO, errno.EROFS)


class Disk(Killer):
    """Fails at a call, instead of the power.

    Attributes:
        failed: whether it has.
        lasting: whether it goes on so.
    """

    def __init__(self, fail_at: int) -> None:
        super().__init__(fail_at)
        self.failed, self.lasting = False, fail_at % 2 == 0

    def tick(self, call: str) -> None:
        """Note a call that is about to be made, or fail."""
        if len(self.calls) == self._kill_at or (self.failed and self.lasting):
            reason = REASONS[self._kill_at % len(REASONS)]
            self.failed, self._kill_at = True, self._kill_at if self.lasting else -1
            raise OSError(reason, os.strerror(reason))
        self.calls.append(call)

    def _open(self, *arguments: Any, **options: Any) -> Any:
        file = super()._open(*arguments, **options)
        while self._files:  # a second descriptor would hold a lock for ever
            os.close(self._files.popitem()[0])
        return file

    def start(self, arguments: list[str]) -> Any:
        """Do what the supervisor of a switch does, but watch nothing."""
        options, begun = cli.parser().parse_args(["switch", *arguments]), trial.Trial()
        with begun.held:
            result = cli.answer(options, lambda options: trial.begin(options, begun))
            self.lasting = False  # it works again, or taking back would be tried for ever
            self._kill_at = -1 if self.failed else self._kill_at
            if "error" in result and begun.token is not None:
                model = Model(options.model_dir)
                result = {**result, **trial.take_back_at_last(model, begun.token, "it failed")}
        return result


def attempt(copy: Path, fail_at: int, verb: str, arguments: list[str]) -> dict[str, Any] | None:
    """Run the verb in a child process; return its answer, or None where nothing has failed."""
    reader, writer = os.pipe()
    if not os.fork():
        disk = Disk(fail_at)
        in_this_process()
        patch = pytest.MonkeyPatch()  # never undone: the process ends
        patch.setattr(switch, "start", disk.start)
        patch.setattr(trial, "AGAIN_S", 0.0)
        disk.hook()
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            agent.main([verb, str(copy), *arguments])
        os.write(writer, json.dumps([disk.failed, json.loads(said.getvalue())]).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        failed, answer = json.loads(pipe.read())
    os.wait()
    return answer if failed else None


def main(template: str, copies: str, verb: str, *arguments: str) -> None:
    """Make the copies."""
    answers: list[dict[str, Any]] = []
    while True:
        copy = Path(copies) / str(len(answers))
        shutil.copytree(template, copy, symlinks=True)
        answer = attempt(copy, len(answers), verb, list(arguments))
        if answer is None:
            break
        answers.append(answer)
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Trials of releases without processes of their own, for tests of what the agent writes."""

from collections.abc import Callable
from typing import Any

from edgeflow.ondevice.agent import cli, switch, trial

IN_TIME = ("--health-s", "60", "--confirm-s", "60")
Run = Callable[..., Any]


def in_this_process(patch: Callable[[Any, str, Any], object] = setattr) -> None:
    """Let supervisors run in this process, unwatched, and all releases be healthy."""
    patch(trial, "fault_of", lambda *_: None)
    patch(switch, "start", _start)


def _start(arguments: list[str]) -> Any:
    options = cli.parser().parse_args(["switch", *arguments])
    begun = trial.Trial()
    with begun.held:
        return trial.begin(options, begun)


def put_in_use(call: Run, sha: str) -> tuple[int, dict[str, Any]]:
    """Switch to a release and confirm it; return what the switch has answered.

    Args:
        call: runs a verb of the agent and returns exit code and answer.
        sha: the release.
    """
    code, answer = call("switch", sha, *IN_TIME)
    if code == 0 and answer["token"] is not None:
        assert call("confirm", sha, answer["token"]) == (
            0,
            {"state": "confirmed", "current": sha},
        )
    return code, answer

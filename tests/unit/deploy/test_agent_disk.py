"""A disk that fails at any call of a verb that writes: full, broken, or read-only.

Whatever the moment: what is in use is the old release or the new one, the answer is true of it,
and once the disk works the same verb succeeds.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.deploy.test_agent import in_use, install
from tests.unit.deploy.test_agent_killed import again, ask
from tests.unit.deploy.trials import IN_TIME

if TYPE_CHECKING:
    from tests.unit.deploy.conftest import Call
    from tests.unit.deploy.test_agent_killed import Ask

__all__ = ["ask"]
Fail = Callable[..., "list[tuple[Path, dict[str, Any]]]"]


@pytest.fixture
def fail(folder: Path, tmp_path: Path) -> Fail:
    """Let the disk fail at each call of a verb; return each copy of the folder with the answer."""

    def run(*command: str) -> "list[tuple[Path, dict[str, Any]]]":
        copies = tmp_path / "copies"
        done = subprocess.run(
            [sys.executable, "-m", "tests.unit.deploy.failing", folder, copies, *command],
            capture_output=True,
            text=True,
            check=True,
        )
        answers: list[dict[str, Any]] = json.loads(done.stdout)
        assert len(answers) > 5
        return [(copies / str(number), answer) for number, answer in enumerate(answers)]

    return run


def refused(answer: dict[str, Any]) -> bool:
    """Tell whether an answer is a refusal, which must then be one of the disk."""
    assert answer.get("error", "failed") in ("failed", "no space"), answer
    assert answer.get("detail", "[Errno").startswith("[Errno")
    return "error" in answer


def switches(folder: Path) -> int:
    """Return how often `current` was switched, by the audit log."""
    return (folder / "audit.log").read_text().count('"switched"')


def test_a_switch(call: "Call", folder: Path, ask: "Ask", fail: Fail) -> None:
    """It is on trial, or the old one is in use; without a journal that says so nothing is done."""
    old, new = in_use(call, folder, b"old"), install(call, folder, b"new")
    before, seen = switches(folder), set()
    for copy, answer in fail("switch", new, *IN_TIME):
        status = ask("status", copy)
        assert status["fault"] is None
        if refused(answer):
            assert (status["current"], status["pending"]) == (old, None)
            assert answer.get("current", old) == old
            assert "state" in answer or switches(copy) == before
        else:
            assert (status["current"], status["pending"]["sha"]) == (new, new)
            assert ask("confirm", copy, new, answer["token"])["current"] == new
        seen.add(status["current"])
        assert again(ask, copy, new)["current"] == new
        assert ask("status", copy)["previous"] == old
        assert ask("history", copy)["chain"] == "whole"
    assert seen == {old, new}  # what the audit log alone missed is no failure


def test_a_confirmation(call: "Call", folder: Path, ask: "Ask", fail: Fail) -> None:
    """One that failed is tried again with the same token."""
    old, new = in_use(call, folder, b"old"), install(call, folder, b"new")
    token = call("switch", new, *IN_TIME)[1]["token"]
    for copy, answer in fail("confirm", new, token):
        status = ask("status", copy)
        assert status["current"] == new
        confirmed = (status["state"], status["pending"]) == ("confirmed", None)
        assert confirmed or (refused(answer) and status["state"] == "healthy")
        assert ask("confirm", copy, new, token) == {"state": "confirmed", "current": new}
        assert ask("status", copy)["previous"] == old


def test_a_rollback(call: "Call", folder: Path, ask: "Ask", fail: Fail) -> None:
    old, new = in_use(call, folder, b"old"), in_use(call, folder, b"new")
    for copy, answer in fail("rollback", new):
        status = ask("status", copy)
        assert status["current"] in (old, new)
        if not refused(answer):
            assert (status["current"], status["rejected"]) == (old, [new])
        if status["current"] == old:
            assert status["rejected"] == [new], "never out of use before the journal says why"
        assert ask("rollback", copy, new)["current"] == old
        assert ask("status", copy)["rejected"] == [new]


def test_a_recovery(call: "Call", folder: Path, ask: "Ask", fail: Fail) -> None:
    """Of a switch that nobody watches any more: it is taken back, or still on trial."""
    old, new = in_use(call, folder, b"old"), install(call, folder, b"new")
    call("switch", new, *IN_TIME)
    for copy, answer in fail("prune", "3"):
        refused(answer)
        status = ask("status", copy)
        assert status["current"] == old or status["pending"]["sha"] == new
        ask("recover", copy.parent)
        status = ask("status", copy)
        assert (status["current"], status["pending"], status["fault"]) == (old, None, None)

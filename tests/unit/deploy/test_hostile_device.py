"""What a hostile device answers: bounded, and nothing of it reaches a terminal as it is."""

import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgeflow.cli.device.logs import _facts, _release
from edgeflow.cli.listing import when
from edgeflow.deploy.agent_answer import Entry, Status
from edgeflow.deploy.collect import _members
from edgeflow.errors import DeployError
from edgeflow.remote.answer import MalformedError, parse

STATUS = (
    '{"current": null, "fault": null, "previous": null, "rejected": [], "releases": [], '
    '"signed_by": null, "since_unix_s": %s, "state": null, "pending": null, "counter": 0, '
    '"free_bytes": 1, "python": "3", "machine": "x", "trust": "transport", "zstd": null}'
)
ESCAPE = "\\u001b]0;owned\\u0007"


def status(since: str) -> Status:
    return parse(Status, STATUS % since, device="device pi", program="the agent")


@pytest.mark.parametrize("since", ["1e300", "-1", "NaN", "1e12"])
def test_a_time_that_no_calendar_has_is_malformed(since: str) -> None:
    with pytest.raises(MalformedError, match="since_unix_s"):
        status(since)
    found = status("249999999999").since_unix_s
    assert found is not None
    assert when(found)


def test_an_audit_log_says_nothing_to_a_terminal() -> None:
    text = (
        f'{{"verb": "install", "time": "now", "sha": "{ESCAPE}", "{ESCAPE}": "{ESCAPE}", '
        f'"reason": "a\\nb{ESCAPE}", "long": "{"x" * 5000}", "deep": {{"{ESCAPE}": 1}}}}'
    )
    entry = parse(Entry, text, device="device pi", program="the agent").model_dump()
    shown = _release(entry) + _facts(entry)
    assert shown.isprintable()
    assert "reason a b" in shown
    assert len(shown) < 1500
    assert _release({**entry, "sha": ["no", "digest"]}).isprintable()
    assert _release({"verb": "repair"}) == "-"


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.DIRTYPE, b"D"])
@pytest.mark.parametrize("size", [-512, -1024, 8**12])
def test_a_tar_of_samples_ends(tmp_path: Path, kind: bytes, size: int) -> None:
    """Python's own reader goes back and forth for ever in some of them."""
    info = tarfile.TarInfo("a" * 64 + ".npz")
    info.type, info.size = kind, size
    path = tmp_path / "kept.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) * 3 + bytes(1024))
    device: Any = SimpleNamespace(endpoint=SimpleNamespace(title="device pi"))
    manifest: Any = SimpleNamespace(io=SimpleNamespace(inputs=[]))
    with pytest.raises(DeployError, match="malformed answer"):
        list(_members(device, path, manifest))

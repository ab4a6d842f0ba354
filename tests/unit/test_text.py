"""What a device says must not reach the terminal raw."""

import pytest

from edgeflow.remote.watchdog import Watchdog
from edgeflow.text import clean, tail, without_secrets


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link", "link"),
        ("a\r\nb\tc\x00\x7f\x9b", "a\nb\tc"),
        ("Größe 3 µs", "Größe 3 µs"),
    ],
)
def test_escapes_and_controls_vanish(raw: str, safe: str) -> None:
    assert clean(raw) == safe


def test_a_long_text_is_cut_to_its_last_whole_lines() -> None:
    text = "".join(f"line {n}\n" for n in range(1000))
    assert tail(text, 20) == "... line 998\nline 999"
    assert tail("short\n") == "short"


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("s3://KEY:se/cr@et@bucket/x", "s3://…@bucket/x"),
        ("s3://token@bucket", "s3://…@bucket"),
        ("HTTPS://u:p@h/x?token=9 and s3://b/p#k", "HTTPS://…@h/x?… and s3://b/p?…"),
        ("sftp://me:secret@host/p", "sftp://…@host/p"),
        ("sftp://me@host:22/p is down", "sftp://me@host:22/p is down"),
        ("file:///a b, mail@host", "file:///a b, mail@host"),
    ],
)
def test_passwords_in_urls_vanish(raw: str, safe: str) -> None:
    assert without_secrets(raw) == safe


def test_a_watchdog_waits_as_long_as_it_is_touched() -> None:
    import threading

    fired = threading.Event()
    with Watchdog(0.2, fired.set) as dog:
        for _ in range(6):
            assert not fired.wait(0.05)
            dog.touch()
        assert not dog.expired
        assert fired.wait(60)
    assert dog.expired

"""The messages of a session, from a device that may say anything."""

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeflow.remote import channel
from edgeflow.remote.answer import MalformedError
from edgeflow.remote.channel import EndedError, Program, RefusedError
from edgeflow.remote.upload import Upload

READY = {"version": [3, 9, 2], "home": "/home/pi", "python": "/usr/bin/python3"}


class Wire:
    """A channel to a device that says what it is given; MARK stands for the nonce."""

    def __init__(self, *said: bytes) -> None:
        self._said, self._nonce = list(said), b""
        self.sent = bytearray()

    def exec_command(self, command: str) -> None:
        self._nonce = command.split()[-2].encode()

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def send(self, data: bytes) -> int:
        self.sendall(data)
        return len(data)

    def settimeout(self, timeout: float | None) -> None:
        pass

    def recv(self, _size: int) -> bytes:
        return self._said.pop(0).replace(b"MARK", self._nonce) if self._said else b""

    def recv_ready(self) -> bool:
        return bool(self._said)

    def recv_stderr(self, _size: int) -> bytes:
        return b""


class Dog:
    touches = 0

    def touch(self) -> None:
        self.touches += 1


def message(**values: Any) -> bytes:
    return b"MARK " + json.dumps(values, sort_keys=True).encode() + b"\n"


def program(*said: bytes) -> Program:
    wire: Any = Wire(*said)
    return Program(wire, "device pi", "python3", ["run"])


def test_what_is_printed_is_told_from_what_came_before_and_after() -> None:
    end = message(end="exit", code=3)
    for said in ([b"hello MAR", b"welcome", message(**READY), b"out", b"put\n", end], [
        b"x" + message(**READY) + b"output\n" + end]):  # fmt: skip
        it = program(*said)
        assert it.start().home == "/home/pi"
        printed, how = it.output(100)
        assert (printed, how.end, how.code) == (b"output\n", "exit", 3)


def test_a_login_script_may_print_the_command() -> None:
    it = program(b"runs python3 -c ... MARK run 10\n", message(**READY))
    assert it.start().home == "/home/pi"


def test_the_nonce_is_another_one_each_time() -> None:
    assert program()._nonce != program()._nonce


def test_output_is_read_to_its_end_message_only() -> None:
    wire: Any = Wire(message(**READY), b"out", message(end="exit", code=0), b"of a daemon")
    it = Program(wire, "device pi", "python3", ["run"])
    it.start()
    assert it.output(100)[0] == b"out"
    assert wire.recv_ready()


@pytest.mark.parametrize(
    "said",
    [
        b"MARK",
        b"MARK \n",
        b"MARK {}\n",
        b"MARK [\n",
        b"MARK " + b"x" * 9000,
        b"MARKX {}\n",
        message(version=[3, 9], home="/"),
        message(version=[3, 9, 2], home="relative"),
        b"MARK {" + b'"a":[' * 500 + b"\n",
        b'MARK {"detail": 1}\n',
    ],
)
def test_a_start_that_is_none(said: bytes) -> None:
    with pytest.raises((MalformedError, EndedError)):
        program(said).start()


def test_noise_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "NOISE_MAX_BYTES", 1000)
    with pytest.raises(MalformedError, match="a login script on device pi"):
        program(*[b"x" * 99] * 99).start()


@settings(max_examples=200, deadline=None)
@given(
    said=st.lists(
        st.binary(max_size=40)
        | st.sampled_from(
            [
                *(b"MARK ", b"\n", message(**READY), message(end="exit", code=0)),
                *(message(failed="EIO", detail="x"), message(end=1), message(have=1)),
            ]
        ),
        max_size=6,
    )
)
def test_no_bytes_raise_anything_else(said: list[bytes]) -> None:
    with contextlib.suppress(MalformedError, EndedError, RefusedError):
        it = program(*said)
        it.start()
        it.output(60)


def test_what_ended_early_is_still_heard() -> None:
    class Deaf(Wire):
        def sendall(self, data: bytes) -> None:
            raise OSError("Socket is closed")

    wire: Any = Deaf(b"This account is not available.\n")
    it = Program(wire, "device pi", "python3", ["run"])
    with pytest.raises(EndedError):
        it.start()
    assert "not available" in it.noise


def test_only_progress_is_a_sign_of_life(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 9)
    digest = "0" * 64
    said: list[dict[str, Any]] = [{"hashed": n} for n in (5, 5, 5, 8)]
    later: list[dict[str, Any]] = [{"at": 4}, {"at": 4}, {"at": 3}, {"at": 9}, {"hashed": 1}, {}]
    dog: Any = Dog()
    it = program(*(message(**values) for values in [
        *said, {"have": 0, "sha256": digest}, *later, {"stored": digest}]))  # fmt: skip
    upload = Upload(tmp_path / "file")
    assert upload.run(it, dog) == digest
    assert dog.touches == 5
    assert upload.doing() == "sending file, 9 of 9 bytes"


def test_receipts_are_heard_while_there_is_no_room_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(200)))
    digest = "0" * 64

    class Narrow(Wire):
        """Takes 50 bytes at a time, and the device is slow with them."""

        waits = 0

        def send(self, data: bytes) -> int:
            self.waits += 1
            if self.waits % 3:
                self._said.append(message(at=self.waits))
                raise TimeoutError
            return super().send(data[:50])

    wire: Any = Narrow(message(have=0, sha256=digest))
    dog: Any = Dog()
    it, upload = Program(wire, "device pi", "python3", ["run"]), Upload(tmp_path / "file")
    with pytest.raises(EndedError):
        upload.run(it, dog)
    assert bytes(wire.sent) == b"0\n" + bytes(range(200))
    assert (upload.sent, dog.touches) == (200, 8)
    assert upload.sha256 == hashlib.sha256(bytes(range(200))).hexdigest()

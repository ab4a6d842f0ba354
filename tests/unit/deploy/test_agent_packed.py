"""The agent and packed uploads: by whatever unpacks them, bounded, and nothing left of bad ones."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgeflow.artifact.packed import packed

if TYPE_CHECKING:
    from tests.unit.deploy.conftest import Call

MODEL = bytes(300_000)


@pytest.fixture(params=["zstandard", "zstd"])
def unpacker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Unpack by the module, and by the program alone."""
    if request.param == "zstd":
        if shutil.which("zstd") is None:
            pytest.skip("needs the program zstd: sudo apt-get install -y zstd")
        monkeypatch.setattr("edgeflow.ondevice.agent.packed.ZSTD_MODULES", ())
    return str(request.param)


@pytest.fixture
def tar(make_bundle: Callable[..., Path]) -> bytes:
    return make_bundle(MODEL).read_bytes()


def upload(folder: Path, tar: bytes, data: bytes | None = None) -> tuple[str, ...]:
    """Put `data`, by default the packed tar, where its upload ends; return how to install it."""
    sha = hashlib.sha256(tar).hexdigest()
    (folder / "incoming" / f"{sha}.zst.part").write_bytes(packed(tar) if data is None else data)
    return sha, "--form", "tar.zst", "--packed-from", str(len(tar))


def nothing_left(folder: Path) -> bool:
    return not [*(folder / "incoming").iterdir(), *(folder / "releases").glob("*")]


def test_a_packed_upload_becomes_the_same_release(
    call: "Call", folder: Path, unpacker: str, tar: bytes
) -> None:
    assert call("status")[1]["zstd"] == unpacker
    sha, *options = upload(folder, tar)
    (folder / "incoming" / f"{sha}.part").write_bytes(b"what an earlier transfer left")
    assert call("install", sha, *options) == (
        0,
        {"installed": sha, "changed": True, "signed_by": None},
    )
    assert (folder / "releases" / sha / "data" / "model.tflite").read_bytes() == MODEL
    assert list((folder / "incoming").iterdir()) == []
    assert call("verify", sha)[0] == 0


@pytest.mark.parametrize("missing", [1, 100_000, 400_000])
def test_no_more_is_unpacked_than_the_host_announced(
    call: "Call", folder: Path, unpacker: str, tar: bytes, missing: int
) -> None:
    size = len(tar) - missing
    code, answer = call("install", *upload(folder, tar)[:-1], str(size))
    assert (code, answer["detail"]) == (65, f"the upload unpacks to more than {size} bytes")
    assert nothing_left(folder)


def test_a_bomb_fills_no_disk(
    call: "Call", folder: Path, unpacker: str, tar: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def remove(path: str) -> None:
        if Path(path).exists():
            sizes.append(Path(path).stat().st_size)
            Path(path).unlink()

    monkeypatch.setattr("edgeflow.ondevice.agent.folders.remove", remove)
    ten_gibibytes = packed(bytes(64 << 20)) * 160
    assert call("install", *upload(folder, tar, ten_gibibytes))[0] == 65
    assert sizes
    assert max(sizes) <= len(tar)


BAD: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda tar: packed(tar)[:-20],
    "flipped": lambda tar: packed(tar)[:30] + bytes([packed(tar)[30] ^ 255]) + packed(tar)[31:],
    "no zstd": lambda tar: b"no zstd" * 100,
    "empty": lambda tar: b"",
    "another tar": lambda tar: packed(tar[:-1] + b"x"),
    "tar, not packed": lambda tar: tar,
}


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD)
def test_a_bad_packed_upload_is_refused_and_removed(
    call: "Call", folder: Path, unpacker: str, tar: bytes, spoil: Callable[[bytes], bytes]
) -> None:
    code, answer = call("install", *upload(folder, tar, spoil(tar)))
    assert (code, answer["error"]) == (65, "corrupt")
    assert nothing_left(folder)


def test_without_an_upload_there_is_nothing_to_unpack(call: "Call") -> None:
    assert (
        call("install", "0" * 64, "--form", "tar.zst", "--packed-from", "1")[1]["error"] == "absent"
    )


def test_too_little_space_is_said_before_unpacking(
    call: "Call", folder: Path, tar: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = list(os.statvfs(folder))
    usage[1], usage[4] = 1, len(tar) // 2  # f_frsize, f_bavail
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result(usage))
    code, answer = call("install", *upload(folder, tar))
    assert (code, answer["error"]) == (70, "no space")
    assert answer["need_bytes"] > len(tar)
    assert nothing_left(folder)


def test_a_device_that_cannot_unpack_says_so(
    call: "Call", folder: Path, tar: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeflow.ondevice.agent.packed.ZSTD_MODULES", ())
    monkeypatch.setenv("PATH", "/nowhere")
    assert call("status")[1]["zstd"] is None
    code, answer = call("install", *upload(folder, tar))
    assert (code, answer["error"]) == (70, "failed")
    assert "nothing on the device unpacks" in answer["detail"]

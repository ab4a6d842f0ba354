"""Debian's own clients of Mender and SWUpdate install what edgeflow exports, or refuse it."""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edgeflow.handover.mender import MODULE, mender_artifact
from edgeflow.handover.order import Payload
from edgeflow.handover.swupdate import swupdate_image
from tests.system.conftest import ENABLE
from tests.unit.handover.conftest import SICK, bundle_of, certified, payload_of

TIMEOUT_S = 60
MODULES = Path("/usr/share/mender/modules/v3")
ARTIFACT_INFO = Path("/etc/mender/artifact_info")
KEY = rsa.generate_private_key(65537, 2048)
P256_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = rsa.generate_private_key(65537, 2048)
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Device:
    """This machine as a device: a folder that edgeflow owns, of an account that is not root."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def brought(self, name: str, **more: bytes) -> Payload:
        return payload_of(bundle_of(name, **more), self.root)

    def current(self) -> str:
        return (self.root / "net/current").readlink().name

    def verbs(self) -> str:
        return (self.root / "net/audit.log").read_text()


@pytest.fixture
def device() -> Iterator[Device]:
    if os.geteuid() != 0:
        pytest.skip("needs root, as update systems do")
    # Not in pytest's own folder: each start of pytest closes that to other accounts.
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        root = Path(folder) / "edgeflow"
        root.mkdir()
        nobody = pwd.getpwnam("nobody")
        os.chown(root, nobody.pw_uid, nobody.pw_gid)
        yield Device(root)
        owners = {path.stat(follow_symlinks=False).st_uid for path in root.rglob("*")}
        assert owners <= {nobody.pw_uid}, "an agent over SSH could not change what root left"


def run(*argv: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(word) for word in argv],
        capture_output=True, text=True, check=False, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL,
        # A Python that other accounts may run; and sockets of SWUpdate that no other run answers.
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": mkdtemp()},
    )  # fmt: skip


class Mender:
    """Mender's client in its standalone mode."""

    def __init__(self, folder: Path, key: Key) -> None:
        self.folder = folder
        folder.mkdir()
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (folder / "key.pem").write_bytes(public)
        (folder / "config.json").write_text(f'{{"ArtifactVerifyKey": "{folder}/key.pem"}}')
        (folder / "device_type").write_text("device_type=pi\n")

    def __call__(self, verb: str, artifact: bytes = b"") -> "subprocess.CompletedProcess[str]":
        path = self.folder / "update.mender"
        path.write_bytes(artifact)
        base = ("mender", "--config", self.folder / "config.json", "--data", self.folder, verb)
        return run(*base, *((path,) if verb == "install" else ()))


@pytest.fixture(params=[KEY, P256_KEY], ids=["rsa", "p256"])
def key(request: pytest.FixtureRequest) -> Key:
    found: Key = request.param
    return found


@pytest.fixture
def mender(tmp_path: Path, key: Key) -> Iterator[Mender]:
    if shutil.which("mender") is None or os.geteuid() != 0:
        pytest.skip(f"needs Mender's client; {ENABLE}")
    module, had = MODULES / "edgeflow", ARTIFACT_INFO.exists()
    MODULES.mkdir(parents=True, exist_ok=True)
    module.write_bytes(MODULE)
    module.chmod(0o755)
    if not had:
        ARTIFACT_INFO.parent.mkdir(exist_ok=True)
        ARTIFACT_INFO.write_text("artifact_name=first\n")
    yield Mender(tmp_path / "mender", key)
    module.unlink()
    if not had:
        ARTIFACT_INFO.unlink()


def test_mender_installs_commits_and_rolls_back(mender: Mender, device: Device, key: Key) -> None:
    a, b, bad = device.brought("a"), device.brought("b"), device.brought("bad", runner=SICK)
    done = mender("install", mender_artifact(a, ["pi"], key))
    assert done.returncode == 0, done.stdout + done.stderr
    assert mender("commit").returncode == 0
    assert device.current() == a.sha256
    assert f"net-{a.sha256[:12]}" in mender("show-artifact").stdout
    assert mender("install", mender_artifact(b, ["pi"], key)).returncode == 0
    assert device.current() == b.sha256
    assert mender("rollback").returncode == 0
    assert device.current() == a.sha256
    assert mender("install", mender_artifact(bad, ["pi"], key)).returncode != 0
    assert device.current() == a.sha256
    assert '"confirmed"' in device.verbs()


def test_mender_refuses_what_is_not_for_it(mender: Mender, device: Device, key: Key) -> None:
    a, b = device.brought("a"), device.brought("b")
    good = mender_artifact(a, ["pi"], key)
    assert mender("install", good).returncode == 0
    assert mender("commit").returncode == 0
    refused = {
        "signature": mender_artifact(b, ["pi"], OTHER_KEY),
        "signed": mender_artifact(b, ["pi"], None),
        "device type": mender_artifact(b, ["jetson"], key),
        "EOF": mender_artifact(b, ["pi"], key)[:-4096],
    }
    for word, artifact in refused.items():
        done = mender("install", artifact)
        assert done.returncode != 0
        assert word in done.stdout + done.stderr
        assert device.current() == a.sha256


def test_swupdate_installs_and_refuses(device: Device, tmp_path: Path) -> None:
    if shutil.which("swupdate") is None:
        pytest.skip(f"needs SWUpdate; {ENABLE}")
    signer = (KEY, certified(KEY))
    (tmp_path / "ca.pem").write_bytes(signer[1].public_bytes(Encoding.PEM))
    a, b = device.brought("a"), device.brought("b")

    def install(image: bytes) -> str:
        (tmp_path / "update.swu").write_bytes(image)
        trusted = ("swupdate", "-l", "5", "-k", tmp_path / "ca.pem", "-H", "pi:1.0")
        for _ in range(40):
            done = run(*trusted, "-i", tmp_path / "update.swu")
            # Debian's version may end before its installer does: it says that all was successful,
            # and exits as if nothing was. On a loaded machine it mostly does, within a second.
            ended_early = done.returncode != 0 and "was successful" in done.stdout
            while run("pgrep", "-x", "swupdate").returncode == 0:
                time.sleep(0.1)
            if not ended_early:
                return "" if done.returncode == 0 else done.stdout + done.stderr
        return "it ended early each time"

    assert install(swupdate_image(a, "pi", ["1.0"], signer)) == ""
    assert device.current() == a.sha256
    sick = device.brought("bad", runner=SICK)
    refused = {
        "script": swupdate_image(sick, "pi", ["1.0"], signer),
        "signature": swupdate_image(b, "pi", ["1.0"], (OTHER_KEY, certified(OTHER_KEY))),
        "Compatible SW not found": swupdate_image(b, "jetson", ["1.0"], signer),
        "": swupdate_image(b, "pi", ["1.0"], None),
        "mage": swupdate_image(b, "pi", ["1.0"], signer)[:-4096],
    }
    for word, image in refused.items():
        said = install(image)
        assert said
        assert word in said
        assert device.current() == a.sha256
    assert install(swupdate_image(b, "pi", ["1.0"], signer)) == ""
    assert device.current() == b.sha256
    assert not any(Path("/var/lib/edgeflow-update").iterdir())

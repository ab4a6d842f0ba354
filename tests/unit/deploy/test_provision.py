"""Devices that are prepared: what changes, what is in place, what cannot be."""

import base64
import getpass
import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgeflow.config.signing import Signing
from edgeflow.deploy.provision import keys, wheels
from edgeflow.deploy.provision.boot import entries, service_entry
from edgeflow.deploy.provision.look import Found, call
from edgeflow.deploy.provision.steps import Step, Wanted, provision
from edgeflow.deploy.release import connect
from edgeflow.errors import DeployError, MissingToolError, SigningError
from edgeflow.ondevice import provision as on_device
from edgeflow.ondevice.agent.boot_entry import leave_boot
from edgeflow.remote.session import INTERPRETER

if TYPE_CHECKING:
    from tests.unit.deploy.conftest import Lab

MACHINE = wheels.Machine(title="pi", machine="aarch64", bits=64, libc="glibc 2.36", python="3.11")


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of one package, `tiny_engine`, which a folder has instead of the registry."""
    wheel = tmp_path / "wheels" / "tiny_engine-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    facts = "tiny_engine-1.0.dist-info"
    files = {
        "tiny_engine.py": "ANSWER = 42\n",
        f"{facts}/METADATA": "Metadata-Version: 2.1\nName: tiny-engine\nVersion: 1.0\n",
        f"{facts}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},{_digest(text)},{len(text)}\n" for name, text in files.items())
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**files, f"{facts}/RECORD": f"{record}{facts}/RECORD,,\n"}.items():
            archive.writestr(name, text)
    path = tmp_path / "tiny.txt"
    sha = hashlib.sha256(wheel.read_bytes()).hexdigest()
    path.write_text(f"tiny-engine==1.0 --hash=sha256:{sha}\n")
    monkeypatch.setenv("UV_FIND_LINKS", str(wheel.parent))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("EDGEFLOW_TOOLCHAINS", str(tmp_path / "store"))
    return path


def _digest(text: str) -> str:
    raw = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def states(steps: list[Step]) -> dict[str, str]:
    return {step.what: step.state for step in steps}


def test_a_device_gets_what_is_missing_once(lab: "Lab", lock: Path) -> None:
    address = lab.device()
    where = lab.endpoint(address, python=None)
    signers = b"me ssh-ed25519 AAAA\n"
    wanted = Wanted(lock=lock, trust={"allowed_signers": signers}, boot=False)

    would = states(provision(where, wanted, dry_run=True))
    named = {"agent", "environment", "trust/allowed_signers"}
    assert {what for what, state in would.items() if state == "would change"} == named
    assert not (lab.root(address) / "edgeflow").exists()

    assert states(provision(where, wanted, dry_run=False)) == {
        **dict.fromkeys(named, "changed"), "recover at boot": "not done",
    }  # fmt: skip
    assert (lab.root(address) / "edgeflow/trust/allowed_signers").read_bytes() == signers
    assert set(states(provision(where, wanted, dry_run=False)).values()) == {
        "in place", "not done",
    }  # fmt: skip

    with connect(where) as device:  # which finds that Python by itself
        session = device._session
        done = session.run([INTERPRETER, "-c", "import tiny_engine as t; print(t.ANSWER)"], 60)
        assert (done.stdout.strip(), done.exit_code) == ("42", 0)
        assert session.python.endswith("/edgeflow/env/current/bin/python")
    with connect(lab.endpoint(address, python="python3")) as device:  # not where one is named
        assert "/env/" not in device._session.python.rpartition("edgeflow")[2]

    lock.write_text(lock.read_text() + "# another\n")
    assert states(provision(where, wanted, dry_run=False))["environment"] == "changed"
    environments = [it for it in (lab.root(address) / "edgeflow/env").iterdir() if it.is_dir()]
    assert len(environments) == 3  # two, and the link


def test_packages_that_are_not_the_locked_ones_change_nothing(lab: "Lab", lock: Path) -> None:
    address = lab.device()
    lock.write_text(f"tiny-engine==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(MissingToolError, match="cannot be had for"):
        provision(lab.endpoint(address), Wanted(lock=lock, boot=False), dry_run=False)
    assert not (lab.root(address) / "edgeflow/env").exists()


def test_a_device_that_cannot_install_by_itself_says_why(lab: "Lab", lock: Path) -> None:
    address = lab.device()
    where = replace(lab.endpoint(address), python="bin/no-pip")
    made = lab.root(address) / "bin/no-pip"
    made.parent.mkdir()
    # It has no venv, as Debian's without python3-venv.
    base = lab.bare_python(address, Path("/usr/bin:/bin"))
    made.write_text(f'#!/bin/sh\nexec {lab.root(address)}/{base} "$@"\n')
    made.chmod(0o755)
    lock.write_text(f"tiny-engine==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(DeployError, match="cannot install tiny.txt itself") as caught:
        provision(where, Wanted(lock=lock, online=True, boot=False), dry_run=False)
    assert "--online" in caught.value.hint
    left = lab.root(address) / "edgeflow/env"
    assert [it.name for it in left.iterdir()] == [f"{wheels.key(lock, _machine(where))}.txt"]


def _machine(where: "object") -> wheels.Machine:
    from edgeflow.remote.session import Session

    with Session(where) as session:  # type: ignore[arg-type]
        return call(session, Found, "look", "edgeflow").machine_of("it")


@pytest.mark.parametrize(
    ("changes", "platform"),
    [
        ({}, "aarch64-manylinux_2_36"),
        ({"libc": "glibc 2.43"}, "aarch64-manylinux_2_40"),
        ({"libc": "glibc 2.30", "machine": "x86_64"}, "x86_64-manylinux_2_28"),
        ({"libc": "musl"}, "aarch64-unknown-linux-musl"),
        ({"machine": "riscv64"}, "riscv64-unknown-linux"),
    ],
)
def test_wheels_fit_the_c_library(changes: dict[str, str], platform: str) -> None:
    assert replace(MACHINE, **changes).platform() == platform  # type: ignore[arg-type]


@pytest.mark.parametrize("changes", [{"bits": 32}, {"machine": "armv7l"}, {"libc": "glibc 2.5"}])
def test_machines_that_the_registry_has_nothing_for(changes: dict[str, object]) -> None:
    with pytest.raises(MissingToolError, match="the registry has no packages for pi"):
        replace(MACHINE, **changes).platform()  # type: ignore[arg-type]


def test_a_key_is_let_in_with_one_line_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    on_device.authorize("ssh-ed25519 AAAAmine")
    path = tmp_path / ".ssh/authorized_keys"
    path.write_text("ssh-rsa AAAAother me@laptop\nssh-ed25519 AAAAmine me@laptop\n")
    on_device.authorize('restrict,command="it" ssh-ed25519 AAAAmine')
    assert path.read_text().splitlines() == [
        "ssh-rsa AAAAother me@laptop",
        'restrict,command="it" ssh-ed25519 AAAAmine',
    ]
    assert path.stat().st_mode & 0o777 == 0o600


def test_keys_that_cannot_be_read_are_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / ".ssh/authorized_keys"
    path.mkdir(parents=True)  # as root would write over whatever else cannot be read
    assert on_device.authorize("ssh-ed25519 AAAAmine") == {"failed": f"{path}: Is a directory"}
    assert on_device.look(str(tmp_path / "edge"))["authorized"] is None
    path.rmdir()
    path.write_bytes(b"ssh-rsa AAAAother Andr\xe9\n")  # in a code page of old
    assert on_device.authorize("ssh-ed25519 AAAAmine") == {"authorized": True}
    assert path.read_bytes() == b"ssh-rsa AAAAother Andr\xe9\nssh-ed25519 AAAAmine\n"
    json.dumps(on_device.look(str(tmp_path / "edge"))).encode()


@pytest.fixture
def looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Found:
    """A device of an account that is not root, with a table of cron that is a file."""
    table = tmp_path / "table"
    table.write_text("5 4 * * * backup\n")
    for name, text in {
        "crontab": f'[ "$1" = -l ] && exec cat {table}\ncat > {table}\n',
        "systemctl": f'echo systemctl "$@" >> {tmp_path}/ran\n',
        "loginctl": f'echo loginctl "$@" >> {tmp_path}/ran; echo no right; exit 1\n',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(on_device, "LINGERS", str(tmp_path / "lingers"))
    return Found.model_validate_json(json.dumps(on_device.look(str(tmp_path / "edge"))))


def test_what_starts_at_boot_is_entered_once(looked: Found, tmp_path: Path) -> None:
    for python in ("/old/python", "/new/python"):
        for entry in entries(looked, python, ["net"]):
            assert on_device.cron(entry.line, entry.mark) == {}
    root = tmp_path / "edge"
    recover = f"-I {root}/bin/agent.pyz recover {root} >/dev/null 2>&1"
    serve = f"{root}/net/current/runner.py serve {root}/net start >/dev/null 2>&1"
    assert on_device.look(str(root))["crontab"] == [
        "5 4 * * * backup",
        f"@reboot {looked.base_python} {recover}",
        f"@reboot /new/python -B {serve}",
    ]
    leave_boot(f"{root}/other")
    assert len(on_device.look(str(root))["crontab"]) == 3
    leave_boot(f"{root}/net")  # as it is removed
    assert len(on_device.look(str(root))["crontab"]) == 2
    for agent in ("a.pyz", "b.pyz"):
        on_device.link(str(root), agent)
        assert on_device.look(str(root))["recovers_by"] == agent


NO_TABLE = {
    "vixie": "no crontab for pi",
    "fcron": "user pi has no fcrontab",
    "busybox": "crontab: can't open 'pi': No such file or directory",
}
UNREAD = {
    "forbidden": "You (pi) are not allowed to use this program (crontab)",
    "full": "/tmp: No space left on device",
    "no folder": "crontab: can't change directory to '/var/spool/cron': No such file or directory",
    "silent": "",
}


@pytest.mark.parametrize("said", NO_TABLE.values(), ids=NO_TABLE)
def test_an_account_without_a_table_gets_one(looked: Found, tmp_path: Path, said: str) -> None:
    (tmp_path / "table").unlink()
    _crontab_says(tmp_path, said)
    assert on_device.look(looked.root)["crontab"] == []
    assert on_device.cron("@reboot it", "it") == {}
    assert (tmp_path / "table").read_text() == "@reboot it\n"


@pytest.mark.parametrize("said", UNREAD.values(), ids=UNREAD)
def test_a_table_that_cannot_be_read_is_not_replaced(
    looked: Found, tmp_path: Path, said: str
) -> None:
    _crontab_says(tmp_path, said)
    failed = on_device.cron("@reboot it", "it")["failed"]
    assert failed == f"`crontab -l` (exit code 1): {said}"
    assert on_device.look(looked.root)["crontab"] is None
    leave_boot(f"{looked.root}/net")
    assert (tmp_path / "table").read_text() == "5 4 * * * backup\n"


def _crontab_says(folder: Path, said: str) -> None:
    """Let the listing of the table fail with these words, and all else work."""
    text = f'[ "$1" = -l ] && {{ echo "{said}" >&2; exit 1; }}\ncat > {folder}/table\n'
    (folder / "crontab").write_text(f"#!/bin/sh\n{text}")


def test_bytes_of_any_kind_stay_in_the_table(looked: Found, tmp_path: Path) -> None:
    (tmp_path / "table").write_bytes(b"# caf\xe9\n")
    warns = (
        f'[ "$1" = -l ] && echo warning >&2 && exec cat {tmp_path}/table\ncat > {tmp_path}/table\n'
    )
    (tmp_path / "crontab").write_text(f"#!/bin/sh\n{warns}")
    assert on_device.cron("@reboot it", "it") == {}
    assert (tmp_path / "table").read_bytes() == b"# caf\xe9\n@reboot it\n"
    json.dumps(on_device.look(looked.root)).encode()


def test_a_service_that_the_configuration_dropped_starts_no_more(
    lab: "Lab", looked: Found, tmp_path: Path
) -> None:
    """The virtual device has the cron of this test's PATH."""
    address = lab.device()
    where = lab.endpoint(address)
    folder = f"{lab.root(address)}/edgeflow"
    lab.behave(address, login=f"PATH={tmp_path}:$PATH")
    table = tmp_path / "table"

    def provisioned(*, dry_run: bool = False, **services: list[str]) -> dict[str, str]:
        steps = provision(where, Wanted(lock=None, **services), dry_run=dry_run)  # type: ignore[arg-type]
        return {what: state for what, state in states(steps).items() if "boot" in what}

    assert provisioned(services=["net", "other"])["service of net at boot"] == "changed"
    assert f"{folder}/net start" in table.read_text()
    gone = {"recover at boot": "in place", "service of net at boot": "would change"}
    assert provisioned(silent=["net", "third"], dry_run=True) == gone
    assert f"{folder}/net start" in table.read_text()
    assert provisioned(silent=["net", "third"]) == gone | {"service of net at boot": "changed"}
    assert f"{folder}/net start" not in table.read_text()
    assert f"{folder}/other start" in table.read_text()
    assert provisioned(silent=["net", "third"]) == {"recover at boot": "in place"}
    lab.behave(address, login="")


def test_units_of_systemd_are_enabled_and_linger(looked: Found, tmp_path: Path) -> None:
    [recover, serve] = entries(looked, "/new/python", ["net"])
    refused = {"failed": "`loginctl enable-linger`: no right\n"}
    assert on_device.unit(recover.unit, recover.text) == refused
    assert on_device.look(looked.root)["units"] == {}
    (tmp_path / "lingers").mkdir()
    (tmp_path / "lingers" / getpass.getuser()).touch()  # by root
    assert on_device.unit(recover.unit, recover.text) == {}
    assert f'"recover" "{looked.root}"' in recover.text
    assert serve.unit == "edgeflow-net.service"
    assert (tmp_path / "ran").read_text().splitlines() == [
        "loginctl enable-linger",
        "systemctl --user daemon-reload",
        f"systemctl --user enable {recover.unit}",
    ]
    found = on_device.look(looked.root)["units"]
    assert found == {recover.unit: recover.text.rstrip("\n")}
    assert on_device.unit(serve.unit, serve.text) == {}
    [net, other] = (service_entry(looked, "/old/python", name) for name in ("net", "other"))
    again = replace(net, folder="/of/another/net")
    now = Found.model_validate_json(json.dumps(on_device.look(looked.root) | {"boot": "systemd"}))
    assert [it.is_known(now) for it in (net, other, again)] == [True, False, False]
    assert [it.is_in_place(now) for it in (recover, serve, net)] == [True, True, False]
    wanted = tmp_path / ".config/systemd/user/default.target.wants"
    wanted.mkdir()
    (wanted / serve.unit).symlink_to(f"../{serve.unit}")
    leave_boot("/of/another/net")
    assert serve.unit in on_device.look(looked.root)["units"]
    leave_boot(f"{looked.root}/net")
    assert on_device.look(looked.root)["units"] == found
    assert list(wanted.iterdir()) == []
    assert (tmp_path / "ran").read_text().endswith("systemctl --user daemon-reload\n")


def test_an_archive_stays_in_its_place(tmp_path: Path) -> None:
    import io
    import tarfile

    archive = tmp_path / "env.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("../../../../escaped")
        member.size = 1
        tar.addfile(member, io.BytesIO(b"x"))
    with pytest.raises(SystemExit, match="no place for"):
        on_device.environment(str(tmp_path / "root"), "0" * 64, str(archive))
    assert not (tmp_path / "root/env/current").exists()
    assert not list(tmp_path.rglob("escaped"))


def test_devices_learn_whose_bundles_they_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGHouOOZTwMVfqgCUXxxD/tfOWANN+G7diwlcDZU5hb3"
    (tmp_path / "key.pub").write_text(f"{key} me@laptop\n")
    (tmp_path / "revoked").write_text("ssh-ed25519 AAAAold\n")
    signing = Signing(key=str(tmp_path / "key"), signer="me", revoked=str(tmp_path / "revoked"))
    assert keys.trusted(signing, signatures=True) == {
        "allowed_signers": f'me namespaces="edgeflow-bundle@edgeflow" {key}\n'.encode(),
        "revoked_keys": b"ssh-ed25519 AAAAold\n",
    }
    assert keys.trusted(signing, signatures=False) == keys.trusted(None, signatures=True) == {}
    (tmp_path / "key.pub").unlink()
    with pytest.raises(SigningError, match="does not say by which public key"):
        keys.trusted(signing, signatures=True)

"""A device that asks for signatures, as its host sees it; and what it runs, traced back."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from edgeflow.artifact.manifest import Manifest, describe_files
from edgeflow.artifact.step import content_digest
from edgeflow.bundle.signer import signer
from edgeflow.bundle.signing import allowed_signer, fingerprint
from edgeflow.cli.app import app
from edgeflow.config.publickey import public_half
from edgeflow.dataset.view import part_files
from edgeflow.deploy.deploy import bring
from edgeflow.deploy.release import connect
from edgeflow.errors import DeployError, IntegrityError
from edgeflow.remote.virtual.layout import Address
from tests.tiny_targets import section_of
from tests.unit.deploy.conftest import Lab

MakeBundle = Callable[..., Path]
Sign = Callable[[bytes], bytes]


@pytest.fixture
def sign(tmp_path: Path) -> Sign:
    key = tmp_path / "release-key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    return signer(public_half(key), key, None)


def allow(lab: Lab, address: Address, key: Path) -> None:
    """Let the device take bundles that a key signed, and no others."""
    trust = lab.root(address) / "edgeflow" / "trust"
    trust.mkdir(parents=True)
    public = public_half(key)
    assert public is not None
    (trust / "allowed_signers").write_text(allowed_signer("release@lab", public))


def test_nothing_is_sent_that_would_be_refused(
    lab: Lab, make_bundle: MakeBundle, sign: Sign, tmp_path: Path
) -> None:
    address = lab.device()
    incoming = lab.root(address) / "edgeflow" / "net" / "incoming"
    signed, plain = make_bundle(sign=sign), make_bundle()
    row = replace(lab.endpoint(address, trust="signatures"), fleet="line")
    with connect(row) as device:
        with pytest.raises(DeployError, match="does not verify who signed") as unasked:
            bring(device, "net", signed)
        assert f"`edgeflow device provision {row.name} --fleet line`" in unasked.value.hint
        other = make_bundle(device_class={"machines": ["riscv64"]})
        with pytest.raises(DeployError, match="is for riscv64, and device pi"):
            bring(device, "net", other)
        allow(lab, address, tmp_path / "release-key")
        with pytest.raises(DeployError, match="takes only signed bundles"):
            bring(device, "net", plain)
        other_key = tmp_path / "other-key"
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other_key)]
        subprocess.run(make, check=True)
        public = public_half(other_key)
        assert public is not None
        theirs = make_bundle(sign=signer(public, other_key, None))
        with pytest.raises(DeployError, match="does not let the key") as unknown:
            bring(device, "net", theirs)
        assert fingerprint(public) in unknown.value.message
        assert f"edgeflow device provision {row.name} --fleet line;" in unknown.value.hint
        revoked = lab.root(address) / "edgeflow" / "trust" / "revoked_keys"
        revoked.write_text((tmp_path / "release-key.pub").read_text())
        with pytest.raises(DeployError, match="it lets none"):
            bring(device, "net", signed)
        revoked.unlink()
        assert not incoming.exists()
        assert bring(device, "net", signed)["signed_by"] == "release@lab"
        assert bring(device, "net", signed)["signed_by"] == "release@lab"


FACTS: dict[str, Any] = {
    "labels": ["a"],
    "inputs": {},
    "task": "regression",
    "front_end": None,
    "decoding": {},
}


def make_results(results: Path) -> dict[str, Any]:
    """Write what a build leaves, as far as it counts; return the provenance of its bundle."""
    folders = {
        "dataset": results / "datasets/digits",
        "training": results / "models/net/baseline",
        "recipe": results / "models/net/int8",
        "compile": results / "targets/pi/net/int8",
    }
    digests: dict[str, Any] = {"parts": ["test"]}
    for step, folder in folders.items():
        folder.mkdir(parents=True)
        for name in ("test_x.npy", "test_y.npy") if step == "dataset" else ("file",):
            (folder / name).write_text(f"{step} {name}")
        path = folder / ("compile.json" if step == "compile" else "manifest.json")
        Manifest(
            step=step, inputs={}, slice={}, code="c0de", tools={}, facts=FACTS,
            files=describe_files(folder),
        ).write(path)  # fmt: skip
        what = part_files(folder, ("test",), "decoding") if step == "dataset" else path
        digests[step] = content_digest(what)
    return digests


def test_what_a_device_runs_is_traced_to_the_results_here(
    lab: Lab, make_bundle: MakeBundle, sign: Sign, tmp_path: Path
) -> None:
    address, results = lab.device(), Path("results")
    config = {
        "datasets": {"digits": {"source": "digits"}},
        "models": {"net": {"dataset": "digits", "architecture": {"name": "ds_cnn"}}},
        "recipes": {"int8": {"quantize": "ptq-int8"}},
        "targets": {"pi": {"kind": "litert"}},
        "devices": {"good": {**section_of(address), "target": "pi"}},
        "deployments": [{"model": "net", "recipe": "int8", "devices": ["good"]}],
        "signing": {"key": str(tmp_path / "release-key")},
    }
    Path("config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    def explain(*more: str) -> Any:
        return CliRunner().invoke(app, ["explain", "--device", "good", *more])

    def traced() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(explain("net", "--json").stdout)["good"]["net"]
        return found

    assert "good serves no net" in explain().stdout
    allow(lab, address, tmp_path / "release-key")
    made = make_results(results)
    sha = lab.serve(address, make_bundle(sign=sign, provenance=made, counter=4))
    found = traced()
    assert (found["bundle_sha256"], found["signed_by"], found["counter"]) == (sha, "release@lab", 4)
    assert [(link["step"], link["digest"], link["state"]) for link in found["chain"]] == [
        (step, made[step], "here") for step in ("dataset", "training", "recipe", "compile")
    ]
    assert {(link["as_built"], link["code"], link["same_code"]) for link in found["chain"]} == {
        (True, "c0de", False)
    }
    assert [line.split(":")[0] for line in found["unproved"]] == ["the code alone"]
    assert f"signed by {found['key']}" in explain().stdout

    (results / "models/net/baseline/file").write_text("changed")
    (results / "models/net/int8/manifest.json").unlink()
    path = results / "targets/pi/net/int8/compile.json"
    path.write_text(path.read_text().replace('"regression"', '"anomaly"'))
    assert [link["state"] for link in traced()["chain"]] == ["here", "here", "missing", "other"]
    assert [line.split(":")[0] for line in traced()["unproved"]] == [
        "the training", "the recipe", "the compile", "the code alone",
    ]  # fmt: skip

    release = lab.root(address) / "edgeflow/net/releases" / sha
    (release / "manifest.json.sig").chmod(0o644)
    (release / "manifest.json.sig").write_bytes(sign(b"something else"))
    changed = explain()
    assert changed.exit_code == 1  # CliRunner: the failure itself
    assert isinstance(changed.exception, IntegrityError)
    assert "no signature proves it" in changed.stdout
    release.chmod(0o755)
    (release / "manifest.json.sig").unlink()
    assert "not proved: who made it: the release on the device is not signed" in explain().stdout

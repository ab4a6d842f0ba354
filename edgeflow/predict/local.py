"""Runs a bundle on this machine, as a device would."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgeflow.artifact.hashing import sha256_file
from edgeflow.artifact.manifest import read_manifest, verify_files
from edgeflow.bundle.archive import read_member
from edgeflow.bundle.manifest import MANIFEST, BundleManifest, read_bundle
from edgeflow.config.target import toolchain_of
from edgeflow.dataset.tensors import Tensors
from edgeflow.deploy.outputs import read_outputs
from edgeflow.deploy.runner import EXIT_MISSING, Missing, predicted
from edgeflow.errors import DeployError, IntegrityError, MissingToolError
from edgeflow.predict.answer import Raw
from edgeflow.predict.samples import Samples
from edgeflow.remote.answer import parse
from edgeflow.targets import registry
from edgeflow.targets.base import parse_options
from edgeflow.targets.build import COMPILED
from edgeflow.text import tail
from edgeflow.toolchain.environment import python_of

HERE = "this machine"


@dataclass(frozen=True, kw_only=True, slots=True)
class Unpacked:
    """A bundle, unpacked on this machine."""

    folder: Path
    sha256: str
    manifest: BundleManifest
    python: Path
    """Of the environment in which the host runs the engine."""

    def ask(self, samples: Samples) -> Raw:
        """Run samples here.

        Raises:
            DeployError: the runner fails.
            MissingToolError: the engine is not installed.
        """
        import numpy as np

        data, out = self.folder / "samples.npy", self.folder / "outputs"
        np.save(data, samples.array())
        command = [str(self.python), "-B", str(self.folder / "runner.py"), "predict"]
        command += ["--data", str(data), "--out", str(out)]
        start = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        elapsed_s = time.monotonic() - start
        model = self.manifest.model
        self._require_success(done)
        answer = predicted(
            done.stdout,
            len(samples.names) if self.manifest.clock == "device" else 0,
            elapsed_s,
            outputs=[tensor.name for tensor in self.manifest.io.outputs],
            device=HERE,
            model=model,
        )
        outputs = {
            tensor.name: read_outputs(
                Path(f"{out}.{tensor.name}.npy"),
                (len(samples.names), *tensor.shape[1:]),
                tensor.dtype,
                device=HERE,
                model=model,
            )
            for tensor in self.manifest.io.outputs
        }
        return Raw(outputs=Tensors(outputs), latencies_ms=answer.latencies_ms, engine=answer.engine)

    def _require_success(self, done: "subprocess.CompletedProcess[str]") -> None:
        model = self.manifest.model
        if done.returncode == EXIT_MISSING:
            missing = parse(Missing, done.stdout, device=HERE, program=model).missing
            raise MissingToolError(f"{model} needs what is not installed here: {missing}")
        if done.returncode != 0:
            raise DeployError(f"the runner of {model} failed here:\n{tail(done.stderr)}")


@contextmanager
def unpacked(bundle: Path) -> Iterator[Unpacked]:
    """Unpack a bundle into a folder that goes with the block, to be run on this machine.

    Raises:
        IntegrityError: it is not there, or not whole.
        MissingToolError: the engine runs on the device alone.
    """
    manifest = read_bundle(bundle)
    target = registry.get(str(manifest.target["kind"]))
    options = parse_options(target, manifest.target)
    runtime, where = target.runtime(options), toolchain_of(target, options).host_environment
    if not runtime.runs_here:
        raise MissingToolError(
            f"the engine of {target.name} does not run on this machine",
            hint="leave out `--local`: the device runs the model",
        )
    python = python_of(where, f"the engine of {target.name}") if where else Path(sys.executable)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in manifest.files:
            _unpack(bundle, name, manifest, folder)
        _add_host_files(bundle.parent, folder)
        # Hardware that only the device has is replaced as for the host's reference.
        engine_options = {**manifest.engine_options, **runtime.host_engine_options}
        here = manifest.model_copy(update={"engine_options": engine_options})
        (folder / MANIFEST).write_text(json.dumps(here.model_dump(mode="json")))
        yield Unpacked(folder=folder, sha256=sha256_file(bundle), manifest=manifest, python=python)


def _add_host_files(compiled: Path, folder: Path) -> None:
    """Copy what the engine reads on the host alone, and no bundle carries, beside the model."""
    record = compiled / "compile.json"
    if not record.exists():
        return
    names = read_manifest(record).facts["host_files"]
    verify_files(record, [f"{COMPILED}/{name}" for name in names])
    for name in names:
        shutil.copyfile(compiled / COMPILED / name, folder / "model" / name)


def _unpack(bundle: Path, name: str, manifest: BundleManifest, folder: Path) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(read_member(bundle, name))
    if sha256_file(path) != manifest.files[name].sha256:
        raise IntegrityError(
            f"{name} in {bundle} is not what its manifest says",
            hint=f"delete {bundle} and run `edgeflow run` again",
        )

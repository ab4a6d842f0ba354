"""Small releases for the service: an engine of numpy alone, which can be told to misbehave."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from edgeflow import ondevice
from edgeflow.bundle.archive import write_tar
from edgeflow.ondevice.client import Client

SHAPE = (4, 4, 1)
CRASH, HANG, GROW, RAISE, NAN = 255, 254, 253, 252, 251
"""First pixel of a sample that the engine crashes on, hangs on, and so on."""

ENGINE = """
import json, os, time
import numpy as np

class Engine:
    def __init__(self, folder, options):
        self.facts = json.load(open(os.path.join(folder, options["model"])))
        if self.facts.get("fails"):
            raise RuntimeError(self.facts["fails"])
        if self.facts.get("board"):  # opens for one process at a time
            import errno, fcntl
            self.file = open(self.facts["board"], "a")
            try:
                fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OSError(errno.ENODEV, "no board") from None

    def version(self):
        return "fake 1"

    def infer(self, x):
        first = int(round(float(x[0, 0, 0, 0]) * 255))
        if first == 255:
            print("out of luck", file=__import__("sys").stderr)
            os._exit(3)
        if first == 254:
            time.sleep(600)
        if first == 253:
            self.much = np.ones(40_000_000)
            time.sleep(600)
        if first == 252:
            raise ValueError("a sample like that")
        time.sleep(self.facts.get("takes_s", 0))
        answer = np.full((1, 3), np.nan if first == 251 else 0.0, np.float32)
        answer[0, self.facts["number"] % 3] += 1 + x.mean()
        return [answer]
"""


def make_release(model_dir: Path, number: int, **facts: Any) -> str:
    """Lay a release into a model's folder, and return the name that it has there."""
    name = hashlib.sha256(f"{number} {sorted(facts.items())}".encode()).hexdigest()
    folder = model_dir / "releases" / name
    for place in ("model", "golden_x", "golden_y"):
        (folder / place).mkdir(parents=True)
    for module in ondevice.PROGRAMS:
        stem = module.rpartition(".")[2]
        shutil.copyfile(f"{ondevice.__path__[0]}/{stem}.py", folder / f"{stem}.py")
    (folder / "engine.py").write_text(ENGINE)
    (folder / "model/model.json").write_text(json.dumps({"number": number, **facts}))
    sample = np.full((1, *SHAPE), 102, np.uint8)
    golden = np.zeros((1, 3), np.float32)
    golden[0, number % 3] = 1.4
    np.save(folder / "golden_x/input.npy", sample)
    np.save(folder / "golden_y/output.npy", golden)
    (folder / "manifest.json").write_text(json.dumps(manifest(number)))
    return name


def make_bundle(place: Path, number: int, **facts: Any) -> Path:
    """Return the bundle.tar of a release of the model `net`."""
    release = place / "releases" / make_release(place, number, **facts)
    paths = sorted(path for path in release.rglob("*") if path.is_file())
    members = {str(path.relative_to(release)): path.read_bytes() for path in paths}
    del members["manifest.json"]
    files = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
        for name, data in members.items()
    }
    told = {
        **manifest(number),
        "model": "net",
        "target": {"kind": "litert"},
        "quantize": "none",
        "bit_exact": False,
        "files": files,
    }
    bundle = place / f"{number}.tar"
    write_tar(bundle, {"manifest.json": json.dumps(told).encode(), **members})
    return bundle


def manifest(number: int) -> dict[str, Any]:
    """Return what the release's manifest says; its labels name the release."""
    plain = {"scale": 0.0, "zero_point": 0, "dtype": "float32"}
    stored = {"stored": "uint8", "preprocess": {"scale": 1 / 255, "offset": 0.0}}
    return {
        "model": "tiny",
        "recipe": "fp32",
        "labels": [f"{label} of {number}" for label in "abc"],
        "front_end": None,
        "decoding": {"source": "npz"},
        "meaning": {"task": "classification", "probabilities": False, "threshold": None},
        "engine_options": {"model": "model.json"},
        "io": {
            "inputs": [{"name": "input", "shape": [1, *SHAPE], **plain, **stored}],
            "outputs": [{"name": "output", "shape": [1, 3], **plain, "tolerance": 1e-5}],
        },
    }


def label_of(number: int) -> str:
    """Return the label that a release gives any sample."""
    return f"{'abc'[number % 3]} of {number}"


def switch(model_dir: Path, name: str | None) -> None:
    """Let `current` name a release, as the agent does."""
    if name is None:
        (model_dir / "current").unlink()
        return
    (model_dir / "new").symlink_to(f"releases/{name}")
    (model_dir / "new").replace(model_dir / "current")


def serve(model_dir: Path, action: str) -> dict[str, Any]:
    """Run the service's command as a device would: without edgeflow."""
    runner = next(model_dir.glob("releases/*/runner.py"))  # `current` may be away
    command = [sys.executable, "-B", str(runner), "serve", str(model_dir), action]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@contextmanager
def service(model_dir: Path, **options: Any) -> Iterator[Client]:
    """Run the service, and end it with the block."""
    (model_dir / "run").mkdir(exist_ok=True)
    (model_dir / "run/service.json").write_text(json.dumps(options))
    try:
        started = serve(model_dir, "start")
        assert started["running"], started
        with Client(str(model_dir)) as client:
            yield client
    finally:
        serve(model_dir, "stop")

"""What a step costs that the store has: process time of `edgeflow compress` as a hit.

Run by itself with `python -m benchmarks.hit`; it prints JSON.
"""

import json
import resource
import tempfile
from pathlib import Path

from benchmarks.case import median
from benchmarks.project import Project, project

MODEL, RECIPE, REPEATS = "digits-cnn", "int8", 5


def main() -> None:
    """Print the median, and each of the measurements."""
    with tempfile.TemporaryDirectory(prefix="edgeflow-bench-") as folder:
        store = str(Path(folder) / "store")
        with project(store) as built:
            built.snakemake(f"results/models/{MODEL}/{RECIPE}/manifest.json")
            seconds = [hit_cpu_s(built) for _ in range(REPEATS)]
    print(json.dumps({"hit_process_s": median(seconds), "seconds": seconds}))


def hit_cpu_s(built: Project) -> float:
    """Return the user and system time of one hit, in seconds.

    Raises:
        RuntimeError: the store did not have it.
    """
    manifest = json.loads(
        (built.folder / "results" / "models" / MODEL / RECIPE / "manifest.json").read_text()
    )
    before = _children_s()
    built.run(
        "edgeflow", "compress", "--name", f"{MODEL}/{RECIPE}", "--out", "again",
        "--dataset", "results/datasets/digits", "--model", f"results/models/{MODEL}/baseline",
        "--slice", json.dumps(manifest["slice"]), "--code", manifest["code"],
        "--log", "logs/compress/again.log",
    )  # fmt: skip
    spent = _children_s() - before
    if built.events()[-1]["store"] != "hit":
        raise RuntimeError("the store did not have what was just built")
    return round(spent, 3)


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()

"""The four measurements: each takes its own and its baseline's times in one run, in turns."""

import json
import shlex
import tempfile
from collections.abc import Mapping
from typing import Any

from benchmarks.case import Case
from benchmarks.project import CORES, ROOT, alternating, project, timed

BARE = ROOT / "benchmarks" / "bare"
MODEL = {"dataset": "digits", "architecture": {"name": "ds_cnn", "width": 32, "blocks": 3}}
RECIPES = {"fp32": {}, "int8": {"quantize": "ptq-int8"}}


def full_build(repeats: int) -> list[Case]:
    """Measure config.yaml from nothing against `by_hand.py`: its time, and its CPU's."""
    events: list[dict[str, Any]] = []
    cpu: dict[str, list[float]] = {"own": [], "other": []}

    def edgeflow() -> float:
        with tempfile.TemporaryDirectory() as store, project(store) as here:
            seconds, spent = timed(here.snakemake)
            events[:] = here.events()
        cpu["own"].append(spent)
        return seconds

    def by_hand() -> float:
        with project() as here:
            script = str(ROOT / "benchmarks" / "by_hand.py")
            seconds, spent = timed(lambda: here.run("python", script))
        cpu["other"].append(spent)
        return seconds

    own, other = alternating(repeats, edgeflow, by_hand)
    name, sides = "Full default build, cold store", ("`snakemake`", "`benchmarks/by_hand.py`")
    return [
        Case(
            name=each,
            what=sides[0],
            against=sides[1],
            target=target,
            seconds=seconds,
            baseline=baseline,
            events=events,
        )
        for each, target, seconds, baseline in (
            (name, 1.1, own, other),
            (f"{name}, CPU of the host", 1.5, cpu["own"], cpu["other"]),
        )
    ]


def one_target_changed(repeats: int, models: int = 10) -> Case:
    """Measure an option of one of five targets against the compiles it asks for, run bare."""
    names = [f"m-seed{seed}" for seed in range(models)]
    events: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as store, project(store) as here:
        bundles = [
            f"results/targets/t{number}/{name}/int8/bundle.tar"
            for name in names
            for number in range(5)
        ]
        here.write_config(_five_targets(models, threads=1))
        here.snakemake(*bundles)
        threads = iter(range(2, 2 + 2 * repeats))

        def edgeflow() -> float:
            here.write_config(_five_targets(models, threads=next(threads)))
            before = len(here.events())
            seconds = here.snakemake(*bundles)
            events[:] = here.events()[before:]
            return seconds

        def bare() -> float:
            slice_ = {"kind": "openvino", "device": "CPU", "threads": next(threads)}
            commands = "\n".join(_compile(name, slice_) for name in names)
            (here.folder / "commands").write_text(commands + "\n")
            line = f"xargs -P {CORES} -I @ bash -c @ < commands"
            return here.run("bash", "-c", line, EDGEFLOW_STORE="off")

        own, other = alternating(repeats, edgeflow, bare)
    touched = {event["name"].partition("/")[0] for event in events}
    if touched != {"t0"}:
        raise RuntimeError(f"jobs of other targets ran: {sorted(touched)}")
    return Case(
        name=f"One option of one of 5 targets, {models} models",
        what="`snakemake`, up to the bundles",
        against=f"its {models} compile commands, {CORES} at a time",
        target=1.3,
        seconds=own,
        baseline=other,
        events=events,
    )


def _five_targets(models: int, threads: int) -> dict[str, Any]:
    vary = {"train.seed": [*range(models)]}
    return {
        "datasets": {"digits": {"source": "digits"}},
        "models": {"m": {**MODEL, "train": {"epochs": 1}, "vary": vary}},
        "recipes": {"int8": RECIPES["int8"]},
        "targets": {
            "t0": {"kind": "openvino", "threads": threads},
            **{f"t{number}": {"kind": "litert", "threads": number} for number in range(1, 5)},
        },
        "devices": {
            f"d{number}": {"target": f"t{number}", "transport": "virtual"} for number in range(5)
        },
        "deployments": [
            {"model": "m", "recipe": "int8", "devices": [f"d{number}" for number in range(5)]}
        ],
    }


def _compile(name: str, target: Mapping[str, Any]) -> str:
    """Return the command that compiles one model, as one quoted word for xargs."""
    slice_ = json.dumps({"target": dict(target), "quantize": "ptq-int8"})
    command = ["edgeflow", "compile", "--name", name, "--dataset", "results/datasets/digits"]
    command += ["--recipe", f"results/models/{name}/int8", "--slice", slice_]
    command += ["--code", "bare", "--out", f"bare/{name}", "--log", f"bare/logs/compile/{name}.log"]
    return shlex.quote(shlex.join(command))


def fresh_checkout(repeats: int) -> Case:
    """Measure the default build up to deploy in a new checkout whose store has it all."""
    events: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as store:
        with project(store) as first:
            first.snakemake("--until", "deploy")

        def edgeflow() -> float:
            with project(store) as here:
                seconds = here.snakemake("--until", "deploy")
                events[:] = here.events()
            return seconds

        (own,) = alternating(repeats, edgeflow)
    made = {event["name"] for event in events if event.get("store") == "miss"}
    if made:
        raise RuntimeError(f"made again although the store has them: {sorted(made)}")
    return Case(
        name="Fresh checkout, warm store",
        what="`snakemake --until deploy`",
        target=15.0,
        seconds=own,
        events=events,
    )

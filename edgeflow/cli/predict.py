"""`edgeflow predict`: what a deployed model answers to files of one's own."""

import re
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeflow import paths
from edgeflow.cli.names import names_of
from edgeflow.cli.project import (
    CONFIG,
    RESULTS,
    ConfigFile,
    Json,
    Results,
    load_plan,
    print_json,
)
from edgeflow.config.finding import did_you_mean
from edgeflow.errors import EdgeflowError
from edgeflow.paths import NAME_PATTERN

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from edgeflow.plan import Plan
    from edgeflow.predict.answer import Answer
    from edgeflow.predict.device import Serving
    from edgeflow.predict.local import Unpacked


def predict(
    device: Annotated[
        str,
        typer.Argument(
            help="Name of a device of the configuration.", autocompletion=names_of("devices")
        ),
    ],
    model: Annotated[
        str,
        typer.Argument(help="Name of a model that it serves.", autocompletion=names_of("models")),
    ],
    files: Annotated[
        list[Path], typer.Argument(help="Photos, WAV files, .npy or .npz arrays, or folders.")
    ],
    local: Annotated[
        bool, typer.Option("--local", help="Run the compiled model here, without the device.")
    ] = False,
    top: Annotated[int, typer.Option(min=1, help="Labels to print for each sample.")] = 3,
    config: ConfigFile = CONFIG,
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Say what the model that a device serves answers to files: labels, scores and latency."""
    from edgeflow.predict.answer import answers
    from edgeflow.predict.samples import read_samples

    plan = load_plan(config)
    with _opened(plan, device, model, results, local=local) as release:
        samples = read_samples(files, release.manifest)
        raw = release.ask(samples)
        found = answers(samples, raw, release.manifest)
    facts = {
        "model": model,
        "recipe": release.manifest.recipe,
        "release": release.sha256,
        "target": release.manifest.target["kind"],
        "engine": raw.engine,
        "ran_on": "this machine" if local else f"device {device}",
        "latency_kind": "measured" if raw.latencies_ms else None,
        "emulated": not local and getattr(plan.config.devices[device], "emulated", False),
    }
    if as_json:
        print_json({**facts, "answers": [answer.record() for answer in found]})
        return
    for line in _lines(facts, found, top):
        print(line)


def _opened(
    plan: "Plan", device: str, model: str, results: Path, *, local: bool
) -> "AbstractContextManager[Serving] | AbstractContextManager[Unpacked]":
    """Return the release: the device's, or what is built for it."""
    from edgeflow.predict.device import serving
    from edgeflow.predict.local import unpacked

    if device not in plan.config.devices:
        meant = did_you_mean(device, plan.config.devices)
        raise typer.BadParameter(f"no device {device!r}; {meant}", param_hint="DEVICE")
    units = {one.model: one for one in plan.deployed if one.device == device}
    if not local:
        if not re.fullmatch(NAME_PATTERN, model):
            raise typer.BadParameter(f"{model!r} is no name of a model", param_hint="MODEL")
        return serving(plan.job("deploy", device=device).slice, model, results, units)
    if model not in units:
        message = (
            f"the configuration deploys no {model!r} to {device}; {did_you_mean(model, units)}"
        )
        raise typer.BadParameter(message, param_hint="MODEL")
    bundle = results / paths.COMPILED.format(**units[model].names()) / "bundle.tar"
    if not bundle.is_file():
        message = f"{model}/{units[model].recipe} is not built yet for {units[model].target}"
        raise EdgeflowError(message, hint="build it: edgeflow run")
    return unpacked(bundle)


def _lines(facts: dict[str, Any], found: "Sequence[Answer]", top: int) -> Iterator[str]:
    yield "{model}/{recipe}, release {short} on {ran_on} ({engine})".format(
        short=facts["release"][:12], **facts
    )
    for answer in found:
        time = "" if answer.latency_ms is None else f"  [{answer.latency_ms:.3g} ms]"
        yield f"{answer.sample}: {_said(answer, top)}{time}"
    times = [answer.latency_ms for answer in found if answer.latency_ms is not None]
    if times:
        median = statistics.median(times)
        yield f"latency, measured on {facts['ran_on']}: {median:.3g} ms (median of {len(times)})"
    elif facts["emulated"]:
        yield f"no latency: {facts['ran_on']} is emulated"
    else:
        yield f"no latency: the engine of {facts['target']} has no clock"


def _said(answer: "Answer", top: int) -> str:
    """Return an answer in one line."""
    says = answer.says
    if "probabilities" in says:
        ranked = sorted(says["probabilities"].items(), key=lambda one: -one[1])[:top]
        text = ", ".join(f"{label} {share:.3f}" for label, share in ranked)
    elif "values" in says:
        text = ", ".join(f"{label} {value:.4g}" for label, value in says["values"].items())
    else:
        side = "above" if says["score"] > says["threshold"] else "within"
        text = f"{says['label']} (score {says['score']:.4g}, {side} {says['threshold']:.4g})"
    return "; ".join([text, *(f"{name} {_short(it)}" for name, it in answer.outputs.items())])


def _short(values: Any) -> str:
    """Return the values of a further output, the first of many."""
    flat = _flat(values)
    shown = ", ".join(f"{value:.4g}" for value in flat[:8])
    return f"[{shown}{f', ... {len(flat)} values' if len(flat) > 8 else ''}]"


def _flat(values: Any) -> list[float]:
    if not isinstance(values, list):
        return [values]
    return [one for value in values for one in _flat(value)]

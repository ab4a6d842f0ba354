"""`edgeflow rollout`: a model brought to a fleet; and what it would do, or has done."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeflow import paths
from edgeflow.cli.listing import print_columns, short_sha
from edgeflow.cli.names import names_of
from edgeflow.cli.project import CONFIG, RESULTS, ConfigFile, Json, Results, load_plan, print_json
from edgeflow.config.finding import did_you_mean
from edgeflow.console import say
from edgeflow.errors import RolloutError
from edgeflow.text import excerpt

if TYPE_CHECKING:
    from edgeflow.fleet.prepare import Prepared
    from edgeflow.plan import Plan

LISTED = 20
"""Devices that are named for people; JSON has all."""


def rollout(
    name: Annotated[
        str, typer.Argument(help="Which rollout.", autocompletion=names_of("rollouts"))
    ],
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", "-n", help="Ask the devices; say which would change, and why."),
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Say how far it is.")] = False,
    pause: Annotated[
        bool, typer.Option("--pause", help="Begin no further device, until --resume.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after --pause.")] = False,
    rollback: Annotated[
        bool,
        typer.Option("--rollback", help="Pause it, and let devices serve what they served before."),
    ] = False,
    reason: Annotated[
        str, typer.Option(help="Why, with --rollback: for the devices' audit logs.")
    ] = "by hand",
    config: ConfigFile = CONFIG,
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Bring a model to a fleet in waves, once its bench devices have passed their gates.

    What is not built, deployed and measured on these yet is so first. Devices that serve the model
    already are asked and left alone, so the same command goes on after a failure or a pause.
    """
    if dry_run + status + pause + resume + rollback > 1:
        raise typer.BadParameter(
            "--dry-run, --status, --pause, --resume and --rollback exclude each other"
        )
    plan = load_plan(config)
    require_rollout(plan, name, config)
    if dry_run:
        _show_changes(plan, name, results, as_json=as_json)
    elif status:
        _show_status(plan, name, results, as_json=as_json)
    elif pause:
        _pause(name, results)
    elif rollback:
        _roll_back(plan, name, results, reason, as_json=as_json)
    else:
        _require_own(config)
        raise typer.Exit(_run(plan, name, results, resume=resume, as_json=as_json))


def require_rollout(plan: "Plan", name: str, config: Path) -> None:
    """Refuse the name of a rollout that is not there."""
    known = plan.config.rollouts
    if name not in known:
        meant = did_you_mean(name, known)
        raise typer.BadParameter(f"no rollout {name!r} in {config}; {meant}")


def _require_own(config: Path) -> None:
    """Refuse another configuration than the folder's own, by which alone a build goes."""
    if CONFIG.is_file() and config.resolve() != CONFIG.resolve():
        raise typer.BadParameter(
            f"a rollout goes by {CONFIG} of its folder; {config} can be read with --dry-run, "
            "--status, --pause and --rollback alone"
        )


def prepared(plan: "Plan", name: str, results: Path) -> "Prepared":
    """Return the devices of a rollout, each with its bundle."""
    from edgeflow.fleet.prepare import prepare

    return prepare(plan.job("waves", rollout=name).slice, results)


def _run(plan: "Plan", name: str, results: Path, *, resume: bool, as_json: bool) -> int:
    from edgeflow.cli.workflow import run_snakemake
    from edgeflow.fleet.prepare import state_of
    from edgeflow.fleet.result import RETRY, ROLLOUT
    from edgeflow.fleet.state import pause_file
    from edgeflow.report.rollouts import load_rollouts

    paused = pause_file(state_of(results, name))
    if resume:
        paused.unlink(missing_ok=True)
    elif paused.exists():
        hint = f"go on: edgeflow rollout {name} --resume"
        raise RolloutError(f"rollout {name} is paused", hint=hint)
    folder, state = results / paths.ROLLOUT.format(rollout=name), state_of(results, name)
    before = _stamp(state)
    # Forced: devices are asked what they serve, whatever an earlier rollout has left here.
    code = run_snakemake(["--forcerun", "waves"], {"rollout": [name]})
    if _stamp(state) == before:  # what lies there tells of an earlier run
        _tell_end(name, "not begun", {}, as_json=as_json)
        return code
    if not (folder / ROLLOUT).is_file():  # it was killed, or is still at it
        left = status_of(prepared(plan, name, results), results)
        _tell_end(name, left["state"], left["counts"], as_json=as_json)
        return code
    if as_json:
        print_json(json.loads((folder / ROLLOUT).read_text()))
    for found in () if as_json else load_rollouts(results, {"rollouts": [name]}):
        print(found.line)
        if found.left:
            print(f"not confirmed, with the reason of each: {folder / RETRY}")
    return code


def _tell_end(name: str, ended: str, counts: Mapping[str, int], *, as_json: bool) -> None:
    """Say how a run ended that has left no result."""
    from edgeflow.fleet.roll_out import in_words

    if as_json:
        print_json({"name": name, "ended": ended, **({"counts": counts} if counts else {})})
    else:
        print(f"rollout {name}: {ended}" + (f": {in_words(counts)}" if counts else ""))


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from what it was before; None if there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def _pause(name: str, results: Path) -> None:
    from edgeflow.fleet.prepare import state_of
    from edgeflow.fleet.state import pause_file

    paused = pause_file(state_of(results, name))
    paused.parent.mkdir(parents=True, exist_ok=True)
    paused.touch()
    say(f"rollout {name}: paused; devices that it has begun are finished")
    say(f"hint: go on: edgeflow rollout {name} --resume")


def _roll_back(plan: "Plan", name: str, results: Path, reason: str, *, as_json: bool) -> None:
    from edgeflow.cli.device.several import end
    from edgeflow.fleet.campaign import run_rollout
    from edgeflow.fleet.prepare import state_of
    from edgeflow.fleet.result import write_result
    from edgeflow.fleet.roll_back import roll_back
    from edgeflow.fleet.told import told_to_end

    ready = prepared(plan, name, results)
    state, folder = state_of(results, name), results / paths.ROLLOUT.format(rollout=name)
    _pause(name, results)
    with told_to_end() as told:
        back, failed = roll_back(ready.spec, ready.units, state, reason, lambda: not told())
        # Paused, it asks no device, and says what has become of each.
        paused = run_rollout(ready.spec, ready.units, state, told)
    write_result(paused, folder, ready.rows)
    (folder / "complete.json").unlink(missing_ok=True)
    if as_json:
        errors = {device: str(error) for device, error in failed.items()}
        print_json({"rolled_back": sorted(back), "failed": errors})
    else:
        print(f"{len(back)} of {len(ready.units)} devices went back, {len(failed)} could not")
    end(failed, quiet=as_json)


def _show_changes(plan: "Plan", name: str, results: Path, *, as_json: bool) -> None:
    from edgeflow.fleet.campaign import dry_run

    ready = prepared(plan, name, results)
    changes = dry_run(ready.spec, ready.units)
    if as_json:
        print_json([{**asdict(it), "model": ready.models[it.device].name} for it in changes])
        return
    rows = [
        (
            str(it.wave),
            it.device,
            ready.models[it.device].name,
            short_sha(it.before),
            short_sha(it.after),
            it.why,
        )
        for it in changes
    ]
    if rows:
        print_columns(("wave", "device", "model", "from", "to", "why"), rows)
    silent = sum(it.silent for it in changes)
    unknown = f", {silent} did not say what they serve" if silent else ""
    print(f"{len(changes) - silent} of {len(ready.units)} devices would change{unknown}")


def _show_status(plan: "Plan", name: str, results: Path, *, as_json: bool) -> None:
    found = status_of(prepared(plan, name, results), results)
    if as_json:
        print_json(found)
        return
    from edgeflow.fleet.outcome import RESULTS as OUTCOMES
    from edgeflow.fleet.roll_out import in_words

    columns = [*OUTCOMES, "untouched"]
    rows = [
        (str(number), str(wave["devices"]), *(str(wave["counts"].get(it, 0)) for it in columns))
        for number, wave in enumerate(found["waves"], 1)
    ]
    print_columns(("wave", "devices", *(it.replace("_", " ") for it in columns)), rows)
    left = [it for it in found["devices"] if it["result"] not in ("confirmed", "untouched")]
    for it in left[:LISTED]:
        print(f"{it['device']}: {it['result'].replace('_', ' ')}: {excerpt(it['detail'])}")
    if len(left) > LISTED:
        print(f"and {len(left) - LISTED} more; --json names all")
    print(f"rollout {name}: {found['state']}: {in_words(found['counts'])}")


def status_of(ready: "Prepared", results: Path) -> dict[str, Any]:
    """Return how far a rollout is by its state: nothing is asked of a device."""
    from edgeflow.fleet.prepare import state_of
    from edgeflow.fleet.state import Progress, is_running, pause_file, read_progress
    from edgeflow.fleet.waves import wave_ends

    state = state_of(results, ready.spec.name)
    progress = read_progress(state) if state.is_file() else Progress()
    outcomes = [(unit.name, progress.outcome(unit)) for unit in ready.units]
    devices = [
        {
            "device": device,
            "model": ready.models[device].name,
            "result": it.result if it else "untouched",
            "detail": it.detail if it else "",
        }
        for device, it in outcomes
    ]
    ends = wave_ends(ready.spec.waves, len(devices))
    waves = [devices[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
    counts = _counts(devices)
    return {
        "rollout": ready.spec.name,
        "state": _state(
            progress.ended,
            counts,
            len(devices),
            running=is_running(state),
            paused=pause_file(state).exists(),
        ),
        "counts": counts,
        "waves": [{"devices": len(wave), "counts": _counts(wave)} for wave in waves],
        "devices": devices,
    }


def _counts(devices: Sequence[Mapping[str, str]]) -> dict[str, int]:
    return dict(Counter(it["result"] for it in devices))


def _state(
    ended: str, counts: Mapping[str, int], total: int, *, running: bool, paused: bool
) -> str:
    if running:
        return "running, about to pause" if paused else "running"
    if paused:
        return "paused"
    if counts.get("untouched") == total:
        return "not begun"
    if ended == "complete" and counts.get("untouched"):
        return "complete, but for new devices"
    return ended or "interrupted"

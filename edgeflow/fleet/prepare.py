"""A rollout of the configuration as what `run_rollout` takes: devices, bundles, budgets."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from edgeflow import paths
from edgeflow.artifact.hashing import sha256_file, sha256_json
from edgeflow.config.fleet import Fleet, Rollout, SshFleet, VirtualFleet, share_or_count
from edgeflow.errors import ConfigError, EdgeflowError, Problem
from edgeflow.fleet.inventory import Row, device_of, read_inventory, selected
from edgeflow.fleet.over_ssh import Model, SshUnit
from edgeflow.fleet.spec import RolloutSpec
from edgeflow.fleet.standby import Standby
from edgeflow.fleet.unit import Unit
from edgeflow.fleet.waves import canary_first


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A rollout that can begin.

    Attributes:
        rows: of the devices that take part, by name.
        models: which of the models each of them gets.
        units: the devices, canaries first.
        standbys: those of them whose model also lies on a neighbour.
    """

    spec: RolloutSpec
    rows: Mapping[str, Row]
    models: Mapping[str, Model]
    units: list[Unit]
    standbys: list[Standby]


def state_of(results: Path, rollout: str) -> Path:
    """Return the file that says how far a rollout is."""
    return results / paths.ROLLOUT.format(rollout=rollout) / "state.jsonl"


def prepare(slice_: Mapping[str, Any], results: Path) -> Prepared:
    """Return the devices of a rollout, each with its bundle.

    Args:
        slice_: as in the plan's waves job.
        results: folder that holds the bundles.

    Raises:
        ConfigError: the inventory cannot be used, or has no device for the rollout.
        EdgeflowError: a bundle is not built.
    """
    rollout = Rollout.model_validate(slice_["rollout"])
    fleet: SshFleet | VirtualFleet = TypeAdapter[Any](Fleet).validate_python(slice_["fleet"])
    everyone = read_inventory(Path(fleet.inventory).expanduser(), fleet)
    rows = selected(everyone, rollout)
    _require_models(rows, rollout, fleet)
    by_name = {row.name: row for row in everyone}
    wanted = {row.name: str(rollout.model_for(row.variant)) for row in rows}
    models = {
        name: _model(name, rollout.recipe, fleet.target, results)
        for name in dict.fromkeys(wanted.values())
    }
    units: list[Unit] = [
        SshUnit(
            row.name,
            device_of(fleet, row).in_fleet(rollout.fleet),
            models[wanted[row.name]],
            allow_downgrade=rollout.allow_downgrade,
        )
        for row in rows
    ]
    return Prepared(
        spec=_spec(slice_["name"], rollout, models),
        rows={row.name: row for row in rows},
        models={name: models[model] for name, model in wanted.items()},
        units=canary_first(units, rollout.canaries),
        standbys=[
            _standby(unit, models[wanted[row.name]], by_name[row.standby], rollout, fleet)
            for row, unit in zip(rows, units, strict=True)
            if row.standby is not None
        ],
    )


def _standby(
    unit: Unit,
    model: Model,
    neighbour: Row,
    rollout: Rollout,
    fleet: SshFleet | VirtualFleet,
) -> Standby:
    return Standby(
        station=unit,
        model=model,
        neighbour=neighbour.name,
        device=device_of(fleet, neighbour).in_fleet(rollout.fleet),
        shared=rollout.model_for(neighbour.variant) == model.name,
    )


def _spec(name: str, rollout: Rollout, models: Mapping[str, Model]) -> RolloutSpec:
    digests = {model.name: model.sha256 for model in models.values()}
    one = next(iter(digests.values())) if len(digests) == 1 else sha256_json(digests)
    return RolloutSpec(
        name=name,
        model=", ".join(digests),
        bundle_sha256=one,
        waves=tuple(map(share_or_count, rollout.waves)),
        soak_s=rollout.soak_s,
        poll_s=rollout.poll_s,
        max_failed=share_or_count(rollout.max_failed),
        max_unreachable=share_or_count(rollout.max_unreachable),
        connections=rollout.connections,
        allow_downgrade=rollout.allow_downgrade,
    )


def _model(name: str, recipe: str, target: str, results: Path) -> Model:
    folder = results / paths.COMPILED.format(target=target, model=name, recipe=recipe)
    bundle = folder / "bundle.tar"
    if not bundle.is_file():
        raise EdgeflowError(
            f"{name}/{recipe} is not built for target {target} yet: no {bundle}",
            hint=f"build it: edgeflow run --target {target} --model {name}",
        )
    return Model(name=name, bundle=bundle, sha256=sha256_file(bundle))


def _require_models(rows: list[Row], rollout: Rollout, fleet: SshFleet | VirtualFleet) -> None:
    """Refuse an inventory that became unfit after it was checked."""
    problems = [
        Problem(path=row.name, message=f"no model for variant {row.variant!r}")
        for row in rows
        if rollout.model_for(row.variant) is None
    ]
    if not rows:
        problems = [Problem(path="select", message="no device has these labels")]
    if problems:
        raise ConfigError(problems, source=fleet.inventory, hint="see: edgeflow check")

"""What is wrong between fleets, rollouts and the sections that they name; reads no inventory."""

from collections.abc import Iterator, Mapping

from edgeflow.config.finding import Finding, Keys
from edgeflow.config.names import missing
from edgeflow.config.raw import Entry, deployments, entries


def check_rollouts(raw: Entry) -> Iterator[Finding]:
    """Yield names that miss, and models that no bench device tries before a rollout."""
    known = {"fleets": {}, **raw}  # a section that may be left out
    for name, entry in entries(raw, "fleets").items():
        yield from missing(raw, "targets", entry.get("target"), ("fleets", name, "target"))
    bench = _bench(raw)
    for name, entry in entries(raw, "rollouts").items():
        keys: Keys = ("rollouts", name)
        wrong = [
            *missing(known, "fleets", entry.get("fleet"), (*keys, "fleet")),
            *missing(raw, "recipes", entry.get("recipe"), (*keys, "recipe")),
        ]
        for place, model in _models(entry):
            wrong += missing(raw, "models", model, (*keys, *place))
        yield from wrong or _untried(raw, entry, keys, bench)


def _models(entry: Entry) -> Iterator[tuple[Keys, object]]:
    """Yield where a rollout names a model, and the name."""
    if "model" in entry:
        yield ("model",), entry["model"]
    variants = entry.get("variants")
    for variant, model in variants.items() if isinstance(variants, Mapping) else ():
        yield ("variants", str(variant)), model


def _bench(raw: Entry) -> set[tuple[object, ...]]:
    """Return model, recipe and target of all that goes to a device of the configuration."""
    devices = entries(raw, "devices")
    return {
        tuple(map(str, (entry.get("model"), entry.get("recipe"), devices[name].get("target"))))
        for _, entry, names in deployments(raw)
        for name in names
        if isinstance(name, str) and name in devices
    }


def _untried(
    raw: Entry, entry: Entry, keys: Keys, bench: set[tuple[object, ...]]
) -> Iterator[Finding]:
    fleet = entries(raw, "fleets").get(str(entry.get("fleet")), {})
    recipe, target = entry.get("recipe"), fleet.get("target")
    for place, model in _models(entry):
        if all(isinstance(it, str) for it in (model, recipe, target)):
            if (model, recipe, target) in bench:
                continue
            yield Finding(
                keys=(*keys, *place),
                message=f"no device of target {target!r} tries {model}/{recipe} first",
                hint="a rollout begins once a device of `deployments` has passed its gates: add "
                f"a deployment to one of target {target!r}",
                see=("fleets", str(entry["fleet"]), "target"),
            )

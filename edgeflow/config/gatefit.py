"""Whether the devices of a deployment can give the figures that its gates limit."""

from collections.abc import Iterable, Iterator, Mapping

from pydantic import ValidationError

from edgeflow.config.finding import Finding
from edgeflow.config.gates import all_figures, figures_of
from edgeflow.config.raw import Entry, deployments, entries
from edgeflow.config.target import target_classes
from edgeflow.figures.figure import Figure


def unmeasurable(raw: Entry) -> Iterator[Finding]:
    """Yield gates on figures that a device's target has not, or its engine cannot tell."""
    known = {figure.gate: figure for figure in all_figures().values() if figure.gate}
    for keys, deployment, devices in deployments(raw):
        gates, targets = deployment.get("gates"), _targets(raw, devices)
        given = gates.items() if isinstance(gates, Mapping) else ()
        for gate in [key for key, limit in given if key in known and limit is not None]:
            reasons = [_lack(known[gate], target) for target in targets]
            if found := dict.fromkeys(reason for reason in reasons if reason):
                message = "; ".join(message for message, _ in found)
                hint = "; ".join(dict.fromkeys(hint for _, hint in found))
                yield Finding(keys=(*keys, "gates", gate), message=message, hint=hint)


def _targets(raw: Entry, devices: list[str]) -> list[Entry]:
    """Return the entries of the targets of devices, once each, as far as names stand for one."""
    known = entries(raw, "devices")
    names = [known[name].get("target") for name in map(str, devices) if name in known]
    targets = entries(raw, "targets")
    return [targets[name] for name in dict.fromkeys(map(str, names)) if name in targets]


def _lack(figure: Figure, target: Entry) -> tuple[str, str] | None:
    """Return why a target cannot give a figure, and what to do; None where it can."""
    kind = target.get("kind")
    if not isinstance(kind, str) or kind not in target_classes():
        return None  # its section reports it
    own = figures_of([kind])
    if figure.name not in own:
        return f"target kind {kind!r} has no {figure.title}", _elsewhere(figure)
    if own[figure.name].needs_clock and _clock(kind, target) == "none":
        reason = f"the engine of target kind {kind!r} has no clock, and so no {figure.title}"
        return reason, _instead(own.values())
    return None


def _elsewhere(figure: Figure) -> str:
    kinds = [kind for kind in sorted(target_classes()) if figure.name in figures_of([kind])]
    return f"leave the gate out, or set it for devices of kind {' or '.join(kinds)} alone"


def _instead(figures: Iterable[Figure]) -> str:
    gates = [f.gate for f in figures if f.gate and f.reader is None and not f.needs_clock]
    own = ", ".join(gates)
    return f"gates on what it counts itself: {own}" if own else "leave the gate out"


def _clock(kind: str, target: Entry) -> str | None:
    cls = target_classes()[kind]
    try:
        return str(cls.runtime(cls.Options.model_validate(dict(target))).clock)
    except ValidationError:
        return None  # its section reports it

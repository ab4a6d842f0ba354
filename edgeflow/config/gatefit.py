"""Whether the devices of a deployment can give the figures that its gates limit."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from pydantic import TypeAdapter, ValidationError

from edgeflow.config.base import Section
from edgeflow.config.finding import Finding
from edgeflow.config.gates import all_declarations, by_gate, figures_of
from edgeflow.config.raw import Entry, compiled_for, deployments, entries
from edgeflow.config.target import runtime_of_entry, target_classes
from edgeflow.figures.figure import Figure

if TYPE_CHECKING:
    from edgeflow.targets.base import Runtime


def unmeasurable(raw: Entry) -> Iterator[Finding]:
    """Yield gates on figures that a device's target has not, or its engine cannot tell."""
    known = by_gate(all_declarations())
    for keys, deployment, devices in deployments(raw):
        gates, targets = deployment.get("gates"), _targets(raw, deployment, devices)
        given = gates.items() if isinstance(gates, Mapping) else ()
        for gate, limit in [(key, limit) for key, limit in given if key in known]:
            if not any(_allows(figure, limit) for figure in known[gate]):
                continue  # there is none, or the section reports it
            reasons = [_lack(known[gate][0], limit, target) for target in targets]
            if found := dict.fromkeys(reason for reason in reasons if reason):
                message = "; ".join(message for message, _ in found)
                hint = "; ".join(dict.fromkeys(hint for _, hint in found))
                yield Finding(keys=(*keys, "gates", gate), message=message, hint=hint)


class _Target(NamedTuple):
    """A target of a deployment, and what its gates need to know of the devices there."""

    entry: Entry
    runtime: "Runtime | None"
    has_unit: bool
    is_emulated: bool
    has_device: bool


def _targets(raw: Entry, deployment: Entry, devices: list[str]) -> list[_Target]:
    """Return the targets of a deployment, once each, as far as names stand for one."""
    known, targets = entries(raw, "devices"), entries(raw, "targets")
    listed = [known[name] for name in map(str, devices) if name in known]
    found = [
        (str(one.get("target")), bool(one.get("unit")), one.get("emulated") is True, True)
        for one in listed
    ]
    found += [(str(target), False, False, False) for target in compiled_for(deployment)]
    return [
        _Target(targets[name], runtime_of_entry(targets[name]), *about)
        for name, *about in dict.fromkeys(found)
        if name in targets
    ]


def _allows(figure: Figure, limit: object) -> bool:
    """Return whether a figure's declaration allows a limit of its gate."""
    try:
        TypeAdapter(figure.limit, config=Section.model_config).validate_python(limit)
    except ValidationError:
        return False
    return True


def _lack(figure: Figure, limit: object, target: _Target) -> tuple[str, str] | None:
    """Return why a target cannot hold a figure to a limit, and what to do; None where it can."""
    kind, runtime, has_unit = target.entry.get("kind"), target.runtime, target.has_unit
    if not isinstance(kind, str) or kind not in target_classes():
        return None  # its section reports it
    own = figures_of([kind])
    if figure.name not in own:
        return f"target kind {kind!r} has no {figure.title}", _elsewhere(figure)
    if own[figure.name].gate != figure.gate:
        return f"target kind {kind!r} has no gate {figure.gate}", _own_gate(own[figure.name])
    if not _allows(own[figure.name], limit):
        reason = f"target kind {kind!r} allows no limit of {limit} for {figure.title}"
        return reason, "choose another limit, or leave the gate out"
    if lack := _device_lacks(own[figure.name], target):
        return lack
    if runtime and own[figure.name].needs_clock and runtime.clock == "none":
        reason = f"the engine of target kind {kind!r} has no clock, and so no {figure.title}"
        return reason, _instead(own.values(), runtime, has_unit)
    if runtime and not _gives(runtime, own[figure.name], has_unit):
        where = " on a `unit`" if has_unit else ""
        reason = f"target kind {kind!r} with these options has no {figure.title}{where}"
        return reason, _instead(own.values(), runtime, has_unit)
    return None


def _device_lacks(figure: Figure, target: _Target) -> tuple[str, str] | None:
    """Return why there is no such figure for want of a device, or of an emulated or real one."""
    asks_device = figure.needs_device or figure.needs_clock or figure.needs_emulator
    if asks_device and not target.has_device:
        kind = target.entry.get("kind")
        reason = f"what is only compiled for target kind {kind!r} has no {figure.title}"
        return reason, "leave the gate out, or set it in a deployment to `devices` alone"
    if figure.needs_emulator and not target.is_emulated:
        return f"only a device that is `emulated` has {figure.title}", "leave the gate out"
    if figure.needs_clock and target.is_emulated:
        reason = f"a device that is `emulated` has no {figure.title}"
        return reason, "gate instructions_max, or leave the gate out"
    return None


def _elsewhere(figure: Figure) -> str:
    kinds = [kind for kind in sorted(target_classes()) if figure.name in figures_of([kind])]
    return f"leave the gate out, or set it for devices of kind {' or '.join(kinds)} alone"


def _own_gate(figure: Figure) -> str:
    return f"did you mean {figure.gate!r}?" if figure.gate else "leave the gate out"


def _instead(figures: Iterable[Figure], runtime: "Runtime", has_unit: bool) -> str:
    own = (
        figure
        for figure in figures
        if figure.reader is None and not figure.needs_clock and not figure.needs_emulator
    )
    gates = [figure.gate for figure in own if figure.gate and _gives(runtime, figure, has_unit)]
    named = ", ".join(gates)
    return f"gates on what it counts itself: {named}" if named else "leave the gate out"


def _gives(runtime: "Runtime", figure: Figure, has_unit: bool) -> bool:
    """Return whether a target's own figure can be had; what is read elsewhere always can."""
    given = runtime.unit_figures if has_unit else runtime.figures
    return figure.reader is not None or given is None or figure.name in given

"""What `edgeflow target` shows to people of the records that programs get."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edgeflow.cli.needs import Need

HEADER = ("kind", "state", "recipes", "compiles with")
SHOWN = 3
"""How many things are named before the rest is counted."""
_STATES = {"ready": "ready", "partly": "partly ready", "missing": "tools missing", "options": "-"}


def row(said: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Return the row of a kind."""
    if "error" in said:
        return said["kind"], "broken", "-", "-"
    needs = _needs(said)
    tools = [need for need in needs if need.sort != "package"] or needs
    shown = _some([need.title for need in tools if need.found is not None])
    return said["kind"], _STATES[said["state"]], ", ".join(said["quantize"]), shown or "-"


def missing(said: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each thing that is missing, with what to do."""
    if "error" in said:
        yield said["error"]
        return
    yield from said["missing"]
    if said["state"] == "options":
        needed = ", ".join(said["needed_options"])
        yield f"what it compiles with depends on the options that it needs: {needed}"


def lines(name: str, said: Mapping[str, Any]) -> Iterator[str]:
    """Yield all about a target of a configuration, or about a kind."""
    state = _STATES[said["state"]]
    yield f"{name}: {state}" if name == said["kind"] else f"{name}: of kind {said['kind']}, {state}"
    if "devices" in said:
        yield f"devices: {', '.join(said['devices']) or 'none'}"
    yield f"recipes: {', '.join(said['quantize'])}"
    if said["device_lock"]:
        yield f"packages of a device, for pip: {said['device_lock']}"
    yield "needs:" if said["needs"] else "needs: nothing beside edgeflow"
    for need in _needs(said):
        yield f"  {_described(need)}"
    yield "options:"
    for key, value in said["options"].items():
        if key != "kind":
            meaning = " ".join(said["meanings"].get(key, "").split())
            unset = key in said["needed_options"] and value is None
            yield f"  {key}: {'needed' if unset else value}{_offered(said, key)}  # {meaning}"
    yield from (f"figure {line}" for line in _figures(said))


def _described(need: Need) -> str:
    values: dict[str, list[str]] = {}
    for key, _, value in (choice.partition(": ") for choice in need.choices):
        values.setdefault(key, []).append(value)
    where = "; ".join(f"{key}: {_some(names)}" for key, names in values.items())
    where = f" ({where})" if where else ""
    if need.found is None:
        return f"{need.what}{where}: missing; {need.install}"
    return f"{need.what}{where}: {need.found}"


def _offered(said: Mapping[str, Any], key: str) -> str:
    values = said["choices"].get(key)
    return f" (of {', '.join(map(str, values))})" if values else ""


def _figures(said: Mapping[str, Any]) -> Iterator[str]:
    for it in said["figures"]:
        gate = f"; gate {it['gate']}" if it["gate"] else ""
        yield f"{it['name']}: {it['meaning']} ({it['kind']}{gate})"


def _needs(said: Mapping[str, Any]) -> list[Need]:
    return [Need(**record) for record in said["needs"]]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more

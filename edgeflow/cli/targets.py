"""`edgeflow targets`: the kinds of targets, and what is missing here to use them."""

from typing import TYPE_CHECKING

from edgeflow.cli.toolchains import look
from edgeflow.errors import EdgeflowError

if TYPE_CHECKING:
    from edgeflow.targets.base import Target


def targets() -> None:
    """List the kinds of targets, what they take and tell, and what is missing here to use them."""
    from edgeflow.targets import registry
    from edgeflow.targets.base import own_figures

    for name in registry.names():
        try:
            target = registry.get(name)
        except EdgeflowError as error:
            print(f"{name}: {error}")
            continue
        print(f"{name}: {', '.join(sorted(target.capabilities.quantize))}: {_state(target)}")
        for figure in own_figures(target):
            gate = f"; gate {figure.gate}" if figure.gate else ""
            print(f"  {figure.name}: {figure.meaning} ({figure.kind}{gate})")


def _state(target: "type[Target]") -> str:
    """Return what is missing here to use a target with its default options."""
    from pydantic import ValidationError

    from edgeflow.config.target import toolchain_of

    try:
        options = target.Options.model_validate({"kind": target.name})
    except ValidationError as error:
        keys = sorted(".".join(map(str, entry["loc"])) for entry in error.errors())
        return f"needs options: {', '.join(keys)}"
    missing = [f"needs {item.what}: {item.install}" for item in target.check(options)]
    try:
        look(toolchain_of(target, options), None)
    except EdgeflowError as error:
        missing.append(f"{error.message}: {error.hint}")
    return "; ".join(missing) or "ready"

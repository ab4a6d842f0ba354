"""What a step is asked to make."""

from dataclasses import dataclass, field
from typing import Any

from edgeflow.config.model import Cluster


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What a step is asked to make: its slice of the configuration and its code.

    Attributes:
        slice: JSON-ready slice, all defaults filled in.
        modules: dotted modules whose import closure is the step's code.
        tools: distributions whose version the step's output depends on, beside those that the
            modules name as `TOOLS`.
        threads: cores of this machine that the step computes on.
        holds: resources of Snakemake's of which it holds one: a device, a licence.
        cluster: what it asks for as a job of a cluster; changes no result.
    """

    slice: dict[str, Any]
    modules: tuple[str, ...]
    tools: tuple[str, ...] = ()
    threads: int = 1
    holds: tuple[str, ...] = ()
    cluster: Cluster = field(default_factory=Cluster)

"""What the plan knows of targets, by their names in the configuration."""

from typing import TYPE_CHECKING

from edgeflow import plugins
from edgeflow.config.target import target_class, target_kind, toolchain_of
from edgeflow.plan import Plan
from edgeflow.toolchain.base import Host, Toolchain

if TYPE_CHECKING:
    from edgeflow.targets.base import Runtime
    from edgeflow.targets.base import Target as TargetClass


def class_of(plan: Plan, target: str) -> "type[TargetClass]":
    """Return a target's class."""
    return target_class(target_kind(plan.config.targets[target]))


def runtime_of(plan: Plan, target: str) -> "Runtime":
    """Return what runs the models that are compiled for a target."""
    return class_of(plan, target).runtime(plan.config.targets[target])


def module_of(plan: Plan, target: str) -> str:
    """Return the module of a target's class."""
    return plugins.module_of(plugins.TARGETS, target_kind(plan.config.targets[target]))


def toolchain(plan: Plan, target: str) -> Toolchain:
    """Return what a target compiles with."""
    return toolchain_of(class_of(plan, target), plan.config.targets[target])


def compile_host(plan: Plan, target: str) -> Host:
    """Return where a target's toolchain is: no part of any slice."""
    name = getattr(plan.config.targets[target], "compile_host", None)
    if name is None:
        return None
    return {"name": name, **plan.config.compile_hosts[name].model_dump(mode="json")}

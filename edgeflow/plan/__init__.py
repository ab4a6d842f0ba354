"""Config to plan: what is built, from which slice of the configuration, by which code.

Pure functions for the rules, `edgeflow check` and the report. Each step has a file in `steps/`,
whose `job` gives it only the slice of the configuration that it may depend on, so that a change
elsewhere cannot rerun it.
"""

import functools
import importlib
import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edgeflow.config.deployment import Deployment, Measure
from edgeflow.config.gates import Gates
from edgeflow.config.root import Config
from edgeflow.plan.job import Job


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """One row of the report: a model after a recipe, on one device or only compiled.

    Attributes:
        device: its name; empty where the model is compiled for the target and goes nowhere.
    """

    device: str
    target: str
    model: str
    recipe: str
    gates: Gates
    measure: Measure
    allow_downgrade: bool = False

    def names(self) -> dict[str, str]:
        """Return what it is of: the values of the wildcards of its files."""
        return {name: getattr(self, name) for name in ("device", "target", "model", "recipe")}


class Plan:
    """Everything a configuration asks for."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.units = [
            Unit(
                device=device,
                target=target,
                model=deployment.model,
                recipe=deployment.recipe,
                gates=deployment.gates,
                measure=deployment.measure,
                allow_downgrade=deployment.allow_downgrade,
            )
            for deployment in config.deployments
            for device, target in _places(config, deployment)
        ]
        self.deployed = [unit for unit in self.units if unit.device]
        """The units that go to a device."""
        self._by_device = {(unit.device, unit.model): unit for unit in self.deployed}
        self.undeployed = [unit for unit in self.units if not unit.device]
        """The units that are only compiled."""
        self._compiled = {(one.target, one.model, one.recipe): one for one in self.undeployed}
        held = Counter(device for device, _ in self._by_device)
        shared = [device for device, count in held.items() if count > 1]
        self.shared = {device: number for number, device in enumerate(shared)}
        """Devices that several units share, numbered; the jobs of any other follow each other."""
        self._jobs: dict[tuple[str, ...], Job] = {}

    def unit(self, device: str, model: str) -> Unit:
        """Return what device and model belong to; KeyError if the plan has no such pair."""
        return self._by_device[device, model]

    def compiled(self, target: str, model: str, recipe: str) -> Unit:
        """Return the unit that is only compiled; KeyError if the plan has no such one."""
        return self._compiled[target, model, recipe]

    def asked(self) -> list[Job]:
        """Return the jobs that `job` has returned so far."""
        return list(self._jobs.values())

    def job(self, step: str, **names: str) -> Job:
        """Return what a step is asked to make.

        Args:
            step: a file of `edgeflow/plan/steps/`.
            names: what it is made of, by wildcard; those that the step does not depend on count
                for nothing.

        Raises:
            KeyError: the configuration has none of a name, or a wildcard is missing.
        """
        make = importlib.import_module(f"edgeflow.plan.steps.{step}").job
        values = tuple(names[name] for name in wildcards_of(make))
        if (step, *values) not in self._jobs:
            self._jobs[step, *values] = make(self, *values)
        return self._jobs[step, *values]


def _places(config: Config, deployment: Deployment) -> Iterator[tuple[str, str]]:
    """Yield device and target of each unit of a deployment."""
    yield from ((device, config.devices[device].target) for device in deployment.devices)
    yield from (("", target) for target in deployment.targets)


@functools.cache
def wildcards_of(function: Callable[..., object]) -> tuple[str, ...]:
    """Return the wildcards that a function depends on: its parameters after the plan."""
    return tuple(inspect.signature(function).parameters)[1:]

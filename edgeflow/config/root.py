"""The whole configuration, section by section."""

from typing import Annotated

from pydantic import Field

from edgeflow.config.base import Name, Section
from edgeflow.config.dataset import Dataset
from edgeflow.config.deployment import Deployment
from edgeflow.config.device import CompileHost, Device
from edgeflow.config.exports import Export
from edgeflow.config.fleet import Fleet, Rollout
from edgeflow.config.model import Model
from edgeflow.config.recipe import Recipe
from edgeflow.config.signing import Signing
from edgeflow.config.store import Store
from edgeflow.config.target import Target


class Config(Section):
    """What `config.yaml` may hold."""

    datasets: dict[Name, Dataset]
    """Named sources of samples and their splits."""
    models: dict[Name, Model]
    """Networks to train, or to import from files; none may be called `bin`, `data` or `trust`."""
    recipes: dict[Name, Recipe]
    """Ways to compress and quantize a trained model."""
    targets: dict[Name, Target]
    """Classes of hardware: compiler, runtime and limits."""
    devices: dict[Name, Device] = Field(default_factory=dict)
    """Physical or virtual units of the targets."""
    deployments: Annotated[list[Deployment], Field(min_length=1)]
    """Which model goes to which devices after which recipe, and what it must reach there."""
    fleets: dict[Name, Fleet] = Field(default_factory=dict)
    """Many devices of one target each, from an inventory file."""
    rollouts: dict[Name, Rollout] = Field(default_factory=dict)
    """Which model goes to which devices of a fleet, in waves, once its bench devices have passed
    their gates."""
    exports: dict[Name, Export] = Field(default_factory=dict)
    """Bundles as artifacts of update systems that a fleet already has."""
    compile_hosts: dict[Name, CompileHost] = Field(default_factory=dict)
    """Machines with compilers that this one does not have, for targets with `compile_host`."""
    signing: Signing | None = None
    """By which key bundles are signed; by default they are not."""
    store: Store = Store()
    """The cache outside the project."""

"""What the compress step is asked to do."""

from pydantic import Field

from edgeflow.config.base import Section
from edgeflow.config.model import Train
from edgeflow.config.recipe import Recipe


class CompressSlice(Section):
    """The slice of the configuration that a recipe's model depends on."""

    recipe: Recipe
    train: Train | None = None
    """The model's own training settings, where the recipe trains on."""
    candidates: "dict[str, Candidate]" = Field(default={})
    """The recipes that `auto` tries, by name; `auto.recipes` has their order."""


class Candidate(Section):
    """A recipe that `auto` may take, as a step of its own."""

    slice: CompressSlice
    modules: list[str]
    """What the fingerprint of the candidate's code is taken over."""

"""What recipes ask for, each together with those that it tries."""

from edgeflow.config.recipe import Recipe
from edgeflow.plan import Plan
from edgeflow.toolchain import fpga
from edgeflow.toolchain.base import Toolchain


def candidates(plan: Plan, recipe: str) -> list[str]:
    """Return the recipes that `auto` tries, in its order; none for another recipe."""
    auto = plan.config.recipes[recipe].auto
    if auto is None:
        return []
    others = {name: r for name, r in plan.config.recipes.items() if r.auto is None}
    return auto.recipes or sorted(others, key=lambda name: others[name].cost())


def tried(plan: Plan, recipe: str) -> list[Recipe]:
    """Return a recipe and those that it tries."""
    return [plan.config.recipes[name] for name in (recipe, *candidates(plan, recipe))]


def trains(plan: Plan, recipe: str) -> bool:
    """Return whether a recipe, or one that it tries, has a stage that trains."""
    return any(each.stages() for each in tried(plan, recipe))


def teachers(plan: Plan, recipe: str) -> list[str]:
    """Return the models that a recipe, or one that it tries, learns from."""
    return sorted({each.distill.teacher for each in tried(plan, recipe) if each.distill})


def toolchain(plan: Plan, recipe: str) -> Toolchain:
    """Return what a recipe, or one that it tries, runs in beside edgeflow's own environment."""
    apart = any(each.quantize == "hgq" for each in tried(plan, recipe))
    return Toolchain(environment=fpga.environment()) if apart else Toolchain()

"""The debug step: what quantization did to a model."""

from edgeflow import paths
from edgeflow.config.recipe import INTEGER
from edgeflow.plan import Plan
from edgeflow.plan.job import Job
from edgeflow.plan.recipes import tried


def job(plan: Plan) -> Job:  # noqa: ARG001  # one signature for all steps
    """Return the job that measures what quantization did to a model."""
    return Job(slice={}, modules=("edgeflow.compress.debug.build",))


def debugged(plan: Plan) -> list[str]:
    """Return the folder of each model and recipe of the units whose layers may be integers."""
    units = [unit for unit in plan.units if _may_be_integer(plan, unit.recipe)]
    return list(dict.fromkeys(paths.DEBUG.format(**unit.names()) for unit in units))


def _may_be_integer(plan: Plan, recipe: str) -> bool:
    return any(each.quantize in INTEGER for each in tried(plan, recipe))

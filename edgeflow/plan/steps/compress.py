"""The compress step: a recipe applied to a model."""

from edgeflow import paths
from edgeflow.plan import Plan
from edgeflow.plan.files import arrays_of_dataset, network_of_model
from edgeflow.plan.job import Job
from edgeflow.plan.recipes import candidates, teachers, trains, tried


def job(plan: Plan, model: str, recipe: str) -> Job:
    """Return the job that applies a recipe to a model."""
    if plan.config.recipes[recipe].auto is not None:
        return _choose(plan, model, recipe)
    section, training = plan.config.recipes[recipe], plan.config.models[model].train
    technique, stages = section.quantize.replace("-", "_"), section.stages()
    return Job(
        slice={
            "recipe": section.model_dump(mode="json"),
            "train": training.model_dump(mode="json", exclude={"cluster"}) if stages else None,
        },
        modules=(
            "edgeflow.compress.build",
            "edgeflow.compress.pipeline",
            "edgeflow.compress.quantize.none",  # makes float.tflite, whatever the recipe
            *([] if "hgq" in stages else [f"edgeflow.compress.quantize.{technique}"]),
            *(("edgeflow.compress.ptq.build",) if section.from_float_tflite() else ()),
            *(f"edgeflow.compress.{stage}" for stage in stages),
        ),
        tools=("tensorflow-model-optimization",) if stages else (),
        threads=training.threads,
        cluster=training.cluster,
    )


def _choose(plan: Plan, model: str, recipe: str) -> Job:
    names, training = candidates(plan, recipe), plan.config.models[model].train
    jobs = {name: plan.job("compress", model=model, recipe=name) for name in names}
    section = plan.config.recipes[recipe].model_dump(mode="json")
    section["auto"]["recipes"] = list(jobs)
    return Job(
        slice={
            "recipe": section,
            "candidates": {
                name: {"slice": job.slice, "modules": list(job.modules)}
                for name, job in jobs.items()
            },
        },
        modules=(
            "edgeflow.compress.build",
            "edgeflow.compress.choose",
            *sorted({module for job in jobs.values() for module in job.modules}),
        ),
        tools=tuple(sorted({tool for job in jobs.values() for tool in job.tools})),
        threads=training.threads,
        cluster=training.cluster,
    )


def trained_recipes(plan: Plan) -> list[str]:
    """Return the recipes that train: jobs for a cluster."""
    return [recipe for recipe in plan.config.recipes if trains(plan, recipe)]


def quick_recipes(plan: Plan) -> list[str]:
    """Return the recipes that do not train."""
    return [recipe for recipe in plan.config.recipes if not trains(plan, recipe)]


def arrays_of_recipe(plan: Plan, model: str, recipe: str) -> list[str]:
    """Return the arrays that a recipe, or one that it tries, reads of a model's dataset."""
    parts = {part for each in tried(plan, recipe) for part in each.parts()}
    return arrays_of_dataset(*sorted(parts))(plan, model)


def manifests_of_teachers(plan: Plan, recipe: str) -> list[str]:
    """Return the manifests of the models that a recipe learns from."""
    folders = [paths.BASELINE.format(model=teacher) for teacher in teachers(plan, recipe)]
    return [f"{folder}/manifest.json" for folder in folders]


def networks_of_teachers(plan: Plan, recipe: str) -> list[str]:
    """Return the files of the models that a recipe learns from."""
    return [network_of_model(plan, teacher) for teacher in teachers(plan, recipe)]

"""What all rules share: the plan, slices of the configuration, fingerprints, device slots."""

import functools
import inspect
import os
import re
import shlex
import sys
from pathlib import Path

from snakemake.common.configfile import load_configfile

import edgeflow.report
from edgeflow import cluster, retries
from edgeflow.artifact.fingerprint import fingerprint
from edgeflow.artifact.hashing import canonical_json, sha256_file, sha256_json
from edgeflow.artifact.manifest import tool_versions
from edgeflow.cli.workflow import claim
from edgeflow.artifact.tiers import environment as store_environment
from edgeflow.compress.slice import parts_of
from edgeflow.config.load import load_file as load_config_file
from edgeflow.config.load import parse as parse_config
from edgeflow.config.modelfile import imported_name
from edgeflow.errors import ConfigError
from edgeflow.plan import Plan
from edgeflow.targets.identity import planned as identity_of


def load_config():
    """Return the validated configuration, with line numbers in errors where a file is all of it."""
    files = workflow.configfiles
    if len(files) == 1 and config == load_configfile(files[0]):
        return load_config_file(Path(files[0]))
    return parse_config({key: config[key] for key in config if key != "pathvars"})


try:
    PLAN = Plan(load_config())
except ConfigError as error:
    raise WorkflowError(str(error)) from None
claim(Path.cwd())  # a Snakemake that was killed leaves a lock behind

# For the steps that this and all jobs run; what the caller's environment says goes first.
for variable, value in store_environment(PLAN.config.store).items():
    os.environ.setdefault(variable, value)


STORAGE = workflow.storage_settings.default_storage_provider
"""The kind of storage that Snakemake carries files to, where not all machines share one."""
if STORAGE:  # logs are carried there too; the event log speaks of all steps and stays
    events = Path(workflow.pathvars.apply("<logs>"), "events.jsonl").absolute()
    os.environ.setdefault("EDGEFLOW_EVENTS", str(events))


cluster.guard_slurm()


wildcard_constraints:
    dataset=r"[a-z0-9][a-z0-9_-]*",
    model=r"[a-z0-9][a-z0-9_-]*",
    recipe=r"[a-z0-9][a-z0-9_-]*",
    target=r"[a-z0-9][a-z0-9_-]*",
    device=r"[a-z0-9][a-z0-9_-]*",


@functools.cache
def wildcards_of(step):
    """Return the wildcards that a step may depend on, in the order the plan takes them."""
    return tuple(inspect.signature(getattr(PLAN, step)).parameters)


@functools.cache
def job(step, *values):
    return getattr(PLAN, step)(*values)


def planned(step, wildcards):
    """Return the plan's job for a step."""
    return job(step, *(str(wildcards[name]) for name in wildcards_of(step)))


def slice_of(step):
    """Return a function of wildcards: the step's slice of the configuration, as JSON."""
    return lambda wildcards: canonical_json(planned(step, wildcards).slice)


def code(step):
    """Return a function of wildcards: the fingerprint of the step's code."""
    return lambda wildcards: fingerprint(*planned(step, wildcards).modules)


@functools.cache
def versions(distributions):
    return canonical_json(tool_versions(distributions))


def tools(step):
    """Return a function of wildcards: the versions of what shapes the step's output, as JSON.

    No command reads it: as a parameter it makes Snakemake see an upgrade.
    """
    return lambda wildcards: versions(planned(step, wildcards).distributions())


def manifest_of_dataset(wildcards):
    """Return the manifest of the dataset that a model is trained on."""
    return f"<results>/datasets/{PLAN.config.models[wildcards.model].dataset}/manifest.json"


def of_unit(pattern):
    """Return a function of device and model that fills in their target and recipe too."""

    def fill(wildcards):
        unit = PLAN.unit(wildcards.device, wildcards.model)
        return pattern.format(target=unit.target, model=unit.model, recipe=unit.recipe)

    return fill


# Rules declare every file that their step reads, so that Snakemake can carry it to where the step
# runs. What a manifest lists is ancient: the manifest is an input too, and says when it changes.


def arrays_of_dataset(*parts):
    """Return a function of wildcards: the arrays of a model's dataset."""
    return lambda wildcards: arrays(PLAN.config.models[wildcards.model].dataset, parts)


def arrays_of_recipe(wildcards):
    """Return the arrays that a recipe, or one that it tries, reads of a model's dataset."""
    names = (wildcards.recipe, *PLAN.candidates(wildcards.recipe))
    parts = {part for name in names for part in parts_of(PLAN.config.recipes[name])}
    return arrays(PLAN.config.models[wildcards.model].dataset, sorted(parts))


def arrays(dataset, parts):
    return [f"<results>/datasets/{dataset}/{part}_{axis}.npy" for part in parts for axis in "xy"]


def float_model(model):
    """Return the file of a trained or imported model."""
    name = imported_name(PLAN.source(model)) if PLAN.is_imported(model) else "model.h5"
    return f"<results>/models/{model}/baseline/{name}"


def network_of_recipe(wildcards):
    """Return the folder of a recipe's network, where the target's compiler reads it."""
    folder = f"<results>/models/{wildcards.model}/{wildcards.recipe}/network"
    return folder if PLAN.reads_network(wildcards.target) else []


def manifests_of_teachers(wildcards):
    """Return the manifests of the models that a recipe learns from."""
    return [
        f"<results>/models/{teacher}/baseline/manifest.json"
        for teacher in PLAN.teachers(wildcards.recipe)
    ]


def models_of_teachers(wildcards):
    return [float_model(teacher) for teacher in PLAN.teachers(wildcards.recipe)]


def any_of(names):
    """Return a wildcard's pattern that fits the names and nothing else."""
    return "|".join(map(re.escape, names)) or "(?!)"


TRAINED_RECIPES = [recipe for recipe in PLAN.config.recipes if PLAN.trains(recipe)]
QUICK_RECIPES = [recipe for recipe in PLAN.config.recipes if not PLAN.trains(recipe)]
IMPORTED_MODELS = [model for model in PLAN.config.models if PLAN.is_imported(model)]
IMPORTED_AS = {
    name: [model for model in IMPORTED_MODELS if imported_name(PLAN.source(model)) == name]
    for name in ("model.h5", "graph.pb", "model.tflite")
}
TRAINED_MODELS = [model for model in PLAN.config.models if not PLAN.is_imported(model)]


def slot(device):
    """Return the name of the resource that one job at a time holds on a device."""
    return f"device_{device}"


def occupies(device):
    """Return a function of wildcards: whether a job is one on the device, as a number."""
    # No functools.partial: Snakemake inspects it for each job and device, slowly.
    return lambda wildcards: int(wildcards.device == device)


for device in PLAN.config.devices:
    workflow.register_resource(slot(device), 1)

DEVICE_SLOTS = {slot(device): occupies(device) for device in PLAN.config.devices}


# Sources are parameters, not inputs: Snakemake would judge them by their time, one by one.


@functools.cache
def digest_of_dataset(name):
    from edgeflow.dataset.build import source_digest

    return source_digest(name, PLAN.config.datasets[name])


@functools.cache
def digest_of_model(name):
    from edgeflow.imported.build import source_digest

    return source_digest(name, PLAN.source(name))


def digest_of_lock(path):
    """Return a lock's digest; the step itself says where one is missing."""
    return sha256_file(Path(path)) if path and Path(path).is_file() else ""


def lock_of_device(wildcards):
    """Return the digest of the lock of a virtual device's own environment, if it has one."""
    return digest_of_lock(getattr(PLAN.config.devices[wildcards.device], "environment", None))


def folders_of_teachers(wildcards, input):
    """Return the options of `edgeflow compress` that name the teachers' folders."""
    folders = [str(Path(manifest).parent) for manifest in input.teachers]
    return shlex.join(part for folder in folders for part in ("--teacher", folder))


def threads_of_training(wildcards):
    return PLAN.config.models[wildcards.model].train.threads


def requested(key):
    """Return a function of wildcards: what a training asks of a cluster; None for its default."""
    return lambda wildcards: getattr(PLAN.config.models[wildcards.model].train.cluster, key)


def memory_of_training(wildcards, attempt):
    """Return the memory of an attempt in MB; as a function of it, it is asked for each."""
    cluster_job = PLAN.config.models[wildcards.model].train.cluster
    return cluster_job.mem_mb * (1 + retries.memory_kills(wildcards.items()))


CLUSTER_JOB = {
    "slurm_partition": requested("partition"),
    "slurm_account": requested("account"),
    "mem_mb": memory_of_training,
    "runtime": requested("runtime_min"),
    "gres": requested("gres"),
    "cpus_per_task": requested("cpus"),
}


@functools.cache
def templates():
    """Return the digest of the report's templates; an input would be looked for in a storage."""
    folder = Path(edgeflow.report.__file__).parent / "templates"
    return sha256_json({path.name: sha256_file(path) for path in folder.iterdir()})


def show_results():
    """Print the table of all deployments as they were last measured, or where it is."""
    if STORAGE:
        page = Path(workflow.pathvars.apply("<results>"), "report", "index.html")
        prefix = workflow.storage_settings.default_storage_prefix
        print(f"the report is in the storage: {prefix}/{page}", file=sys.stderr)
        return
    from edgeflow.report.console import print_summary
    from edgeflow.report.rows import load_rows

    results = Path(workflow.pathvars.apply("<results>"))
    print_summary(load_rows(results, PLAN.report().slice), sys.stderr)


def report_failure():
    """Show what did get measured: the rule cannot run when a branch before it failed."""
    if STORAGE:
        return
    from edgeflow.report.build import build_report

    results = Path(workflow.pathvars.apply("<results>"))
    build_report(PLAN.report().slice, code("report")(None), results, results / "report")
    show_results()

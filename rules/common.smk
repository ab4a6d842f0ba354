"""What all rules share: the plan, folders of results, what makes a step run again, devices."""

import functools
import inspect
import os
import re
from pathlib import Path

from snakemake.common.configfile import load_configfile

from edgeflow import cluster, paths, retries
from edgeflow.artifact.atomic import write_text
from edgeflow.artifact.fingerprint import distributions, fingerprint
from edgeflow.artifact.hashing import canonical_json, sha256_file
from edgeflow.artifact.manifest import tool_versions
from edgeflow.artifact.tiers import environment as store_environment
from edgeflow.cli.display import announced, selection
from edgeflow.cli.offer import offer
from edgeflow.cli.workflow import call_own_command, claim, claims, collect_less
from edgeflow.config.load import load_file as load_config_file
from edgeflow.config.load import parse as parse_config
from edgeflow.config.placeholder import unfilled
from edgeflow.errors import ConfigError
from edgeflow.plan import Plan, wildcards_of
from edgeflow.plan.files import arrays_of_dataset, manifest_of_dataset, network_of_model
from edgeflow.stepserver.launch import serve_steps
from edgeflow.stepserver.client import ADDRESS as STEP_SERVER, OFF as NO_STEP_SERVER

collect_less()


def load_config():
    """Return the validated configuration, with line numbers in errors where a file is all of it."""
    for file in dict.fromkeys([*workflow.configfiles, *workflow.overwrite_configfiles]):
        if config == load_configfile(file):
            return load_config_file(Path(file), [unfilled])
    return parse_config({key: config[key] for key in config if key != "pathvars"})


try:
    PLAN = Plan(load_config())
    UNITS = selection.select(PLAN, selection.given())
    if workflow.is_main_process and not workflow.dryrun:
        claim(Path.cwd())  # a Snakemake that was killed leaves a lock behind
except (ConfigError, OSError) as error:
    raise WorkflowError(announced.refuse(error)) from None
call_own_command()

# For the steps that this and all jobs run; what the caller's environment says goes first.
for variable, value in store_environment(PLAN.config.store).items():
    os.environ.setdefault(variable, value)

if workflow.remote_exec:  # a job of a cluster runs its step by itself
    os.environ[STEP_SERVER] = NO_STEP_SERVER
elif workflow.is_main_process and not workflow.dryrun:
    serve_steps(claims())


# As text, for what is no file of a rule; later a module has the path variables of its user.
RESULTS = Path(workflow.pathvars.apply("<results>"))
LOGS = Path(workflow.pathvars.apply("<logs>"))
STORAGE = None
"""Where Snakemake carries files to, where not all machines share one storage."""
if workflow.storage_settings.default_storage_provider:
    STORAGE = workflow.storage_settings.default_storage_prefix
    # Logs are carried there too; the event log speaks of all steps and stays.
    events = Path(LOGS, "events.jsonl").absolute()
    os.environ.setdefault("EDGEFLOW_EVENTS", str(events))


def planned_jobs(left=False):
    """Return the jobs that Snakemake will run, once it has planned them, or those of them left."""
    for job in list(workflow.dag.needrun_jobs(exclude_finished=left)):
        step = announced.step_of(job.rule.shellcmd, job.rule.name)
        yield announced.Planned(job.rule.name, step, job.wildcards_dict)


announced.announce(
    announced.Build(
        plan=PLAN,
        units=UNITS,
        chosen=selection.options(selection.given()),
        results=RESULTS,
        carried_to=STORAGE,
        jobs=planned_jobs,
        left=lambda: planned_jobs(left=True),
        renamed=workflow.modifier.modify_rulename,
    )
)


if STORAGE is None:
    offer(PLAN, workflow, RESULTS)


cluster.guard_slurm()


wildcard_constraints:
    dataset=r"[a-z0-9][a-z0-9_-]*",
    model=r"[a-z0-9][a-z0-9_-]*",
    recipe=r"[a-z0-9][a-z0-9_-]*",
    target=r"[a-z0-9][a-z0-9_-]*",
    device=r"[a-z0-9][a-z0-9_-]*",
    rollout=r"[a-z0-9][a-z0-9_-]*",
    export=r"[a-z0-9][a-z0-9_-]*",


DATASET = f"<results>/{paths.DATASET}"
BASELINE = f"<results>/{paths.BASELINE}"
RECIPE = f"<results>/{paths.RECIPE}"
DEBUG = f"<results>/{paths.DEBUG}"
COMPILED = f"<results>/{paths.COMPILED}"
DEVICE = f"<results>/{paths.DEVICE}"
ROLLOUT = f"<results>/{paths.ROLLOUT}"
EXPORT = f"<results>/{paths.EXPORT}"
REPORT = f"<results>/{paths.REPORT}"


def job(step, wildcards):
    return PLAN.job(step, **dict(wildcards.items()))


@functools.cache
def versions(names):
    return canonical_json(tool_versions(names))


WILDCARDS = inspect.Signature(
    [inspect.Parameter("wildcards", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
)


def asked(function):
    """Return a function of wildcards that says so: Snakemake inspects it for each job, slowly."""
    function.__signature__ = WILDCARDS
    return function


def of_step(step):
    """Return the parameters of a step's rule that let Snakemake see a reason to run it again.

    These are its slice of the configuration, the fingerprint of its code, and the versions of the
    tools that shape its output, which no command reads.
    """
    return {
        "slice": asked(lambda wildcards: canonical_json(job(step, wildcards).slice)),
        "code": asked(lambda wildcards: fingerprint(*job(step, wildcards).modules)),
        "tools": asked(lambda wildcards: versions(distributions(job(step, wildcards)))),
    }


# Rules declare every file that their step reads, so that Snakemake can carry it to where the step
# runs. What a manifest lists is ancient: the manifest is an input too, and says when it changes.


def reads(function):
    """Return a function of wildcards: the files that a function of the plan names for them."""
    names = wildcards_of(function)

    @asked
    def files(wildcards):
        found = function(PLAN, *(wildcards[name] for name in names))
        return f"<results>/{found}" if isinstance(found, str) else [f"<results>/{f}" for f in found]

    return files


def of_unit(pattern):
    """Return a function of device and model that fills in their target and recipe too."""

    def file(wildcards):
        return pattern.format(**PLAN.unit(wildcards.device, wildcards.model).names())

    return asked(file)


def of_units(units, pattern):
    """Return the file of each unit, once."""
    return list(dict.fromkeys(pattern.format(**unit.names()) for unit in units))


def gates_of(units):
    """Return the file that says of each unit that its gates hold, on a device or without."""
    compiled = [unit for unit in units if not unit.device]
    deployed = [unit for unit in units if unit.device]
    return of_units(deployed, f"{DEVICE}/gates.json") + of_units(compiled, f"{COMPILED}/gates.json")


def rollouts_of(names):
    """Return the file that says of each rollout that its last wave has ended."""
    return [f"{ROLLOUT}/complete.json".format(rollout=name) for name in names]


def exports_of(plan):
    """Return the artifact of each export."""
    return [
        f"{EXPORT}.{SUFFIXES[each.kind]}".format(export=name)
        for name, each in plan.config.exports.items()
    ]


def once(function):
    """Return a function of the wildcards that `function` takes, which asks it once for each."""
    names, cached = tuple(inspect.signature(function).parameters), functools.cache(function)
    return asked(lambda wildcards: cached(*(wildcards[name] for name in names)))


def digest_of(path):
    """Return the digest of a file from outside; the step itself says where one is missing."""
    return sha256_file(path) if path and path.is_file() else ""


def in_file(value, path):
    """Write a value into a file, as JSON, and return its path."""
    text = canonical_json(value)
    if not path.is_file() or path.read_text() != text:
        write_text(path, text)
    return str(path)


def any_of(names):
    """Return a wildcard's pattern that fits the names and nothing else."""
    return "|".join(map(re.escape, names)) or "(?!)"


def threads_of(step):
    return asked(lambda wildcards: job(step, wildcards).threads)


def resources_of(step):
    """Return what a step asks of a cluster; None stands for its default."""

    def of_cluster(key):
        return asked(lambda wildcards: getattr(job(step, wildcards).cluster, key))

    def memory(wildcards, attempt):  # as a function of the attempt, it is asked for each
        kills = retries.memory_kills(wildcards.items())
        return job(step, wildcards).cluster.mem_mb * (1 + kills)

    return {
        "slurm_partition": of_cluster("partition"),
        "slurm_account": of_cluster("account"),
        "mem_mb": memory,
        "runtime": of_cluster("runtime_min"),
        "gres": of_cluster("gres"),
        "cpus_per_task": of_cluster("cpus"),
    }


def slots_of(step, sizes):
    """Register resources of the given sizes; return what of them a step's jobs hold."""
    for name, size in sizes.items():
        workflow.register_resource(name, size)

    def held(name):
        return asked(lambda wildcards: int(name in job(step, wildcards).holds))

    return {name: held(name) for name in sizes}

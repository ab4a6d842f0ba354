"""The compile step: a recipe's model for a target."""

from edgeflow import paths
from edgeflow.config.model import Cluster
from edgeflow.config.target import needs_validation, target_slice
from edgeflow.plan import Plan
from edgeflow.plan.files import arrays_of_dataset
from edgeflow.plan.job import Job
from edgeflow.plan.targets import class_of, compile_host, module_of, runtime_of, toolchain


def job(plan: Plan, target: str) -> Job:
    """Return the job that compiles a recipe's model for a target."""
    runtime, tools, host = (
        runtime_of(plan, target),
        toolchain(plan, target),
        compile_host(plan, target),
    )
    return Job(
        slice={"target": target_slice(plan.config.targets[target])},
        modules=(
            "edgeflow.targets.build",
            module_of(plan, target),
            runtime.reference_module,
            *filter(None, [tools.worker]),
        ),
        tools=runtime.reference_tools,
        threads=tools.threads,
        holds=(*map(_lock, tools.locks), *([_host(host["name"])] if host else [])),
        cluster=Cluster(mem_mb=tools.mem_mb, runtime_min=tools.runtime_min),
    )


def slots(plan: Plan) -> dict[str, int]:
    """Return how many compilations at a time may hold each lock, and run on each compile host."""
    locks = {lock for target in plan.config.targets for lock in toolchain(plan, target).locks}
    hosts = plan.config.compile_hosts
    return {
        **{_lock(lock): 1 for lock in sorted(locks)},
        **{_host(name): host.jobs for name, host in hosts.items()},
    }


def _lock(name: str) -> str:
    return f"lock_{name}"


def _host(name: str) -> str:
    return f"compile_host_{name}"


def long_targets(plan: Plan) -> list[str]:
    """Return the targets to compile for which is a job for a cluster, as a training is."""
    return [target for target in plan.config.targets if _is_long(plan, target)]


def quick_targets(plan: Plan) -> list[str]:
    """Return the other targets."""
    return [target for target in plan.config.targets if not _is_long(plan, target)]


def _is_long(plan: Plan, target: str) -> bool:
    return toolchain(plan, target).runtime_min is not None and compile_host(plan, target) is None


def arrays_of_compilation(plan: Plan, target: str, model: str) -> list[str]:
    """Return the arrays of a model's dataset that a target's compiler may read, and the test set.

    With those of the validation set where it judges or simulates its own work.
    """
    cls = class_of(plan, target)
    judged = needs_validation(cls, plan.config.targets[target]) or cls.capabilities.simulated
    read = arrays_of_dataset("test", "calibration", *(("validation",) if judged else ()))
    return read(plan, model)


def network_of_recipe(plan: Plan, target: str, model: str, recipe: str) -> list[str]:
    """Return the folder of a recipe's network, where the target's compiler reads it."""
    folder = f"{paths.RECIPE}/network".format(model=model, recipe=recipe)
    return [folder] if class_of(plan, target).capabilities.network else []

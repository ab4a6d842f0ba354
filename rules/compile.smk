"""A recipe's model compiled for a target; edgeflow/targets/ has one file for each kind."""

from edgeflow.plan.steps.compile import (
    arrays_of_compilation,
    long_targets,
    network_of_recipe,
    quick_targets,
    slots,
)
from edgeflow.plan.targets import compile_host, toolchain
from edgeflow.targets.identity import planned as identity_of

COMPILE_SLOTS = slots_of("compile", slots(PLAN))


rule compile:
    input:
        dataset=reads(manifest_of_dataset),
        arrays=ancient(reads(arrays_of_compilation)),
        recipe=f"{RECIPE}/manifest.json",
        model=ancient(f"{RECIPE}/model.tflite"),
        float_model=ancient(f"{RECIPE}/float.tflite"),
        network=ancient(reads(network_of_recipe)),
    output:
        compiled=directory(f"{COMPILED}/compiled"),
        reference=directory(f"{COMPILED}/reference"),
        manifest=f"{COMPILED}/compile.json",
    log:
        "<logs>/compile/{target}.{model}.{recipe}.log",
    wildcard_constraints:
        target=any_of(quick_targets(PLAN)),
    localrule: True
    threads: threads_of("compile")
    resources:
        **resources_of("compile"),
        **COMPILE_SLOTS,
    params:
        **of_step("compile"),
        toolchain=once(
            lambda target: canonical_json(
                identity_of(toolchain(PLAN, target), compile_host(PLAN, target))
            )
        ),
        # What also takes `output` is derived for Snakemake: another place is no reason to run.
        host=lambda wildcards, output: canonical_json(compile_host(PLAN, wildcards.target) or {}),
        dataset=subpath(input.dataset, parent=True),
        recipe=subpath(input.recipe, parent=True),
        out=subpath(output.manifest, parent=True),
    message:
        "compile {wildcards.model}/{wildcards.recipe} for {wildcards.target}"
    shell:
        "edgeflow compile --name {wildcards.target}/{wildcards.model}/{wildcards.recipe}"
        " --dataset {params.dataset:q} --recipe {params.recipe:q} --slice {params.slice:q}"
        " --code {params.code} --toolchain {params.toolchain:q} --host {params.host:q}"
        " --out {params.out:q} --log {log:q}"


use rule compile as compile_long with:
    wildcard_constraints:
        target=any_of(long_targets(PLAN)),
    localrule: False
    threads: threads_of("compile")
    resources:
        **resources_of("compile"),
        **COMPILE_SLOTS,

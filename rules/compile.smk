"""A recipe's model compiled for a target; edgeflow/targets/ has one file for each kind."""


def toolchain(wildcards):
    """Return what a target's toolchain is, as JSON: a new version compiles anew."""
    target = wildcards.target
    return canonical_json(identity_of(PLAN.toolchain(target), PLAN.compile_host(target)))


def compile_host(wildcards, output):
    """Return where a target's toolchain is, as JSON.

    What also takes `output` is derived for Snakemake: another value is no reason to run again.
    """
    return canonical_json(PLAN.compile_host(wildcards.target) or {})


def asked(key):
    """Return a function of wildcards: what a compilation asks of the scheduler."""
    return lambda wildcards: getattr(PLAN.toolchain(wildcards.target), key)


def holds(lock):
    """Return a function of wildcards: whether a compilation holds a lock, as a number."""
    return lambda wildcards: int(lock in PLAN.toolchain(wildcards.target).locks)


def works_on(host):
    """Return a function of wildcards: whether a compilation runs on a host, as a number."""
    return lambda wildcards: int((PLAN.compile_host(wildcards.target) or {}).get("name") == host)


LOCKS = sorted({lock for name in PLAN.config.targets for lock in PLAN.toolchain(name).locks})
for lock in LOCKS:
    workflow.register_resource(f"lock_{lock}", 1)
for name, host in PLAN.config.compile_hosts.items():
    workflow.register_resource(f"compile_host_{name}", host.jobs)

COMPILATION = {
    "mem_mb": asked("mem_mb"),
    "runtime": asked("runtime_min"),
    **{f"lock_{lock}": holds(lock) for lock in LOCKS},
    **{f"compile_host_{name}": works_on(name) for name in PLAN.config.compile_hosts},
}
LONG_TARGETS = [target for target in PLAN.config.targets if PLAN.compiles_long(target)]
QUICK_TARGETS = [target for target in PLAN.config.targets if not PLAN.compiles_long(target)]


rule compile:
    input:
        dataset=manifest_of_dataset,
        arrays=ancient(arrays_of_dataset("test", "calibration")),
        recipe="<results>/models/{model}/{recipe}/manifest.json",
        model=ancient("<results>/models/{model}/{recipe}/model.tflite"),
        float_model=ancient("<results>/models/{model}/{recipe}/float.tflite"),
        network=ancient(network_of_recipe),
    output:
        compiled=directory("<results>/targets/{target}/{model}/{recipe}/compiled"),
        reference=directory("<results>/targets/{target}/{model}/{recipe}/reference"),
        manifest="<results>/targets/{target}/{model}/{recipe}/compile.json",
    log:
        "<logs>/compile/{target}.{model}.{recipe}.log",
    wildcard_constraints:
        target=any_of(QUICK_TARGETS),
    localrule: True
    threads: asked("threads")
    resources:
        **COMPILATION,
    params:
        slice=slice_of("compile"),
        code=code("compile"),
        tools=tools("compile"),
        toolchain=toolchain,
        host=compile_host,
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
        target=any_of(LONG_TARGETS),
    localrule: False
    threads: asked("threads")
    resources:
        **COMPILATION,

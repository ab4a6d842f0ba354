"""What goes to a device, in one tar, and packed; one bundle serves all devices of a target."""

from edgeflow.plan.steps.bundle import signing_arguments


rule bundle:
    input:
        dataset=reads(manifest_of_dataset),
        arrays=ancient(reads(arrays_of_dataset("test"))),
        compiled=f"{COMPILED}/compile.json",
        model=f"{BASELINE}/manifest.json",
        recipe=f"{RECIPE}/manifest.json",
        artifact=ancient(f"{COMPILED}/compiled"),
        reference=ancient(f"{COMPILED}/reference"),
    output:
        bundle=f"{COMPILED}/bundle.tar",
        packed=f"{COMPILED}/bundle.tar.zst",
        manifest=f"{COMPILED}/bundle.json",
    log:
        "<logs>/bundle/{target}.{model}.{recipe}.log",
    localrule: True
    params:
        **of_step("bundle"),
        dataset=subpath(input.dataset, parent=True),
        compiled=subpath(input.compiled, parent=True),
        model=subpath(input.model, parent=True),
        recipe=subpath(input.recipe, parent=True),
        # What also takes `output` is derived for Snakemake: another file of the key is no reason.
        signing=lambda wildcards, output: signing_arguments(PLAN),
        out=subpath(output.manifest, parent=True),
    message:
        "bundle {wildcards.model}/{wildcards.recipe} for {wildcards.target}"
    shell:
        "edgeflow bundle --name {wildcards.target}/{wildcards.model}/{wildcards.recipe}"
        " --dataset {params.dataset:q} --compiled {params.compiled:q}"
        " --model {params.model:q} --recipe {params.recipe:q} {params.signing:q}"
        " --slice {params.slice:q} --code {params.code} --out {params.out:q} --log {log:q}"

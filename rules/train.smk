"""A float model; one training serves all recipes and targets. A job for a cluster."""

from edgeflow.plan.steps.train import trained_models


rule train:
    input:
        dataset=reads(manifest_of_dataset),
        arrays=ancient(reads(arrays_of_dataset("train", "validation", "test"))),
    output:
        model=f"{BASELINE}/model.h5",
        history=f"{BASELINE}/history.csv",
        outputs=f"{BASELINE}/outputs.npy",
        manifest=f"{BASELINE}/manifest.json",
    log:
        "<logs>/train/{model}.log",
    wildcard_constraints:
        model=any_of(trained_models(PLAN)),
    threads: threads_of("train")
    resources:
        **resources_of("train"),
    params:
        **of_step("train"),
        dataset=subpath(input.dataset, parent=True),
        out=subpath(output.manifest, parent=True),
    message:
        "train {wildcards.model}"
    shell:
        "edgeflow train --name {wildcards.model} --dataset {params.dataset:q}"
        " --slice {params.slice:q} --code {params.code} --out {params.out:q} --log {log:q}"

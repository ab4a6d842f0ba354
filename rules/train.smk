"""A float model; one training serves all recipes and targets."""


def threads_of_training(wildcards):
    return PLAN.config.models[wildcards.model].train.threads


rule train:
    input:
        dataset=manifest_of_dataset,
    output:
        model="<results>/models/{model}/float/model.h5",
        history="<results>/models/{model}/float/history.csv",
        logits="<results>/models/{model}/float/logits.npy",
        manifest="<results>/models/{model}/float/manifest.json",
    params:
        options=options("train"),
        code=code("train"),
        dataset=subpath(input.dataset, parent=True),
        out=subpath(output.manifest, parent=True),
    log:
        "<logs>/train/{model}.log",
    message:
        "train {wildcards.model}"
    threads: threads_of_training
    shell:
        "edgeflow train --name {wildcards.model} --dataset {params.dataset:q}"
        " --options {params.options:q} --code {params.code} --out {params.out:q} --log {log:q}"

"""A float model; one training serves all recipes and targets. A job for a cluster."""


rule train:
    input:
        dataset=manifest_of_dataset,
        arrays=ancient(arrays_of_dataset("train", "validation", "test")),
    output:
        model="<results>/models/{model}/baseline/model.h5",
        history="<results>/models/{model}/baseline/history.csv",
        outputs="<results>/models/{model}/baseline/outputs.npy",
        manifest="<results>/models/{model}/baseline/manifest.json",
    log:
        "<logs>/train/{model}.log",
    wildcard_constraints:
        model=any_of(TRAINED_MODELS),
    threads: threads_of_training
    resources:
        **CLUSTER_JOB,
    params:
        slice=slice_of("train"),
        code=code("train"),
        tools=tools("train"),
        dataset=subpath(input.dataset, parent=True),
        out=subpath(output.manifest, parent=True),
    message:
        "train {wildcards.model}"
    shell:
        "edgeflow train --name {wildcards.model} --dataset {params.dataset:q}"
        " --slice {params.slice:q} --code {params.code} --out {params.out:q} --log {log:q}"

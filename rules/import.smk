"""A model file that the user brings, in the place of a training."""


rule import_model:
    input:
        dataset=manifest_of_dataset,
        arrays=ancient(arrays_of_dataset("validation", "test")),
    output:
        model="<results>/models/{model}/float/model.h5",
        history="<results>/models/{model}/float/history.csv",
        logits="<results>/models/{model}/float/logits.npy",
        manifest="<results>/models/{model}/float/manifest.json",
    log:
        "<logs>/import/{model}.log",
    wildcard_constraints:
        model=any_of(IMPORTED_AS["model.h5"]),
    localrule: True
    params:
        options=options("import_model"),
        code=code("import_model"),
        tools=tools("import_model"),
        dataset=subpath(input.dataset, parent=True),
        planned=lambda wildcards: digest_of_model(wildcards.model),
        source=lambda wildcards: str(PLAN.source(wildcards.model)),
        out=subpath(output.manifest, parent=True),
    message:
        "import {wildcards.model}"
    shell:
        "edgeflow import --name {wildcards.model} --dataset {params.dataset:q}"
        " --source {params.source:q} --options {params.options:q} --code {params.code}"
        " --planned {params.planned} --out {params.out:q} --log {log:q}"


use rule import_model as import_graph with:
    output:
        model="<results>/models/{model}/float/graph.pb",
        history="<results>/models/{model}/float/history.csv",
        logits="<results>/models/{model}/float/logits.npy",
        manifest="<results>/models/{model}/float/manifest.json",
    wildcard_constraints:
        model=any_of(IMPORTED_AS["graph.pb"]),


use rule import_model as import_flatbuffer with:
    output:
        model="<results>/models/{model}/float/model.tflite",
        history="<results>/models/{model}/float/history.csv",
        logits="<results>/models/{model}/float/logits.npy",
        manifest="<results>/models/{model}/float/manifest.json",
    wildcard_constraints:
        model=any_of(IMPORTED_AS["model.tflite"]),

"""A model file that the user brings, in the place of a training."""


rule import_model:
    input:
        dataset=manifest_of_dataset,
        arrays=ancient(arrays_of_dataset("validation", "test")),
    output:
        model="<results>/models/{model}/baseline/model.h5",
        history="<results>/models/{model}/baseline/history.csv",
        outputs="<results>/models/{model}/baseline/outputs.npy",
        manifest="<results>/models/{model}/baseline/manifest.json",
    log:
        "<logs>/import/{model}.log",
    wildcard_constraints:
        model=any_of(IMPORTED_AS["model.h5"]),
    localrule: True
    params:
        slice=slice_of("import_model"),
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
        " --source {params.source:q} --slice {params.slice:q} --code {params.code}"
        " --planned {params.planned} --out {params.out:q} --log {log:q}"


use rule import_model as import_graph with:
    output:
        model="<results>/models/{model}/baseline/graph.pb",
        history="<results>/models/{model}/baseline/history.csv",
        outputs="<results>/models/{model}/baseline/outputs.npy",
        manifest="<results>/models/{model}/baseline/manifest.json",
    wildcard_constraints:
        model=any_of(IMPORTED_AS["graph.pb"]),


use rule import_model as import_flatbuffer with:
    output:
        model="<results>/models/{model}/baseline/model.tflite",
        history="<results>/models/{model}/baseline/history.csv",
        outputs="<results>/models/{model}/baseline/outputs.npy",
        manifest="<results>/models/{model}/baseline/manifest.json",
    wildcard_constraints:
        model=any_of(IMPORTED_AS["model.tflite"]),

"""A model file that the user brings, in the place of a training."""

from edgeflow.imported.build import source_digest as import_digest
from edgeflow.plan.steps.import_model import models_imported_as, source_of


rule import_model:
    input:
        dataset=reads(manifest_of_dataset),
        arrays=ancient(reads(arrays_of_dataset("validation", "test"))),
    output:
        model=f"{BASELINE}/model.h5",
        history=f"{BASELINE}/history.csv",
        outputs=f"{BASELINE}/outputs.npy",
        manifest=f"{BASELINE}/manifest.json",
    log:
        "<logs>/import/{model}.log",
    wildcard_constraints:
        model=any_of(models_imported_as(PLAN, "model.h5")),
    localrule: True
    params:
        **of_step("import_model"),
        dataset=subpath(input.dataset, parent=True),
        planned=once(lambda model: import_digest(model, source_of(PLAN, model))),
        source=lambda wildcards: str(source_of(PLAN, wildcards.model)),
        out=subpath(output.manifest, parent=True),
    message:
        "import {wildcards.model}"
    shell:
        "edgeflow import --name {wildcards.model} --dataset {params.dataset:q}"
        " --source {params.source:q} --slice {params.slice:q} --code {params.code}"
        " --planned {params.planned} --out {params.out:q} --log {log:q}"


use rule import_model as import_graph with:
    output:
        model=f"{BASELINE}/graph.pb",
        history=f"{BASELINE}/history.csv",
        outputs=f"{BASELINE}/outputs.npy",
        manifest=f"{BASELINE}/manifest.json",
    wildcard_constraints:
        model=any_of(models_imported_as(PLAN, "graph.pb")),
    localrule: True


use rule import_model as import_flatbuffer with:
    output:
        model=f"{BASELINE}/model.tflite",
        history=f"{BASELINE}/history.csv",
        outputs=f"{BASELINE}/outputs.npy",
        manifest=f"{BASELINE}/manifest.json",
    wildcard_constraints:
        model=any_of(models_imported_as(PLAN, "model.tflite")),
    localrule: True

"""A deployed bundle measured on its device, held against its gates, then in use or rejected."""


rule validate:
    input:
        deployed="<results>/devices/{device}/{model}/deploy.json",
        dataset=manifest_of_dataset,
        arrays=ancient(arrays_of_dataset("test")),
        model="<results>/models/{model}/baseline/manifest.json",
        outputs=ancient("<results>/models/{model}/baseline/outputs.npy"),
        recipe=of_unit("<results>/models/{model}/{recipe}/manifest.json"),
        recipe_model=ancient(of_unit("<results>/models/{model}/{recipe}/model.tflite")),
        recipe_float=ancient(of_unit("<results>/models/{model}/{recipe}/float.tflite")),
        recipe_outputs=ancient(of_unit("<results>/models/{model}/{recipe}/outputs.npy")),
        compiled=of_unit("<results>/targets/{target}/{model}/{recipe}/compile.json"),
        reference=ancient(of_unit("<results>/targets/{target}/{model}/{recipe}/reference")),
        bundle=ancient(of_unit("<results>/targets/{target}/{model}/{recipe}/bundle.tar")),
        sizes=ancient(of_unit("<results>/targets/{target}/{model}/{recipe}/bundle.json")),
    output:
        validation="<results>/devices/{device}/{model}/validation.json",
    log:
        "<logs>/validate/{device}.{model}.log",
    localrule: True
    resources:
        **DEVICE_SLOTS,
    params:
        slice=slice_of("validate"),
        code=code("validate"),
        dataset=subpath(input.dataset, parent=True),
        model=subpath(input.model, parent=True),
        recipe=subpath(input.recipe, parent=True),
        compiled=subpath(input.compiled, parent=True),
    message:
        "validate {wildcards.model} on {wildcards.device}"
    shell:
        "edgeflow validate --dataset {params.dataset:q} --model {params.model:q}"
        " --recipe {params.recipe:q} --compiled {params.compiled:q} --deployed {input.deployed:q}"
        " --slice {params.slice:q}"
        " --code {params.code} --out {output.validation:q} --log {log:q}"


rule gate:
    input:
        validation="<results>/devices/{device}/{model}/validation.json",
    output:
        gates="<results>/devices/{device}/{model}/gates.json",
    log:
        "<logs>/gate/{device}.{model}.log",
    localrule: True
    resources:
        **DEVICE_SLOTS,
    params:
        slice=slice_of("gate"),
        code=code("gate"),
    message:
        "gate {wildcards.model} on {wildcards.device}"
    shell:
        "edgeflow gate --validation {input.validation:q} --slice {params.slice:q}"
        " --code {params.code} --out {output.gates:q} --log {log:q}"

"""A deployed bundle measured on its device, held against its gates, then in use or rejected."""


rule validate:
    input:
        deployed=f"{DEVICE}/deploy.json",
        dataset=reads(manifest_of_dataset),
        arrays=ancient(reads(arrays_of_dataset("test"))),
        model=f"{BASELINE}/manifest.json",
        outputs=ancient(f"{BASELINE}/outputs.npy"),
        recipe=of_unit(f"{RECIPE}/manifest.json"),
        recipe_model=ancient(of_unit(f"{RECIPE}/model.tflite")),
        recipe_float=ancient(of_unit(f"{RECIPE}/float.tflite")),
        recipe_outputs=ancient(of_unit(f"{RECIPE}/outputs.npy")),
        compiled=of_unit(f"{COMPILED}/compile.json"),
        reference=ancient(of_unit(f"{COMPILED}/reference")),
        bundle=ancient(of_unit(f"{COMPILED}/bundle.tar")),
        sizes=ancient(of_unit(f"{COMPILED}/bundle.json")),
    output:
        validation=f"{DEVICE}/validation.json",
    log:
        "<logs>/validate/{device}.{model}.log",
    localrule: True
    threads: threads_of("deploy")
    resources:
        **DEVICE_SLOTS,
        connections=1,
    params:
        **of_step("validate"),
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
        validation=f"{DEVICE}/validation.json",
    output:
        gates=f"{DEVICE}/gates.json",
    log:
        "<logs>/gate/{device}.{model}.log",
    localrule: True
    threads: threads_of("deploy")
    resources:
        **DEVICE_SLOTS,
        connections=1,
    params:
        **of_step("gate"),
    message:
        "gate {wildcards.model} on {wildcards.device}"
    shell:
        "edgeflow gate --validation {input.validation:q} --slice {params.slice:q}"
        " --code {params.code} --out {output.gates:q} --log {log:q}"

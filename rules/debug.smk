"""What quantization did to a model, layer by layer; no step to a device waits for it."""


rule debug:
    input:
        dataset=manifest_of_dataset,
        arrays=ancient(arrays_of_dataset("test", "calibration")),
        recipe="<results>/models/{model}/{recipe}/manifest.json",
        model=ancient("<results>/models/{model}/{recipe}/model.tflite"),
        float_model=ancient("<results>/models/{model}/{recipe}/float.tflite"),
        outputs=ancient("<results>/models/{model}/{recipe}/outputs.npy"),
    output:
        figures="<results>/models/{model}/{recipe}/debug/quantization.json",
        manifest="<results>/models/{model}/{recipe}/debug/manifest.json",
    log:
        "<logs>/debug/{model}.{recipe}.log",
    localrule: True
    params:
        slice=slice_of("debug"),
        code=code("debug"),
        tools=tools("debug"),
        dataset=subpath(input.dataset, parent=True),
        recipe=subpath(input.recipe, parent=True),
        out=subpath(output.manifest, parent=True),
    message:
        "debug {wildcards.model}/{wildcards.recipe}"
    shell:
        "edgeflow debug --name {wildcards.model}/{wildcards.recipe} --dataset {params.dataset:q}"
        " --recipe {params.recipe:q} --slice {params.slice:q} --code {params.code}"
        " --out {params.out:q} --log {log:q}"

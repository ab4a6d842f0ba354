"""What quantization did to a model, layer by layer; no step to a device waits for it."""


rule debug:
    input:
        dataset=reads(manifest_of_dataset),
        arrays=ancient(reads(arrays_of_dataset("test", "calibration"))),
        recipe=f"{RECIPE}/manifest.json",
        model=ancient(f"{RECIPE}/model.tflite"),
        float_model=ancient(f"{RECIPE}/float.tflite"),
        outputs=ancient(f"{RECIPE}/outputs.npy"),
    output:
        figures=f"{DEBUG}/quantization.json",
        manifest=f"{DEBUG}/manifest.json",
    log:
        "<logs>/debug/{model}.{recipe}.log",
    localrule: True
    params:
        **of_step("debug"),
        dataset=subpath(input.dataset, parent=True),
        recipe=subpath(input.recipe, parent=True),
        out=subpath(output.manifest, parent=True),
    message:
        "debug {wildcards.model}/{wildcards.recipe}"
    shell:
        "edgeflow debug --name {wildcards.model}/{wildcards.recipe} --dataset {params.dataset:q}"
        " --recipe {params.recipe:q} --slice {params.slice:q} --code {params.code}"
        " --out {params.out:q} --log {log:q}"

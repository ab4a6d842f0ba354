"""A recipe's model compiled for a target; edgeflow/targets/ has one file for each kind."""


rule compile:
    input:
        dataset=manifest_of_dataset,
        arrays=ancient(arrays_of_dataset("test", "calibration")),
        recipe="<results>/models/{model}/{recipe}/manifest.json",
        model=ancient("<results>/models/{model}/{recipe}/model.tflite"),
        float_model=ancient("<results>/models/{model}/{recipe}/float.tflite"),
        network=ancient(network_of_recipe),
    output:
        compiled=directory("<results>/targets/{target}/{model}/{recipe}/compiled"),
        reference=directory("<results>/targets/{target}/{model}/{recipe}/reference"),
        manifest="<results>/targets/{target}/{model}/{recipe}/compile.json",
    log:
        "<logs>/compile/{target}.{model}.{recipe}.log",
    localrule: True
    params:
        slice=slice_of("compile"),
        code=code("compile"),
        tools=tools("compile"),
        dataset=subpath(input.dataset, parent=True),
        recipe=subpath(input.recipe, parent=True),
        out=subpath(output.manifest, parent=True),
    message:
        "compile {wildcards.model}/{wildcards.recipe} for {wildcards.target}"
    shell:
        "edgeflow compile --name {wildcards.target}/{wildcards.model}/{wildcards.recipe}"
        " --dataset {params.dataset:q} --recipe {params.recipe:q} --slice {params.slice:q}"
        " --code {params.code} --out {params.out:q} --log {log:q}"

"""A recipe applied to a trained model: the file that targets compile."""


rule compress:
    input:
        dataset=manifest_of_dataset,
        arrays=ancient(arrays_of_recipe),
        model="<results>/models/{model}/baseline/manifest.json",
        network=ancient(lambda wildcards: float_model(wildcards.model)),
        teachers=manifests_of_teachers,
        teacher_networks=ancient(models_of_teachers),
    output:
        model="<results>/models/{model}/{recipe}/model.tflite",
        float_model="<results>/models/{model}/{recipe}/float.tflite",
        network=directory("<results>/models/{model}/{recipe}/network"),
        outputs="<results>/models/{model}/{recipe}/outputs.npy",
        manifest="<results>/models/{model}/{recipe}/manifest.json",
    log:
        "<logs>/compress/{model}.{recipe}.log",
    wildcard_constraints:
        recipe=any_of(QUICK_RECIPES),
    localrule: True
    params:
        slice=slice_of("compress"),
        code=code("compress"),
        tools=tools("compress"),
        dataset=subpath(input.dataset, parent=True),
        model=subpath(input.model, parent=True),
        teachers=folders_of_teachers,
        out=subpath(output.manifest, parent=True),
    message:
        "compress {wildcards.model} with {wildcards.recipe}"
    shell:
        "edgeflow compress --name {wildcards.model}/{wildcards.recipe} --dataset {params.dataset:q}"
        " --model {params.model:q} {params.teachers} --slice {params.slice:q}"
        " --code {params.code} --out {params.out:q} --log {log:q}"


use rule compress as finetune with:
    wildcard_constraints:
        recipe=any_of(TRAINED_RECIPES),
    localrule: False
    threads: threads_of_training
    resources:
        **CLUSTER_JOB,

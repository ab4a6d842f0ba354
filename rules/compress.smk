"""A recipe applied to a trained model: the file that targets compile."""

from edgeflow.plan.recipes import toolchain as toolchain_of_recipe
from edgeflow.plan.steps.compress import (
    arrays_of_recipe,
    manifests_of_teachers,
    networks_of_teachers,
    quick_recipes,
    trained_recipes,
)
from edgeflow.targets.identity import planned as identity_of


rule compress:
    input:
        dataset=reads(manifest_of_dataset),
        arrays=ancient(reads(arrays_of_recipe)),
        model=f"{BASELINE}/manifest.json",
        network=ancient(reads(network_of_model)),
        teachers=reads(manifests_of_teachers),
        teacher_networks=ancient(reads(networks_of_teachers)),
    output:
        model=f"{RECIPE}/model.tflite",
        float_model=f"{RECIPE}/float.tflite",
        network=directory(f"{RECIPE}/network"),
        outputs=f"{RECIPE}/outputs.npy",
        manifest=f"{RECIPE}/manifest.json",
    log:
        "<logs>/compress/{model}.{recipe}.log",
    wildcard_constraints:
        recipe=any_of(quick_recipes(PLAN)),
    localrule: True
    params:
        **of_step("compress"),
        toolchain=once(
            lambda recipe: canonical_json(identity_of(toolchain_of_recipe(PLAN, recipe), None))
        ),
        dataset=subpath(input.dataset, parent=True),
        model=subpath(input.model, parent=True),
        teachers=lambda _, input: [
            part for path in input.teachers for part in ("--teacher", os.path.dirname(path))
        ],
        out=subpath(output.manifest, parent=True),
    message:
        "compress {wildcards.model} with {wildcards.recipe}"
    shell:
        "edgeflow compress --name {wildcards.model}/{wildcards.recipe} --dataset {params.dataset:q}"
        " --model {params.model:q} {params.teachers:q} --slice {params.slice:q}"
        " --code {params.code} --toolchain {params.toolchain:q} --out {params.out:q}"
        " --log {log:q}"


use rule compress as finetune with:
    wildcard_constraints:
        recipe=any_of(trained_recipes(PLAN)),
    localrule: False
    threads: threads_of("compress")
    resources:
        **resources_of("compress"),

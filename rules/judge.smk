"""A model that is compiled and goes to no device, held against its gates."""


rule judge:
    input:
        model=f"{BASELINE}/manifest.json",
        recipe=f"{RECIPE}/manifest.json",
        compiled=f"{COMPILED}/compile.json",
        bundle=f"{COMPILED}/bundle.json",
    output:
        gates=f"{COMPILED}/gates.json",
    log:
        "<logs>/judge/{target}.{model}.{recipe}.log",
    localrule: True
    params:
        **of_step("judge"),
        model=subpath(input.model, parent=True),
        recipe=subpath(input.recipe, parent=True),
        compiled=subpath(input.compiled, parent=True),
    message:
        "judge {wildcards.model}/{wildcards.recipe} for {wildcards.target}"
    shell:
        "edgeflow judge --model {params.model:q} --recipe {params.recipe:q}"
        " --compiled {params.compiled:q} --slice {params.slice:q}"
        " --code {params.code} --out {output.gates:q} --log {log:q}"

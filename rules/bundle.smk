"""What goes to a device, in one tar, and packed; one bundle serves all devices of a target."""


rule bundle:
    input:
        dataset=manifest_of_dataset,
        arrays=ancient(arrays_of_dataset("test")),
        compiled="<results>/targets/{target}/{model}/{recipe}/compile.json",
        artifact=ancient("<results>/targets/{target}/{model}/{recipe}/compiled"),
        reference=ancient("<results>/targets/{target}/{model}/{recipe}/reference"),
    output:
        bundle="<results>/targets/{target}/{model}/{recipe}/bundle.tar",
        packed="<results>/targets/{target}/{model}/{recipe}/bundle.tar.zst",
        manifest="<results>/targets/{target}/{model}/{recipe}/bundle.json",
    log:
        "<logs>/bundle/{target}.{model}.{recipe}.log",
    localrule: True
    params:
        slice=slice_of("bundle"),
        code=code("bundle"),
        tools=tools("bundle"),
        dataset=subpath(input.dataset, parent=True),
        compiled=subpath(input.compiled, parent=True),
        out=subpath(output.manifest, parent=True),
    message:
        "bundle {wildcards.model}/{wildcards.recipe} for {wildcards.target}"
    shell:
        "edgeflow bundle --name {wildcards.target}/{wildcards.model}/{wildcards.recipe}"
        " --dataset {params.dataset:q} --compiled {params.compiled:q}"
        " --slice {params.slice:q} --code {params.code} --out {params.out:q} --log {log:q}"

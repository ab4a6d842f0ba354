"""A dataset's arrays, split once and used by all models."""


rule dataset:
    output:
        arrays=expand(
            "<results>/datasets/{{dataset}}/{part}_{axis}.npy",
            part=["train", "validation", "test", "calibration"],
            axis=["x", "y"],
        ),
        card="<results>/datasets/{dataset}/card.md",
        manifest="<results>/datasets/{dataset}/manifest.json",
    log:
        "<logs>/dataset/{dataset}.log",
    localrule: True
    params:
        slice=slice_of("dataset"),
        code=code("dataset"),
        tools=tools("dataset"),
        source=lambda wildcards: digest_of_dataset(wildcards.dataset),
        out=subpath(output.manifest, parent=True),
    message:
        "dataset {wildcards.dataset}"
    shell:
        "edgeflow dataset --name {wildcards.dataset} --slice {params.slice:q}"
        " --code {params.code} --planned {params.source} --out {params.out:q} --log {log:q}"

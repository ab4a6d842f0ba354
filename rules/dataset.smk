"""A dataset's arrays, split once and used by all models."""


def source_of_dataset(wildcards):
    """Return the local files that a dataset is read from."""
    from edgeflow.dataset.build import source_files

    return [str(path) for path in source_files(PLAN.config.datasets[wildcards.dataset])]


rule dataset:
    localrule: True
    input:
        source=source_of_dataset,
    output:
        arrays=expand(
            "<results>/datasets/{{dataset}}/{part}_{axis}.npy",
            part=["train", "validation", "test", "calibration"],
            axis=["x", "y"],
        ),
        card="<results>/datasets/{dataset}/card.md",
        manifest="<results>/datasets/{dataset}/manifest.json",
    params:
        options=options("dataset"),
        code=code("dataset"),
        out=subpath(output.manifest, parent=True),
    log:
        "<logs>/dataset/{dataset}.log",
    message:
        "dataset {wildcards.dataset}"
    shell:
        "edgeflow dataset --name {wildcards.dataset} --options {params.options:q}"
        " --code {params.code} --out {params.out:q} --log {log:q}"

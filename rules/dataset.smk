"""A dataset's arrays, split once and used by all models."""

from edgeflow.config.samples import PARTS
from edgeflow.dataset.build import source_digest


rule dataset:
    output:
        arrays=[f"{DATASET}/{part}_{axis}.npy" for part in PARTS for axis in "xy"],
        card=f"{DATASET}/card.md",
        manifest=f"{DATASET}/manifest.json",
    log:
        "<logs>/dataset/{dataset}.log",
    localrule: True
    params:
        **of_step("dataset"),
        planned=once(lambda dataset: source_digest(dataset, PLAN.config.datasets[dataset])),
        out=subpath(output.manifest, parent=True),
    message:
        "dataset {wildcards.dataset}"
    shell:
        "edgeflow dataset --name {wildcards.dataset} --slice {params.slice:q}"
        " --code {params.code} --planned {params.planned} --out {params.out:q} --log {log:q}"

"""From data to devices: dataset, train, compress, compile, bundle, deploy, validate, report."""

from snakemake.utils import min_version

from edgeflow.cli import ending

min_version("9.27")


configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/dataset.smk"
include: "rules/train.smk"
include: "rules/import.smk"
include: "rules/compress.smk"
include: "rules/debug.smk"
include: "rules/compile.smk"
include: "rules/bundle.smk"
include: "rules/deploy.smk"
include: "rules/validate.smk"
include: "rules/judge.smk"
include: "rules/rollout.smk"
include: "rules/export.smk"
include: "rules/report.smk"


report: "report/workflow.rst"


rule all:
    default_target: True
    input:
        report=f"{REPORT}/index.html",
        metrics=f"{REPORT}/metrics.csv",
        gates=gates_of(PLAN.units),
        rollouts=rollouts_of(automatic(PLAN)),
        exports=exports_of(PLAN),
    localrule: True


rule selection:  # what `edgeflow run --device NAME` and `edgeflow rollout NAME` build, but the report
    input:
        gates=gates_of(UNITS),
        rollouts=rollouts_of(selection.given().get("rollout", ())),
    localrule: True


onsuccess:
    ending.show_results()


onerror:
    ending.report_failure()

"""From data to devices: dataset, train, compress, compile, bundle, deploy, validate, report."""

from snakemake.utils import min_version

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
include: "rules/report.smk"


report: "report/workflow.rst"


rule all:
    default_target: True
    input:
        report="<results>/report/index.html",
        metrics="<results>/report/metrics.csv",
        gates=expand("<results>/devices/{unit.device}/{unit.model}/gates.json", unit=PLAN.units),
    localrule: True


onsuccess:
    show_results()


onerror:
    report_failure()

"""The report over all deployments, and the table at the end of every run."""

from edgeflow.plan.steps.debug import debugged
from edgeflow.plan.steps.waves import automatic
from edgeflow.report.build import templates_digest


rule report:
    input:
        validations=of_units(PLAN.deployed, f"{DEVICE}/validation.json"),
        bundles=of_units(PLAN.undeployed, f"{COMPILED}/bundle.json"),
        quantizations=[f"<results>/{folder}/quantization.json" for folder in debugged(PLAN)],
        recipes=of_units(PLAN.units, f"{RECIPE}/manifest.json"),
        compiled=of_units(PLAN.units, f"{COMPILED}/compile.json"),
        models=of_units(PLAN.units, f"{BASELINE}/manifest.json"),
        histories=of_units(PLAN.units, f"{BASELINE}/history.csv"),
        rollouts=rollouts_of(automatic(PLAN)),
    output:
        page=report(f"{REPORT}/index.html", category="Report", caption="../report/index.rst"),
        metrics=report(f"{REPORT}/metrics.csv", category="Report", caption="../report/metrics.rst"),
        plots=report(
            directory(f"{REPORT}/plots"),
            patterns=["{name}.svg"],
            category="Plots",
            caption="../report/plots.rst",
        ),
        manifest=f"{REPORT}/manifest.json",
    log:
        "<logs>/report/report.log",
    localrule: True
    params:
        **of_step("report"),
        templates=templates_digest(),
        # A word of a command may have 128 KiB: a thousand units are more.
        units=lambda wildcards, output: in_file(
            job("report", wildcards).slice, LOGS / "report" / "slice.json"
        ),
        results=subpath(output.page, ancestor=2),
        out=subpath(output.page, parent=True),
    message:
        "report"
    shell:
        "edgeflow report --results {params.results:q} --slice @{params.units:q}"
        " --code {params.code} --out {params.out:q} --log {log:q}"

"""The report over all deployments, and the table at the end of every run."""


rule report:
    input:
        validations=expand(
            "<results>/devices/{unit.device}/{unit.model}/validation.json", unit=PLAN.units
        ),
        quantizations=[
            f"<results>/models/{model}/{recipe}/debug/quantization.json"
            for model, recipe in PLAN.debugged()
        ],
        recipes=expand("<results>/models/{unit.model}/{unit.recipe}/manifest.json", unit=PLAN.units),
        models=expand("<results>/models/{unit.model}/baseline/manifest.json", unit=PLAN.units),
        histories=expand("<results>/models/{unit.model}/baseline/history.csv", unit=PLAN.units),
    output:
        page=report("<results>/report/index.html", category="Report", caption="../report/index.rst"),
        metrics=report(
            "<results>/report/metrics.csv", category="Report", caption="../report/metrics.rst"
        ),
        plots=report(
            directory("<results>/report/plots"),
            patterns=["{name}.svg"],
            category="Plots",
            caption="../report/plots.rst",
        ),
        manifest="<results>/report/manifest.json",
    log:
        "<logs>/report/report.log",
    localrule: True
    params:
        slice=slice_of("report"),
        code=code("report"),
        tools=tools("report"),
        templates=templates(),
        results=subpath(output.page, ancestor=2),
        out=subpath(output.page, parent=True),
    message:
        "report"
    shell:
        "edgeflow report --results {params.results:q} --slice {params.slice:q}"
        " --code {params.code} --out {params.out:q} --log {log:q}"

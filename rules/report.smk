"""The report over all deployments, and the table at the end of every run."""

def show_results():
    """Print the table of all deployments; a failed run shows what it did measure."""
    from edgeflow.report.console import print_summary
    from edgeflow.report.rows import load_rows

    results = Path(workflow.pathvars.apply("<results>"))
    print_summary(load_rows(results, PLAN.report().options), sys.stderr)


rule report:
    localrule: True
    input:
        validations=expand(
            "<results>/devices/{unit.device}/{unit.model}/validation.json", unit=PLAN.units
        ),
        histories=expand(
            "<results>/models/{unit.model}/float/history.csv", unit=PLAN.units
        ),
    output:
        page=report(
            "<results>/report/index.html", category="Report", caption="../report/index.rst"
        ),
        metrics=report(
            "<results>/report/metrics.csv", category="Report", caption="../report/metrics.rst"
        ),
        plots=report(
            directory("<results>/report/plots"),
            patterns=["{name}.svg"],
            category="Plots",
            caption="../report/plots.rst",
        ),
    params:
        options=options("report"),
        code=code("report"),
        results="<results>",
        out=subpath(output.page, parent=True),
    log:
        "<logs>/report/report.log",
    message:
        "report"
    shell:
        "edgeflow report --results {params.results:q} --options {params.options:q}"
        " --code {params.code} --out {params.out:q} --log {log:q}"

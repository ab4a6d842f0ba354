"""Bundles brought to a fleet in waves, once the bench devices have passed their gates."""

from edgeflow.plan.steps.waves import (
    automatic,
    bundles_of_rollout,
    gates_of_bench,
    inventory_of_rollout,
)


rule waves:
    input:
        gates=reads(gates_of_bench),
        bundles=reads(bundles_of_rollout),
    output:
        complete=f"{ROLLOUT}/complete.json",
    log:
        "<logs>/waves/{rollout}.log",
    localrule: True
    threads: threads_of("waves")
    params:
        **of_step("waves"),
        inventory=once(lambda rollout: digest_of(inventory_of_rollout(PLAN, rollout))),
        results=subpath(output.complete, ancestor=3),
    message:
        "roll out {wildcards.rollout}"
    shell:
        "edgeflow waves --results {params.results:q} --slice {params.slice:q}"
        " --code {params.code} --out {output.complete:q} --log {log:q}"

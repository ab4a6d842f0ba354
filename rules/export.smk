"""A bundle as an artifact of an update system, once the gates of its bench devices hold."""

from edgeflow.plan.steps.handover import SUFFIXES, bundle_of_export, gates_of_export, key_arguments


rule export:
    input:
        gates=reads(gates_of_export),
        bundle=reads(bundle_of_export),
    output:
        artifact=f"{EXPORT}.{{suffix}}",
    log:
        "<logs>/export/{export}.{suffix}.log",
    wildcard_constraints:
        suffix=any_of(SUFFIXES.values()),
    localrule: True
    params:
        **of_step("handover"),
        # What also takes `output` is derived for Snakemake: another file of the key is no reason.
        signing=lambda wildcards, output: key_arguments(PLAN, wildcards.export),
    message:
        "export {wildcards.export}"
    shell:
        "edgeflow handover --bundle {input.bundle:q} {params.signing:q}"
        " --slice {params.slice:q} --code {params.code} --out {output.artifact:q} --log {log:q}"

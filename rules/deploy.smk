"""A bundle brought to a device over SSH, verified and tried there; not in use yet."""

from edgeflow.connections import make_room
from edgeflow.plan.steps.deploy import CONNECTIONS, lock_of_device, slots as device_slots

DEVICE_SLOTS = slots_of("deploy", device_slots(PLAN))
if "connections" not in workflow.global_resources:
    workflow.register_resource("connections", CONNECTIONS)
make_room(workflow.global_resources["connections"].value)


rule deploy:
    input:
        bundle=of_unit(f"{COMPILED}/bundle.tar"),
        # What a device that can unpack it is sent; deploy looks for it beside the tar.
        packed=of_unit(f"{COMPILED}/bundle.tar.zst"),
    output:
        record=f"{DEVICE}/deploy.json",
    log:
        "<logs>/deploy/{device}.{model}.log",
    localrule: True
    threads: threads_of("deploy")
    resources:
        **DEVICE_SLOTS,
        connections=1,
    params:
        **of_step("deploy"),
        environment=once(lambda device: digest_of(lock_of_device(PLAN, device))),
    message:
        "deploy {wildcards.model} to {wildcards.device}"
    shell:
        "edgeflow deploy --bundle {input.bundle:q} --slice {params.slice:q}"
        " --code {params.code} --out {output.record:q} --log {log:q}"

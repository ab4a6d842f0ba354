"""A bundle brought to a device over SSH, verified and tried there; not in use yet."""


rule deploy:
    input:
        bundle=of_unit("<results>/targets/{target}/{model}/{recipe}/bundle.tar"),
        # What a device that can unpack it is sent; deploy looks for it beside the tar.
        packed=of_unit("<results>/targets/{target}/{model}/{recipe}/bundle.tar.zst"),
    output:
        record="<results>/devices/{device}/{model}/deploy.json",
    log:
        "<logs>/deploy/{device}.{model}.log",
    localrule: True
    resources:
        **DEVICE_SLOTS,
    params:
        slice=slice_of("deploy"),
        code=code("deploy"),
        environment=lock_of_device,
    message:
        "deploy {wildcards.model} to {wildcards.device}"
    shell:
        "edgeflow deploy --bundle {input.bundle:q} --slice {params.slice:q}"
        " --code {params.code} --out {output.record:q} --log {log:q}"

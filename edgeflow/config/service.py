"""The service that runs a deployed model on its device."""

from typing import Annotated

from pydantic import Field

from edgeflow.config.base import Section


class Keep(Section):
    """Which samples the service keeps on the device; those that an application marks, always."""

    below: Annotated[float, Field(gt=0, le=1)] | None = None
    """Confidence (the probability of the label) below which a classifier's samples are kept."""
    quota_mb: Annotated[float, Field(ge=0, le=1e6)] = 64.0
    """What they may take, in MB; then the oldest go."""


class Service(Section):
    """How a device serves the models that are deployed to it; `{}` takes all defaults."""

    http_port: Annotated[int, Field(ge=1024, le=65535)] | None = None
    """Port of 127.0.0.1 that answers too, to any account of the device; by default none does."""
    queue: Annotated[int, Field(ge=1, le=1000)] = 16
    """Requests that may wait or be computed at a time; more are answered `busy` at once."""
    request_mb: Annotated[float, Field(gt=0, le=200)] = 8.0
    """Largest request in MB."""
    time_limit_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """Longest wait in the queue, and longest time that one sample may be computed for."""
    memory_limit_mb: Annotated[float, Field(gt=0)] | None = None
    """Resident memory in MB at which the process that holds the model is replaced; by default
    there is no limit."""
    keep: Keep = Keep()
    """Samples that it keeps on the device, for `edgeflow device collect`."""

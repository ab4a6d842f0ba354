"""Programs that run on the device; they import nothing of edgeflow."""

PROGRAMS = (
    "edgeflow.ondevice.client",
    "edgeflow.ondevice.energy",
    "edgeflow.ondevice.facts",
    "edgeflow.ondevice.image",
    "edgeflow.ondevice.kept",
    "edgeflow.ondevice.release",
    "edgeflow.ondevice.runner",
    "edgeflow.ondevice.service",
    "edgeflow.ondevice.service_frames",
    "edgeflow.ondevice.service_front",
    "edgeflow.ondevice.service_http",
    "edgeflow.ondevice.service_process",
    "edgeflow.ondevice.service_worker",
)
"""Modules that lie in every bundle, side by side, beside the engine."""

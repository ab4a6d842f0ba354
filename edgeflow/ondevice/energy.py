"""Measures the energy that a machine takes for one inference, by the sensors that it has.

Standard library only; Python 3.7 or newer; imports nothing of edgeflow. In a bundle it lies beside
the runner. Sensors are power monitors of the hardware (hwmon, chips of the INA family) or, where
there is none, the CPU's own counters (powercap, RAPL):
https://docs.kernel.org/hwmon/sysfs-interface.html, https://docs.kernel.org/power/powercap/powercap.html
"""

from __future__ import annotations

import glob
import os
import threading
import time
from typing import Any, Callable

SYS = "/sys"
IDLE_S = 1.0
BUSY_S = 2.0
"""RAPL counts anew every ms and monitors convert every few ms: an edge is below 1 % of these."""
INTERVAL_S = 0.01
"""Between two readings of a power monitor."""

now = time.perf_counter


def read_text(*parts: str) -> str:
    """Return a small file's stripped text; OSError where it cannot be read."""
    with open(os.path.join(*parts)) as file:
        return file.read().strip()


def read_number(*parts: str) -> int:
    """Return a small file's number; OSError or ValueError where there is none."""
    return int(read_text(*parts))


class Counter:
    """A RAPL zone: it adds up energy in uJ and starts again at 0 where its range ends."""

    def __init__(self, folder: str) -> None:
        self.name = "%s %s" % (os.path.basename(folder), read_text(folder, "name"))
        self._folder = folder
        self._range_uj = read_number(folder, "max_energy_range_uj")
        self.start()

    def start(self) -> None:
        """Count from here."""
        self._before_uj = read_number(self._folder, "energy_uj")

    def stop(self) -> float:
        """Return the energy since the start in J."""
        spent_uj = read_number(self._folder, "energy_uj") - self._before_uj
        return (spent_uj if spent_uj >= 0 else spent_uj + self._range_uj) / 1e6


class Monitor:
    """A channel of a power monitor, whose power is read all the while and integrated."""

    def __init__(self, name: str, watts: Callable[[], float]) -> None:
        self.name = name
        self._watts = watts
        self._sample()

    def start(self) -> None:
        """Integrate from here."""
        self._samples = [self._sample()]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """Return the energy since the start in J, by the trapezoidal rule."""
        self._ended.set()
        self._thread.join()
        self._samples.append(self._sample())
        pairs = zip(self._samples, self._samples[1:])
        return sum((end - begin) * (one + other) / 2 for (begin, one), (end, other) in pairs)

    def _follow(self) -> None:
        while not self._ended.wait(INTERVAL_S):
            try:
                self._samples.append(self._sample())
            except (OSError, ValueError):
                continue  # the bus is busy: the next reading closes the gap

    def _sample(self) -> tuple[float, float]:
        watts = self._watts()
        return now(), watts


def sensors() -> list[Any]:
    """Return the sensors that tell what this machine takes; empty where there are none."""
    return monitors() or counters()


def counters() -> list[Any]:
    """Return the RAPL zones of all CPU packages, and of the memory where it is apart.

    Other zones lie within these (core, uncore) or hold them (psys).
    """
    found = []
    for folder in sorted(glob.glob(os.path.join(SYS, "class/powercap/intel-rapl:*"))):
        try:
            if read_text(folder, "name").startswith(("package", "dram")):
                found.append(Counter(folder))
        except (OSError, ValueError):
            continue  # only root may read them, unless somebody allowed it
    return found


def monitors() -> list[Any]:
    """Return the channels of all power monitors, or those of the supply where they are named so.

    Jetson boards call that channel VDD_IN or POM_5V_IN; their others lie behind it.
    """
    found = []
    for folder in sorted(glob.glob(os.path.join(SYS, "class/hwmon/hwmon*"))):
        try:
            if read_text(folder, "name").startswith("ina"):
                found += channels(folder)
        except OSError:
            continue
    return [one for one in found if one.name.endswith("_IN")] or found


def channels(folder: str) -> list[Any]:
    """Return the channels of one power monitor that can be read."""
    found = []
    for number in (1, 2, 3):  # further ones of an INA3221 are sums and shunt voltages
        try:
            found.append(Monitor(channel_name(folder, number), channel_watts(folder, number)))
        except (OSError, ValueError):
            continue  # it has no such channel, or it is switched off
    return found


def channel_name(folder: str, number: int) -> str:
    """Return what a channel is called, with its monitor."""
    try:
        label = read_text(folder, "in%d_label" % number)
    except OSError:
        label = "channel %d" % number
    return "%s %s" % (read_text(folder, "name"), label)


def channel_watts(folder: str, number: int) -> Callable[[], float]:
    """Return what reads a channel's power: its own figure in uW, or else that of mV and mA."""
    power = os.path.join(folder, "power%d_input" % number)
    if os.path.exists(power):
        return lambda: read_number(power) / 1e6
    volts, amperes = "in%d_input" % number, "curr%d_input" % number
    return lambda: read_number(folder, volts) * read_number(folder, amperes) / 1e6


class Batch:
    """Inferences in a row, at least one, until enough time has passed."""

    def __init__(self, infer: Callable[[], Any]) -> None:
        self.count = 0
        self._infer = infer

    def run(self) -> None:
        """Run and count them."""
        end = now() + BUSY_S
        while self.count == 0 or now() < end:
            self._infer()
            self.count += 1


def spent(found: list[Any], work: Callable[[], None]) -> tuple[float, float]:
    """Return the energy in J, and the time in s, that all sensors saw while `work` ran."""
    start = now()
    for sensor in found:
        sensor.start()
    work()
    joules = sum(sensor.stop() for sensor in found)
    return joules, now() - start


def measure(infer: Callable[[], Any]) -> dict[str, Any] | None:
    """Return the energy of one inference in mJ, idle power in W and the sensors' names.

    The energy is all that the sensors saw, idle power included, over many inferences in a row.
    None where there is no sensor, or one fails or counts backwards.
    """
    found = sensors()
    if not found:
        return None
    try:
        idle_j, idle_s = spent(found, lambda: time.sleep(IDLE_S))
        batch = Batch(infer)
        busy_j, _ = spent(found, batch.run)
    except (OSError, ValueError):
        return None
    if busy_j < 0:
        return None  # a monitor that is wired the other way round
    return {
        "energy_mj": busy_j * 1e3 / batch.count,
        "idle_power_w": idle_j / idle_s,
        "energy_sensors": [sensor.name for sensor in found],
    }

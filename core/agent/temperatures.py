"""Temperatures of a Linux machine from `/sys/class/hwmon`, or from `/sys/class/thermal` where no driver is there.

Source: Documentation/hwmon/sysfs-interface and Documentation/driver-api/thermal/sysfs-api of the kernel: all values
are thousandths of a degree Celsius. What sensors there are is looked up seldom; a pass reads one small file for each.
"""

from __future__ import annotations

import os
import time

from core.machine_records import Temperature
from core.protocol.messages import plain_text

MOST_SENSORS = 64
SLOWEST_S = 0.1
"""A sensor that takes longer (on a slow bus, in a disk that must wake up) is not asked again: an agent waits for it."""

_LOOK_PERIOD_S = 300.0
_LOWEST_CELSIUS, _HIGHEST_CELSIUS = -100.0, 200.0
"""What is outside is a driver's way to say that nothing is measured, or that there is no limit."""


class _Sensor:
    """One file that tells a temperature."""

    __slots__ = ("high_celsius", "name", "path")

    def __init__(self, path: str, name: str, high_celsius: float | None) -> None:
        self.path = path
        self.name = name
        self.high_celsius = high_celsius


class TemperatureFiles:
    """The sensors of this machine; `root` is where the kernel shows its classes of devices."""

    def __init__(self, root: str = "/sys/class") -> None:
        self._root = root
        self._sensors: list[_Sensor] = []
        self._slow: set[str] = set()
        self._looked_s: float | None = None
        self._last: tuple[Temperature, ...] = ()

    def read(self, now_s: float) -> tuple[Temperature, ...]:
        """All that can be read now; the same object as before where nothing has changed."""
        if self._looked_s is None or now_s - self._looked_s >= _LOOK_PERIOD_S:
            self._looked_s = now_s
            self._sensors = self._of_drivers() or self._of_zones()
        found = []
        for sensor in self._sensors:
            if sensor.path in self._slow:
                continue
            begin_s = time.monotonic()
            celsius = _celsius(sensor.path)
            if time.monotonic() - begin_s > SLOWEST_S:
                self._slow.add(sensor.path)
            if celsius is not None:
                found.append(Temperature(name=sensor.name, celsius=celsius, high_celsius=sensor.high_celsius))
        if tuple(found) != self._last:
            self._last = tuple(found)
        return self._last

    def _of_drivers(self) -> list[_Sensor]:
        sensors: list[_Sensor] = []
        for chip in _entries(f"{self._root}/hwmon", "hwmon"):
            driver = _text(f"{chip}/name") or "sensor"
            inputs = [name for name in _names(chip) if name.startswith("temp") and name.endswith("_input")]
            for name in sorted(inputs, key=_number):
                path = f"{chip}/{name.removesuffix('_input')}"
                label = _text(f"{path}_label") or (name.removesuffix("_input") if len(inputs) > 1 else "")
                high = _celsius(f"{path}_max", lowest=1.0)
                if high is None:
                    high = _celsius(f"{path}_crit", lowest=1.0)
                sensors.append(_Sensor(f"{path}_input", f"{driver} {label}".strip(), high))
        return _named_apart(sensors[:MOST_SENSORS])

    def _of_zones(self) -> list[_Sensor]:
        sensors = []
        for zone in _entries(f"{self._root}/thermal", "thermal_zone"):
            limits: dict[str, float] = {}
            for number in range(12):
                kind = _text(f"{zone}/trip_point_{number}_type")
                limit = _celsius(f"{zone}/trip_point_{number}_temp", lowest=1.0) if kind else None
                if limit is not None:
                    limits.setdefault(kind, limit)
            name = _text(f"{zone}/type") or zone.rpartition("/")[2]
            sensors.append(_Sensor(f"{zone}/temp", name, limits.get("hot", limits.get("critical"))))
        return _named_apart(sensors[:MOST_SENSORS])


def _named_apart(sensors: list[_Sensor]) -> list[_Sensor]:
    """Two of one name get numbers, so that each has its own curve."""
    seen: dict[str, int] = {}
    for sensor in sensors:
        count = seen[sensor.name] = seen.get(sensor.name, 0) + 1
        if count > 1:
            sensor.name = f"{sensor.name} {count}"
    return sensors


def _number(name: str) -> int:
    digits = "".join(character for character in name if character.isdigit())
    return int(digits) if digits.isascii() and digits else 0


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _entries(folder: str, kind: str) -> list[str]:
    """Paths of the devices of a kind, in the order of their numbers."""
    return [f"{folder}/{name}" for name in sorted(_names(folder), key=_number) if name.startswith(kind)]


def _text(path: str) -> str:
    """The text of a small file as one line, empty where there is none."""
    return plain_text(_read(path).decode(errors="replace").strip(), 64)


def _celsius(path: str, lowest: float = _LOWEST_CELSIUS) -> float | None:
    try:
        celsius = int(_read(path)) / 1000
    except ValueError:
        return None
    return round(celsius, 1) if lowest <= celsius <= _HIGHEST_CELSIUS else None


def _read(path: str) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        return os.read(handle, 256)
    except OSError:
        return b""
    finally:
        os.close(handle)

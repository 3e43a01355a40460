"""Records and rules for the tests of alarms."""

from __future__ import annotations

from collections.abc import Sequence

from core.records import (
    Cpu,
    Disk,
    MachineReport,
    MachineState,
    Measurement,
    Memory,
    MeterIdentity,
    MeterReadings,
    MeterReport,
    MeterState,
    Quality,
    Reading,
    Status,
)
from core.site_records import (
    Alarm,
    AlarmSeverity,
    AlarmState,
    CheckResult,
    CheckState,
    SensorBatch,
    SensorMeasure,
)

T0 = 1_790_000_000.0


def machine_report(
    time_s: float,
    name: str = "web-01",
    *,
    cpu: float | None = 5.0,
    memory: float = 30.0,
    disks: Sequence[tuple[str, float]] = (),
    clock_s: float | None = None,
) -> MachineReport:
    """An online machine; `clock_s` is what its own clock says."""
    return MachineReport(
        machine=name,
        address="192.0.2.1:17450",
        state=MachineState.ONLINE,
        since_s=T0,
        status=Status(
            number=1,
            time_s=time_s if clock_s is None else clock_s,
            cpu=Cpu(percent=cpu, per_core_percent=(), load_average=()),
            memory=Memory(total_bytes=100, used_bytes=30, free_bytes=70, available_bytes=70, percent=memory),
            disks=tuple(Disk(mount=mount, total_bytes=1000, used_bytes=round(10 * used)) for mount, used in disks),
        ),
        time_s=time_s,
        is_new=True,
    )


def lost_report(time_s: float, name: str = "web-01", state: MachineState = MachineState.OFFLINE) -> MachineReport:
    return MachineReport(
        machine=name, address="192.0.2.1:17450", state=state, since_s=time_s, error="no route to it", time_s=time_s
    )


def meter_readings(
    time_s: float, name: str = "main", readings: tuple[Reading, ...] = (), **fields: float
) -> MeterReadings:
    quality = Quality.ERROR if any(one.quality is Quality.ERROR for one in readings) else Quality.GOOD
    return MeterReadings(
        name=name,
        protocol="push",
        meter=MeterIdentity(),
        time_s=time_s,
        readings=readings,
        measurement=Measurement(quality=quality, **fields),
    )


def meter_report(
    time_s: float, state: MeterState, name: str = "main", period_s: float | None = None, *, is_ended: bool = False
) -> MeterReport:
    return MeterReport(
        name=name, port=f"/dev/{name}", state=state, text="", time_s=time_s, period_s=period_s, is_ended=is_ended
    )


def check_result(time_s: float, state: CheckState = CheckState.OK, days: float | None = None) -> CheckResult:
    return CheckResult(
        check="site",
        target="https://example.org/",
        state=state,
        time_s=time_s,
        latency_ms=12.0,
        certificate_days=days,
        error=None if state is CheckState.OK else "refused",
    )


def measure(
    time_s: float, value: float, sensor: str = "capteur_1", quantity: str = "temperature_c", unit: str | None = "°C"
) -> SensorBatch:
    return SensorBatch(
        measures=(SensorMeasure(sensor=sensor, quantity=quantity, value=value, time_s=time_s, unit=unit),)
    )


def alarm(number: int, **changes: object) -> Alarm:
    fields: dict[str, object] = {
        "id": number,
        "source": f"machine/m{number}",
        "rule": "machine offline",
        "severity": AlarmSeverity.HIGH,
        "state": AlarmState.ACTIVE,
        "since_s": T0,
        "changed_s": T0,
        "text": f"m{number} has been offline for 30 s",
    }
    return Alarm(**(fields | changes))  # type: ignore[arg-type]  # a record of whatever a test asks

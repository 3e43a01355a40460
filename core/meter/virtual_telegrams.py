"""What the simulated E450 sends: readouts in IEC 62056-21, telegrams of mode D, pushes in the four layouts."""

from __future__ import annotations

from datetime import UTC, datetime

from core.meter.e450 import SIMULATED_TITLE
from core.meter.readings_21 import SIMULATED_TEXT
from core.meter.virtual_e450 import VirtualE450, VirtualMoment
from core.protocol.checksum import crc16_p1
from core.protocol.data_sets import encode_block
from core.protocol.push_encoder import PushValue, clock_octets, encode_push

BAUD_CHARACTERS = {300: "0", 600: "1", 1200: "2", 2400: "3", 4800: "4", 9600: "5", 19200: "6"}
BAUD_CHARACTERS_B = {600: "A", 1200: "B", 2400: "C", 4800: "D", 9600: "E", 19200: "F"}
MODE_A_CHARACTER = "@"


def identification_line(baud: int, mode: str = "C") -> bytes:
    """Answer to a sign-on, proposing `baud`; it names the model SIMULATED-E450."""
    if mode in ("A", "B"):
        character = MODE_A_CHARACTER if mode == "A" else BAUD_CHARACTERS_B[baud]
        return f"/LGZ{character}{SIMULATED_TEXT}-E450\r\n".encode()
    return f"/LGZ{BAUD_CHARACTERS[baud]}\\2{SIMULATED_TEXT}-E450\r\n".encode()


def readout(meter: VirtualE450, time_s: float) -> bytes:
    """The data message of a readout at `time_s`, from STX to BCC."""
    return encode_block("".join(f"{line}\r\n" for line in [*data_lines(meter, time_s), "!"]).encode())


def telegram(meter: VirtualE450, time_s: float, *, is_p1: bool) -> bytes:
    """A telegram of mode D, sent without being asked; `is_p1` as a P1 port sends it, with full codes and a CRC-16."""
    head = f"/LGZ5{SIMULATED_TEXT}-E450\r\n\r\n"
    lines = data_lines(meter, time_s)
    if not is_p1:
        return (head + "".join(f"{line}\r\n" for line in lines) + "!\r\n").encode()
    clock = datetime.fromtimestamp(time_s, UTC)
    body = [f"0-0:1.0.0({clock:%y%m%d%H%M%S}W)", f"0-0:96.1.1({meter.serial_number.encode().hex().upper()})"]
    body += [f"1-0:{line}" for line in lines if line[0].isdigit() and not line.startswith("0.")]
    octets = (head + "".join(f"{line}\r\n" for line in body) + "!").encode()
    return octets + b"%04X\r\n" % crc16_p1(octets)


def data_lines(meter: VirtualE450, time_s: float) -> list[str]:
    """The data sets of a readout at `time_s`."""
    now = meter.moment(time_s)
    clock = datetime.fromtimestamp(time_s, UTC)
    month = datetime(clock.year, clock.month, 1, tzinfo=UTC).timestamp()
    billed = meter.moment(month)
    lines = [
        "F.F(00000000)",
        f"0.0.0({meter.serial_number})",
        f"0.9.1({clock:%H:%M:%S})",
        f"0.9.2({clock:%y-%m-%d})",
        f"1.8.0({now.energy_import_wh / 1000:010.3f}*kWh)",
        f"1.8.1({now.import_by_tariff_wh[0] / 1000:010.3f}*kWh)",
        f"1.8.2({now.import_by_tariff_wh[1] / 1000:010.3f}*kWh)",
        f"1.8.0*01({billed.energy_import_wh / 1000:010.3f}*kWh)",
        f"2.8.0({now.energy_export_wh / 1000:010.3f}*kWh)",
        f"2.8.0*01({billed.energy_export_wh / 1000:010.3f}*kWh)",
        f"3.8.0({now.reactive_import_varh / 1000:010.3f}*kvarh)",
        f"4.8.0({now.reactive_export_varh / 1000:010.3f}*kvarh)",
        f"1.7.0({max(0.0, now.power_w) / 1000:06.3f}*kW)",
        f"2.7.0({max(0.0, -now.power_w) / 1000:06.3f}*kW)",
        f"16.7.0({now.power_w / 1000:+07.3f}*kW)",
        f"3.7.0({max(0.0, now.reactive_var) / 1000:06.3f}*kvar)",
        f"4.7.0({max(0.0, -now.reactive_var) / 1000:06.3f}*kvar)",
        f"9.7.0({now.apparent_va / 1000:06.3f}*kVA)",
    ]
    for phase in range(3):
        code = 20 * (phase + 1)
        power = now.active_power_w[phase] / 1000
        lines += [
            f"{code + 1}.7.0({max(0.0, power):06.3f}*kW)",
            f"{code + 2}.7.0({max(0.0, -power):06.3f}*kW)",
            f"{code + 12}.7.0({now.voltage_v[phase]:05.1f}*V)",
            f"{code + 11}.7.0({now.current_a[phase]:06.2f}*A)",
            f"{code + 13}.7.0({now.phase_power_factor(phase):05.3f})",
        ]
    lines += [
        f"14.7.0({now.frequency_hz:05.2f}*Hz)",
        f"13.7.0({now.power_factor:05.3f})",
        f"12.7.124({now.thd_voltage_percent:04.1f}*%)",
        f"11.7.124({now.thd_current_percent:04.1f}*%)",
        "C.1.0()",
    ]
    return lines


def push(
    meter: VirtualE450,
    time_s: float,
    layout: int,
    *,
    key: bytes | None = None,
    auth_key: bytes | None = None,
    invocation_counter: int = 1,
    positions: int = 11,
) -> bytes:
    """One push at `time_s` as it goes over the line, ciphered where there is a key.

    `positions` (9, 11 or 14) is how many values layout 3 has; nine of them name the meter only where they are ciphered.
    """
    now = meter.moment(time_s)
    number = PushValue("0-0:96.1.0*255", meter.serial_number, class_id=1)
    clock = clock_octets(time_s, 0)
    values = _positional(now, number, positions, clock) if layout == 3 else _coded(now, number)
    return encode_push(
        values,
        layout,
        clock=None if layout == 3 else clock,
        system_title=SIMULATED_TITLE,
        key=key,
        auth_key=auth_key,
        invocation_counter=invocation_counter,
    )


def _coded(now: VirtualMoment, number: PushValue) -> list[PushValue]:
    """All fields with their codes; W, var, VA, Wh, 0.1 V, 0.01 A, 0.001, as an E450 counts them."""
    values = [
        number,
        _value("1.8.0", now.energy_import_wh),
        _value("2.8.0", now.energy_export_wh),
        _value("3.8.0", now.reactive_import_varh),
        _value("4.8.0", now.reactive_export_varh),
        _value("1.8.1", now.import_by_tariff_wh[0]),
        _value("1.8.2", now.import_by_tariff_wh[1]),
        _value("1.7.0", max(0.0, now.power_w)),
        _value("2.7.0", max(0.0, -now.power_w)),
        _value("3.7.0", max(0.0, now.reactive_var)),
        _value("4.7.0", max(0.0, -now.reactive_var)),
        _value("9.7.0", now.apparent_va),
        _value("13.7.0", now.power_factor * 1000, is_short=True),
        _value("14.7.0", now.frequency_hz * 1000, is_short=True),
    ]
    for phase in range(3):
        code = 20 * (phase + 1)
        values += [
            _value(f"{code + 1}.7.0", max(0.0, now.active_power_w[phase])),
            _value(f"{code + 2}.7.0", max(0.0, -now.active_power_w[phase])),
            _value(f"{code + 12}.7.0", now.voltage_v[phase] * 10, is_short=True),
            _value(f"{code + 11}.7.0", now.current_a[phase] * 100, is_short=True),
        ]
    return values


def _positional(now: VirtualMoment, number: PushValue, positions: int, clock: bytes) -> list[PushValue]:
    """Values without codes, in the order of the presets; eleven and fourteen end with the number, nine have none."""
    moment = PushValue("0-0:1.0.0*255", clock)
    imported, exported = _value("1.8.0", now.energy_import_wh), _value("2.8.0", now.energy_export_wh)
    powers = [_value("1.7.0", max(0.0, now.power_w)), _value("2.7.0", max(0.0, -now.power_w))]
    if positions == 9:
        return [
            moment,
            imported,
            exported,
            _value("3.8.0", now.reactive_import_varh),
            _value("4.8.0", now.reactive_export_varh),
            *powers,
            _value("3.7.0", max(0.0, now.reactive_var)),
            _value("4.7.0", max(0.0, -now.reactive_var)),
        ]
    values = [
        *(_value("32.7.0", volts * 10, is_short=True) for volts in now.voltage_v),
        *(_value("31.7.0", amperes * 100, is_short=True) for amperes in now.current_a),
        *powers,
        imported,
        exported,
    ]
    if positions == 14:
        return [
            moment,
            *values,
            _value("13.7.0", now.power_factor * 1000, is_short=True),
            _value("9.7.0", now.apparent_va),
            number,
        ]
    return [*values, number]


def _value(code: str, number: float, *, is_short: bool = False) -> PushValue:
    return PushValue(f"1-0:{code}*255", round(number), is_short=is_short)

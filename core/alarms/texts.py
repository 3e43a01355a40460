"""What an alarm says, in words of the user's language."""

from __future__ import annotations

import math

from core.alarms.rules import rule_title
from core.language import N_, _, language, ngettext
from core.protocol.messages import plain_text
from core.site_records import AlarmRule, RuleKind

_QUANTITIES = {
    "cpu_percent": N_("CPU of {name}"),
    "memory_percent": N_("RAM of {name}"),
    "memory_used_bytes": N_("Used RAM of {name}"),
    "swap_percent": N_("Swap of {name}"),
    "swap_used_bytes": N_("Used swap of {name}"),
    "disk_read_bytes_per_s": N_("Reading from the disks of {name}"),
    "disk_written_bytes_per_s": N_("Writing to the disks of {name}"),
    "network_received_bytes_per_s": N_("Receiving of {name}"),
    "network_sent_bytes_per_s": N_("Sending of {name}"),
    "process_count": N_("Processes of {name}"),
    "voltage_l1_v": N_("Voltage L1 of {name}"),
    "voltage_l2_v": N_("Voltage L2 of {name}"),
    "voltage_l3_v": N_("Voltage L3 of {name}"),
    "current_l1_a": N_("Current L1 of {name}"),
    "current_l2_a": N_("Current L2 of {name}"),
    "current_l3_a": N_("Current L3 of {name}"),
    "active_power_w": N_("Power of {name}"),
    "frequency_hz": N_("Frequency of {name}"),
    "power_factor": N_("Power factor of {name}"),
    "temperature_c": N_("Temperature of {name}"),
    "latency_ms": N_("Latency of {name}"),
    "certificate_days": N_("Certificate of {name}"),
    "thd_voltage_percent": N_("Distortion of the voltage of {name}"),
    "thd_current_percent": N_("Distortion of the current of {name}"),
    "active_power_peak_ratio": N_("Power of {name} beside the usual of this hour"),
    "active_power_drop_ratio": N_("Power of {name} beside the least of a week"),
    "voltage_unbalance_percent": N_("Unbalance of the voltages of {name}"),
    "current_unbalance_percent": N_("Unbalance of the currents of {name}"),
    "loaded_power_factor": N_("Power factor of {name} under load"),
    "loaded_thd_current_percent": N_("Distortion of the current of {name} under load"),
    "subscribed_power_percent": N_("Power of {name} beside what is subscribed"),
    "night_base_w": N_("Least power of the night of {name}"),
    "night_base_ratio": N_("Least power of the nights of {name} beside those before"),
    "unexpected_export_w": N_("Export of {name}"),
    "energy_fall_wh": N_("Fall of an energy register of {name}"),
    "energy_leap_wh": N_("Leap of an energy register of {name}"),
    "budget_percent": N_("Forecast of the month of {name} beside its budget"),
}

_UNITS = {
    "percent": "%",
    "bytes": "B",
    "v": "V",
    "a": "A",
    "w": "W",
    "var": "var",
    "va": "VA",
    "hz": "Hz",
    "wh": "Wh",
    "varh": "varh",
    "c": "°C",
    "ms": "ms",
    "days": "d",
    "ratio": "×",
}

_LONGEST_NAME = 120
_LONGEST_REASON = 300


def unit_of(quantity: str | None) -> str | None:
    """Unit of a quantity by the end of its name; None where it says none."""
    if quantity is None:
        return None
    quantity = quantity.partition(":")[0]
    return "B/s" if quantity.endswith("_bytes_per_s") else _UNITS.get(quantity.rpartition("_")[2])


def name_of(source: str) -> str:
    """The name behind a source, fit to be shown: `web-01` of `machine/web-01`."""
    return plain_text(source.partition("/")[2] or source, _LONGEST_NAME)


def alarm_text(
    rule: AlarmRule,
    source: str,
    name: str,
    quantity: str | None,
    value: float | None,
    threshold: float | None,
    unit: str | None,
    reason: str | None = None,
) -> str:
    """What has happened, as in `CPU of web-01 above 90 % for 5 min (96 %)`.

    `name` is what people call the source; `reason` why a machine or a check is not reached, or what is behind a value
    that was computed.
    """
    text = _what_happened(rule, source, name, quantity, value, threshold, unit)
    if reason:
        text = _("{text}: {reason}").format(text=text, reason=plain_text(reason, _LONGEST_REASON))
    return text


def _what_happened(
    rule: AlarmRule,
    source: str,
    name: str,
    quantity: str | None,
    value: float | None,
    threshold: float | None,
    unit: str | None,
) -> str:
    lasted = duration_text(rule.duration_s)
    if rule.kind is RuleKind.OFFLINE:
        if source.startswith("check/"):
            return _("{name} has failed for {duration}").format(name=name, duration=lasted)
        return _("{name} has been offline for {duration}").format(name=name, duration=lasted)
    if rule.kind is RuleKind.SILENT:
        return _("Nothing from {name} for {duration}").format(name=name, duration=duration_text(value or 0.0))
    what = quantity_text(quantity, name)
    now = value_text(value, unit)
    limit = value_text(threshold, unit)
    if rule.kind is RuleKind.RATE:
        message = (
            _("{what} falls by {now} a minute (limit {limit})")
            if (value or 0.0) < 0
            else _("{what} rises by {now} a minute (limit {limit})")
        )
        return message.format(
            what=what, now=value_text(abs(value or 0.0), unit), limit=value_text(abs(threshold or 0.0), unit)
        )
    if quantity == "certificate_days" and rule.kind is RuleKind.BELOW:
        days = math.floor(value or 0.0)
        if days < 0:
            return _("The certificate of {name} has ended").format(name=name)
        return ngettext(
            "The certificate of {name} ends in {count} day", "The certificate of {name} ends in {count} days", days
        ).format(name=name, count=days)
    is_above = value is not None and threshold is not None and value > threshold
    if rule.duration_s > 0:
        message = (
            _("{what} above {limit} for {duration} ({now})")
            if is_above
            else _("{what} below {limit} for {duration} ({now})")
        )
    else:
        message = _("{what} above {limit} ({now})") if is_above else _("{what} below {limit} ({now})")
    return message.format(what=what, limit=limit, duration=lasted, now=now)


def quantity_text(quantity: str | None, name: str) -> str:
    """A quantity of a source in words, as in `Voltage L1 of main` or `Disk /home of web-01`."""
    if quantity is None:
        return name
    whole, _colon, mount = quantity.partition(":")
    if whole == "disk_percent":
        return (
            _("Disk {mount} of {name}").format(mount=plain_text(mount, _LONGEST_NAME), name=name)
            if mount
            else _("Fullest disk of {name}").format(name=name)
        )
    if quantity in _QUANTITIES:
        return _(_QUANTITIES[quantity]).format(name=name)
    return _("{quantity} of {name}").format(quantity=plain_text(quantity.replace("_", " ").capitalize(), 64), name=name)


def value_text(value: float | None, unit: str | None) -> str:
    """A value with its unit; as many digits as a person reads."""
    if value is None:
        return "–"
    if abs(value) >= 1e15:
        text = f"{value:.3g}"
    else:
        digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2
        text = f"{value:.{digits}f}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        text = "0" if text == "-0" else text
    if language() == "fr":
        text = text.replace(".", ",")
    return f"{text} {plain_text(unit, 16)}" if unit else text


def duration_text(seconds: float) -> str:
    """A length of time in its largest unit, and the next one where it is not round: `5 min`, `1 h 30 min`."""
    seconds = round(seconds)
    for size, unit, next_size, next_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            rest = seconds % size // next_size
            first = f"{seconds // size} {_day_unit(unit)}"
            return f"{first} {rest} {_day_unit(next_unit)}" if rest else first
    return f"{seconds} s"


def flapping_text(text: str, count: int, seconds: float) -> str:
    """The text of an alarm that rang `count` times in so many seconds."""
    return _("{text}; rang {count} times in {duration}").format(
        text=text, count=count, duration=duration_text(max(seconds, 1.0))
    )


def title_of(rule: str) -> str:
    """Name of a rule for people, one line."""
    return plain_text(rule_title(rule), _LONGEST_NAME)


def _day_unit(unit: str) -> str:
    return _("d") if unit == "d" else unit

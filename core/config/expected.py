"""What each key must be, in words for the user."""

from __future__ import annotations

from collections.abc import Mapping

from core.language import N_

_SECONDS = N_("a number of seconds from 0.2 to 3600")
_DAYS = N_("a whole number of days from 1 to 36500")
_YES_NO = N_("true or false, without quotes")
_FILE = N_("the name of a file, in quotes")
_NUMBER = N_("a number")
_SEVERITY = N_('"low", "medium", "high" or "critical"')
_SEVERITY_OR_NEVER = N_('"low", "medium", "high", "critical" or "never"')
_NAME = N_("a name in quotes, without a slash")

EXPECTED: Mapping[str, str] = {
    "operator": N_("a name in quotes"),
    "language": N_('"system", "en" or "fr"'),
    "theme": N_('"system", "light" or "dark"'),
    "database": N_("a path or a URL in quotes"),
    "polling.interval_s": _SECONDS,
    "polling.visible_interval_s": _SECONDS,
    "retention.raw_days": _DAYS,
    "retention.minute_days": _DAYS,
    "retention.quarter_days": _DAYS,
    "retention.hour_days": _DAYS,
    "retention.day_days": _DAYS,
    "agent.listen": N_('an address such as "0.0.0.0:17450"'),
    "agent.max_level": N_('"view", "run", "manage" or "raw"'),
    "machines.max": N_("a whole number from 1 to 100000"),
    "meter": N_("a list of tables, each under [[meter]]"),
    "meter.name": _NAME,
    "meter.port": N_('a port in quotes, such as "/dev/ttyUSB0"'),
    "meter.protocol": N_('"auto", "push", "iec62056-21", "dlms" or "mbus"'),
    "meter.baud": N_("a whole number such as 2400"),
    "meter.parity": N_('"N", "E" or "O"'),
    "meter.client": N_("a whole number from 0 to 16383"),
    "meter.password_file": _FILE,
    "meter.key_file": _FILE,
    "meter.auth_key_file": _FILE,
    "meter.preset": N_("the name of a preset, in quotes"),
    "meter.usb_serial": N_("the USB serial number of the probe, in quotes"),
    "meter.address": N_("the meter's address on its line, in quotes"),
    "meter.framing": N_('"hdlc" or "wrapper"'),
    "meter.system_title": N_("sixteen hexadecimal digits in quotes"),
    "meter.interval_s": N_("a number of seconds from 0.2 to 86400"),
    "meter.total": _YES_NO,
    "meter.tariff": N_("the name of a [[tariff]], in quotes"),
    "meter.subscribed_power_w": N_("a number of watts above 0"),
    "sensors.enabled": _YES_NO,
    "sensors.listen": N_('an address such as "127.0.0.1:17452"'),
    "sensors.allow": N_('a list of addresses and networks, such as ["192.168.1.0/24"]'),
    "sensors.file": _FILE,
    "sensors.links": N_("a whole number from 1 to 100000"),
    "sensors.rate_per_s": N_("a number of messages a second, up to 1000000"),
    "sensor": N_("a list of tables, each under [[sensor]]"),
    "sensor.id": N_("what the sensor calls itself, in quotes, up to 64 letters"),
    "sensor.name": N_("a name in quotes, up to 64 letters"),
    "sensor.place": N_("a place in quotes, up to 64 letters"),
    "sensor.unit": N_('a unit in quotes, such as "°C"'),
    "sensor.low": _NUMBER,
    "sensor.high": _NUMBER,
    "sensor.silent_after_s": N_("a number of seconds from 1 on"),
    "room.enabled": _YES_NO,
    "room.listen": N_('an address such as "127.0.0.1:17453"'),
    "room.stop_word": N_("a word in quotes, up to 64 letters"),
    "room.post_alarms": _SEVERITY_OR_NEVER,
    "room.post_commands": _YES_NO,
    "check": N_("a list of tables, each under [[check]]"),
    "check.name": _NAME,
    "check.target": N_('a URL such as "https://example.org/", a "HOST:PORT" or a "HOST", in quotes'),
    "check.interval_s": N_("a number of seconds from 1 to 86400"),
    "check.timeout_s": N_("a number of seconds from 0.1 to 300"),
    "check.text": N_("the text that is looked for, in quotes"),
    "check.groups": N_('a list of names, such as ["servers"]'),
    "alarms.sound": _YES_NO,
    "alarms.notify": _SEVERITY_OR_NEVER,
    "alarms.email.host": N_("the name of a mail server, in quotes"),
    "alarms.email.port": N_("a whole number from 1 to 65535"),
    "alarms.email.security": N_('"starttls", "tls" or "none"'),
    "alarms.email.sender": N_("a mail address in quotes"),
    "alarms.email.to": N_('a list of mail addresses, such as ["alice@example.org"]'),
    "alarms.email.user": N_("a name in quotes"),
    "alarms.email.password_file": _FILE,
    "alarms.email.severity": _SEVERITY,
    "alarms.webhook.url": N_('a URL such as "https://example.org/hook"'),
    "alarms.webhook.token_file": _FILE,
    "alarms.webhook.severity": _SEVERITY,
    "alarms.rule": N_("a list of tables, each under [[alarms.rule]]"),
    "alarms.rule.name": N_("a name in quotes, up to 64 letters"),
    "alarms.rule.kind": N_('"above", "below", "outside", "rate", "silent" or "offline"'),
    "alarms.rule.source": N_('a source such as "machine/*", "sensor/cellar" or "@GROUP", in quotes'),
    "alarms.rule.quantity": N_('a quantity such as "cpu_percent" or "voltage_*", in quotes'),
    "alarms.rule.high": _NUMBER,
    "alarms.rule.low": _NUMBER,
    "alarms.rule.hysteresis": N_("a number from 0 on"),
    "alarms.rule.duration_s": N_("a number of seconds from 0 on"),
    "alarms.rule.severity": _SEVERITY,
    "alarms.rule.is_enabled": _YES_NO,
}
"""Of every key that this version knows; a table is known by the keys in it."""

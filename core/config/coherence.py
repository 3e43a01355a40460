"""What no type can say of the settings: ports, addresses, names there once, thresholds that can be met. Pure."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from core.config.commands import circles
from core.config.lines import KeyPath
from core.config.settings import Config, MeterConfig
from core.errors import UsageError
from core.language import _
from core.site_records import AlarmRule, RuleKind
from core.tariffs import problems

TARGET_SCHEMES = ("http", "https")


class Fault(NamedTuple):
    """What is wrong: the key, and its value with what it must be, or a sentence about it."""

    key: KeyPath
    value: object = None
    text: str | None = None
    other: KeyPath | None = None


def faults(config: Config) -> Iterator[Fault]:
    """All that is wrong in settings whose types are right."""
    yield from _listen_addresses(config)
    yield from _allowed(config)
    yield from _repeated(config)
    yield from _numbers(config)
    yield from _meters(config)
    yield from _tariffs(config)
    yield from _views(config)
    yield from _filters(config)
    for number, check in enumerate(config.checks):
        scheme, marks, rest = check.target.partition("://")
        if (marks and (scheme.lower() not in TARGET_SCHEMES or not rest)) or any(one.isspace() for one in check.target):
            yield Fault(("check", number, "target"), check.target)
    for number, rule in enumerate(config.alarms.rules):
        yield from _rule(("alarms", "rule", number), rule)


def _listen_addresses(config: Config) -> Iterator[Fault]:
    for table, listen in (
        ("agent", config.agent.listen),
        ("sensors", config.sensors.listen),
        ("room", config.room.listen),
    ):
        if int(listen.rpartition(":")[2]) > 65535:
            yield Fault((table, "listen"), listen)


def _allowed(config: Config) -> Iterator[Fault]:
    for number, entry in enumerate(config.sensors.allow):
        try:
            ipaddress.ip_network(entry, strict=False)
        except ValueError:
            yield Fault(("sensors", "allow", number), entry)


def _repeated(config: Config) -> Iterator[Fault]:
    lists: tuple[tuple[KeyPath, str, list[str]], ...] = (
        (("meter",), "name", [meter.name for meter in config.meters]),
        (("tariff",), "name", [tariff.name for tariff in config.tariffs]),
        (("sensor",), "id", [sensor.id for sensor in config.sensor_list]),
        (("check",), "name", [check.name for check in config.checks]),
        (("view",), "name", [view.name for view in config.views]),
        (("command",), "name", [command.name for command in config.commands]),
        (("filter",), "name", [one.name for one in config.filters]),
    )
    for path, key, names in lists:
        first: dict[str, int] = {}
        for number, name in enumerate(names):
            if first.setdefault(name, number) != number:
                yield Fault((*path, number, key), name, other=(*path, first[name], key))
    rules: dict[tuple[str, str], int] = {}
    for number, rule in enumerate(config.alarms.rules):
        known = rules.setdefault((rule.name, rule.source), number)
        if known != number:
            text = _("a rule {name} for {source} is already there").format(name=rule.name, source=rule.source)
            yield Fault(("alarms", "rule", number, "name"), text=text)


def _meters(config: Config) -> Iterator[Fault]:
    """Ports that two meters cannot share, and settings that a protocol has no use for."""
    places: dict[str, int] = {}
    for number, meter in enumerate(config.meters):
        place = meter.port if meter.usb_serial is None else f"usb:{meter.usb_serial}"
        first = places.setdefault(place, number)
        if first != number:
            yield from _shared_port(config, first, number)
        key = ("meter", number)
        if meter.usb_serial is not None and "://" in meter.port:
            yield Fault((*key, "usb_serial"), text=_("a TCP line has no USB serial number"))
        if meter.framing is not None and meter.protocol not in ("auto", "dlms"):
            yield Fault((*key, "framing"), text=_("it belongs to protocol dlms alone"))
        if meter.framing == "wrapper" and not meter.port.startswith("socket://"):
            yield Fault((*key, "framing"), text=_("the wrapper needs a TCP line: socket://HOST:PORT"))
        yield from _address(key, meter)


def _address(key: KeyPath, meter: MeterConfig) -> Iterator[Fault]:
    """An address that its protocol cannot carry."""
    try:
        if meter.address and meter.protocol == "dlms":
            from core.protocol.hdlc_control import parse_server  # few have such a meter, and all commands start here

            parse_server(meter.address)
        elif meter.address and meter.protocol == "mbus":
            from core.protocol.mbus_session import MbusAddress

            MbusAddress.parse(meter.address)
    except UsageError as error:
        yield Fault((*key, "address"), text=str(error))


def _shared_port(config: Config, first: int, number: int) -> Iterator[Fault]:
    """Only the meters of one M-Bus are read over one port, each by its own address."""
    one, other = config.meters[first], config.meters[number]
    name = "port" if other.usb_serial is None else "usb_serial"
    if one.protocol != "mbus" or other.protocol != "mbus":
        yield Fault(("meter", number, name), getattr(other, name), other=("meter", first, name))
        return
    if one.baud != other.baud:
        yield Fault(("meter", number, "baud"), text=_("meters on one bus have one speed"))
    addresses = [meter.address for meter in config.meters[:number] if (meter.port, meter.usb_serial) == _place(other)]
    if not other.address or other.address in addresses or "" in addresses:
        yield Fault(("meter", number, "address"), text=_("each of the meters on one bus needs an address of its own"))


def _place(meter: MeterConfig) -> tuple[str, str | None]:
    return meter.port, meter.usb_serial


def _numbers(config: Config) -> Iterator[Fault]:
    for number, sensor in enumerate(config.sensor_list):
        for key, value in (("low", sensor.low), ("high", sensor.high)):
            if value is not None and not math.isfinite(value):
                yield Fault(("sensor", number, key), value)
        if sensor.low is not None and sensor.high is not None and sensor.low >= sensor.high:
            yield Fault(("sensor", number, "low"), text=_("low is not below high"))


def _tariffs(config: Config) -> Iterator[Fault]:
    for number, tariff in enumerate(config.tariffs):
        for problem in problems(tariff):
            yield Fault(("tariff", number, *problem.key), problem.value, problem.text)
    names = [tariff.name for tariff in config.tariffs]
    for number, meter in enumerate(config.meters):
        if meter.tariff is not None and meter.tariff not in names:
            text = _("there is no [[tariff]] of the name {name}").format(name=meter.tariff)
            yield Fault(("meter", number, "tariff"), text=text)


def _views(config: Config) -> Iterator[Fault]:
    for number, view in enumerate(config.views):
        for key in ("start", "end"):
            text = getattr(view, key)
            try:
                if text is not None:
                    datetime.fromisoformat(text)
            except ValueError:
                yield Fault(("view", number, key), text)
                return
        span = view.span_s()
        if (view.start is None) != (view.end is None):
            yield Fault(("view", number, "name"), text=_("start and end are given both or not at all"))
        elif span is not None and span[0] >= span[1]:
            yield Fault(("view", number, "start"), text=_("start is not before end"))
        for place, axis in enumerate(view.axes):
            if not (math.isfinite(axis.low) and math.isfinite(axis.high)) or axis.low >= axis.high:
                yield Fault(("view", number, "axes", place, "low"), text=_("low is not below high"))


def _filters(config: Config) -> Iterator[Fault]:
    round_ones = set(circles(config.filters))
    for number, one in enumerate(config.filters):
        if one.name in round_ones:
            text = _("the filter {name} leads back to itself").format(name=one.name)
            yield Fault(("filter", number, "targets"), text=text)


def _rule(path: KeyPath, rule: AlarmRule) -> Iterator[Fault]:
    for key, length in (("name", 64), ("source", 256), ("quantity", 128)):
        text = getattr(rule, key)
        if not text or len(text) > length:
            yield Fault((*path, key), text)
    for key in ("high", "low"):
        value = getattr(rule, key)
        if value is not None and not math.isfinite(value):
            yield Fault((*path, key), value)
    for key in ("hysteresis", "duration_s"):
        if not 0 <= getattr(rule, key) < math.inf:
            yield Fault((*path, key), getattr(rule, key))
    if rule.is_enabled:
        yield from _thresholds(path, rule)


def _thresholds(path: KeyPath, rule: AlarmRule) -> Iterator[Fault]:
    text = None
    match rule.kind:
        case RuleKind.ABOVE if rule.high is None:
            text = _("a rule of kind above needs high")
        case RuleKind.BELOW if rule.low is None:
            text = _("a rule of kind below needs low")
        case RuleKind.OUTSIDE | RuleKind.RATE if rule.high is None and rule.low is None:
            text = _("a rule of kind {kind} needs high, low or both").format(kind=rule.kind.value)
        case RuleKind.OUTSIDE if rule.high is not None and rule.low is not None and rule.low >= rule.high:
            text = _("low is not below high")
        case RuleKind.SILENT if rule.duration_s <= 0:
            text = _("a rule of kind silent needs duration_s, the seconds without a value")
    if text is not None:
        yield Fault((*path, "kind"), text=text)

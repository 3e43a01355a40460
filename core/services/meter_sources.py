"""From a `[[meter]]` of the configuration to what a reader is given: secrets read, names of files resolved."""

from __future__ import annotations

from core.config import MeterConfig, read_secret, secret_path
from core.errors import ConfigError
from core.home import Home
from core.language import _
from core.services.meter_reader import READOUT_INTERVAL_S, MeterSource


def source_of(meter: MeterConfig, home: Home, *, interval_s: float | None = None) -> MeterSource:
    """What a reader needs for `meter`; raises ConfigError for a file of keys that cannot be read or is none."""
    return MeterSource(
        port=meter.port,
        name=meter.name,
        protocol=meter.protocol,
        baud=meter.baud,
        parity=meter.parity,
        interval_s=interval_s or READOUT_INTERVAL_S,
        key=_key(home, meter.key_file),
        auth_key=_key(home, meter.auth_key_file),
        preset=meter.preset,
        home=home.path,
    )


def _key(home: Home, file: str | None) -> bytes | None:
    if file is None:
        return None
    path = secret_path(home, file)
    try:
        key = bytes.fromhex(read_secret(path))
    except ValueError:
        key = b""
    if len(key) not in (16, 32):
        raise ConfigError(_("{path} must hold a key of 32 hexadecimal digits on its first line").format(path=path))
    return key

"""What a reader is given, also from a `[[meter]]` of the configuration: secrets read, names of files resolved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.config import MeterConfig, read_secret, secret_path
from core.errors import ConfigError
from core.home import Home
from core.language import _
from core.protocol.push import PushSession
from core.services.probe_search import PUSH_LINES, SIGN_ON_LINE
from core.transport.line import LineSettings

READOUT_INTERVAL_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSource:
    """What is read and how; None leaves it to the reader.

    `name` as configured (else the meter's serial number, else the port); `interval_s` between readouts of a meter
    that is asked, `period_s` between the pushes of a slow one, where it is known; `home` holds the user's presets
    and what was found on each port before. `client` is the DLMS client's address, `password` the one of low security
    or of the programming mode, `framing` is `hdlc` or `wrapper`; `codes` are those that are asked for (`is_all`: every
    one that the meter lists), else those of the usual quantities.
    """

    port: str
    name: str | None = None
    protocol: str = "auto"
    baud: int | None = None
    parity: str | None = None
    interval_s: float = READOUT_INTERVAL_S
    period_s: float | None = None
    key: bytes | None = None
    auth_key: bytes | None = None
    system_title: bytes | None = None
    preset: str | None = None
    address: str = ""
    home: Path | None = None
    client: int | None = None
    password: bytes | None = None
    framing: str = "hdlc"
    codes: tuple[str, ...] = ()
    is_all: bool = False

    @property
    def first_line(self) -> LineSettings:
        """The line to begin with."""
        if self.protocol == "iec62056-21":
            return SIGN_ON_LINE
        if self.baud is None:
            return PUSH_LINES[0]
        return LineSettings(self.baud, 8, self.parity or ("E" if self.baud == 2400 else "N"))

    def new_push(self) -> PushSession:
        """A session with the keys of this meter."""
        return PushSession(self.key, self.auth_key, system_title=self.system_title)


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

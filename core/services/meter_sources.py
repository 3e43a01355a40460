"""What a reader is given, also from a `[[meter]]` of the configuration: secrets read, names of files resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from core.config import MeterConfig
from core.home import Home
from core.protocol.push import PushSession
from core.protocol.telegram_session import MODE_D_LINE
from core.services.secrets import file_secret, keyring_name, octets_of_secret
from core.transport.line import LineSettings

PUSH_LINES = (LineSettings(9600), LineSettings(2400, 8, "E"))
"""Lines of an E450 that pushes: the optical port of Austrian ones, the wired port of all."""
SIGN_ON_LINE = LineSettings(300, 7, "E")
FASTEST_SIGNED_ON = 19_200
"""Meters that are signed on at go no faster: beyond it is the P1 port, which sends telegrams by itself."""
MODE_D_BAUD = MODE_D_LINE[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSource:
    """What is read and how; None leaves it to the reader.

    `name` as configured (else the meter's serial number, else the port); `interval_s` between two readings of a meter
    that is asked (0: as fast as is sensible for its protocol), `period_s` between the pushes of a slow one, where it
    is known; `home` holds the user's presets and what was found on each port before. `usb_serial` is that of the probe,
    which counts more than `port`. `client` is the DLMS client's address, `password` the one of low security or of the
    programming mode, `framing` is `hdlc` or `wrapper`; `codes` are those that are asked for (`is_all`: every one that
    the meter lists), else those of the usual quantities. `keyring` names secrets that are yet to be taken from the
    keyring of the desktop, which may have to ask its user: (field, name) each. Secrets are never part of the repr.
    """

    port: str
    name: str | None = None
    protocol: str = "auto"
    baud: int | None = None
    parity: str | None = None
    interval_s: float = 0.0
    period_s: float | None = None
    key: bytes | None = field(default=None, repr=False)
    auth_key: bytes | None = field(default=None, repr=False)
    system_title: bytes | None = None
    preset: str | None = None
    address: str = ""
    home: Path | None = None
    client: int | None = None
    password: bytes | None = field(default=None, repr=False)
    framing: str = "hdlc"
    codes: tuple[str, ...] = ()
    is_all: bool = False
    usb_serial: str | None = None
    keyring: tuple[tuple[str, str], ...] = ()

    @property
    def first_line(self) -> LineSettings:
        """The line to begin with."""
        if self.protocol == "iec62056-21":
            return (self.is_unasked and self.telegram_line) or SIGN_ON_LINE
        if self.protocol == "mbus":
            return LineSettings(self.baud or 2400, 8, self.parity or "E")
        if self.baud is None:
            return PUSH_LINES[0]
        return LineSettings(self.baud, 8, self.parity or ("E" if self.baud == 2400 else "N"))

    @property
    def telegram_line(self) -> LineSettings | None:
        """Where telegrams of IEC 62056-21 may come by themselves: mode D at its 2400 baud, P1 beyond 19200."""
        if self.protocol != "iec62056-21" or self.baud is None:
            return None
        if self.baud == MODE_D_BAUD:
            return LineSettings(MODE_D_BAUD, 7, self.parity or "E")
        return LineSettings(self.baud, 8, self.parity or "N") if self.is_unasked else None

    @property
    def is_unasked(self) -> bool:
        """True at a speed at which no meter is signed on: it is only listened to."""
        return self.baud is not None and self.baud > FASTEST_SIGNED_ON

    def new_push(self) -> PushSession:
        """A session with the keys of this meter."""
        return PushSession(self.key, self.auth_key, system_title=self.system_title)


def source_of(meter: MeterConfig, home: Home, *, interval_s: float | None = None) -> MeterSource:
    """What a reader needs for `meter`; raises ConfigError for a file of keys that cannot be read or is none.

    What is kept in the keyring is only named: `core.services.secrets.with_secrets` takes it from there.
    """
    files = {"key": meter.key_file, "auth_key": meter.auth_key_file, "password": meter.password_file}
    places = {field: place for field, place in files.items() if place is not None}
    kept = {field: name for field, place in places.items() if (name := keyring_name(place)) is not None}
    read = {
        field: octets_of_secret(field, *file_secret(home, place))
        for field, place in places.items()
        if field not in kept
    }
    return MeterSource(
        port=meter.port,
        name=meter.name,
        protocol=meter.protocol,
        baud=meter.baud,
        parity=meter.parity,
        interval_s=interval_s or meter.interval_s or 0.0,
        key=read.get("key"),
        auth_key=read.get("auth_key"),
        password=read.get("password"),
        system_title=bytes.fromhex(meter.system_title) if meter.system_title is not None else None,
        preset=meter.preset,
        address=meter.address,
        home=home.path,
        client=meter.client,
        framing=meter.framing or "hdlc",
        usb_serial=meter.usb_serial,
        keyring=tuple(kept.items()),
    )

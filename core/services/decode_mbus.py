"""A saved capture of M-Bus (EN 13757): answers of slaves, or a dialogue in both directions.

Telegrams of one readout are put together where the meter says that more follow. Commands of a master in between are
passed over; a capture of nothing else is an error, since nobody reports anything in it.
"""

from __future__ import annotations

from core.errors import BeffroiError, NoiseError, RemoteProtocolError
from core.language import _, ngettext
from core.meter.readings_mbus import readings_of_mbus
from core.protocol.mbus_frames import FrameKind, MbusFrame, MbusReader
from core.protocol.mbus_push import carries_dlms
from core.protocol.mbus_telegram import MbusTelegram, joined, telegram_of
from core.protocol.push_messages import skipped_octets
from core.records import MeterReadings

MOST_TELEGRAMS = 64
"""Telegrams of one readout that are put together at most."""


class MbusFindings:
    """What a capture of M-Bus says: `telegrams`, why the rest was rejected, and what else the user should know."""

    def __init__(self, name: str | None, key: bytes | None) -> None:
        self._name = name
        self._key = key
        self._open: list[MbusTelegram] = []
        self._commands = 0
        self.telegrams: list[MeterReadings] = []
        self.rejected: list[BeffroiError] = []
        self.notes: list[str] = []

    def take(self, frame: MbusFrame) -> None:
        """Read one frame."""
        if not frame.has_data or frame.is_from_master:
            self._commands += frame.kind is not FrameKind.ACKNOWLEDGE
            return
        try:
            telegram = telegram_of(frame, self._key)
        except RemoteProtocolError as error:
            self._close(is_interrupted=True)
            self.rejected.append(error)
            return
        if self._open and not _continues(self._open[-1], telegram):
            self._close(is_interrupted=True)
        if self._open and _is_repetition(self._open[-1], telegram):
            return
        self._open.append(telegram)
        if not telegram.has_more or len(self._open) >= MOST_TELEGRAMS:
            self._close()

    def finish(self) -> None:
        """The capture ends here."""
        self._close(is_interrupted=True)
        if not self.telegrams and not self.rejected:
            self.rejected.append(
                RemoteProtocolError(
                    ngettext(
                        "no meter says anything: {count} command of a master",
                        "no meter says anything: {count} commands of a master",
                        self._commands,
                    ).format(count=self._commands)
                    if self._commands
                    else _("no frame whose check holds")
                )
            )

    def _close(self, *, is_interrupted: bool = False) -> None:
        """Tell the telegrams that belong together."""
        if not self._open:
            return
        telegram = joined(self._open)
        self._open = []
        if telegram.has_more and is_interrupted:
            if not telegram.records:
                self.rejected.append(
                    RemoteProtocolError(
                        _("the telegram holds data of the manufacturer's own only, and those that follow are missing")
                    )
                )
                return
            self.notes.append(_("the meter has announced another telegram, which is missing"))
        self.telegrams.append(readings_of_mbus(telegram, name=self._name))


def decode_mbus(octets: bytes, name: str | None, key: bytes | None) -> MbusFindings:
    """Everything that the frames of M-Bus in `octets` say."""
    found = MbusFindings(name, key)
    reader = MbusReader()
    reader.receive_data(octets)
    while True:
        try:
            frame = reader.next_frame()
        except RemoteProtocolError as error:
            found.rejected.append(error)
            continue
        if frame is None:
            if not reader.waiting:
                break
            found.rejected.append(
                RemoteProtocolError(_("a frame broke off after {count} octets").format(count=reader.waiting))
            )
            reader.resynchronise()
            continue
        if not carries_dlms(frame):
            found.take(frame)
    if reader.skipped and not found.rejected:
        found.notes.append(str(skipped_octets(reader.skipped, reader.reason)))
    elif reader.reason is not None:
        found.rejected.append(NoiseError(reader.reason))
    found.finish()
    return found


def _continues(last: MbusTelegram, telegram: MbusTelegram) -> bool:
    return telegram.address == last.address and (
        not telegram.header.identification or telegram.header.identification == last.header.identification
    )


def _is_repetition(last: MbusTelegram, telegram: MbusTelegram) -> bool:
    """True for the same telegram again, as a slave sends it to a request that it had answered already."""
    return telegram.records == last.records and telegram.header == last.header

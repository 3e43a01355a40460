"""Data readout of a meter that answers a sign-on (IEC 62056-21 modes A, B, C and E), as a session without I/O.

Behind the sign-on comes one data message, or several partial blocks, whose block checks hold. What is broken is asked
for again by a repeat request (6.3.6): a partial block three times, a whole message, which some meters do not repeat,
once; then the sign-on begins anew.
"""

from __future__ import annotations

import re

from core.errors import RemoteProtocolError
from core.language import _
from core.protocol.data_sets import (
    BLOCK_LIMIT,
    EOT,
    Check,
    DataSet,
    Mode,
    Telegram,
    check_block,
    decode_block,
    encode_command,
)
from core.protocol.session import Rejected, Told, Transmit
from core.protocol.sign_on import NOISE_LIMIT, REPEATS, SignOnSession

_END_OF_BLOCK = re.compile(rb"[\x03\x04]")


class ReadoutSession(SignOnSession):
    """One readout: `Told` carries the Telegram, `Rejected` why an attempt failed, then `Finished`."""

    def __init__(self, address: str = "", *, highest_baud: int = 19200, attempts: int = 4) -> None:
        super().__init__(address, highest_baud=highest_baud, attempts=attempts)
        self._searched = 0
        self._data_sets: list[DataSet] = []
        self._repeats = 0
        self._broken: RemoteProtocolError | None = None

    def _begin_again(self) -> None:
        self._searched = 0
        self._data_sets.clear()
        self._repeats = 0
        self._broken = None

    def _pass_message_deadline(self, now_s: float) -> None:
        if self._broken is None or self._buffer:
            super()._pass_message_deadline(now_s)
        else:
            words = _("{reason}, and the meter does not send its message again").format(reason=self._broken)
            self._fail(RemoteProtocolError(words), now_s)

    def _receive_message(self, now_s: float) -> None:
        start = self._buffer.find(b"\x02")
        if start < 0:
            if len(self._buffer) > NOISE_LIMIT:
                self._fail(self._no_data(), now_s)
            return
        if start:
            del self._buffer[:start]
            self._searched = 0
        found = _END_OF_BLOCK.search(self._buffer, self._searched)
        end = -1 if found is None else found.start()
        self._searched = len(self._buffer) if found is None else 0
        if end < 0 or len(self._buffer) < end + 2:
            if len(self._buffer) > BLOCK_LIMIT:
                self._fail(
                    RemoteProtocolError(_("a data block is longer than {count} octets").format(count=BLOCK_LIMIT)),
                    now_s,
                )
            return
        block = bytes(self._buffer[: end + 2])
        del self._buffer[: end + 2]
        self._receive_block(block, now_s)

    def _receive_block(self, block: bytes, now_s: float) -> None:
        try:
            check_block(block)
            found = decode_block(block, self.identification)
        except RemoteProtocolError as error:
            is_partial = block[-2] == EOT or bool(self._data_sets)
            if self._repeats < (REPEATS if is_partial else 1):
                self._repeats += 1
                self._broken = error
                self._events.append(Rejected(error))
                self._send(b"\x15")
            else:
                self._fail(error, now_s)
            return
        self._broken = None
        self._data_sets += found.data_sets
        if found.is_partial:
            self._repeats = 0
            if len(self._data_sets) > BLOCK_LIMIT // 4:
                self._fail(RemoteProtocolError(_("the readout does not come to an end")), now_s)
            else:
                self._send(b"\x06")
            return
        self._events.append(
            Told(
                Telegram(
                    identification=self.identification,
                    data_sets=tuple(self._data_sets),
                    check=Check.BCC,
                    mode=found.mode,
                )
            )
        )
        if found.mode in (Mode.C, Mode.E):
            self._events.append(Transmit(encode_command("B0")))
        self._finish(None)

"""Programming mode of a meter of IEC 62056-21 (mode C), as a session without I/O: single registers, load profiles.

The acknowledgement asks for it (Y = 1), the meter answers with P0 and perhaps a seed, a password follows where one is
given (P1, or P2 for one that the operator's own algorithm made), then come commands: R1 reads data sets, R2 coded ones,
R5 and R6 a load profile, R3, R4 and R6 in partial blocks. A command that the meter did not understand (NAK) is sent
again, an answer whose check does not hold is asked for again; `(ERxx)` is the meter's own refusal. Nothing is written.

A password is sent once. Whatever is not an ACK behind it, silence included, counts as its refusal: a meter that hears
a wrong one again locks itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.errors import BeffroiError, RemoteProtocolError, TransportError, UsageError, WrongPasswordError
from core.language import _
from core.protocol.data_sets import (
    ACK,
    BLOCK_LIMIT,
    NAK,
    Identification,
    Telegram,
    decode_block,
    encode_command,
)
from core.protocol.session import Rejected, Told
from core.protocol.sign_on import NOISE_LIMIT, REPEATS, SignOnSession, State

LEAST_GAP_S = 0.02
"""Between a meter's answer and the next command, until the meter shows that it needs its whole reaction time."""

BLOCKS_LIMIT = 20_000
"""Partial blocks of one answer: some years of a load profile have as many."""

_START = re.compile(rb"[\x01\x02]")
_END = re.compile(rb"[\x03\x04]")
_PASSWORD = re.compile(rb"(?:P([12]):)?([ -'*-~]{0,32})")
_ERROR = re.compile(r"ER\w{0,8}$")


@dataclass(frozen=True, slots=True)
class ProgrammingOpened:
    """The meter is in programming mode: `seed` is what its P0 carried, `is_password_taken` whether it took one."""

    identification: Identification
    seed: str
    is_password_taken: bool


def password_command(password: bytes) -> bytes:
    """The P1 message that carries `password`; one that begins with `P2:` goes as P2. Raises UsageError."""
    match = _PASSWORD.fullmatch(password)
    if match is None:
        raise UsageError(_("a password of IEC 62056-21 has 32 printable signs at most, and no brackets"))
    return encode_command("P2" if match[1] == b"2" else "P1", b"(" + match[2] + b")")


class ProgrammingSession(SignOnSession):
    """Signs on in programming mode, then answers one `ask` after another until `leave`.

    `Told` carries ProgrammingOpened once the mode is entered; then, for each `ask`, one Telegram (one for each partial
    block, `is_partial` but for the last). `Rejected` says why an attempt or a command failed; a command is over when
    `is_idle` is true. `Finished` ends it: with WrongPasswordError where the password was refused, and with
    `is_refused` set where the meter signed on and does not let itself be asked in this way.
    """

    _option = b"1"

    def __init__(
        self, address: str = "", *, password: bytes | None = None, highest_baud: int = 19200, attempts: int = 2
    ) -> None:
        super().__init__(address, highest_baud=highest_baud, attempts=attempts)
        self._password = None if password is None else password_command(password)
        self._command: bytes | None = None
        self._next: bytes | None = None
        self._is_open = False
        self._is_password_sent = False
        self._seed = ""
        self._searched = 0
        self._repeats = 0
        self._gap_s = LEAST_GAP_S
        self._answered_s = 0.0
        self._blocks = 0
        self._last_block = b""
        self._is_block_doubtful = False
        self.is_refused = False
        """The meter signed on, and does not let itself be asked in this way."""

    @property
    def is_idle(self) -> bool:
        """The mode is entered and no command is under way."""
        return self._is_open and self._command is None and self._state is State.DATA

    def ask(self, command: str, data: str = "") -> None:
        """Send a reading command such as `R1` with a data set such as `1.8.0()`.

        Raises RemoteProtocolError where the session is not idle.
        """
        if not self.is_idle:
            raise RemoteProtocolError(_("the meter cannot be asked: it is not in programming mode"))
        self._command = encode_command(command, data.encode("latin-1", "replace"))
        self._repeats = self._blocks = 0
        self._last_block = b""
        self._is_block_doubtful = False
        self._queue(self._command)

    def leave(self) -> None:
        """Send B0, which ends the mode, and finish."""
        if self._state is not State.ENDED:
            self._send(encode_command("B0"))
            self._finish(None)

    def _begin_again(self) -> None:
        self._command = self._next = None
        self._searched = self._repeats = 0

    def _queue(self, message: bytes) -> None:
        """Send `message` once the pause behind the meter's last one is over."""
        self._next = message
        self._deadline_s = self._answered_s + self._gap_s

    def _queue_again(self, message: bytes) -> None:
        self._repeats += 1
        if self.identification is not None:
            self._gap_s = self.identification.reaction_s  # perhaps it was not ready yet
        self._queue(message)

    def _receive_unasked(self, identification: Identification, now_s: float) -> None:
        self._refuse(
            _("{meter} answers in mode {mode}, which has no programming mode").format(
                meter=identification.text or identification.manufacturer, mode=identification.mode.value
            )
        )

    def _receive_message(self, now_s: float) -> None:
        while self._buffer and self._state is State.DATA and not self._is_sent:
            first = self._buffer[0]
            if first in (ACK, NAK):
                del self._buffer[0]
                self._answered_s = now_s
                self._receive_sign(first)
                continue
            if first not in b"\x01\x02":
                start = _START.search(self._buffer)
                if start is None:
                    if len(self._buffer) > NOISE_LIMIT:
                        self._give_up(self._no_data(), now_s)
                    break
                del self._buffer[: start.start()]
            end = _END.search(self._buffer, self._searched)
            self._searched = len(self._buffer) if end is None else 0
            if end is None or len(self._buffer) < end.end() + 1:
                if len(self._buffer) > BLOCK_LIMIT:
                    reason = _("a data block is longer than {count} octets").format(count=BLOCK_LIMIT)
                    self._give_up(RemoteProtocolError(reason), now_s)
                break
            block = bytes(self._buffer[: end.end() + 1])
            del self._buffer[: end.end() + 1]
            self._answered_s = now_s
            self._receive_block(block, now_s)
        if self._next is not None and not self._is_sent:
            self._deadline_s = max(now_s, self._answered_s + self._gap_s)

    def _receive_sign(self, sign: int) -> None:
        """ACK or NAK alone."""
        if self._is_open and self._command is not None and self._next is None:
            if sign == NAK and self._repeats < REPEATS:
                self._queue_again(self._command)
            else:
                name = "NAK" if sign == NAK else "ACK"
                self._reject(RemoteProtocolError(_("the meter answers the command with {sign}").format(sign=name)))
        elif self._is_password_sent and not self._is_open:
            if sign == ACK:
                self._open(is_password_taken=True)
            else:
                self._refuse_password("NAK")
        elif not self._is_open and sign == ACK and self._next is None:
            self._enter("")  # a meter that says no more than that it is ready

    def _receive_block(self, block: bytes, now_s: float) -> None:
        try:
            telegram = decode_block(block, self.identification)
        except RemoteProtocolError as error:
            if self._is_password_sent and not self._is_open:
                self._refuse_password(str(error))
            elif self._repeats < REPEATS and (self._command is not None or not self._is_open):
                self._events.append(Rejected(error))
                self._queue_again(b"\x15")
            elif self._is_open:
                self._reject(error)
            else:
                self._fail(error, now_s)
            return
        if telegram.command == "B0":
            self._receive_break()
        elif not self._is_open:
            self._receive_invitation(telegram)
        elif self._command is not None:
            self._receive_answer(telegram, block)

    def _receive_break(self) -> None:
        if self._is_open:
            self._finish(RemoteProtocolError(_("the meter has ended the programming mode")))
        elif self._is_password_sent:
            self._refuse_password("B0")
        else:
            self._refuse(_("the meter answers the sign-on, and refuses the programming mode"))

    def _receive_invitation(self, telegram: Telegram) -> None:
        """What comes before the mode is entered: P0 with its seed, or something else."""
        error = error_text(telegram)
        if self._is_password_sent:
            self._refuse_password(error or telegram.command or _("data"))
        elif telegram.command == "P0":
            self._enter(telegram.data_sets[0].value if telegram.data_sets else "")
        elif error is not None:
            self._refuse(_("the meter refuses the programming mode: {text}").format(text=error))
        else:
            self._refuse(_("the meter sends its readout instead of entering the programming mode"))

    def _enter(self, seed: str) -> None:
        self._seed = seed
        self._repeats = 0
        if self._password is None:
            self._open(is_password_taken=False)
        else:
            self._queue(self._password)

    def _open(self, *, is_password_taken: bool) -> None:
        self._is_open = True
        self._deadline_s = None
        assert self.identification is not None  # only an identification leads here
        self._events.append(Told(ProgrammingOpened(self.identification, self._seed, is_password_taken)))

    def _receive_answer(self, telegram: Telegram, block: bytes) -> None:
        error = error_text(telegram)
        if error is not None:
            self._reject(RemoteProtocolError(_("the meter reports an error: {text}").format(text=error)))
            return
        is_repeated = self._is_block_doubtful and block == self._last_block
        self._last_block, self._is_block_doubtful, self._repeats = block, False, 0
        self._blocks += 1
        if telegram.is_partial and self._blocks > BLOCKS_LIMIT:
            self._finish(RemoteProtocolError(_("the meter's answer does not come to an end")))
            return
        if telegram.is_partial:
            self._send(b"\x06")
        else:
            self._command = None
            self._deadline_s = None
        if not is_repeated:
            self._events.append(Told(telegram))

    def _pass_message_deadline(self, now_s: float) -> None:
        if self._next is not None:
            message, self._next = self._next, None
            self._is_password_sent = self._is_password_sent or message is self._password
            self._buffer.clear()
            self._searched = 0
            self._send(message)
        elif not self._is_open:
            if self._is_password_sent:
                self._refuse_password(_("silence"))
            elif self._buffer or len(self._steps) > 1:
                self._fail(self._no_data(), now_s)
            else:
                self._refuse(_("the meter answers the sign-on, and does not enter the programming mode"))
        elif self._command is None:
            self._deadline_s = None
        elif self._repeats < REPEATS:
            self._is_block_doubtful = bool(self._last_block)
            self._answered_s = now_s
            self._queue_again(b"\x15" if self._buffer or self._last_block else self._command)
        else:
            self._finish(TransportError(_("the meter no longer answers in programming mode")))

    def _give_up(self, error: BeffroiError, now_s: float) -> None:
        if self._is_open:
            self._finish(error)
        elif self._is_password_sent:
            self._refuse_password(str(error))
        else:
            self._fail(error, now_s)

    def _finish(self, error: BeffroiError | None) -> None:
        if not self._is_open and self.identification is not None and not isinstance(error, WrongPasswordError):
            self.is_refused = True
        super()._finish(error)

    def _reject(self, error: RemoteProtocolError) -> None:
        """The command has failed; the next one may be asked."""
        self._command = self._next = None
        self._deadline_s = None
        self._events.append(Rejected(error))

    def _refuse(self, reason: str) -> None:
        self._send(encode_command("B0"))
        self._finish(RemoteProtocolError(reason))

    def _refuse_password(self, answer: str) -> None:
        self._send(encode_command("B0"))
        self._finish(
            WrongPasswordError(
                _("the meter refuses the password (its answer: {answer}); it is not sent again by itself").format(
                    answer=answer
                )
            )
        )


def error_text(telegram: Telegram) -> str | None:
    """What a meter reports instead of data, such as `ER07`; None for data."""
    if len(telegram.data_sets) != 1:
        return None
    found = telegram.data_sets[0]
    return found.value[:40] if not found.unit and _ERROR.match(found.value.strip()) else None

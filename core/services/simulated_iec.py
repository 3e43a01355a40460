"""The far end of IEC 62056-21: what the simulated E450 answers in modes A, B, C, E and in programming mode."""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from core.meter.virtual_e450 import VirtualE450
from core.meter.virtual_profile import profile_blocks, row_times, stamp_s
from core.meter.virtual_telegrams import BAUD_CHARACTERS, data_lines, identification_line, readout
from core.protocol.data_sets import encode_block, encode_command
from core.services.meter_wire import Wire
from core.transport.line import LineSettings

SIGN_ON_LINE = LineSettings(300, 7, "E")
REACTION_S = 0.2
ACKNOWLEDGEMENT_S = 2.5
"""How long the meter waits for an acknowledgement before it forgets the sign-on."""
IDLE_S = 60.0
"""How long the programming mode lasts without a command."""
WRONG_PASSWORDS = 3
LOCKED_S = 60.0
"""How long the meter takes no password after as many wrong ones."""
SEED = b"(SIMULATED)"

_SIGN_ON = re.compile(rb"/\?([0-9A-Za-z ]{0,32})!\r\n")
_ACKNOWLEDGEMENT = re.compile(rb"\x06([0-9])([0-9A-I])([0-9])\r\n")
_COMMAND = re.compile(rb"\x01([PRWB][0-9])(?:\x02([^\x01-\x04]*))?\x03([\x00-\x7f])")
_REGISTER = re.compile(r"([^()]{1,32})\([^()]*\)$")
_PROFILE = re.compile(r"P\.01\(([^();]*)(?:;([^();]*))?\)")


@dataclass(slots=True)
class PasswordLock:
    """Counts wrong passwords; shared by all who sign on at one meter."""

    password: bytes | None = field(repr=False)
    wrong: int = 0
    locked_until_s: float = 0.0

    def is_locked(self, now_s: float) -> bool:
        """True while no password is taken at all."""
        return now_s < self.locked_until_s

    def takes(self, given: bytes, now_s: float) -> bool:
        """Whether `given` opens the meter; a wrong one is counted."""
        if self.is_locked(now_s):
            return False
        if self.password is None or hmac.compare_digest(given, self.password):
            self.wrong = 0
            return True
        self.wrong += 1
        if self.wrong >= WRONG_PASSWORDS:
            self.wrong = 0
            self.locked_until_s = now_s + LOCKED_S
        return False


class SimulatedIec:
    """One virtual meter that answers sign-ons; `mode` is A, B, C or E (C that offers mode E as well).

    `saved` is an identification and a data message to answer with instead; `enter_hdlc` carries on in mode E.
    """

    def __init__(
        self,
        meter: VirtualE450,
        clock: Callable[[], float],
        *,
        mode: str = "C",
        baud: int = 9600,
        lock: PasswordLock,
        saved: tuple[bytes, bytes] | None = None,
        enter_hdlc: Callable[[Wire, LineSettings], Awaitable[None]] | None = None,
    ) -> None:
        self._meter = meter
        self._clock = clock
        self._mode = mode
        self._baud = baud
        self._lock = lock
        self._identification = identification_line(baud, mode) if saved is None else saved[0]
        self._saved = None if saved is None else saved[1]
        self._enter_hdlc = enter_hdlc

    async def answer(self, wire: Wire) -> None:
        """Answer sign-ons until the other side has gone."""
        heard = bytearray()
        while True:
            data = await wire.read(SIGN_ON_LINE)
            if not data:
                return
            heard = (heard + data)[-256:]
            match = _SIGN_ON.search(bytes(heard))
            if match is None:
                continue
            heard.clear()
            address = match[1].decode().strip()
            number = self._meter.serial_number
            if address.lstrip("0") not in ("", number, number[6:].lstrip("0")):
                continue
            await asyncio.sleep(len(match[0]) * SIGN_ON_LINE.octet_s + REACTION_S)
            await wire.write(self._identification, SIGN_ON_LINE)
            if self._mode in ("A", "B"):
                await asyncio.sleep(REACTION_S)
                baud = 300 if self._mode == "A" else self._baud
                await wire.write(self._data(), LineSettings(baud, 7, "E"))
            else:
                await self._after_identification(wire)

    def _data(self) -> bytes:
        return self._saved if self._saved is not None else readout(self._meter, self._clock())

    async def _after_identification(self, wire: Wire) -> None:
        heard = bytearray()
        try:
            async with asyncio.timeout(ACKNOWLEDGEMENT_S):
                while (match := _ACKNOWLEDGEMENT.search(bytes(heard))) is None:
                    data = await wire.read(SIGN_ON_LINE)
                    if not data:
                        return
                    heard += data[:64]
        except TimeoutError:
            return
        await asyncio.sleep(6 * SIGN_ON_LINE.octet_s + REACTION_S)
        character = match[2].decode()
        baud = next((speed for speed, sign in BAUD_CHARACTERS.items() if sign == character), 300)
        line = LineSettings(baud, 7, "E")
        if match[1] == b"2" and match[3] == b"2" and self._enter_hdlc is not None:
            await wire.write(match[0], SIGN_ON_LINE)
            await self._enter_hdlc(wire, LineSettings(baud))
        elif match[3] == b"0":
            await wire.write(self._data(), line)
        elif match[3] == b"1" and self._saved is None:
            await self._serve_programming(wire, line)
        else:
            await wire.write(encode_command("B0"), line)

    async def _serve_programming(self, wire: Wire, line: LineSettings) -> None:
        """P0, then one command after another up to B0."""
        if self._lock.is_locked(self._clock()):
            await wire.write(encode_command("B0"), line)
            return
        said = encode_command("P0", SEED)
        await wire.write(said, line)
        is_open = self._lock.password is None
        heard = bytearray()
        while True:
            try:
                async with asyncio.timeout(IDLE_S):
                    data = await wire.read(line)
            except TimeoutError:
                return
            if not data:
                return
            heard = (heard + data)[-512:]
            while True:
                match = _COMMAND.search(bytes(heard))
                if match is None:
                    if heard[-1:] == b"\x15":
                        heard.clear()
                        await self._react(wire, line, 1, said)
                    break
                del heard[: match.end()]
                command, body = match[1].decode(), (match[2] or b"").decode("latin-1")
                if encode_command(command, match[2]) != match[0]:
                    await self._react(wire, line, len(match[0]), b"\x15")
                    continue
                if command == "B0":
                    return
                if command[0] == "P":
                    is_open = self._lock.takes(body.strip("()").encode("latin-1"), self._clock())
                    said = b"\x06" if is_open else encode_command("B0")
                    await self._react(wire, line, len(match[0]), said)
                    if not is_open:
                        return
                elif not is_open:
                    said = encode_block(b"(ER03)")
                    await self._react(wire, line, len(match[0]), said)
                elif command in ("R5", "R6") and (asked := _PROFILE.match(body)) is not None:
                    await asyncio.sleep(len(match[0]) * line.octet_s + REACTION_S)
                    if not await self._send_profile(wire, line, asked, is_partial=command == "R6"):
                        return
                else:
                    said = self._register(body) if command == "R1" else encode_block(b"(ER02)")
                    await self._react(wire, line, len(match[0]), said)

    async def _react(self, wire: Wire, line: LineSettings, heard: int, data: bytes) -> None:
        await asyncio.sleep(heard * line.octet_s + REACTION_S)
        await wire.write(data, line)

    def _register(self, body: str) -> bytes:
        match = _REGISTER.match(body)
        address = "" if match is None else match[1].removeprefix("1-0:").removeprefix("1-1:").removesuffix("*255")
        for data_line in data_lines(self._meter, self._clock()):
            if data_line.startswith(f"{address}("):
                return encode_block(data_line.encode())
        return encode_block(b"(ER01)")

    async def _send_profile(self, wire: Wire, line: LineSettings, asked: re.Match[str], *, is_partial: bool) -> bool:
        """Send rows, block by block as they are acknowledged; False where the other side has gone or had enough."""
        now_s = self._clock()
        start_s, end_s = stamp_s(asked[1] or ""), stamp_s(asked[2] or "")
        times = row_times(now_s - 86_400 if start_s is None else start_s, now_s if end_s is None else end_s, now_s)
        for block in profile_blocks(self._meter, times, is_partial=is_partial):
            await wire.write(block, line)
            while is_partial and block[-2] == 0x04:
                try:
                    async with asyncio.timeout(ACKNOWLEDGEMENT_S):
                        data = await wire.read(line)
                except TimeoutError:
                    return False
                if data[-1:] == b"\x06":
                    break
                if data[-1:] != b"\x15":
                    return False
                await wire.write(block, line)
        return True

"""A serial port, or a TCP line to one, as a thing that is read, written, set and closed from an asyncio loop.

Nothing here blocks the loop, so that any wait can be cancelled at once. Where the driver refuses parity (a
pseudo-terminal, an adapter that knows 8N1 only) the line is 8N1 and `carries_parity` is False: whoever speaks over
it computes the parity. On `socket://HOST:PORT` there are no line settings at all.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import (
    SerialPortBusyError,
    SerialPortDeniedError,
    SerialPortMissingError,
    TransportError,
    UsageError,
)
from core.language import _
from core.transport.line import LineSettings, Port, gone
from core.transport.tcp_line import SOCKET, open_tcp_line

if TYPE_CHECKING:
    import serial

BUFFER_LIMIT = 1 << 18
"""Octets that wait to be taken before the port is no longer read."""

POLL_S = 0.01
DRAIN_S = 0.5
DRAIN_TURNS = 250


class _Buffer:
    """Octets that came, and the one reader that waits for them."""

    def __init__(self) -> None:
        self._octets = bytearray()
        self._error: TransportError | None = None
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._octets)

    def put(self, data: bytes) -> None:
        self._octets += data
        self._arrived.set()

    def fail(self, error: TransportError) -> None:
        self._error = error
        self._arrived.set()

    async def take(self, timeout_s: float | None) -> bytes:
        if not self._octets and self._error is None and (timeout_s is None or timeout_s > 0):
            try:
                async with asyncio.timeout(timeout_s):
                    await self._arrived.wait()
            except TimeoutError:
                return b""
        data = bytes(self._octets)
        self._octets.clear()
        self._arrived.clear()
        if self._error is not None:
            self._arrived.set()
            if not data:
                raise self._error
        return data


class SerialPort:
    """A serial device; made by `open_port`, used and closed in the loop that made it."""

    has_speed = True

    def __init__(self, url: str, opened: serial.Serial, line: LineSettings) -> None:
        self.url = url
        self.carries_parity = True
        self._serial = opened
        self._line = line
        self._buffer = _Buffer()
        self._empty_reads = 0
        self._loop = asyncio.get_running_loop()
        self._poller: asyncio.Task[None] | None = None
        self._is_reading = False
        self.set_line(line)
        self._resume()

    async def read(self, timeout_s: float | None) -> bytes:
        """See `Port.read`."""
        data = await self._buffer.take(timeout_s)
        self._resume()
        return data

    async def write(self, data: bytes) -> None:
        """See `Port.write`; an adapter's own buffer is allowed for by the time that the octets need."""
        began_s = self._loop.time()
        left = memoryview(data)
        try:
            while left:
                try:
                    written = os.write(self._serial.fileno(), left) if os.name == "posix" else self._serial.write(left)
                except BlockingIOError:
                    written = 0
                left = left[written or 0 :]
                if left:
                    await asyncio.sleep(POLL_S)
            await asyncio.sleep(began_s + len(data) * self._line.octet_s - self._loop.time())
            for _turn in range(DRAIN_TURNS):
                if not self._waits_to_be_sent():
                    break
                await asyncio.sleep(DRAIN_S / DRAIN_TURNS)
        except OSError as error:
            raise gone(self.url, error) from error

    def set_line(self, line: LineSettings) -> None:
        """See `Port.set_line`."""
        self._line = line
        try:
            self.carries_parity = _set_line(self._serial, line)
        except (OSError, ValueError) as error:
            raise TransportError(
                _("{port} cannot be set to {line}: {reason}").format(port=self.url, line=line, reason=error)
            ) from error

    def close(self) -> None:
        """See `Port.close`; closing a tty would else wait for what it could not send."""
        self._pause()
        if self._poller is not None:
            self._poller.cancel()
        try:
            if self._serial.is_open:
                self._serial.reset_output_buffer()
        except Exception:  # noqa: S110  # whatever the driver raises here, termios.error among it: the port goes
            pass
        try:
            self._serial.close()
        except Exception:  # noqa: S110  # an unplugged device raises on close
            pass

    def _waits_to_be_sent(self) -> bool:
        try:
            return bool(self._serial.out_waiting)
        except Exception:  # what has no such count has no such buffer either
            return False

    def _resume(self) -> None:
        if self._is_reading or len(self._buffer) > BUFFER_LIMIT:
            return
        self._is_reading = True
        if os.name == "posix":
            self._loop.add_reader(self._serial.fileno(), self._on_readable)
        else:
            self._poller = self._loop.create_task(self._poll())

    def _pause(self) -> None:
        if self._is_reading and os.name == "posix":
            self._loop.remove_reader(self._serial.fileno())
        self._is_reading = False

    def _on_readable(self) -> None:
        descriptor = self._serial.fileno()
        try:
            data = os.read(descriptor, 4096)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(error)
            return
        if data:
            self._empty_reads = 0
            self._buffer.put(data)
            if len(self._buffer) > BUFFER_LIMIT:
                self._pause()
            return
        # a tty that reads empty may be a hang-up, or a reader woken for nothing
        self._empty_reads += 1
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        is_hung_up = any(mask & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _fd, mask in poll.poll(0))
        if is_hung_up or self._empty_reads > 3:
            self._fail(OSError(errno.EIO, os.strerror(errno.EIO)))

    def _fail(self, error: OSError) -> None:
        self._pause()
        self._buffer.fail(gone(self.url, error))

    async def _poll(self) -> None:
        """Where descriptors of ports cannot be waited for (Windows): look every 10 ms."""
        while True:
            try:
                count = self._serial.in_waiting
                if count:
                    self._buffer.put(self._serial.read(count))
            except OSError as error:
                self._buffer.fail(gone(self.url, error))
                return
            await asyncio.sleep(POLL_S)


async def open_port(url: str, line: LineSettings) -> Port:
    """The port that `url` names, a device or `socket://HOST:PORT`, set to `line`.

    Raises a TransportError that says what to try: missing, busy, denied, host unknown, nothing listens, no route;
    UsageError for a URL that is none.
    """
    if url.startswith(SOCKET):
        return await open_tcp_line(url)
    if "://" in url:
        raise UsageError(_("{port} is no port: give a device or socket://HOST:PORT").format(port=url))
    try:
        return SerialPort(url, _open_serial(url, line), line)
    except OSError as error:
        raise port_error(url, error) from error


def _open_serial(device: str, line: LineSettings) -> serial.Serial:
    import serial  # only whoever opens a port pays for it

    last: Exception | None = None
    for baud in (line.baud, 19200, 9600):
        # a pseudo-terminal may refuse a setting that changes nothing, with an error that is no OSError
        try:
            return serial.Serial(device, baud, timeout=0, write_timeout=0, exclusive=os.name == "posix" or None)
        except OSError:
            raise
        except Exception as error:
            last = error
    raise OSError(errno.EINVAL, str(last))


def _set_line(opened: serial.Serial, line: LineSettings) -> bool:
    """Set the line; False where 8N1 had to be taken instead of the parity asked for."""
    if sys.platform == "win32":
        opened.apply_settings({"baudrate": line.baud, "bytesize": line.data_bits, "parity": line.parity})
        return True
    import termios

    speed = getattr(termios, f"B{line.baud}", None)
    if speed is None:
        opened.baudrate = line.baud
    descriptor = opened.fileno()
    before = termios.tcgetattr(descriptor)
    if speed is not None:
        before[4] = before[5] = speed
    bare = before[2] & ~(termios.CSIZE | termios.PARENB | termios.PARODD | termios.CSTOPB)
    bits = termios.CS7 if line.data_bits == 7 else termios.CS8
    parity = {"N": 0, "E": termios.PARENB, "O": termios.PARENB | termios.PARODD}[line.parity]
    for flags in (bits | parity, termios.CS8):
        wanted: list[Any] = [*before[:2], bare | flags, *before[3:]]
        try:
            termios.tcsetattr(descriptor, termios.TCSANOW, wanted)
        except termios.error:
            pass  # judged by what the port says it has
        now = termios.tcgetattr(descriptor)
        mask = termios.CSIZE | termios.PARENB | termios.PARODD
        if (now[2] & mask) == (wanted[2] & mask) and (speed is None or now[5] == speed):
            return flags == bits | parity
    now = termios.tcgetattr(descriptor)
    if speed is not None and now[5] != speed:
        raise OSError(errno.EINVAL, _("the speed is not supported"))
    return False


def port_error(device: str, error: OSError) -> TransportError:
    """What it means that `device` cannot be opened, and what to try."""
    number = error.errno
    if number is None and error.__context__ is not None and error.__context__.args:
        number = error.__context__.args[0]  # pyserial keeps the number of what it wraps to itself
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO) or isinstance(error, FileNotFoundError):
        return SerialPortMissingError(
            _("there is no serial port {port}; is the probe plugged in? “beffroi meter ports” lists them").format(
                port=device
            )
        )
    if number in (errno.EACCES, errno.EPERM) or isinstance(error, PermissionError):
        return SerialPortDeniedError(
            _("no permission to open {port}; try: sudo usermod -aG {group} $USER, then log in again").format(
                port=device, group=_group_of(device)
            )
        )
    if number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in str(error):
        return SerialPortBusyError(_("another program holds {port}; close it there first").format(port=device))
    if number in (errno.ENOTTY, errno.EINVAL, errno.EISDIR):
        return TransportError(_("{port} is no serial port").format(port=device))
    return TransportError(
        _("{port} cannot be opened: {reason}").format(port=device, reason=error.strerror or str(error))
    )


def _group_of(device: str) -> str:
    """Group that may open `device`; `dialout` where that does not help (root's own, or none)."""
    try:
        import grp

        name = grp.getgrgid(os.stat(device).st_gid).gr_name
    except (ImportError, OSError, KeyError):
        return "dialout"
    return "dialout" if name in ("root", "tty") else name


def serial_ports() -> list[dict[str, str | None]]:
    """Serial ports of this machine: device, description, serial_number and the stable name in /dev/serial/by-id."""
    from serial.tools import list_ports

    stable: dict[str, str] = {}
    folder = Path("/dev/serial/by-id")
    if folder.is_dir():
        for link in sorted(folder.iterdir()):
            stable[os.path.realpath(link)] = str(link)
    return [
        {
            "device": found.device,
            "description": found.description if found.description not in ("", "n/a") else None,
            "serial_number": found.serial_number,
            "by_id": stable.get(os.path.realpath(found.device)),
        }
        for found in sorted(list_ports.comports(), key=lambda found: found.device)
        if found.hwid != "n/a"  # the fixed ttyS of a PC that has no such chip
    ]


def device_with(usb_serial: str) -> str:
    """The device under which the probe of that USB serial number is plugged in now; blocks for some milliseconds.

    Raises SerialPortMissingError where it is not plugged in.
    """
    from serial.tools import list_ports

    for found in sorted(list_ports.comports(), key=lambda found: str(found.device)):
        if found.serial_number == usb_serial:
            return str(found.device)
    raise SerialPortMissingError(
        _("no probe with the USB serial number {number} is plugged in; “beffroi meter ports” lists them").format(
            number=usb_serial
        )
    )


def usb_serial_of(device: str) -> str | None:
    """The USB serial number of the probe behind a device, also behind a link to one; None where it has none."""
    if "://" in device:
        return None
    from serial.tools import list_ports

    path = os.path.realpath(device)
    for found in list_ports.comports():
        if os.path.realpath(found.device) == path:
            return found.serial_number or None
    return None

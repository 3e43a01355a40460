"""Ports as the reader meets them: pseudo-terminals, TCP lines, and all that can be wrong with a device."""

from __future__ import annotations

import asyncio
import errno
import os
import pty
import socket
import tty

import pytest

from core.errors import (
    HostUnknownError,
    NothingListensError,
    SerialPortBusyError,
    SerialPortDeniedError,
    SerialPortMissingError,
    TransportError,
    UsageError,
)
from core.transport.line import LineSettings
from core.transport.serial_port import open_port, port_error, serial_ports
from core.transport.tcp_line import split_address

LINE = LineSettings(9600)


@pytest.fixture
def terminal():
    """Master and name of a pseudo-terminal in raw mode."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    for descriptor in (master, slave):
        try:
            os.close(descriptor)
        except OSError:
            pass


def test_octets_go_both_ways_and_the_speed_is_set(terminal):
    master, name = terminal

    async def scenario():
        port = await open_port(name, LineSettings(300, 7, "E"))
        try:
            assert not port.carries_parity  # a pseudo-terminal knows eight bits without parity only
            await port.write(b"/?!\r\n")
            os.write(master, b"answer")
            data = await port.read(5.0)
            for line in (LineSettings(9600, 7, "E"), LineSettings(2400, 8, "E"), LineSettings(9600), LINE):
                port.set_line(line)
            assert port.carries_parity
            assert await port.read(0.01) == b""
        finally:
            port.close()
        return data

    assert asyncio.run(scenario()) == b"answer"
    assert os.read(master, 100) == b"/?!\r\n"


def test_a_write_returns_when_the_octets_have_left_the_wire(terminal):
    _master, name = terminal

    async def scenario():
        port = await open_port(name, LineSettings(300))
        began_s = asyncio.get_running_loop().time()
        await port.write(b"123")
        port.close()
        return asyncio.get_running_loop().time() - began_s

    assert asyncio.run(scenario()) >= 0.099


def test_unplugging_is_told_to_whoever_reads():
    master, slave = pty.openpty()
    tty.setraw(slave)

    async def scenario():
        port = await open_port(os.ttyname(slave), LINE)
        os.close(slave)
        asyncio.get_running_loop().call_later(0.05, os.close, master)
        try:
            with pytest.raises(SerialPortMissingError, match="unplugged"):
                await port.read(10.0)
            with pytest.raises(SerialPortMissingError):
                await port.read(10.0)
        finally:
            port.close()

    asyncio.run(scenario())


def test_waiting_is_cancelled_at_once_and_the_port_is_free_again(terminal):
    _master, name = terminal

    async def scenario():
        port = await open_port(name, LineSettings(300))
        reading = asyncio.create_task(port.read(None))
        writing = asyncio.create_task(port.write(b"\0" * 3000))
        await asyncio.sleep(0.05)
        for task in (reading, writing):
            task.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)
        assert reading.cancelled()
        assert writing.cancelled()
        port.close()
        (await open_port(name, LINE)).close()

    asyncio.run(scenario())


def test_a_port_held_by_another_is_busy(terminal):
    _master, name = terminal

    async def scenario():
        port = await open_port(name, LINE)
        try:
            with pytest.raises(SerialPortBusyError, match="another program"):
                await open_port(name, LINE)
        finally:
            port.close()

    asyncio.run(scenario())


def test_a_missing_port_and_a_file_that_is_none(tmp_path):
    async def scenario():
        with pytest.raises(SerialPortMissingError, match="meter ports"):
            await open_port(str(tmp_path / "ttyUSB9"), LINE)
        (tmp_path / "file").write_text("no port")
        with pytest.raises(TransportError, match="no serial port"):
            await open_port(str(tmp_path / "file"), LINE)
        with pytest.raises(UsageError):
            await open_port("http://somewhere", LINE)

    asyncio.run(scenario())


def test_a_denied_port_names_the_group_and_the_command(tmp_path):
    device = tmp_path / "ttyUSB0"
    device.touch()
    found = port_error(str(device), PermissionError(errno.EACCES, "Permission denied"))
    assert isinstance(found, SerialPortDeniedError)
    assert "usermod -aG dialout" in str(found)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can become another user")
def test_a_port_of_another_user_is_denied_for_real(terminal):
    _master, name = terminal
    os.chmod(name, 0o600)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            import serial  # noqa: F401  # imported before the rights to read it are given up

            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            asyncio.run(open_port(name, LINE))
        except SerialPortDeniedError:
            code = 0
        finally:
            os._exit(code)
    _pid, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_tcp_line_is_read_and_its_end_is_told():
    async def scenario():
        async def serve(reader, writer):
            writer.write(b"hello")
            writer.write((await reader.read(4))[::-1])
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        number = server.sockets[0].getsockname()[1]
        port = await open_port(f"socket://127.0.0.1:{number}", LINE)
        await port.write(b"abcd")
        heard = b""
        while len(heard) < 9:
            heard += await port.read(5.0)
        with pytest.raises(SerialPortMissingError, match="closed"):
            await port.read(5.0)
        port.close()
        server.close()
        await server.wait_closed()
        return heard

    assert asyncio.run(scenario()) == b"hellodcba"


def test_a_tcp_line_that_is_not_there():
    async def scenario():
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            with pytest.raises(NothingListensError):
                await open_port(f"socket://127.0.0.1:{taken.getsockname()[1]}", LINE)
        with pytest.raises(HostUnknownError):
            await open_port("socket://no-such-host.invalid:5000", LINE)

    asyncio.run(scenario())


@pytest.mark.parametrize("text", ["localhost", "localhost:", ":5", "h:99999", "h:x"])
def test_an_address_that_is_none_is_bad_usage(text):
    with pytest.raises(UsageError):
        split_address(text)
    assert split_address("[::1]:80") == ("::1", 80)


def test_ports_are_listed_with_all_keys():
    for port in serial_ports():
        assert list(port) == ["device", "description", "serial_number", "by_id"]

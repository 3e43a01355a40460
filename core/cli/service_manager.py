"""Tells systemd, or whoever speaks its protocol, how a service stands: datagrams to the socket of `NOTIFY_SOCKET`.

Source: sd_notify(3) and sd_watchdog_enabled(3). Without that variable nothing is sent anywhere.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time


class ServiceManager:
    """The one that started us, if it wants to know."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._told = ""

    @property
    def watchdog_s(self) -> float | None:
        """How often it wants to hear `alive`, None where it does not watch us: half of what it waits for."""
        waits_us, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
        if not self._address or not waits_us.isdigit() or (pid and pid != str(os.getpid())):
            return None
        return max(0.05, int(waits_us) / 2e6)

    def ready(self) -> None:
        """All has been started, or read again."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The settings are being read again; `ready` follows."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """The loop still turns."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`, sent when it is another one."""
        if text != self._told:
            self._told = text
            self._send(f"STATUS={text}")

    def _send(self, text: str) -> None:
        if not self._address or not hasattr(socket, "AF_UNIX"):
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
            made.setblocking(False)
            made.sendto(text.encode(), self._address)

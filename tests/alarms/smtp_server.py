"""A mail server on 127.0.0.1 with a mood: it takes mails, refuses them, hangs, or says far too much."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Self


class FakeSmtpServer:
    """`mood` is one of: ok, mute, refuse, hang_in_data, drop_in_data, endless, dribble, hang_at_quit, no_auth."""

    def __init__(
        self, mood: str = "ok", *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.mood = mood
        self.mails: list[EmailMessage] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.lines: list[str] = []
        self.port = 0
        self._starttls = starttls
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._on_client, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _on_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                await self._talk(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(line: str) -> None:
            writer.write(line.encode() + b"\r\n")
            await writer.drain()

        if self.mood == "mute":
            await asyncio.sleep(60)
        if self.mood == "dribble":
            while True:
                writer.write(b"2")
                await writer.drain()
                await asyncio.sleep(0.02)
        if self.mood == "endless":
            while True:
                await say("220-" + "and so on " * 50)
        await say("220 fake")
        sender, recipients, is_secure = "", [], self._tls is not None
        while line := (await reader.readline()).decode("latin-1").rstrip("\r\n"):
            self.lines.append(line)
            word = line.split(" ")[0].split(":")[0].upper()
            if word in ("EHLO", "HELO"):
                await say("250-fake")
                if self._starttls is not None and not is_secure:
                    await say("250-STARTTLS")
                await say("250-AUTH PLAIN")
                await say("250 SMTPUTF8")
            elif word == "STARTTLS":
                await say("220 go")
                assert self._starttls is not None
                await writer.start_tls(self._starttls)
                is_secure = True
            elif word == "AUTH":
                await say("535 wrong: your password was hunter2" if self.mood == "no_auth" else "235 welcome")
            elif word == "MAIL":
                sender = line
                await say("250 ok")
            elif word == "RCPT":
                recipients.append(line)
                await say("250 ok")
            elif word == "DATA":
                if self.mood == "refuse":
                    await say("554 no\x1b[31m such thing")
                    continue
                await say("354 go on")
                if self.mood == "hang_in_data":
                    await asyncio.sleep(60)
                if self.mood == "drop_in_data":
                    await reader.read(10)
                    return
                body = await reader.readuntil(b"\r\n.\r\n")
                self.mails.append(message_from_bytes(body[:-3], policy=policy.default))  # type: ignore[arg-type]  # of EmailMessage, by its policy
                self.envelopes.append((sender, recipients))
                await say("250 taken")
            elif word == "QUIT":
                if self.mood == "hang_at_quit":
                    await asyncio.sleep(60)
                await say("221 bye")
                return
            else:
                await say("250 ok")

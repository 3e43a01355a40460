"""Alarms by mail: one message for a burst, over SMTP with verified TLS, in a thread that nothing waits for.

`smtplib` blocks, and a server may dribble an octet at a time: so each attempt has a thread of its own, a time-out on
each step and a deadline over all of them, after which its socket is shut and nobody looks at it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, getaddresses
from ipaddress import ip_address
from typing import BinaryIO

from core.alarms.digest import AlarmNotice
from core.alarms.texts import title_of
from core.config import read_secret, secret_path
from core.config.settings import EmailSettings
from core.errors import (
    BeffroiError,
    ConfigError,
    HostUnknownError,
    NoRouteError,
    NothingListensError,
    NotTrustedError,
    RefusedError,
    RemoteProtocolError,
    TransportError,
    WrongPasswordError,
)
from core.home import Home
from core.language import _, ngettext
from core.protocol.messages import plain_text
from core.site_records import Alarm

STEP_TIMEOUT_S = 15.0
DEADLINE_S = 45.0
MOST_ANSWER_OCTETS = 256 * 1024
"""All that a server says in one session; one that says more is cut off."""

MOST_LINES = 100
"""Alarms that one mail names."""

_LONGEST_SUBJECT = 150

log = logging.getLogger("beffroi.alarm_outputs")


class MailSender:
    """Sends notices through one server; `send` raises BeffroiError where the mail was not taken."""

    def __init__(
        self,
        settings: EmailSettings,
        home: Home,
        *,
        step_timeout_s: float = STEP_TIMEOUT_S,
        deadline_s: float = DEADLINE_S,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._settings = settings
        self._home = home
        self._step_timeout_s = step_timeout_s
        self._deadline_s = deadline_s
        self._trust = trust
        self._attempt: _Attempt | None = None

    async def send(self, notices: Sequence[AlarmNotice]) -> None:
        """Send one mail of these notices."""
        if self._attempt is not None and self._attempt.is_alive():
            raise NoRouteError(self._silent_words())  # its thread waits for a name; a second one would too
        message = mail_of(notices, self._settings, datetime.now().astimezone())
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(done.set)

        attempt = self._attempt = _Attempt(lambda made: self._transmit(message, made), tell)
        attempt.start()
        try:
            async with asyncio.timeout(self._deadline_s):
                await done.wait()
        except TimeoutError:
            attempt.shut()
            if not attempt.is_sent:
                raise NoRouteError(self._silent_words()) from None
            return
        except asyncio.CancelledError:
            attempt.shut()
            raise
        if attempt.failure is not None and not attempt.is_sent:
            raise self._told(attempt.failure) from None

    # In the thread of the attempt

    def _transmit(self, message: EmailMessage, attempt: _Attempt) -> None:
        settings = self._settings
        password = None
        if settings.user is not None and settings.password_file is not None:
            if settings.security == "none" and not _is_loopback(settings.host):
                raise ConfigError(
                    _(
                        'a password is not sent without encryption; set security = "starttls" or "tls" for {host}'
                    ).format(host=settings.host)
                )
            password = read_secret(secret_path(self._home, settings.password_file))
        context = self._trust or ssl.create_default_context()
        made = socket.create_connection((settings.host, settings.port), self._step_timeout_s)
        attempt.guard(made)
        if settings.security == "tls":
            made = context.wrap_socket(made, server_hostname=settings.host)
        with contextlib.closing(_Session(made, settings.host, settings.port, self._step_timeout_s)) as session:
            if settings.security == "starttls":
                session.starttls(context=context)
                session.ehlo()
            if settings.user is not None and password is not None:
                session.login(settings.user, password)
            refused = session.send_message(message)
            attempt.is_sent = True
            if refused:
                log.warning("%s refuses %d of the recipients", self._server, len(refused))
            with contextlib.suppress(smtplib.SMTPException, OSError):
                session.quit()

    def _silent_words(self) -> str:
        return _("{server} does not answer in time; check host, port and firewall").format(server=self._server)

    @property
    def _server(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def _told(self, error: Exception) -> BeffroiError:
        """The failure in words; none of them holds the password or the mail."""
        server = self._server
        if isinstance(error, BeffroiError):
            return error
        if isinstance(error, smtplib.SMTPAuthenticationError):
            return WrongPasswordError(_("{server} refuses the user or the password").format(server=server))
        if isinstance(error, smtplib.SMTPNotSupportedError):
            return ConfigError(
                _('{server} does not offer what is asked; try security = "tls" with port 465').format(server=server)
            )
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            return RefusedError(_("{server} refuses every recipient").format(server=server))
        if isinstance(error, smtplib.SMTPServerDisconnected):
            if isinstance(error.__context__, TimeoutError):  # smtplib calls a server that is silent gone
                return NoRouteError(self._silent_words())
            return TransportError(_("{server} closes the connection before the mail is taken").format(server=server))
        if isinstance(error, smtplib.SMTPResponseException):
            raw = error.smtp_error
            reason = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
            return RemoteProtocolError(
                _("{server} refuses the mail: {code} {reason}").format(
                    server=server, code=error.smtp_code, reason=plain_text(reason, 200)
                )
            )
        if isinstance(error, ssl.SSLCertVerificationError):
            return NotTrustedError(
                _("the certificate of {server} is not trusted: {reason}").format(
                    server=server, reason=plain_text(error.verify_message or "", 200)
                )
            )
        if isinstance(error, ssl.SSLError):
            return RemoteProtocolError(
                _('{server} does not speak TLS there; try security = "starttls" with port 587').format(server=server)
            )
        if isinstance(error, socket.gaierror):
            return HostUnknownError(_("there is no host called {host}").format(host=self._settings.host))
        if isinstance(error, ConnectionRefusedError):
            return NothingListensError(_("no mail server listens at {server}").format(server=server))
        if isinstance(error, TimeoutError):
            return NoRouteError(self._silent_words())
        reason = getattr(error, "strerror", None) or type(error).__name__
        return TransportError(_("{server} is not reached: {reason}").format(server=server, reason=reason))


class _Attempt(threading.Thread):
    """One mail on its way. A daemon: a server that hangs does not hold the program's end."""

    def __init__(self, work: Callable[[_Attempt], None], tell: Callable[[], None]) -> None:
        super().__init__(name="alarm mail", daemon=True)
        self.failure: Exception | None = None
        self.is_sent = False
        self._work = work
        self._tell = tell
        self._door = threading.Lock()
        self._guard: socket.socket | None = None
        self._is_shut = False

    def run(self) -> None:
        """Do the work and tell."""
        try:
            self._work(self)
        except Exception as error:  # the outermost frame of this thread; told in words by who waits
            self.failure = error
        finally:
            with self._door:
                if self._guard is not None:
                    self._guard.close()
                    self._guard = None
            self._tell()

    def guard(self, made: socket.socket) -> None:
        """Keep a hold on the connection; raises TimeoutError where it is already too late."""
        with self._door:
            if self._is_shut:
                made.close()
                raise TimeoutError
            self._guard = made.dup()

    def shut(self) -> None:
        """End the connection under the thread's feet; from any thread."""
        with self._door:
            self._is_shut = True
            if self._guard is not None:
                with contextlib.suppress(OSError):
                    self._guard.shutdown(socket.SHUT_RDWR)


class _Session(smtplib.SMTP):
    """A session over a socket that is already there, of a server that may say so much and no more."""

    def __init__(self, made: socket.socket, host: str, port: int, timeout_s: float) -> None:
        self._made = made
        self._left = MOST_ANSWER_OCTETS
        try:
            # a name of our own is given, else smtplib would ask the name server for it
            super().__init__(host, port, local_hostname=_own_name(), timeout=timeout_s)
        except BaseException:
            made.close()
            raise

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._made

    def getreply(self) -> tuple[int, bytes]:
        """The server's next answer."""
        if self.file is None and self.sock is not None:
            self.file = _Bounded(self.sock.makefile("rb"), self._left)
        return super().getreply()


class _Bounded:
    """A reader that ends, as if the server had closed, after so many octets."""

    def __init__(self, stream: BinaryIO, left: int) -> None:
        self._stream = stream
        self._left = left

    def readline(self, size: int = -1) -> bytes:
        """The next line."""
        if self._left <= 0:
            return b""
        line = self._stream.readline(size)
        self._left -= len(line)
        return line

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()


def mail_of(notices: Sequence[AlarmNotice], settings: EmailSettings, now: datetime) -> EmailMessage:
    """The message of these notices; raises ConfigError for an address that is none."""
    message = EmailMessage(policy=SMTP_POLICY)
    sender = _address(settings.sender)
    message["From"] = sender
    message["To"] = [_address(one) for one in settings.to]
    title = plain_text(" ".join(notices[0].title.split()), _LONGEST_SUBJECT) if notices else ""
    more = len(notices) - 1
    if more > 0:
        title = ngettext("{title} (and {count} more)", "{title} (and {count} more)", more).format(
            title=title, count=more
        )
    message["Subject"] = f"[Beffroi] {title}"
    message["Date"] = format_datetime(now)
    # one that is sent again is the same message; a trial without alarms never is
    what = [[(alarm.id, alarm.state, alarm.changed_s) for alarm in one.alarms] or str(now) for one in notices]
    told = hashlib.sha256(repr(what).encode())
    message["Message-ID"] = f"<beffroi.{told.hexdigest()[:32]}@{sender.domain or 'localhost'}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note answers it
    message.set_content(_body(notices))
    return message


def _body(notices: Sequence[AlarmNotice]) -> str:
    lines: list[str] = []
    left = MOST_LINES
    for notice in notices:
        lines.append(notice.title)
        if len(notice.alarms) == 1:
            lines += [f"  {_where_and_when(notice.alarms[0])}", ""]
            continue
        lines += [*notice.text.splitlines(), ""]
        for alarm in notice.alarms[:left]:
            lines += [f"  {plain_text(alarm.text, 400)}", f"    {_where_and_when(alarm)}"]
        if len(notice.alarms) > left:
            rest = len(notice.alarms) - left
            lines.append("  " + ngettext("… and {count} more", "… and {count} more", rest).format(count=rest))
        left = max(0, left - len(notice.alarms))
        lines.append("")
    lines.append(_("Sent by Beffroi on {host}.").format(host=plain_text(socket.gethostname(), 100)))
    return "\n".join(lines) + "\n"


def _where_and_when(alarm: Alarm) -> str:
    since = datetime.fromtimestamp(alarm.since_s).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
    parts = (since, plain_text(alarm.source, 200), title_of(alarm.rule), alarm.severity.value, f"#{alarm.id}")
    return " · ".join(parts)


def _address(text: str) -> Address:
    (name, address), *others = getaddresses([text]) or [("", "")]
    try:
        if others or not text.isprintable() or "@" not in address:
            raise ValueError
        return Address(display_name=name, addr_spec=address)
    except (ValueError, IndexError, MessageError) as error:
        raise ConfigError(
            _("{address} is no mail address; write one such as alarms@example.org").format(
                address=plain_text(text, 100)
            )
        ) from error


def _own_name() -> str:
    """What we call ourselves to a server: our full name, else an address literal (RFC 5321, 4.1.3)."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() and name.isprintable() else "[127.0.0.1]"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

"""What mail and webhook promise: one message for a burst, and a server of any mood blocks nothing."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alarm_records import T0, alarm
from smtp_server import FakeSmtpServer

from core.alarms.digest import digest
from core.config.settings import AlarmsSettings, EmailSettings, WebhookSettings
from core.errors import BeffroiError, ConfigError, NotTrustedError
from core.home import Home, write_private
from core.records import Event
from core.services import alarm_outputs
from core.services.alarm_mail import MailSender, mail_of
from core.services.alarm_outputs import AlarmOutputs, Way
from core.services.alarm_webhook import WebhookSender
from core.site_records import Alarm, AlarmSeverity, AlarmState, Record
from core.transport.identity import ensure_identity

SECRET = "hunter2-and-more"
NOTICES = digest([alarm(1)])
LOST = [alarm(number) for number in range(1, 2001)]


def email(port: int, **changes: object) -> EmailSettings:
    fields: dict[str, object] = {
        "host": "127.0.0.1",
        "port": port,
        "sender": "Belfry <beffroi@example.org>",
        "to": ("anna@example.org", "bob@example.org"),
        "security": "none",
    }
    return EmailSettings(**(fields | changes))  # type: ignore[arg-type]  # settings of whatever a test asks


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home").make()
    write_private(made.path / "secret", f"{SECRET}\n".encode())
    return made


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    identity = ensure_identity(tmp_path_factory.mktemp("mail") / "server", "mail")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate_path, identity.key_path)
    return context


def sent_to(
    server: FakeSmtpServer, home: Home, *, deadline_s: float = 5.0, step_timeout_s: float = 2.0, **changes: object
) -> str:
    """The words of the failure, empty where the mail was taken."""

    async def story() -> str:
        async with asyncio.timeout(30), server:
            settings = email(server.port, **changes)
            sender = MailSender(settings, home, step_timeout_s=step_timeout_s, deadline_s=deadline_s)
            try:
                await sender.send(NOTICES)
            except BeffroiError as error:
                return f"{type(error).__name__}: {error}"
            return ""

    return asyncio.run(story())


def test_a_mail_says_what_rings_to_all_its_readers(home):
    server = FakeSmtpServer()
    assert sent_to(server, home) == ""
    (mail,) = server.mails
    assert mail["Subject"] == "[Beffroi] m1 has been offline for 30 s"
    assert (mail["From"], mail["To"]) == ("Belfry <beffroi@example.org>", "anna@example.org, bob@example.org")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "machine/m1" in mail.get_content()
    assert len(server.envelopes[0][1]) == 2


@pytest.mark.parametrize(
    ("mood", "words"),
    [
        ("mute", "NoRouteError: {server} does not answer in time; check host, port and firewall"),
        ("dribble", "NoRouteError: {server} does not answer in time"),
        ("hang_in_data", "NoRouteError: {server} does not answer in time"),
        ("drop_in_data", "TransportError: {server} closes the connection before the mail is taken"),
        ("endless", "closes the connection before the mail is taken"),
        ("refuse", "RemoteProtocolError: {server} refuses the mail: 554 no [31m such thing"),
    ],
)
def test_a_server_of_any_mood_is_left_in_time_and_said_in_words(home, mood, words):
    server = FakeSmtpServer(mood)
    told = sent_to(server, home, deadline_s=0.4)
    assert words.format(server=f"127.0.0.1:{server.port}") in told
    assert server.mails == []


@pytest.mark.parametrize("mood", ["mute", "hang_in_data"])
def test_a_server_that_is_silent_at_one_step_is_not_said_to_have_gone(home, mood):
    assert "does not answer in time" in sent_to(FakeSmtpServer(mood), home, step_timeout_s=0.3)


def test_a_server_that_hangs_after_it_took_the_mail_has_taken_it(home):
    server = FakeSmtpServer("hang_at_quit")
    assert sent_to(server, home, deadline_s=0.5) == ""
    assert len(server.mails) == 1


def test_a_port_where_nobody_listens_is_said(home):
    async def story() -> None:
        async with FakeSmtpServer() as server:
            port = server.port
        with pytest.raises(BeffroiError, match=f"no mail server listens at 127.0.0.1:{port}"):
            await MailSender(email(port), home).send(NOTICES)

    asyncio.run(story())


def test_a_password_that_is_refused_is_said_and_never_shown(home):
    told = sent_to(FakeSmtpServer("no_auth"), home, user="anna", password_file="secret")
    assert told.startswith("WrongPasswordError:")
    assert "hunter2" not in told


def test_a_password_goes_to_no_other_host_without_encryption(home):
    settings = email(25, host="mail.invalid", user="anna", password_file="secret")
    with pytest.raises(ConfigError, match="is not sent without encryption"):
        asyncio.run(MailSender(settings, home).send(NOTICES))


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_is_not_trusted(home, certificate, security):
    server = FakeSmtpServer(**{security: certificate})
    told = sent_to(server, home, security=security, user="anna", password_file="secret")
    assert told.startswith(NotTrustedError.__name__)
    assert not [line for line in server.lines if "AUTH" in line]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_goes_encrypted_with_the_password(home, certificate, security):
    server = FakeSmtpServer(**{security: certificate})
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE

    async def story() -> None:
        async with server:
            settings = email(server.port, security=security, user="anna", password_file="secret")
            await MailSender(settings, home, trust=trust).send(NOTICES)

    asyncio.run(story())
    assert len(server.mails) == 1
    assert [line for line in server.lines if line.startswith("AUTH PLAIN")]


def test_a_server_without_starttls_gets_neither_mail_nor_password(home):
    server = FakeSmtpServer()
    assert "does not offer what is asked" in sent_to(
        server, home, security="starttls", user="anna", password_file="secret"
    )
    assert server.mails == []


def test_no_text_of_an_alarm_adds_a_header():
    evil = "x\r\nBcc: everybody@example.org\r\n\r\nbody\u2028\x00\x1b[2J"
    (notice,) = digest([alarm(1, text=evil, source=f"sensor/{evil}")])
    raw = mail_of([notice], email(25), datetime.now(UTC)).as_bytes()
    headers = raw.partition(b"\r\n\r\n")[0].decode()
    assert "Bcc" not in [line.partition(":")[0] for line in headers.split("\r\n")]
    assert b"\x1b" not in raw
    assert b"\x00" not in raw


@pytest.mark.parametrize("address", ["a@b\r\nBcc: c@d", "nobody", "a@b, c@d", "", "@", "a b@c", "<a@b>\x00"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(ConfigError, match="is no mail address"):
        mail_of(NOTICES, email(25, to=(address,)), datetime.now(UTC))


def test_two_thousand_alarms_are_one_mail_of_readable_length():
    mail = mail_of(digest(LOST), email(25), datetime.now(UTC))
    body = mail.get_content()
    assert mail["Subject"] == "[Beffroi] 2000 × Machine offline"
    assert "… and 1900 more" in body
    assert len(body.splitlines()) < 220


# The webhook


class FakeWebServer:
    """Answers each request with `answer`, or goes on and on."""

    def __init__(self, answer: bytes = b"HTTP/1.1 204 No Content\r\n\r\n", endless: bytes = b"") -> None:
        self.answer, self.endless = answer, endless
        self.heads: list[bytes] = []
        self.bodies: list[dict[str, object]] = []
        self.sent = 0

    async def on_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            self.heads.append(head)
            self.bodies.append(json.loads(await reader.readexactly(length)))
            writer.write(self.answer)
            while self.endless:
                writer.write(self.endless)
                self.sent += len(self.endless)
                await writer.drain()
                await asyncio.sleep(0)
            await writer.drain()
            if not self.answer:
                await asyncio.sleep(60)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()


def posted_to(server: FakeWebServer, home: Home, notices=NOTICES, *, timeout_s: float = 5.0, **changes: object) -> str:
    async def story() -> str:
        listening = await asyncio.start_server(server.on_client, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}/secret-path?key=secret-key"
        sender = WebhookSender(WebhookSettings(url=url, **changes), home, timeout_s=timeout_s)  # type: ignore[arg-type]  # settings of whatever a test asks
        try:
            await sender.send(notices)
        except BeffroiError as error:
            return f"{type(error).__name__}: {error}"
        finally:
            listening.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.sleep(0)
        return ""

    return asyncio.run(story())


def test_a_webhook_gets_the_alarms_as_the_command_line_prints_them(home):
    server = FakeWebServer()
    assert posted_to(server, home, token_file="secret") == ""
    (body,) = server.bodies
    assert (body["title"], body["severity"], body["state"], body["count"]) == (
        "m1 has been offline for 30 s",
        "high",
        "active",
        1,
    )
    assert list(body["alarms"][0]) == [
        "id", "source", "rule", "severity", "state", "value", "threshold", "since", "until", "operator", "comment",
        "text",
    ]  # fmt: skip
    assert f"Authorization: Bearer {SECRET}".lower() in server.heads[0].decode().lower()
    assert server.heads[0].startswith(b"POST /secret-path?key=secret-key HTTP/1.1\r\n")


def test_a_burst_is_one_request_with_a_bounded_list(home):
    server = FakeWebServer()
    assert posted_to(server, home, digest(LOST)) == ""
    (body,) = server.bodies
    assert (body["count"], len(body["alarms"])) == (2000, 500)


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (FakeWebServer(b""), "takes the connection and does not answer"),
        (FakeWebServer(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"), "answers 500 Oh"),
        (FakeWebServer(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"), "the token is missing or wrong"),
        (FakeWebServer(b"HTTP/1.1 307 Go\r\nLocation: http://192.0.2.1/\r\n\r\n"), "sends elsewhere"),
        (FakeWebServer(b"HTTP/1.1 200 OK\r\nX: ", endless=b"y" * 65536), "sends headers without an end"),
        (FakeWebServer(b"\x16\x03\x01 no http\r\n\r\n"), "does not speak HTTP"),
    ],
    ids=["hangs", "500", "401", "redirects", "endless headers", "no http"],
)
def test_a_webhook_of_any_mood_is_said_in_words_without_its_secrets(home, caplog, server, words):
    with caplog.at_level(logging.DEBUG):
        told = posted_to(server, home, timeout_s=1.0, token_file="secret")
    assert words in told
    for secret in (SECRET, "secret-path", "secret-key"):
        assert secret not in told + caplog.text


def test_an_endless_answer_is_not_read(home):
    server = FakeWebServer(b"HTTP/1.1 200 OK\r\n\r\n", endless=b"z" * 65536)
    assert posted_to(server, home) == ""
    assert server.sent < 64 * 2**20  # four KiB of it are enough; the rest was under way


# Both


class Story:
    """One way out with a server that fails for a while."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.batches: list[int] = []
        self.told: list[tuple[str, str]] = []
        self.begun = 0
        self.delay_s = 0.0
        self.way = Way(
            "e-mail",
            self.send,
            lambda kind, _severity, text: self.told.append((kind, text)),
            AlarmSeverity.MEDIUM,
            quiet_s=0.01,
            longest_s=0.05,
            pause_s=0.01,
            retry_pauses_s=(0.01, 0.01, 0.01),
        )

    async def send(self, notices) -> None:
        self.begun += 1
        await asyncio.sleep(self.delay_s)
        if self.failures > 0:
            self.failures -= 1
            raise BeffroiError("the server is gone")
        self.batches.append(sum(len(notice.alarms) for notice in notices))

    def run(self, story: Callable[[], Awaitable[None]]) -> None:
        async def told() -> None:
            task = asyncio.create_task(self.way.run())
            await asyncio.sleep(0)
            try:
                await story()
            finally:
                task.cancel()
                await asyncio.wait([task])

        asyncio.run(told())

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not is_so():  # noqa: ASYNC110 -- what it waits for is told in no event
                await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def _fast_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm_outputs, "TURN_S", 0.005)


def test_two_thousand_lost_at_once_are_sent_as_one():
    story = Story(0)

    async def told() -> None:
        for one in LOST:
            story.way.put(one)
        await story.until(lambda: bool(story.batches))
        await asyncio.sleep(0.05)

    story.run(told)
    assert story.batches == [2000]


def test_a_failure_is_said_once_and_so_is_its_end():
    story = Story(3)

    async def told() -> None:
        story.way.put(alarm(1))
        await story.until(lambda: bool(story.batches))

    story.run(told)
    assert story.told == [
        ("alarms_not_sent", "alarms are not sent by e-mail: the server is gone"),
        ("alarms_sent_again", "alarms are sent again by e-mail"),
    ]
    assert story.way.lost == 0


def test_trying_again_has_an_end_and_what_is_given_up_is_counted():
    story = Story(4)

    async def told() -> None:
        story.way.put(alarm(1))
        story.way.put(alarm(2))
        await story.until(lambda: story.failures == 0 and story.way.lost == 2)
        story.way.put(alarm(3))
        await story.until(lambda: bool(story.batches))

    story.run(told)
    assert story.batches == [1]
    assert story.told[-1] == ("alarms_sent_again", "alarms are sent again by e-mail; 2 were not sent")


def test_what_waits_at_the_end_is_tried_once_more():
    story = Story(0)

    async def told() -> None:
        story.way.put(alarm(1))

    story.run(told)
    assert story.batches == [1]


def test_what_is_on_its_way_at_the_end_arrives_once():
    story = Story(0)
    story.delay_s = 0.1

    async def told() -> None:
        story.way.put(alarm(1))
        await story.until(lambda: story.begun == 1)

    story.run(told)
    assert (story.begun, story.batches) == (1, [1])


def test_a_server_that_hangs_does_not_hold_the_end(monkeypatch):
    monkeypatch.setattr(alarm_outputs, "LAST_TRY_S", 0.05)
    story = Story(0)
    story.delay_s = 3600.0

    async def told() -> None:
        story.way.put(alarm(1))
        await story.until(lambda: story.begun == 1)

    story.run(told)
    assert story.batches == []


def test_alarms_go_by_mail_from_their_severity_on_and_once_more_when_they_are_over(home, monkeypatch, caplog):
    monkeypatch.setattr(alarm_outputs, "MAIL_QUIET_S", 0.02)
    monkeypatch.setattr(alarm_outputs, "MAIL_PAUSE_S", 0.02)
    told: list[Record] = []

    async def story() -> list[str]:
        async with FakeSmtpServer() as server:
            settings = AlarmsSettings(email=email(server.port, user="anna", password_file="secret"))
            outputs = AlarmOutputs(settings, home, told.append)
            task = asyncio.create_task(outputs.run())

            async def until(count: int) -> None:
                async with asyncio.timeout(10):
                    while len(server.mails) < count:  # noqa: ASYNC110 -- what it waits for is told in no event
                        await asyncio.sleep(0.005)

            outputs.put(alarm(1))
            outputs.put(alarm(2, severity=AlarmSeverity.LOW))
            outputs.put(Event(time_s=T0, source="x", kind="x", severity="info", text="x"))  # type: ignore[arg-type]  # passed over
            await until(1)
            outputs.put(alarm(1, state=AlarmState.RESOLVED, until_s=T0 + 60))
            await until(2)
            task.cancel()
            await asyncio.wait([task])
            return [str(mail["Subject"]) for mail in server.mails]

    with caplog.at_level(logging.DEBUG):
        subjects = asyncio.run(story())
    assert subjects == ["[Beffroi] m1 has been offline for 30 s", "[Beffroi] Over: m1 has been offline for 30 s"]
    assert told == []
    assert SECRET not in caplog.text


def test_a_secret_that_others_may_read_is_refused_in_words(home):
    (home.path / "secret").chmod(0o644)
    told = posted_to(FakeWebServer(), home, token_file="secret")
    assert told.startswith("ConfigError: ")
    assert "chmod 600" in told


def test_a_sink_never_waits_and_is_bounded(home):
    outputs = AlarmOutputs(AlarmsSettings(), home, lambda record: None)
    records: list[Alarm] = [alarm(number) for number in range(100)]
    for _turn in range(250):
        for record in records:
            outputs.put(record)
    assert outputs.lost == 5_000

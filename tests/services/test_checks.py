"""What checks of reachability promise, against real servers on this machine, each with its trap."""

from __future__ import annotations

import asyncio
import gzip
import threading
import time

import pytest
from check_servers import PAGE, Certificates, server

from core.config.settings import CheckConfig
from core.errors import UsageError
from core.services.check_certificate import end_of_validity
from core.services.check_http import MOST_OCTETS, fetch
from core.services.check_names import Names
from core.services.check_target import parse_target
from core.services.checks import CheckRunner, Outcome, Prober, run_check, validated
from core.site_records import CheckResult, CheckState


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def checked(answer: object, path: str = "/", *, scheme: str = "http", timeout_s: float = 5.0, **options) -> Outcome:
    """The outcome of one check of a server that answers so."""
    text, trust = options.pop("text", None), options.pop("trust", None)

    async def run() -> Outcome:
        async with server(answer, **options) as port:
            with Prober(trust=trust) as prober:
                return await prober.check(f"{scheme}://127.0.0.1:{port}{path}", timeout_s=timeout_s, text=text)

    return asyncio.run(run())


def test_a_page_is_ok_with_its_status_and_the_time_it_took() -> None:
    found = checked(PAGE).result
    assert (found.state, found.status, found.error, found.certificate_days) == (CheckState.OK, 200, None, None)
    assert found.latency_ms is not None
    assert 0 < found.latency_ms < 5000
    assert found.check == found.target


def test_a_server_that_answers_with_an_error_has_failed_with_its_status() -> None:
    found = checked(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").result
    assert (found.state, found.status) == (CheckState.FAILED, 503)
    assert found.error == "the server answers 503 Service Unavailable"
    assert found.latency_ms is not None


@pytest.mark.parametrize(
    ("body", "content_type", "is_there"),
    [
        ("L’état est bon".encode(), "text/html", True),
        ("L'état est bon".encode("latin-1"), "text/html; charset=ISO-8859-1", True),
        ('<meta charset="cp1252">L\'état'.encode("cp1252"), "text/html", True),
        (b"out of order", "text/html; charset=no-such", False),
        (b"out of order", "text/html; charset=undefined", False),
        (b"out of order", "text/html; charset=idna", False),
        (b"a-" + b"b9c1" * 250_000, "text/html; charset=punycode", False),
    ],
)
def test_a_text_is_looked_for_in_the_character_set_of_the_page(body: bytes, content_type: str, is_there: bool) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    found = checked(head + body, text="état").result
    assert found.state is (CheckState.OK if is_there else CheckState.FAILED)
    assert found.status == 200


def test_the_words_of_a_server_cannot_steer_a_terminal() -> None:
    error = checked(b"HTTP/1.1 500 Oh \x9b2J no\r\nContent-Length: 0\r\n\r\n").result.error
    assert error == "the server answers 500 Oh  2J no"


def test_a_server_that_never_answers_is_a_timeout_that_says_so() -> None:
    async def nothing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    found = checked(nothing, timeout_s=0.2).result
    assert found.state is CheckState.TIMEOUT
    assert "0.2 s" in (found.error or "")
    assert "takes the connection and does not answer" in (found.error or "")
    assert found.latency_ms is None


def test_octets_that_trickle_do_not_stretch_the_time() -> None:
    async def trickle(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    began_s = time.monotonic()
    found = checked(trickle, timeout_s=0.3).result
    assert time.monotonic() - began_s < 3
    assert (found.state, found.status) == (CheckState.TIMEOUT, 200)
    assert "begins and does not end" in (found.error or "")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_without_an_end_is_read_to_its_bound_and_is_ok(chunked: bool) -> None:
    async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + (b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"\r\n"))
        while True:
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n" if chunked else b"x" * 65536)
            await writer.drain()

    outcome = checked(endless)
    assert outcome.result.state is CheckState.OK
    assert outcome.page is not None
    assert outcome.page.is_cut
    assert len(outcome.page.body) == MOST_OCTETS
    assert "1024 KiB" in (checked(endless, text="here").result.error or "")


def test_a_packed_bomb_is_unpacked_to_the_bound() -> None:
    packed = gzip.compress(b"\0" * (200 << 20), 9)
    assert len(packed) < MOST_OCTETS
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    outcome = checked(head + packed)
    assert outcome.page is not None
    assert outcome.page.is_cut
    assert len(outcome.page.body) == MOST_OCTETS


def test_redirects_for_ever_end_at_ten() -> None:
    asked = 0

    async def again(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: /turn/{asked}\r\nContent-Length: 0\r\n\r\n".encode())

    found = checked(again).result
    assert (found.state, asked) == (CheckState.FAILED, 11)
    assert "more than 10 times" in (found.error or "")


def test_a_redirect_is_followed_to_the_page() -> None:
    async def run() -> CheckResult:
        async with server(PAGE) as port:
            moved = f"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:{port}/there\r\n\r\n".encode()
            async with server(moved) as first:
                return await run_check(f"http://127.0.0.1:{first}/", name="site", timeout_s=5)

    found = asyncio.run(run())
    assert (found.check, found.state, found.status) == ("site", CheckState.OK, 200)


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/", "http://[::1", "http://"])
def test_a_redirect_to_anything_else_than_a_page_is_refused(location: str) -> None:
    found = checked(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n".encode()).result
    assert found.state is CheckState.FAILED
    assert found.error


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak HTTP"),
        (bytes(range(256)) * 4, "does not speak HTTP"),
        (b"", "closes the connection without an answer"),
        (b"HTTP/1.1 200 OK\r\nX: ", "breaks off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "breaks off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: " + b"x" * 200_000, "headers without an end"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: x\r\n" * 40_000, "headers without an end"),
    ],
)
def test_garbage_is_told_from_silence(answer: bytes, words: str) -> None:
    found = checked(answer).result
    assert found.state is CheckState.FAILED
    assert words in (found.error or "")


def test_informational_answers_for_ever_end_with_the_time() -> None:
    async def hints(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.005)

    assert checked(hints, timeout_s=0.3).result.state is CheckState.TIMEOUT


# TLS


def test_a_trusted_certificate_tells_its_days(certificates: Certificates) -> None:
    found = checked(PAGE, scheme="https", tls=certificates.context("127.0.0.1", 41.5), trust=certificates.trust).result
    assert (found.state, found.error) == (CheckState.OK, None)
    assert found.certificate_days == pytest.approx(41.5, abs=0.1)


@pytest.mark.parametrize(
    ("host", "days", "is_self_signed", "words"),
    [
        ("127.0.0.1", -3.0, False, "has expired"),
        ("127.0.0.1", 20.0, True, "self-signed"),
        ("192.0.2.9", 20.0, False, "for another address than 127.0.0.1"),
    ],
)
def test_a_certificate_that_is_not_taken_fails_in_words_and_tells_its_days(
    certificates: Certificates, host: str, days: float, is_self_signed: bool, words: str
) -> None:
    requests: list[bytes] = []

    async def keep(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.read())

    tls = certificates.context(host, days, is_self_signed=is_self_signed)
    found = checked(keep, scheme="https", tls=tls, trust=certificates.trust, reads=False).result
    assert found.state is CheckState.FAILED
    assert words in (found.error or "")
    assert found.certificate_days == pytest.approx(days, abs=0.1)
    assert b"".join(requests) == b"", "nothing is sent to a server that is not trusted"


def test_an_authority_that_this_machine_does_not_know_is_said(certificates: Certificates) -> None:
    nobody = Certificates(certificates.folder).trust
    found = checked(PAGE, scheme="https", tls=certificates.context("127.0.0.1", 9), trust=nobody).result
    assert found.state is CheckState.FAILED
    assert found.certificate_days == pytest.approx(9, abs=0.1)


def test_a_server_without_tls_is_told_from_a_bad_certificate() -> None:
    async def plain(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    found = checked(plain, scheme="https", reads=False).result
    assert found.state is CheckState.FAILED
    assert "does not speak TLS" in (found.error or "")


def test_a_server_that_never_begins_tls_is_a_timeout() -> None:
    async def nothing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    found = checked(nothing, scheme="https", reads=False, timeout_s=0.3).result
    assert found.state is CheckState.TIMEOUT
    assert "does not begin TLS" in (found.error or "")


@pytest.mark.parametrize("days", [-4000.0, -1.0, 3.25, 9000.0, 30_000.0])
def test_the_end_is_read_from_a_certificate_of_any_age(certificates: Certificates, days: float) -> None:
    assert end_of_validity(certificates.der(days)) == pytest.approx(time.time() + days * 86400, abs=60)


def test_a_cut_certificate_has_no_end_and_raises_nothing(certificates: Certificates) -> None:
    der = certificates.der(10)
    found = [end_of_validity(der[:size]) for size in range(len(der))]
    assert set(found) == {None}
    for at in range(120):
        end_of_validity(der[:at] + b"\xff" + der[at + 1 :])


# Targets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://eve:s3cret@example.org/a?b=c#d", "https://example.org/a?b=c"),
        ("http://s3cret@[::1]:8080", "http://[::1]:8080"),
        ("HTTP://EXAMPLE.org:80/", "http://example.org:80/"),
        ("example.org:443", "example.org:443"),
        ("[::1]:443", "[::1]:443"),
        ("::1", "::1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("http://bücher.example/ä b".replace(" ", ""), "http://bücher.example/äb"),
    ],
)
def test_a_target_is_shown_without_user_and_password(text: str, shown: str) -> None:
    assert parse_target(text).shown == shown


@pytest.mark.parametrize(
    "text",
    [
        "", "ftp://eve:s3cret@example.org/", "https://eve:s3/cret@example.org/", "https://eve:s3cret@:80/", "http://",
        "http://eve:s3cret@exam ple.org", "eve:s3cret@example.org", "http://example.org:99999/", "http://[::1",
        "example.org/path", "a:0", "a:99999", "http://a\u202eb.example/", "http://a/\r\nHost: b", "-w", "http://-w/",
        "http://" + "ä" * 80 + ".example/", "http://x:0/", "x" * 3000,
    ],
)  # fmt: skip
def test_what_is_no_target_is_refused_without_its_password(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_target(text)
    assert "cret" not in str(refused.value)
    found = asyncio.run(run_check(text, timeout_s=1))
    assert found.state is CheckState.FAILED
    assert "cret" not in repr(found)


def test_the_password_goes_to_its_own_server_alone() -> None:
    heads: dict[str, bytes] = {}

    async def run() -> CheckResult:
        async def last(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads["other"] = await reader.readuntil(b"\r\n\r\n")
            writer.write(PAGE)

        async with server(last, reads=False) as other:

            async def first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                head = await reader.readuntil(b"\r\n\r\n")
                at = "own" if b"/again" in head else "first"
                heads[at] = head
                to = f"http://127.0.0.1:{other}/" if at == "own" else "/again"
                writer.write(f"HTTP/1.1 307 On\r\nLocation: {to}\r\n\r\n".encode())

            async with server(first, reads=False) as port:
                return await run_check(f"http://eve:s%40cret@127.0.0.1:{port}/", timeout_s=5)

    found = asyncio.run(run())
    assert found.state is CheckState.OK
    assert b"Authorization: Basic ZXZlOnNAY3JldA==" in heads["first"]
    assert b"Authorization" in heads["own"]
    assert b"Authorization" not in heads["other"]
    assert "cret" not in repr(found)


def test_ipv6_is_checked_like_any_other() -> None:
    async def run() -> list[CheckResult]:
        async with server(PAGE, host="::1") as port:
            return [
                await run_check(f"http://[::1]:{port}/", timeout_s=5),
                await run_check(f"[::1]:{port}", timeout_s=5),
            ]

    assert [one.state for one in asyncio.run(run())] == [CheckState.OK, CheckState.OK]


def test_a_port_where_nothing_listens_has_failed_at_once() -> None:
    async def run() -> CheckResult:
        async with server(PAGE) as port:
            pass
        return await run_check(f"127.0.0.1:{port}", timeout_s=5)

    found = asyncio.run(run())
    assert found.state is CheckState.FAILED
    assert "nothing listens" in (found.error or "")


def test_a_webhook_posts_and_follows_no_redirect() -> None:
    seen: list[bytes] = []

    async def run() -> int:
        async def moved(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(7))
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n")

        async with server(moved, reads=False) as port:
            target = parse_target(f"http://127.0.0.1:{port}/hook?a=1")
            page = await fetch(target, method="POST", headers=[("Content-Type", "application/json")], body=b'{"a":1}')
            return page.status

    assert asyncio.run(run()) == 302
    assert seen[0].startswith(b"POST /hook?a=1 HTTP/1.1\r\n")
    assert b"Content-Length: 7\r\n" in seen[0]
    assert seen[0].endswith(b'{"a":1}')


# Names


def test_names_are_looked_up_beside_the_loop_and_once_at_a_time() -> None:
    asked: list[str] = []
    gate = threading.Event()

    def slow(host: str) -> list:
        asked.append(host)
        gate.wait(5)
        return [(2, ("127.0.0.1", 0))]

    async def run() -> list[CheckResult]:
        async with server(PAGE) as port:
            with Prober(names=Names(slow)) as prober:
                tasks = [
                    asyncio.create_task(prober.check(f"http://slow.example:{port}/{number}", timeout_s=5))
                    for number in range(200)
                ]
                began_s = time.monotonic()
                await asyncio.sleep(0.05)
                assert time.monotonic() - began_s < 4, "the loop goes on meanwhile"
                assert asked == ["slow.example"]
                gate.set()
                return [(await task).result for task in tasks]

    assert {one.state for one in asyncio.run(run())} == {CheckState.OK}


def test_a_name_server_that_does_not_answer_is_a_timeout_in_words_and_holds_few_threads() -> None:
    gate = threading.Event()

    def never(_host: str) -> list:
        gate.wait(5)
        raise OSError

    async def run() -> list[CheckResult]:
        with Prober(names=Names(never)) as prober:
            outcomes = await asyncio.gather(
                *(prober.check(f"name{number}.example", timeout_s=0.2) for number in range(300))
            )
            assert sum(thread.name == "check-names" for thread in threading.enumerate()) <= 64
            return [one.result for one in outcomes]

    found = asyncio.run(run())
    gate.set()
    assert {one.state for one in found} == {CheckState.TIMEOUT}
    assert "the name server does not answer" in (found[0].error or "")
    for thread in threading.enumerate():
        if thread.name == "check-names":
            thread.join(5)


# The runner


def config(name: str, target: str, **fields) -> CheckConfig:
    return CheckConfig(name=name, target=target, **{"interval_s": 3600.0, "timeout_s": 5.0, **fields})


def test_hundreds_run_at_once_without_a_thread_each() -> None:
    published: list[CheckResult] = []
    all_there = asyncio.Event()

    def publish(result: CheckResult) -> None:
        published.append(result)
        if len(published) == 200:
            all_there.set()

    async def run() -> None:
        async def slow(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.3)
            writer.write(PAGE)

        async with server(slow) as port:
            runner = CheckRunner(publish)
            runner.set_checks([config(f"c{number}", f"http://127.0.0.1:{port}/") for number in range(200)])
            task = asyncio.create_task(runner.run())
            await runner.check_now()
            before = threading.active_count()
            async with asyncio.timeout(10):
                await all_there.wait()
            assert threading.active_count() - before < 5
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    began_s = time.monotonic()
    asyncio.run(run())
    assert time.monotonic() - began_s < 10, "one after the other they would take a minute"
    assert {one.state for one in published} == {CheckState.OK}
    assert len({one.check for one in published}) == 200


class FakeProber(Prober):
    """Answers by itself, and keeps when and how many at a time."""

    def __init__(self, takes_s: float = 0.0) -> None:
        super().__init__()
        self.takes_s = takes_s
        self.started: list[tuple[str, float]] = []
        self.under_way: list[str] = []
        self.most = 0
        self.news = asyncio.Event()

    async def check(self, target: str, *, name=None, timeout_s: float, text=None) -> Outcome:
        self.started.append((name, asyncio.get_running_loop().time()))
        assert name not in self.under_way, "one check runs once at a time"
        self.under_way.append(name)
        self.most = max(self.most, len(self.under_way))
        self.news.set()
        try:
            await asyncio.sleep(self.takes_s)
        finally:
            self.under_way.remove(name)
        return Outcome(result=CheckResult(check=name, target=target, state=CheckState.OK, time_s=0.0))

    async def until(self, is_so) -> None:
        """Wait until `is_so(names started)`."""
        async with asyncio.timeout(20):
            while not is_so([name for name, _start in self.started]):
                self.news.clear()
                await self.news.wait()


def run_with(prober: FakeProber, checks: list[CheckConfig], story, *, at_once: int = 256) -> None:
    """Run `checks` while `story(runner)` lasts."""

    async def run() -> None:
        runner = CheckRunner(lambda record: None, prober=lambda: prober, at_once=at_once)
        runner.set_checks(checks)
        task = asyncio.create_task(runner.run())
        try:
            await story(runner)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert prober.under_way == [], "nothing goes on after the end"

    asyncio.run(run())


def test_first_starts_are_spread() -> None:
    prober = FakeProber()
    begun: list[float] = []

    async def story(_runner: CheckRunner) -> None:
        begun.append(asyncio.get_running_loop().time())
        await prober.until(lambda names: len(names) >= 8)

    run_with(prober, [config(f"c{number}", "x") for number in range(100)], story)
    assert all(start_s - begun[0] >= 0.05 * int(name[1:]) - 0.01 for name, start_s in prober.started)


def test_a_slow_check_never_overlaps_itself_and_keeps_its_beat() -> None:
    prober = FakeProber(takes_s=0.25)

    async def story(_runner: CheckRunner) -> None:
        await prober.until(lambda names: len(names) >= 5)

    run_with(prober, [config("slow", "x", interval_s=0.2)], story)
    starts = [start_s - prober.started[0][1] for _name, start_s in prober.started]
    on_beat = [start_s for start_s in starts if abs(start_s / 0.2 - round(start_s / 0.2)) < 0.3]
    assert len(on_beat) >= 3, "late now and then on a busy machine, but never later and later"
    assert starts[-1] >= 4 * 0.39, "every second beat, since it takes longer than one"


def test_so_many_run_at_a_time_and_no_more() -> None:
    prober = FakeProber(takes_s=0.01)

    async def story(runner: CheckRunner) -> None:
        await runner.check_now()
        await prober.until(lambda names: len(set(names)) == 30)

    run_with(prober, [config(f"c{number}", "x") for number in range(30)], story, at_once=4)
    assert prober.most == 4


def test_checks_change_while_it_runs() -> None:
    prober = FakeProber()

    async def story(runner: CheckRunner) -> None:
        await prober.until(lambda names: "kept" in names)
        runner.set_checks([config("kept", "x"), config("new", "z")])
        await prober.until(lambda names: "new" in names)
        await asyncio.sleep(0)
        await runner.check_now(["new", "gone", "no such"])
        await prober.until(lambda names: names.count("new") == 2)

    run_with(prober, [config("kept", "x"), *(config(f"other{n}", "x") for n in range(60)), config("gone", "y")], story)
    names = [name for name, _start in prober.started]
    assert names.count("kept") == 1, "a check that stays is not begun anew"
    assert names.count("gone") == 0


def test_settings_that_no_check_can_follow_are_refused() -> None:
    with pytest.raises(UsageError, match="http"):
        validated(config("a", "example.org:25", text="hello"))
    with pytest.raises(UsageError):
        validated(config("a", "no target"))
    assert validated(config("a", "http://example.org/", text="hello"))

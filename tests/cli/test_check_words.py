"""What `beffroi check` promises on the command line, against servers in a thread of their own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.cli.app import main
from core.home import Home
from core.services.check_lists import MOST_TARGETS, parse_targets
from core.services.check_pages import file_name
from core.store.history import History

ROOT = Path(__file__).resolve().parents[2]
KEYS = ["target", "state", "status", "latency_ms", "certificate_days", "error", "time"]


class _Answer(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        head = self.rfile.readline().decode("latin-1")
        while self.rfile.readline().strip():
            pass
        path = head.split()[1]
        body = b"x" * (3 << 20) if path == "/long" else b"<p>hello " + path.encode() + b"</p>"
        status = b"404 Not Found" if path == "/missing" else b"200 OK"
        with contextlib.suppress(OSError):
            self.wfile.write(b"HTTP/1.1 " + status + b"\r\nContent-Type: text/html\r\n\r\n" + body)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server with pages; `http://127.0.0.1:PORT`."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def closed() -> str:
    """An address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


def check(home: Home, *words: str) -> int:
    return main(["check", "--home", str(home.path), *words])


def test_all_ok_is_0_and_json_has_exactly_its_keys(home: Home, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(home, "--json", f"{url}/a", f"{url.removeprefix('http://')}") == 0
    page, port = json.loads(capsys.readouterr().out)
    assert list(page) == KEYS
    assert (page["target"], page["state"], page["status"], page["error"]) == (f"{url}/a", "ok", 200, None)
    assert page["latency_ms"] > 0
    assert page["time"].endswith("Z")
    assert (port["state"], port["status"], port["certificate_days"]) == ("ok", None, None)


def test_one_that_failed_is_1_and_said(home: Home, url: str, closed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(home, f"{url}/a", f"{url}/missing", closed) == 1
    told = capsys.readouterr()
    assert "404 Not Found" in told.out
    assert f"nothing listens at {closed}" in told.out
    assert "1 of 3 ok" in told.out
    assert told.err == "", "no bar where stderr is no terminal"


@pytest.mark.parametrize(
    "words", [[], ["ftp://example.org/"], ["--timeout", "0", "example.org"], ["--interval", "x", "a"]]
)
def test_words_that_mean_nothing_are_2(home: Home, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = check(home, *words)
    except SystemExit as end:
        status = end.code
    told = capsys.readouterr()
    assert status == 2
    assert told.out == ""
    assert told.err


def test_results_are_in_the_history(home: Home, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    check(home, f"{url}/a", f"{url}/missing")
    with History.open(home.database_path) as history:
        found = {result.check: result for result in history.last_checks()}
        assert {one.target: one.status for one in found.values()} == {f"{url}/a": 200, f"{url}/missing": 404}
        names = [series.name for series in history.series()]
        assert f"check/{url}/a/latency_ms" in names
        points = history.points(f"check/{url}/a/latency_ms", 0, 4e9)
        assert len(points.mean) == 1


def test_a_password_is_nowhere(home: Home, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    secret = url.replace("://", "://eve:s3cret@")
    assert check(home, f"{secret}/a") == 0
    assert check(home, "--json", f"{secret}/missing", "--save", str(home.path / "pages")) == 1
    told = capsys.readouterr()
    assert "s3cret" not in told.out + told.err
    kept = [path for path in home.path.rglob("*") if path.is_file()]
    assert not [path for path in kept if b"s3cret" in path.read_bytes() or "s3cret" in path.name]


def test_checks_of_the_settings_run_where_no_target_is_named(
    home: Home, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    home.config_path.write_text(f'[[check]]\nname = "front page"\ntarget = "{url}/a"\ntext = "hello /a"\n')
    assert check(home, "--json") == 0
    with History.open(home.database_path) as history:
        assert [result.check for result in history.last_checks()] == ["front page"]
    assert check(home, "--text", "not there") == 1
    assert "the text is not in the page" in capsys.readouterr().out


def test_a_list_is_taken_as_people_write_it(
    home: Home, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "sites.txt"
    listed.write_bytes(
        f"\ufeff# pages\r\n\r\n  {url}/a  # the first\r\n'{url}/b',\r\n".encode()
        + f"https://eve:s3cret@exa mple/\r\n{url}/a\r\n".encode()
    )
    assert check(home, "--json", "--file", str(listed)) == 1, "a line that is none has failed"
    told = capsys.readouterr()
    assert [one["target"] for one in json.loads(told.out)] == [f"{url}/a", f"{url}/b"]
    assert f"{listed}, line 5: " in told.err
    assert "s3cret" not in told.err


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"no target at all\n"])
def test_a_list_without_targets_is_2(home: Home, tmp_path: Path, content: bytes) -> None:
    listed = tmp_path / "list"
    listed.write_bytes(content)
    assert check(home, "--file", str(listed)) == 2
    assert check(home, "--file", str(tmp_path / "none")) == 2
    assert check(home, "--file", str(tmp_path)) == 2


def test_lists_of_windows_and_long_ones() -> None:
    assert parse_targets("http://bücher.example/\r\n".encode("cp1252"))[0] == ["http://bücher.example/"]
    assert parse_targets("http://bücher.example/".encode("utf-16"))[0] == ["http://bücher.example/"]
    targets, bad = parse_targets(b"\n".join(b"h%d" % number for number in range(MOST_TARGETS + 10)))
    assert (len(targets), len(bad)) == (MOST_TARGETS, 1)
    assert parse_targets(bytes(range(256)) * 10)[0] == []


def test_pages_are_saved_each_in_a_file_of_its_own(home: Home, url: str, tmp_path: Path) -> None:
    folder = tmp_path / "pages"
    words = [f"{url}/a", f"{url}/A", f"{url}/../../a", f"{url}/long", f"{url}/missing", "--save", str(folder)]
    check(home, *words)
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len(first) == 5
    assert sum(content.startswith(b"<p>hello") for content in first.values()) == 4
    assert max(map(len, first.values())) == 1 << 20, "no more than a MiB of a page"
    check(home, *words)
    assert len(list(folder.iterdir())) == 10, "what was there is never written over"
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name in first} == first


def test_a_folder_that_cannot_be_is_2(home: Home, url: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert check(home, url, "--save", str(tmp_path / "file")) == 2


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("https://example.org/", "example.org.html"),
        ("https://example.org/../../etc/passwd", "example.org-..-..-etc-passwd.html"),
        ("https://[::1]:8080/a?b=c&d=/e", "1-8080-a-b-c-d-e.html"),
        ("https://example.org/\u202e\u0000ä", "example.org.html"),
        ("http://con/", "page-con.html"),
    ],
)
def test_names_of_files_are_safe(target: str, name: str) -> None:
    found = file_name(target, "text/html; charset=utf-8")
    assert found == name.replace("..", ".")
    assert not found.startswith(".")


def test_a_long_address_keeps_a_short_name_of_its_own() -> None:
    names = {file_name("https://example.org/" + "a" * 1500 + end, "text/html") for end in ("1", "2")}
    assert len(names) == 2
    assert max(map(len, names)) < 130


def test_a_bar_is_drawn_where_stderr_is_a_terminal(home: Home, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert check(home, "--json", f"{url}/a", f"{url}/b") == 0
    drawn = terminal.getvalue().split("\r")
    assert any("#" * 30 in line and "2 of 2, 0 failed" in line for line in drawn)
    assert drawn[-2].strip() == "", "the line is left empty"


@pytest.mark.parametrize(("columns", "drawn"), [(200, "[" + "#" * 30 + "] "), (40, "] "), (20, "2 of 2"), (4, "2 o")])
def test_a_bar_never_leaves_its_line(
    home: Home, url: str, monkeypatch: pytest.MonkeyPatch, columns: int, drawn: str
) -> None:
    class Terminal(io.StringIO):
        encoding = "utf-8"

        def isatty(self) -> bool:
            return True

        def fileno(self) -> int:
            return 2

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(os, "get_terminal_size", lambda *_handle: os.terminal_size((columns, 24)))
    assert check(home, "--json", f"{url}/a", f"{url}/b") == 0
    lines = terminal.getvalue().split("\r")
    assert max(map(len, lines)) < columns
    assert any(drawn in line for line in lines)
    assert lines[-2].strip() == ""


def test_lines_of_an_interval_stand_under_each_other(home: Home, url: str) -> None:
    words = [sys.executable, "main.py", "--home", str(home.path), "check", "--interval", "0.2", url, "127.0.0.1:1"]
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "LANGUAGE": "en"}
    ) as running:
        assert running.stdout is not None
        lines = [running.stdout.readline() for _line in range(4)]
        running.send_signal(signal.SIGINT)
        _rest, problems = running.communicate(timeout=20)
    assert (running.returncode, problems) == (0, "")
    assert {line.index(target) for line in lines for target in (url, "127.0.0.1:1 ") if target in line} == {30}


def test_with_an_interval_it_goes_on_a_line_each_until_it_is_stopped(home: Home, url: str) -> None:
    words = [sys.executable, "main.py", "--home", str(home.path), "check", "--json", "--interval", "0.2", f"{url}/a"]
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "LANGUAGE": "en"}
    ) as running:
        assert running.stdout is not None
        lines = [json.loads(running.stdout.readline()) for _line in range(3)]
        running.send_signal(signal.SIGTERM)
        _rest, problems = running.communicate(timeout=20)
    assert running.returncode == 0
    assert problems == ""
    assert [list(line) for line in lines] == [KEYS] * 3
    with History.open(home.database_path) as history:
        assert history.series()[0].count >= 2

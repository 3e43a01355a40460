"""What an agent tells on demand: services, sessions and open ports, and that asking costs it little."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import struct
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psutil  # noqa: F401 -- before the platform is made up
import pytest
from agent_site import Console
from hypothesis import given, settings
from hypothesis import strategies as st

from core.agent import detail_desk, login_sessions, open_ports, service_manager
from core.agent.service_files import openrc_services, systemd_services
from core.agent.service_manager import services_of_systemctl
from core.protocol import messages
from core.protocol.detail_messages import PortPage, ServicePage, SessionPage
from core.records import Level

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def text(path: Path, content: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(content))
    return path


def whose(ports):
    return {(port.protocol, port.address, port.port): (port.pid, port.process) for port in ports}


def test_open_ports_are_told_with_their_process():
    family, kind = socket.AF_INET, socket.SOCK_DGRAM
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as tcp6,
        socket.socket(family, kind) as udp,
        socket.socket(family, kind) as connected,
        socket.create_connection(tcp.getsockname()[:2]) as client,
    ):
        udp.bind(("127.0.0.1", 0))
        connected.connect(udp.getsockname())
        found, _problem = open_ports.open_ports(lambda: False)
        own = (os.getpid(), Path("/proc/self/comm").read_text().strip())
        told = whose(found)
        assert told["tcp", "127.0.0.1", tcp.getsockname()[1]] == own
        assert told["tcp6", "::1", tcp6.getsockname()[1]] == own
        assert told["udp", "127.0.0.1", udp.getsockname()[1]] == own
        mine = {port.port for port in found}
        assert client.getsockname()[1] not in mine
        assert connected.getsockname()[1] not in mine


def test_psutil_finds_the_same_ports(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)):
        by_files, _problem = open_ports.open_ports(lambda: False)
        monkeypatch.setattr(sys, "platform", "win32")
        by_psutil, _problem = open_ports.open_ports(lambda: False)
    mine = {key: value for key, value in whose(by_files).items() if value[0] == os.getpid()}
    assert mine
    assert mine.items() <= whose(by_psutil).items()


def test_a_table_of_ports_that_is_none_and_one_without_end_are_borne(tmp_path, monkeypatch):
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    row = " 0: {address} 00000000:0000 {state} 0:0 00:0 0 0 0 {inode} 1 0 100 0 0 10 0\n"
    lines = [row.format(address=f"0100007F:{number:04X}", state="0A", inode=number) for number in range(1, 50)]
    lines[3:3] = ["\n", "x\n", row.format(address="zz:1", state="0A", inode=1000), " ".join("0A" * 12) + "\n"]
    lines += [row.format(address="0100007F:0001", state="01", inode=2000)]
    text(tmp_path / "net" / "tcp", head + "".join(lines))
    text(tmp_path / "net" / "udp", "")
    found, problem = open_ports.open_ports(lambda: False, str(tmp_path))
    assert [port.port for port in found] == list(range(1, 50))
    assert {port.address for port in found} == {"127.0.0.1"}
    assert problem.startswith("of 49 the process is not known")
    monkeypatch.setattr(open_ports, "MOST_PORTS", 10)
    found, problem = open_ports.open_ports(lambda: False, str(tmp_path))
    assert len(found) == 10
    assert "only the first 10" in problem
    found, problem = open_ports.open_ports(lambda: True)
    assert {port.pid for port in found} <= {None}
    assert "not all processes" in problem


def utmp_record(layout, kind, pid, line, user, host, since_s):
    return layout.pack(kind, pid, line, b"1", user, host, 0, 0, 0, int(since_s), 500_000, b"", b"")


@pytest.mark.parametrize("layout", [login_sessions._SHORT, login_sessions._LONG])
def test_sessions_are_read_from_utmp_whatever_the_words_of_the_machine(layout, tmp_path):
    pid = os.getpid()
    records = [
        utmp_record(layout, 2, 0, b"~", b"reboot", b"6.1", 1e9),
        utmp_record(layout, 7, pid, b"pts/0", b"ann\x1b[31m", b"10.0.0.7", 1.7e9),
        utmp_record(layout, 7, 2**31 - 2, b"pts/1", b"ghost", b"", 1.7e9),
        utmp_record(layout, 8, pid, b"pts/2", b"", b"", 1.7e9),
    ]
    path = tmp_path / "utmp"
    path.write_bytes(b"".join(records))
    found, problem = login_sessions.login_sessions(str(path), str(tmp_path / "none"))
    assert problem == ""
    assert [(one.user, one.terminal, one.host, one.since_s) for one in found] == [
        ("ann [31m", "pts/0", "10.0.0.7", 1.7e9 + 0.5)
    ]


def test_the_layouts_of_utmp_are_those_of_glibc():
    assert (login_sessions._SHORT.size, login_sessions._LONG.size) == (384, 400)


def test_a_utmp_that_is_none_is_told(tmp_path):
    path = tmp_path / "utmp"
    path.write_bytes(os.urandom(385))
    assert "does not know" in login_sessions.login_sessions(str(path), "")[1]
    path.write_bytes(struct.pack("=h", 77) * 192)
    assert "does not know" in login_sessions.login_sessions(str(path), "")[1]


def test_sessions_are_told_by_logind_where_there_is_no_utmp(tmp_path):
    content = "# private\nUID=1000\nUSER=ann\nSTATE={state}\nCLASS={kind}\nTTY=pts/3\nREMOTE_HOST=h\n"
    content += "REALTIME=1700000000500000\n"
    text(tmp_path / "4", content.format(state="active", kind="user"))
    text(tmp_path / "c1", content.format(state="active", kind="greeter"))
    text(tmp_path / "5", content.format(state="closing", kind="user"))
    text(tmp_path / "6", "\0garbage")
    os.mkfifo(tmp_path / "4.ref")
    os.mkfifo(tmp_path / "7")
    found, problem = login_sessions.login_sessions(str(tmp_path / "utmp"), str(tmp_path))
    assert problem == ""
    assert ("ann", "pts/3", "h", 1_700_000_000.5) in {(one.user, one.terminal, one.host, one.since_s) for one in found}
    assert sum(one.user == "ann" for one in found) == 1


def test_a_utmp_that_holds_nobody_is_no_problem_and_logind_is_asked(tmp_path):
    (tmp_path / "utmp").write_bytes(b"")
    assert login_sessions.login_sessions(str(tmp_path / "utmp"), str(tmp_path / "none")) == ([], "")
    text(tmp_path / "sessions" / "4", "USER=ann\nTTY=pts/3\n")
    found, problem = login_sessions.login_sessions(str(tmp_path / "utmp"), str(tmp_path / "sessions"))
    assert ([one.user for one in found], problem) == (["ann"], "")


def test_a_machine_without_a_list_of_sessions_says_so(tmp_path):
    found, problem = login_sessions.login_sessions(str(tmp_path / "utmp"), str(tmp_path / "none"))
    assert found == []
    assert "no list of who is logged in" in problem


SHOWN = """\
MainPID=812
Id=ssh.service
Description=OpenBSD Secure Shell = server
LoadState=loaded
ActiveState=active
UnitFileState=enabled

Id=apt-daily.service
Description=Daily\x1b apt
LoadState=loaded
ActiveState=inactive
MainPID=0
UnitFileState=static

Id=gone.service
Description=gone.service
LoadState=not-found
ActiveState=inactive
MainPID=0
UnitFileState=

Id=broken.service
LoadState=loaded
ActiveState=failed
MainPID=x
UnitFileState=disabled

Id=off.service
LoadState=masked
ActiveState=inactive
UnitFileState=masked

Id=moving.service
LoadState=loaded
ActiveState=deactivating
UnitFileState=enabled-runtime

Id=odd.service
LoadState=loaded
ActiveState=maintenance
UnitFileState=

Id=dev-sda1.device
garbage
"""
UNIT_FILES = """\
ssh.service enabled enabled
getty@.service enabled enabled
cups.service disabled enabled
sshd.service alias -
x
"""


def test_services_of_systemd_are_understood():
    found = {one.name: one for one in services_of_systemctl(SHOWN, UNIT_FILES)}
    assert {name: (one.state, one.start_mode, one.pid) for name, one in found.items()} == {
        "ssh": ("running", "automatic", 812),
        "apt-daily": ("stopped", "manual", None),
        "broken": ("failed", "disabled", None),
        "off": ("stopped", "disabled", None),
        "moving": ("stopping", "automatic", None),
        "odd": ("unknown", "manual", None),
        "cups": ("stopped", "disabled", None),
    }
    assert found["ssh"].description == "OpenBSD Secure Shell = server"
    assert found["apt-daily"].description == "Daily  apt"


def test_a_service_manager_without_end_is_cut(monkeypatch):
    monkeypatch.setattr(service_manager, "MOST_SERVICES", 100)
    blocks = "\n\n".join(f"Id=s{number}.service\nActiveState=active" for number in range(1000))
    assert len(services_of_systemctl(blocks, UNIT_FILES)) == 100


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="Id=MainPREALTYUS.servicx@0123456789\n\x00\ud800é ", max_size=400), st.binary(max_size=900))
def test_whatever_they_write_is_understood_or_left_out(said, octets):
    for one in services_of_systemctl(f"Id=a.service\nMainPID={said}\n\n{said}", said):
        assert one.name.isprintable()
        assert one.description.isprintable()
    session = login_sessions.session_of_logind(f"USER={said}\nREALTIME={said}\n{said}")
    assert session is None or session.user.isprintable()
    for layout in (login_sessions._SHORT, login_sessions._LONG):
        login_sessions.sessions_of_utmp((octets * 3)[: len(octets) * 3 // layout.size * layout.size])


def systemd_tree(root: Path) -> None:
    (root / "run/systemd/system").mkdir(parents=True)
    units = root / "lib/systemd/system"
    text(units / "ssh.service", "[Unit]\nDescription=Secure Shell\n[Install]\nWantedBy=x\n")
    text(units / "getty@.service", "[Unit]\nDescription=Getty on %I\n[Install]\n")
    text(units / "cups.service", "[Unit]\nDescription=Printing\n[Install]\n")
    text(units / "once.service", "[Unit]\nDescription=Once\n")
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / "ssh.service").symlink_to("/lib/systemd/system/ssh.service")
    (root / "etc/systemd/system/off.service").symlink_to("/dev/null")
    (root / "run/systemd/units").mkdir()
    (root / "run/systemd/units/invocation:once.service").symlink_to("0123")
    slices = root / "sys/fs/cgroup/system.slice"
    text(slices / "ssh.service/cgroup.procs", "812\n900\n")
    text(slices / "system-getty.slice/getty@tty1.service/cgroup.procs", "700\n")
    text(slices / "docker.service/cgroup.procs", "")
    text(slices / "docker.service/init/cgroup.procs", "55\n")


def test_services_of_systemd_are_told_by_files_too(tmp_path):
    systemd_tree(tmp_path)
    told = {one.name: (one.state, one.start_mode, one.pid, one.description) for one in systemd_services(str(tmp_path))}
    assert told == {
        "ssh": ("running", "automatic", 812, "Secure Shell"),
        "getty@tty1": ("running", "disabled", 700, "Getty on tty1"),
        "docker": ("running", "unknown", 55, ""),
        "cups": ("stopped", "disabled", None, "Printing"),
        "once": ("running", "manual", None, "Once"),
        "off": ("stopped", "disabled", None, ""),
    }


def test_services_of_openrc_are_told_by_files(tmp_path):
    for name in ("sshd", "cron", "local"):
        text(tmp_path / "etc/init.d" / name).chmod(0o755)
    text(tmp_path / "etc/init.d/functions.sh").chmod(0o755)
    text(tmp_path / "etc/runlevels/default/sshd")
    text(tmp_path / "run/openrc/started/sshd")
    text(tmp_path / "run/openrc/failed/cron")
    told = {one.name: (one.state, one.start_mode) for one in openrc_services(str(tmp_path))}
    assert told == {
        "sshd": ("running", "automatic"),
        "cron": ("failed", "manual"),
        "local": ("stopped", "manual"),
    }


def fake_systemctl(tmp_path, monkeypatch, script: str) -> None:
    program = text(tmp_path / "systemctl", script)
    program.chmod(0o755)
    monkeypatch.setattr(service_manager, "has_systemd", lambda: True)
    monkeypatch.setattr(service_manager, "find_program", lambda _name: str(program))
    tree = tmp_path / "tree"
    systemd_tree(tree)
    monkeypatch.setattr(service_manager, "systemd_services", lambda: systemd_services(str(tree)))


def running(words: str) -> list[str]:
    """Command lines of this machine that hold `words`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended meanwhile
            continue
        if words in line:
            found.append(line)
    return found


async def told(console: Console, method: str, kind):
    """All pages of an answer."""
    console.send_request(method, {})
    pages = []
    while not pages or not pages[-1].is_last:
        found = await console.message()
        if found.method is None:
            assert found.id == console.count
            assert found.error is None
            pages.append(messages.decode_as(kind, found.result))
    return pages


def test_a_console_of_level_view_is_told_all_of_it(agent, who, tmp_path, monkeypatch):
    rows = "for number in $(seq 900); do echo Id=service-number-$number.service; echo ActiveState=active; echo; done"
    fake_systemctl(tmp_path, monkeypatch, f'#!/bin/sh\ncase "$*" in *list-unit-files*) exit 0;; esac\n{rows}\n')
    agent.trust(who.console2, level=Level.VIEW)

    async def talk():
        async with agent.running():
            console = await Console.connect(agent, who.console2)
            assert "details" in console.hello.capabilities
            pages = await told(console, "services", ServicePage)
            assert len(pages) > 2
            assert len({service.name for page in pages for service in page.services}) == 900
            assert {(page.manager, page.problem) for page in pages} == {("systemd", "")}
            (page,) = await told(console, "sessions", SessionPage)
            assert page.time_s > 0
            ports = [port for page in await told(console, "ports", PortPage) for port in page.ports]
            assert ("tcp", "127.0.0.1", agent.port) in whose(ports)
            await console.close()

    asyncio.run(talk())


@pytest.mark.parametrize(
    ("script", "word"),
    [
        ("#!/bin/sh\necho 'Failed to connect to bus' >&2; exit 1\n", "Failed to connect to bus"),
        ("#!/bin/sh\nexec sleep 60\n", "did not answer"),
        ("#!/bin/sh\nexec yes Id=x.service\n", "wrote more"),
        ("not a program", "systemctl failed"),
    ],
)
def test_a_systemctl_that_does_not_answer_is_told_and_files_answer(agent, who, tmp_path, monkeypatch, script, word):
    monkeypatch.setattr(service_manager, "PROGRAM_TIMEOUT_S", 0.3)
    monkeypatch.setattr(service_manager, "MOST_OCTETS", 100_000)
    fake_systemctl(tmp_path, monkeypatch, script)

    async def talk():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            (page,) = await told(console, "services", ServicePage)
            assert word in page.problem
            assert "shown as stopped" in page.problem
            assert "ssh" in {service.name for service in page.services}
            await console.close()

    asyncio.run(talk())
    assert not running(str(tmp_path / "systemctl"))


def test_a_view_only_agent_tells_by_files_alone(agent, who, tmp_path, monkeypatch):
    fake_systemctl(tmp_path, monkeypatch, f"#!/bin/sh\ntouch {tmp_path}/started\n")
    agent.is_view_only = True

    async def talk():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            (page,) = await told(console, "services", ServicePage)
            assert "view-only" in page.problem
            assert "ssh" in {service.name for service in page.services}
            await told(console, "ports", PortPage)
            await told(console, "sessions", SessionPage)
            await console.close()

    asyncio.run(talk())
    assert not (tmp_path / "started").exists()


def test_without_a_service_manager_it_says_so():
    async def ask():
        async def in_thread(find):
            return find()

        return await service_manager.services(in_thread, may_start_programs=True)

    if shutil.which("systemctl") is None or not os.path.isdir("/run/systemd/system"):
        found, manager, problem = asyncio.run(ask())
        assert (found, manager) == ([], "")
        assert "no service manager" in problem


def test_one_at_a_time_and_others_share_the_answer(agent, who, monkeypatch):
    """Nor is the loop held up meanwhile."""
    calls = []
    release = threading.Event()

    def slow(_is_stopped):
        calls.append(threading.current_thread() is threading.main_thread())
        release.wait(5)
        return [], ""

    monkeypatch.setattr(open_ports, "open_ports", slow)

    async def talk():
        async with agent.running():
            consoles = [await Console.connect(agent, who.console1) for _ in range(3)]
            for console in consoles:
                for _ in range(5):
                    console.send_request("ports", {})
            begin_s = time.monotonic()
            await consoles[0].ask("hello", {})  # answered at once, as unknown
            assert time.monotonic() - begin_s < 1
            await consoles[2].close()
            release.set()
            for console in consoles[:2]:
                for _ in range(5):
                    answer = await console.message()
                    assert messages.decode_as(PortPage, answer.result).is_last
            await told(consoles[0], "ports", PortPage)
            assert calls == [False]
            monkeypatch.setattr(detail_desk, "SHARED_S", 0.0)
            await told(consoles[0], "ports", PortPage)
            assert len(calls) == 2
            for console in consoles[:2]:
                await console.close()

    asyncio.run(talk())


def test_more_questions_than_can_wait_are_refused(agent, who, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(open_ports, "open_ports", lambda _is_stopped: release.wait(5) and ([], ""))
    monkeypatch.setattr(detail_desk, "MOST_WAITING", 3)

    async def talk():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            for _ in range(4):
                console.send_request("ports", {})
            refused = await console.message()
            assert refused.error is not None
            assert "too many" in refused.error.message
            release.set()
            await console.close()

    asyncio.run(talk())


def test_a_question_that_fails_is_refused_and_the_agent_goes_on(agent, who, monkeypatch):
    def fail(_is_stopped):
        raise ValueError("broken")

    monkeypatch.setattr(open_ports, "open_ports", fail)

    async def talk():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            refused = await console.ask("ports", {})
            assert "could not find it out" in refused.error.message
            assert (await told(console, "sessions", SessionPage))[-1].is_last
            await console.close()

    asyncio.run(talk())


def test_an_agent_that_stops_leaves_no_thread_and_no_program(agent, who, tmp_path, monkeypatch):
    sleeping = f"sleep 77.{os.getpid()}"
    fake_systemctl(tmp_path, monkeypatch, f"#!/bin/sh\nexec {sleeping}\n")

    def until_stopped(is_stopped):
        while not is_stopped():
            time.sleep(0.01)
        return [], ""

    monkeypatch.setattr(open_ports, "open_ports", until_stopped)

    async def talk():
        async with agent.running():
            console = await Console.connect(agent, who.console1)
            console.send_request("ports", {})
            console.send_request("services", {})
            await asyncio.sleep(0.2)
            begin_s = time.monotonic()
        assert time.monotonic() - begin_s < 3
        await console.close()

    before = threading.active_count()
    asyncio.run(talk())
    assert threading.active_count() == before
    assert not running(sleeping)


def test_asking_imports_nothing_that_starts_programs_in_a_view_only_agent():
    """In an interpreter of its own, as `agent run --view-only` is."""
    script = """
        import asyncio, sys
        from core.agent.detail_desk import DetailDesk
        async def ask():
            desk = DetailDesk(may_start_programs=False)
            await desk._services(), await desk._ports(), await desk._sessions()
            await desk.stop()
        asyncio.run(ask())
        print(sorted({"core.agent.program", "core.agent.executor", "psutil"} & set(sys.modules)))
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True, check=True, cwd=Path.cwd()
    )
    assert ran.stdout.strip() == "[]"

"""What an agent says is text and numbers within bounds, wherever it ends: window, terminal, JSON, SQL, tables."""

from __future__ import annotations

import asyncio
import csv
import json
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hostile_agent import HostileLink

from bench.simulated_agents import made_up_status
from core.cli import status as status_words
from core.config import Retention
from core.errors import BeffroiError, RemoteProtocolError
from core.machine_records import ProcessUse, Temperature
from core.protocol import messages
from core.protocol.messages import Envelope, StatusMessage
from core.records import (
    CommandProgress,
    CommandRequest,
    CommandResult,
    CommandState,
    Machine,
    MachineReport,
    Process,
)
from core.services.allowed_commands import allowed_commands
from core.services.console_trust import trusted_consoles
from core.services.export import export_commands
from core.services.machine_details import ports, services, sessions
from core.services.machine_watch import MachineWatch, Shard
from core.services.peer_records import plain_process
from core.services.recorder import Recorder
from core.store.history import History

EVIL = (
    "=cmd|'/C calc'!A1 <b onload=x>&amp;</b> '); DROP TABLE machines;-- "
    "\x1b]0;owned\x07\x9b31m\u202e\u2066\u200f\r\n\x00"
)
LISTS = (
    *(("disks",), ("top_processes",), ("temperatures",), ("cpu", "per_core_percent")),
    *(("cpu", "load_average"), ("system", "ip_addresses")),
)
NUMBERS = (-1, 0, 1e308, -1e308, 2**53, 2**63, 2**64, -(2**63), 5e-324)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, place))
    else:
        yield path, value


def with_leaf(value: Any, path: tuple[Any, ...], leaf: object) -> Any:
    if not path:
        return leaf
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = with_leaf(copy[path[0]], path[1:], leaf)
    return copy


def full_status() -> dict[str, Any]:
    use = ProcessUse(pid=7, name="cc1", user="ada", cpu_percent=99.0, memory_bytes=1 << 20, started_s=1.7e9)
    heat = Temperature(name="cpu", celsius=55.0, high_celsius=90.0)
    status = msgspec.structs.replace(made_up_status(1, time.time()), top_processes=(use,), temperatures=(heat,))
    plain: dict[str, Any] = msgspec.to_builtins(status)
    return plain


def hostile_statuses() -> Iterator[bytes]:
    """One lie at a time, then all texts at once, then far too many of each thing."""
    whole = full_status()
    for path, leaf in leaves(whole):
        for lie in (EVIL, "x" * 100_000) if isinstance(leaf, str) else NUMBERS:
            yield json.dumps({"status": with_leaf(whole, path, lie)}).encode()
    for path, leaf in leaves(whole):
        if isinstance(leaf, str):
            whole = with_leaf(whole, path, EVIL)
    yield json.dumps({"status": whole}).encode()
    for path in LISTS:
        many = whole
        for part in path:
            many = many[part]
        yield json.dumps({"status": with_leaf(whole, path, many * 10_000)}).encode()


def hostile_reports() -> list[MachineReport]:
    """What a console publishes of all that; what it refuses is refused as nonsense and nothing else."""

    async def take() -> list[MachineReport]:
        told: list[object] = []
        shard = Shard(None, messages.Hello(), told.append, lambda _name: 1.0, lambda _watch: None)  # type: ignore[arg-type]  # no link
        watch = MachineWatch(Machine(name="evil", host="127.0.0.1", fingerprint="x"), shard)
        for octets in hostile_statuses():
            watch._in_second = 0
            try:
                watch.on_status(messages.decode_as(StatusMessage, octets))
            except RemoteProtocolError:
                continue
        return [record for record in told if isinstance(record, MachineReport)]

    return asyncio.run(take())


@pytest.fixture(scope="module")
def reports() -> list[MachineReport]:
    found = hostile_reports()
    assert len(found) > 150
    return found


def texts(record: object) -> Iterator[str]:
    for _path, leaf in leaves(msgspec.to_builtins(record)):
        if isinstance(leaf, str):
            yield leaf


def assert_plain(record: object) -> None:
    for text in texts(record):
        assert text.isprintable(), repr(text[:80])
        assert len(text) <= 4096


def test_texts_are_one_printable_line_and_lists_are_short(reports):
    for report in reports:
        assert_plain(report)
        assert len(msgspec.json.encode(report)) < 100_000


def test_numbers_are_those_that_a_machine_can_have(reports):
    for report in reports:
        for path, leaf in leaves(msgspec.to_builtins(report.status)):
            if isinstance(leaf, int | float) and not isinstance(leaf, bool):
                assert abs(leaf) < 2**63, (path, leaf)


def test_the_terminal_and_json_show_it(reports, capsys):
    status_words._print_reports(reports)
    shown = capsys.readouterr().out
    assert shown.count("\n") == len(reports) + 1
    assert all(line.isprintable() for line in shown.splitlines())
    assert max(map(len, shown.splitlines())) < 1000
    json.loads(msgspec.json.encode([status_words.status_document(report) for report in reports]))


def test_the_history_keeps_it_and_its_tables_stand(reports, tmp_path):
    path = tmp_path / "beffroi.db"
    told: list[Any] = []

    async def record() -> None:
        recorder = Recorder(lambda: History.open(path), Retention(), told.append, batch_s=0.05)
        task = asyncio.create_task(recorder.run())
        await recorder.query(lambda history: history.save_machine(Machine(name="evil", host="127.0.0.1")))
        for report in reports:
            recorder.put(report)
        evil = CommandRequest(
            id="1", words=(EVIL,), machines=("evil",), timeout_s=1.0, operator=EVIL, time_s=time.time()
        )
        recorder.put(evil)
        result = CommandResult(
            machine="evil", state=CommandState.OK, exit_status=2**31, stdout=EVIL, stderr="@x", message=EVIL
        )
        recorder.put(CommandProgress(id="1", result=result, is_last=True))
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(record())
    assert told
    assert all(report.error is None for report in told), told
    with History.open(path) as history:
        assert [machine.name for machine in history.machines()] == ["evil"]
        assert {info.name for info in history.series()} >= {"machine/evil/cpu_percent"}
        for moment in history.processes_at("evil", 0, time.time() + 60):
            assert_plain(moment)
        for name in ("out.csv", "out.xlsx"):
            assert export_commands(history, tmp_path / name) == 1
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as stream:
        cells = list(csv.reader(stream))[1]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    import openpyxl

    rows = list(openpyxl.load_workbook(tmp_path / "out.xlsx").active.iter_rows())[1]
    assert not [cell.value for cell in rows if cell.data_type == "f"]


PROCESS: dict[str, Any] = msgspec.to_builtins(
    Process(
        pid=1,
        parent_pid=0,
        name="a",
        user="b",
        cpu_percent=1.0,
        memory_bytes=1,
        status="s",
        started_s=1.0,
        command_line="c",
    )
)


def test_a_process_table_of_lies_is_plain():
    for path, leaf in leaves(PROCESS):
        for lie in (EVIL,) if isinstance(leaf, str) else NUMBERS:
            try:
                process = msgspec.convert(with_leaf(PROCESS, path, lie), Process)
            except msgspec.ValidationError:
                continue
            plain = plain_process(process)
            assert_plain(plain)
            for _path, number in leaves(msgspec.to_builtins(plain)):
                assert isinstance(number, str) or abs(number) < 2**63
            msgspec.json.encode(status_words.process_document(plain))


ANSWERS: dict[str, dict[str, Any]] = {
    "services": {"time_s": 1e308, "manager": EVIL, "problem": EVIL, "is_last": True, "services": [
        {"name": EVIL, "description": EVIL, "state": EVIL, "start_mode": EVIL, "pid": 2**60}]},
    "sessions": {"time_s": -1e308, "problem": EVIL, "is_last": True, "sessions": [
        {"user": EVIL, "terminal": EVIL, "host": EVIL, "since_s": 1e308}]},
    "ports": {"time_s": 0, "problem": EVIL, "is_last": True, "ports": [
        {"protocol": EVIL, "address": EVIL, "port": -1, "pid": -1, "process": EVIL},
        {"protocol": "tcp", "address": EVIL, "port": 80, "pid": -1, "process": EVIL}]},
    "policy": {"time_s": 1e308, "os": EVIL, "level": "run", "problem": EVIL, "is_last": True, "commands": [
        {"id": EVIL, "argv": [EVIL], "description": EVIL, "timeout_s": 1e308, "parameters": [
            {"name": EVIL, "type": EVIL, "values": [EVIL], "minimum": -(2**63), "maximum": 2**63 - 1}]},
        {"id": "fine", "argv": ["fine"], "description": EVIL}]},
    "consoles.list": {"time_s": 1e308, "may_admit": True, "is_last": True, "consoles": [
        {"fingerprint": EVIL, "name": EVIL, "level": "raw", "networks": [EVIL], "expires": EVIL, "admitted_by": EVIL}]},
    "processes": {"time_s": 1e308, "is_last": True, "processes": [
        {**PROCESS, "name": EVIL, "user": EVIL, "status": EVIL, "command_line": EVIL}]},
}  # fmt: skip


def answering(link: HostileLink, envelope: Envelope) -> bool:
    if envelope.method in ANSWERS:
        link.result(envelope, ANSWERS[envelope.method])
        return True
    return False


def test_what_is_asked_for_comes_plain_or_is_refused_in_words(attacked):
    async def main() -> list[object]:
        told: list[object] = []
        async with attacked.by(answering) as site:
            await site.until(lambda: any(report.is_new for report in site.reports("evil0")))
            told.append(await site.poller.processes("evil0"))
            for ask in (services, sessions, ports, allowed_commands, trusted_consoles):  # the last one ends the link
                try:
                    told.append(await ask(site.poller.link_of("evil0"), "evil0"))
                except BeffroiError as error:
                    told.append(str(error))
        return told

    told = asyncio.run(main())
    assert len(told) == 6
    for record in told:
        assert_plain(record)


def test_refusals_and_names_of_errors_are_plain(attacked):
    def script(link: HostileLink, envelope: Envelope) -> bool:
        if envelope.method in ("services", "exec.start", "processes"):
            data = {"reason": "policy", "rule": EVIL, "policy_line": EVIL}
            code = -32001 if envelope.method != "processes" else -5
            error = {"code": code, "message": EVIL, "data": data}
            link.text(json.dumps({"jsonrpc": "2.0", "id": envelope.id, "error": error}).encode())
            return True
        return False

    async def main() -> list[str]:
        said = []
        async with attacked.by(script) as site:
            await site.until(lambda: any(report.is_new for report in site.reports("evil0")))
            for ask in (services(site.poller.link_of("evil0"), "evil0"), site.poller.processes("evil0")):
                try:
                    await ask
                except BeffroiError as error:
                    said.append(str(error))
            request = CommandRequest(
                id="c1", words=("ls",), machines=("evil0",), timeout_s=5.0, operator="Ada", time_s=time.time()
            )
            said += [result.message or "" for result in await site.poller.execute(request)]
        return said

    said = asyncio.run(main())
    assert len(said) == 3
    for text in said:
        assert text.isprintable(), repr(text)


def test_a_hello_of_lies_and_a_refused_one_are_plain(attacked):
    def refusing(link: HostileLink, envelope: Envelope) -> bool:
        if envelope.method == "hello":
            link.text(json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": -7, "message": EVIL}}).encode())
        return envelope.method == "hello"

    def lying(link: HostileLink, envelope: Envelope) -> bool:
        if envelope.method == "hello":
            lies = dict.fromkeys(("name", "version", "os", "boot_id", "run_id"), EVIL)
            link.result(envelope, {**lies, "capabilities": [EVIL] * 10, "time_s": 1e308, "minor": 2**70})
        return envelope.method == "hello"

    async def main() -> None:
        async with attacked.by(refusing, lying) as site:
            await site.until_left(["refuses"])
            await site.until(lambda: any(report.is_new for report in site.reports("evil1")))
            await asyncio.sleep(0.1)
            for number in range(2):
                for report in site.reports(f"evil{number}"):
                    assert_plain(report)

    asyncio.run(main())


def test_time_that_goes_backwards_and_numbers_that_jump_are_survived(attacked):
    def script(link: HostileLink, envelope: Envelope) -> bool:
        async def go() -> None:
            for turn in range(40):
                link.status(2**53 - turn, time_s=float(1e9 - turn * 1e6), number=2**53 - turn)
                link.status(turn, time_s=1e308 if turn % 2 else -1e308, is_missed=True)
                await asyncio.sleep(0.05)

        if envelope.method == "subscribe":
            link.later(go())
        return False

    async def main() -> None:
        async with attacked.by(script) as site:
            await site.until(lambda: len([1 for report in site.reports("evil0") if report.is_new]) > 10)
            assert [state.value for state in site.states("evil0")] == ["offline", "online"]

    asyncio.run(main())


def test_a_status_numbered_beyond_all_measure_ends_the_link_and_nothing_else(attacked):
    def script(link: HostileLink, envelope: Envelope) -> bool:
        if envelope.method == "subscribe":
            link.status(1, number=2**70)
        return False

    async def main() -> None:
        async with attacked.by(script) as site:
            await site.until(lambda: site.evil[0].met >= 2, 10)  # it is tried again: its watch lives
            site.poller.set_visible(frozenset({"evil0"}))
            assert isinstance(site.reports("evil0")[-1].error, str | None)

    asyncio.run(main())

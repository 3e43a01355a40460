"""What an agent says may be a lie: nothing of it does harm."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from bench.simulated_agents import made_up_status
from core.machine_records import ProcessUse, Temperature
from core.records import Cpu, Disk, Memory, Network, Process, Swap, TopProcess
from core.services.peer_records import plain_process, plain_status


def test_an_honest_status_is_left_as_it_is() -> None:
    status = made_up_status(1, 5.0)
    assert plain_status(status, None) == status


def test_an_unchanged_system_is_not_kept_twice() -> None:
    first = plain_status(made_up_status(1, 5.0), None)
    status = made_up_status(2, 6.0)
    assert status.system is not None
    assert first.system is not None
    same = replace(status, system=replace(status.system, uptime_s=first.system.uptime_s))
    assert plain_status(same, first).system is first.system
    assert plain_status(status, first).system == status.system


def test_texts_lose_their_control_characters_and_are_cut() -> None:
    status = made_up_status(1, 5.0)
    assert status.system is not None
    evil = replace(
        status,
        system=replace(status.system, hostname="a\x1b]0;x\x07" + "b" * 1000, ip_addresses=("1\n2",) * 99),
        top_process=TopProcess(name="x\r\ny", pid=1, cpu_percent=1.0),
        disks=(Disk(mount="/\x00", total_bytes=1, used_bytes=-5),) * 300,
    )
    plain = plain_status(evil, status)
    assert plain.system is not None
    assert plain.top_process is not None
    assert plain.disks is not None
    assert plain.system.hostname.isprintable()
    assert len(plain.system.hostname) == 256
    assert plain.system.ip_addresses == ("1 2",) * 64
    assert plain.top_process.name == "x  y"
    assert plain.disks == (Disk(mount="/ ", total_bytes=1, used_bytes=0),) * 256


@pytest.mark.parametrize(
    "section",
    [
        {"cpu": Cpu(percent=1e308, per_core_percent=(), load_average=())},
        {"cpu": Cpu(percent=float("nan"), per_core_percent=(), load_average=())},
        {"memory": Memory(total_bytes=1 << 70, used_bytes=0, free_bytes=0, available_bytes=0, percent=0.0)},
        {"memory": Memory(total_bytes=1, used_bytes=-1, free_bytes=0, available_bytes=0, percent=0.0)},
        {"swap": Swap(total_bytes=-1, used_bytes=0)},
        {"network": Network(received_bytes_per_s=float("inf"), sent_bytes_per_s=0.0)},
        {"process_count": -1},
        {"top_process": TopProcess(name="x", pid=-1, cpu_percent=0.0)},
    ],
)
def test_numbers_that_no_machine_has_become_unknown(section: dict[str, object]) -> None:
    status = replace(made_up_status(1, 5.0), **section)
    assert getattr(plain_status(status, None), next(iter(section))) is None


def test_a_process_cannot_write_into_the_terminal() -> None:
    process = Process(
        pid=1, parent_pid=0, name="\x1b[2J", user="a\nb", cpu_percent=0.0, memory_bytes=1 << 70, status="\x00",
        started_s=float("inf"), command_line="rm\n" + "x" * 9000,
    )  # fmt: skip
    plain = plain_process(process)
    assert (plain.name, plain.user, plain.status, plain.memory_bytes, plain.started_s) == (" [2J", "a b", " ", 0, 0.0)
    assert len(plain.command_line) == 4096
    assert plain.command_line.startswith("rm x")


def use(pid: int = 1, name: str = "p", percent: float = 1.0, size: int = 1, started_s: float = 1e9) -> ProcessUse:
    return ProcessUse(pid=pid, name=name, user="u", cpu_percent=percent, memory_bytes=size, started_s=started_s)


def test_the_busiest_processes_of_a_false_agent_do_no_harm() -> None:
    honest = replace(made_up_status(1, 5.0), top_processes=(use(),) * 10)
    assert plain_status(honest, None).top_processes is honest.top_processes
    evil = [use(-1), use(2**80), use(name="\x1b" * 999), use(percent=float("nan")), use(percent=-1.0), use(size=-1)]
    evil += [use(size=1 << 70), use(started_s=float("inf")), use(started_s=-1e300)]
    for one in evil:
        plain = plain_status(replace(honest, top_processes=(one, use())), None)
        assert plain.top_processes is not None
        cleaned, other = plain.top_processes
        assert other == use()
        assert 0 <= cleaned.pid < 2**32
        assert cleaned.name.isprintable()
        assert len(cleaned.name) <= 256
        assert 0 <= cleaned.cpu_percent < 1e9
        assert 0 <= cleaned.memory_bytes < 2**63
        assert 0 <= cleaned.started_s < 1e12
    many = plain_status(replace(honest, top_processes=(use(),) * 1000), None)
    assert many.top_processes is not None
    assert len(many.top_processes) <= 16


def test_temperatures_that_no_machine_has_are_left_out() -> None:
    good = Temperature(name="cpu", celsius=40.0, high_celsius=90.0)
    honest = replace(made_up_status(1, 5.0), temperatures=(good,))
    assert plain_status(honest, None).temperatures is honest.temperatures
    evil = (
        Temperature(name="a\n" * 999, celsius=float("nan")),
        Temperature(name="b", celsius=1e9),
        Temperature(name="c\x1b", celsius=1.0, high_celsius=float("inf")),
    )
    plain = plain_status(replace(honest, temperatures=(*evil, good, *(good,) * 500)), None)
    assert plain.temperatures is not None
    assert plain.temperatures[:2] == (Temperature(name="c ", celsius=1.0), good)
    assert len(plain.temperatures) <= 128


def test_a_process_with_numbers_that_none_has_is_made_plain() -> None:
    process = Process(
        pid=-1,
        parent_pid=2**70,
        name="n",
        user="u" * 999,
        cpu_percent=float("nan"),
        memory_bytes=-1,
        status="s" * 999,
        started_s=float("nan"),
        command_line="c",
    )
    plain = plain_process(process)
    assert (plain.pid, plain.parent_pid, plain.cpu_percent, plain.memory_bytes, plain.started_s) == (0, 0, 0, 0, 0)
    assert len(plain.user) == len(plain.status) == 256

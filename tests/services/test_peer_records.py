"""What an agent says may be a lie: nothing of it does harm."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from bench.simulated_agents import made_up_status
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

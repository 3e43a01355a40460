import threading
import time

from core.records import Event, MachineReport, MachineState, Severity
from gui.runtime.mailbox import Mailbox


def report(name, **fields):
    return MachineReport(machine=name, address="h:1", state=MachineState.ONLINE, since_s=0, **fields)


def event(number):
    return Event(time_s=number, source="s", kind="k", severity=Severity.INFO, text="t")


def gather(mailbox):
    deliveries = []
    mailbox.delivered.connect(deliveries.append)
    return deliveries


def test_only_the_latest_report_of_a_machine_waits(qtbot):
    mailbox = Mailbox()
    deliveries = gather(mailbox)
    for number in range(100):
        mailbox.put(report("m1", time_s=float(number)))
    mailbox.put(report("m2", time_s=5.0))
    qtbot.waitUntil(lambda: deliveries != [], timeout=1000)
    assert [(found.machine, found.time_s) for found in deliveries[0].reports] == [("m1", 99.0), ("m2", 5.0)]


def test_a_status_that_came_is_still_new_after_a_change_of_state_overtakes_it(qtbot):
    mailbox = Mailbox()
    deliveries = gather(mailbox)
    mailbox.put(report("m1", is_new=True))
    mailbox.put(report("m1", is_new=False))
    qtbot.waitUntil(lambda: deliveries != [], timeout=1000)
    assert deliveries[0].reports[0].is_new


def test_a_stalled_window_gets_one_call_not_a_storm(qtbot):
    mailbox = Mailbox()
    deliveries = gather(mailbox)
    threads = [
        threading.Thread(target=lambda: [mailbox.put(report(f"m{n % 50}")) for n in range(5000)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    qtbot.waitUntil(lambda: deliveries != [], timeout=1000)
    qtbot.wait(120)
    assert len(deliveries) == 1
    assert len(deliveries[0].reports) == 50


def test_deliveries_keep_their_distance(qtbot):
    mailbox = Mailbox(period_s=0.05)
    deliveries = gather(mailbox)
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        mailbox.put(report("m1"))
        qtbot.wait(2)
    assert 2 <= len(deliveries) <= 8


def test_what_does_not_fit_is_counted_and_the_first_are_kept_in_order(qtbot):
    mailbox = Mailbox(limit=3)
    deliveries = gather(mailbox)
    for number in range(10):
        mailbox.put(event(number))
    qtbot.waitUntil(lambda: deliveries != [], timeout=1000)
    assert [found.time_s for found in deliveries[0].others] == [0, 1, 2]
    assert mailbox.lost == 7


def test_a_closed_mailbox_delivers_nothing(qtbot):
    mailbox = Mailbox()
    deliveries = gather(mailbox)
    mailbox.put(event(1))
    mailbox.close()
    mailbox.put(event(2))
    qtbot.wait(80)
    assert deliveries == []

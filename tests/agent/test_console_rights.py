"""Consoles that admit consoles: nothing is ever wider than what stands above it."""

from __future__ import annotations

import datetime
import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.agent.console_rights import (
    LONGEST_CHAIN,
    MOST_CONSOLES,
    AuthorizedConsole,
    descendants,
    effective_rights,
    may_change,
    refusal_to_admit,
    refusal_to_change,
)
from core.agent.consoles import Consoles, parse_line
from core.home import make_private_folder
from core.records import Level
from core.transport.identity import fingerprint_of, fingerprint_symbols

NAMES = [fingerprint_of(bytes([number])) for number in range(LONGEST_CHAIN + 2)]
A, B, C, D = NAMES[:4]
SOON, LATER = datetime.date(2027, 1, 1), datetime.date(2028, 1, 1)


def line(fingerprint, level=Level.RUN, **more):
    return AuthorizedConsole(fingerprint=fingerprint, level=level, **more)


def left_to(fingerprint, *lines):
    return effective_rights(lines).get(fingerprint_symbols(fingerprint))


def test_a_line_names_who_admitted_it():
    made = line(B, admitted_by=A, may_admit=False, expires=SOON, networks=("10.0.0.0/8",), name="the desk")
    assert parse_line(made.line()) == made
    for bad in (f"{B} by=SHA256:ABCD", f"{B} by=", f"{B} admit=perhaps"):
        with pytest.raises(ValueError, match=r".+"):
            parse_line(bad)


def test_the_chain_leaves_the_least_of_all_its_lines():
    found = left_to(
        C,
        line(A, Level.RUN, expires=SOON, networks=("10.0.0.0/8",)),
        line(B, Level.RAW, admitted_by=A, expires=LATER),
        line(C, Level.MANAGE, admitted_by=B, networks=("10.1.0.0/16", "192.0.2.0/24")),
    )
    assert found is not None
    assert (found.level, found.expires, found.networks) == (Level.RUN, SOON, ("10.1.0.0/16",))


def test_a_gap_a_cycle_or_foreign_networks_trust_nobody():
    assert left_to(B, line(B, admitted_by=A)) is None
    cycle = (line(A, admitted_by=B), line(B, admitted_by=A), line(C, admitted_by=B), line(D, admitted_by=D))
    assert effective_rights(cycle) == {}
    apart = line(A, networks=("10.0.0.0/8",)), line(B, admitted_by=A, networks=("192.0.2.0/24",))
    assert left_to(B, *apart) is None
    assert left_to(A, *apart) is not None


def test_a_chain_has_eight_lines_and_no_more():
    chain = [line(NAMES[0])]
    chain += [line(name, admitted_by=above) for above, name in itertools.pairwise(NAMES)]
    assert len(effective_rights(chain)) == LONGEST_CHAIN
    last = left_to(NAMES[LONGEST_CHAIN - 1], *chain)
    assert refusal_to_admit(last, line(C + "X"), chain[:LONGEST_CHAIN], is_open=True)
    assert refusal_to_admit(chain[0], line(NAMES[-1]), chain[:2], is_open=True) is None


def test_who_may_admit_whom():
    own = line(A, Level.MANAGE, expires=SOON, networks=("10.0.0.0/8",))
    good = line(B, Level.MANAGE, expires=SOON, networks=("10.1.0.0/16",), admitted_by=A)
    assert refusal_to_admit(own, good, [own], is_open=True) is None
    refused = [
        (own, line(B, Level.RAW, expires=SOON, networks=("10.1.0.0/16",))),
        (own, line(B, Level.RUN, expires=LATER, networks=("10.1.0.0/16",))),
        (own, line(B, Level.RUN, networks=("10.1.0.0/16",))),
        (own, line(B, Level.RUN, expires=SOON, networks=("0.0.0.0/0",))),
        (own, line(B, Level.RUN, expires=SOON, networks=("::/0",))),
        (own, line(A, Level.RUN, expires=SOON, networks=("10.1.0.0/16",))),
        (line(A, Level.VIEW), line(B, Level.VIEW)),
        (line(A, Level.RAW, may_admit=False), line(B, Level.VIEW)),
    ]
    for who, wanted in refused:
        assert refusal_to_admit(who, wanted, [who], is_open=True), wanted
    assert "admit = false" in (refusal_to_admit(own, good, [own], is_open=False) or "")
    full = [own, *(line(fingerprint_of(bytes([1, number % 256, number // 256]))) for number in range(MOST_CONSOLES))]
    assert refusal_to_admit(own, good, full, is_open=True)


def test_who_may_change_whom():
    root, own, child, grandchild = line(A, Level.RAW), line(B), line(C, admitted_by=B), line(D, admitted_by=C)
    lines = [root, own, child, grandchild]
    assert [may_change(own, item, lines) for item in lines] == [False, True, True, True]
    assert descendants(lines, B) == {fingerprint_symbols(C), fingerprint_symbols(D)}
    chief = line(B, Level.MANAGE)
    others = [root, chief, line(C, Level.MANAGE), line(D, Level.VIEW)]
    assert [may_change(chief, item, others) for item in others] == [False, True, True, True]
    assert not any(may_change(line(D, Level.VIEW), item, others) for item in others)


def test_nobody_raises_itself_and_nobody_gives_more_than_it_has():
    own = line(A, expires=SOON)
    child = line(B, Level.VIEW, admitted_by=A, expires=SOON)
    lines = [own, child]
    assert refusal_to_change(own, own, line(A, Level.VIEW, expires=SOON), lines) is None
    assert refusal_to_change(own, own, line(A, Level.MANAGE, expires=SOON), lines)
    assert refusal_to_change(own, own, line(A, expires=LATER), lines)
    assert refusal_to_change(own, own, line(A), lines)
    assert refusal_to_change(own, child, line(B, Level.RUN, admitted_by=A, expires=SOON), lines) is None
    assert refusal_to_change(own, child, line(B, Level.MANAGE, admitted_by=A, expires=SOON), lines)
    assert refusal_to_change(own, child, line(B, Level.VIEW, admitted_by=A), lines)


def test_whoever_raises_another_gives_nothing_that_outlasts_or_outreaches_itself():
    chief = line(A, Level.MANAGE, expires=SOON, networks=("10.0.0.0/8",))
    near = {"networks": ("10.1.0.0/16",)}
    without_end, from_anywhere = line(B, **near), line(C, expires=SOON)
    good = line(D, expires=SOON, **near)
    lines = [chief, without_end, from_anywhere, good]
    assert refusal_to_change(chief, good, line(D, Level.MANAGE, expires=SOON, **near), lines) is None
    assert "outlast" in (refusal_to_change(chief, without_end, line(B, Level.MANAGE, **near), lines) or "")
    assert "networks" in (refusal_to_change(chief, from_anywhere, line(C, Level.MANAGE, expires=SOON), lines) or "")
    assert refusal_to_change(chief, without_end, line(B, Level.VIEW, **near), lines) is None


def test_who_must_not_admit_passes_that_on():
    found = left_to(C, line(A, may_admit=False), line(B, admitted_by=A), line(C, admitted_by=B))
    assert found is not None
    assert not found.may_admit


def test_whoever_is_revoked_takes_along_those_it_admitted(tmp_path):
    consoles = Consoles(make_private_folder(tmp_path / "agent"))
    for item in (line(A), line(B, admitted_by=A), line(C, admitted_by=B), line(D)):
        consoles.add(item, "-----BEGIN CERTIFICATE-----\n")
    revoked = consoles.revoke(A)
    assert revoked is not None
    consoles.read()
    assert [item.fingerprint for item in consoles.listed()] == [D]
    assert len(list((tmp_path / "agent/consoles").iterdir())) == 1


def test_who_is_let_in_again_does_not_bring_back_those_it_had_admitted(tmp_path):
    consoles = Consoles(make_private_folder(tmp_path / "agent"))
    for item in (line(A), line(B, admitted_by=A)):
        consoles.add(item, "-----BEGIN CERTIFICATE-----\n")
    consoles.add(line(A, Level.MANAGE), "-----BEGIN CERTIFICATE-----\n")  # paired again while it is trusted: they stay
    consoles.read()
    assert len(consoles.listed()) == 2
    consoles.path.write_text(line(B, admitted_by=A).line() + "\n")  # the administrator takes A out by hand
    consoles.add(line(A), "-----BEGIN CERTIFICATE-----\n")
    consoles.read()
    assert [item.fingerprint for item in consoles.listed()] == [A]


LINES = st.lists(
    st.builds(
        AuthorizedConsole,
        fingerprint=st.sampled_from(NAMES[:6]),
        level=st.sampled_from(Level),
        expires=st.sampled_from((None, SOON, LATER)),
        admitted_by=st.sampled_from((None, *NAMES[:6])),
        networks=st.sampled_from(((), ("10.0.0.0/8",), ("10.1.0.0/16",), ("192.0.2.0/24", "10.1.2.0/24"))),
    ),
    min_size=3,
    max_size=8,
)


@settings(max_examples=120, deadline=None)
@given(LINES)
@example([line(A), line(B, Level.RAW, admitted_by=A), line(C, Level.MANAGE, admitted_by=B)])
@example([line(A, expires=SOON), line(B, admitted_by=A), line(C, expires=LATER, admitted_by=B)])
@example([line(A, networks=("10.1.0.0/16",)), line(B, networks=("10.0.0.0/8",), admitted_by=A)])
def test_whatever_the_file_says_nobody_has_more_than_who_admitted_it(lines):
    rights = effective_rights(lines)
    for symbols, console in rights.items():
        own = next(item for item in lines if fingerprint_symbols(item.fingerprint) == symbols)
        assert console.level.rank <= own.level.rank
        if own.admitted_by is not None:
            above = rights[fingerprint_symbols(own.admitted_by)]
            assert console.level.rank <= above.level.rank
            assert above.expires is None or (console.expires is not None and console.expires <= above.expires)
            for address in ("10.1.2.3", "10.9.9.9", "192.0.2.7", "203.0.113.5"):
                if console.refusal(address, 0.0) is None:
                    assert above.refusal(address, 0.0) is None

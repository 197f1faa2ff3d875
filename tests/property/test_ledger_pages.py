"""Leafing through the ledger: each entry once, whatever is asked for, whoever asks, whatever comes."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.domain.access.model import Caller, CallerKind, Grant, GrantEffect
from tidegate.domain.quantities import RolloutId, ServiceName
from tidegate.ports.store import LedgerQuery, ServiceRecord
from tidegate.store.memory import MemoryStore
from tidegate.testing.builders import START, a_rollout
from tidegate.testing.contracts.store_ledger import an_entry
from tidegate.testing.memory_world import MemoryWorld
from tidegate.usecases import ledger_pages
from tidegate.usecases.access import GRANTS
from tidegate.usecases.ledger_pages import ledger_page

SHOP = ServiceName("acme-shop")
ROOT = Caller(name="root", kind=CallerKind.PERSON, person="root", is_root=True)
EVE = Caller(
    name="eve", kind=CallerKind.PERSON, person="eve", organisation="umbrella", is_verified=True
)

facts = st.tuples(
    st.sampled_from(["umbrella", "acme"]),
    st.sampled_from(["decision", "command"]),
    st.sampled_from(["errors rose", "INC-431"]),
)
queries = st.builds(
    LedgerQuery,
    kind=st.sampled_from([None, "decision", "command", "evidence"]),
    text=st.sampled_from([None, "inc-", "rose"]),
    before=st.none() | st.integers(1, 60),
)


def a_fact(organisation: str, kind: str, because: str):
    """Return a fact of no service, which is whose its details say."""
    return replace(
        an_entry(because),
        rollout_id=RolloutId(""),
        service=ServiceName(""),
        kind=kind,
        details_json=f'{{"organisation":"{organisation}"}}',
    )


def a_world(given_facts) -> MemoryWorld:
    world = MemoryWorld(store=MemoryStore())
    auditor = Grant(
        id="g-1",
        subject="person:eve",
        role="auditor",
        scope="umbrella",
        effect=GrantEffect.ALLOW,
        granted_by="root",
        granted_at=START,
    )
    with world.store.begin() as transaction:
        GRANTS.put(transaction, auditor)
        # With a service of somebody else eve isn't alone here, and sees her own entries only.
        transaction.put_service(
            ServiceRecord(name=SHOP, canonical_json="{}", digest="sha256:0", updated_at=START)
        )
        transaction.add_rollout(replace(a_rollout(), service=SHOP, organisation="acme"))
        for fact in given_facts:
            transaction.append(a_fact(*fact))
    return world


@settings(max_examples=150, deadline=None)
@given(
    given_facts=st.lists(facts, max_size=60),
    query=queries,
    limit=st.integers(1, 7),
    at_once=st.integers(1, 9),
    at_most=st.integers(1, 30),
    caller=st.sampled_from([ROOT, EVE]),
    meanwhile=st.lists(facts, max_size=3),
)
def test_pages_neither_repeat_nor_miss(
    given_facts, query, limit, at_once, at_most, caller, meanwhile
):
    """All pages together are what was asked for when the first was, newest first."""
    world = a_world(given_facts)
    is_theirs = {
        entry.number
        for entry in kept(world)
        if query.wants(entry) and ledger_pages.audited_by(world.outside, caller)(entry)
    }
    seen: list[int] = []
    before = query.before
    saved = ledger_pages.READ_AT_ONCE, ledger_pages.SEARCHED_AT_MOST
    ledger_pages.READ_AT_ONCE, ledger_pages.SEARCHED_AT_MOST = at_once, at_most
    try:
        for _ in range(200):
            found = ledger_page(world.outside, caller, replace(query, before=before), limit=limit)
            assert len(found.entries) <= limit
            seen += [entry.number for entry in found.entries]
            with world.store.begin() as transaction:
                for fact in meanwhile:
                    transaction.append(a_fact(*fact))
            before = found.next_before
            if before is None:
                break
    finally:
        ledger_pages.READ_AT_ONCE, ledger_pages.SEARCHED_AT_MOST = saved

    if caller is EVE:
        assert len(is_theirs) <= sum(fact[0] == "umbrella" for fact in given_facts)
    assert before is None, "it ends"
    if query.before is None or query.before <= len(given_facts):
        assert seen == sorted(is_theirs, reverse=True)


def kept(world: MemoryWorld):
    with world.store.begin(read_only=True) as transaction:
        return transaction.ledger(limit=10_000)

"""A node that leaves out one event, of any kind: the mirror takes nothing of the range, and goes on with another."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from tallystick.chain.decode import event_names
from tallystick.chain.rpc import Rpc
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.period import Unit
from tallystick.errors import EventsInconsistent
from tallystick.flows.audit import audit
from tallystick.flows.ingest import Target, ingest
from tallystick.storage.database import open_database
from tallystick.testing import start_anvil
from tests.business import UNLIMITED, Business
from tests.chain.bad_node import bad_node
from tests.databases import NewDatabase
from tests.flows.test_ingest import content

DAY = 86_400
SIGNS_ALL = "0x631626ba7e60e01b5f5260205ff3"
"""A wallet that finds every signature good (ERC-1271)."""
QUOTES_SEVEN = "0x60075f5260205ff3"
"""A quoter for which any price is seven units."""
NO_COUPON = (0, 0, 0, 0, ZERO_ADDRESS, 0, 0)
UNSEEN = {
    *("Declined", "Cancelled", "CancellationScheduled", "MandateAccepted", "MandateRevoked", "PlanArchived"),
    *("PayerChanged", "PaidByFallback", "PlanProposed"),
}
"""Nothing is counted of these, and nothing builds on them that a node could not leave out as well. Who paid a charge is
told by the token, which the mirror does not read."""


@pytest.fixture(scope="module")
def business() -> Iterator[Business]:
    """Every kind of event, and after each a charge that builds on it."""
    with start_anvil() as anvil:
        business = Business(anvil)
        platform, payee = business.account("platform"), business.payee
        plain = business.create_plan(3_000_000, 30, Unit.DAY)
        other = business.create_plan(9_000_000, 30, Unit.DAY, fee_bps=1_000, fee_receiver=platform)
        seated = business.create_plan(1_000_000, 30, Unit.DAY, seat_price_units=500_000)
        tried = business.create_plan(2_000_000, 30, Unit.DAY, trial=5 * DAY)
        metered = business.create_plan(4_000_000, 30, Unit.DAY, usage_cap_units=2_000, usage_price_units=10**6)
        business.create_plan(payee=business.account("second payee"))
        business.token_call(payee, "approve", business.subscriptions, UNLIMITED)
        payers = [business.payer(name) for name in range(5)]
        ids = [
            business.subscribe(payers[0], plain),
            business.subscribe(payers[1], other),
            business.subscribe(payers[2], seated, 3),
            business.subscribe(payers[3], tried),
            business.subscribe(payers[4], metered),
        ]
        business.call(payee, "chargeUsage", ids[4], 2, 1_500, 1_500, bytes(32))
        anvil.advance(10 * DAY)
        business.charge(*ids)
        business.change_plan(payers[0], ids[0], other)
        business.change_plan(payers[0], ids[0], plain)
        business.change_plan(payers[2], ids[2], seated, 5)
        business.call(payers[3], "pause", ids[3])
        anvil.advance(DAY)
        business.call(payers[3], "resume", ids[3])
        business.call(payee, "chargeUsage", ids[4], 3, 500, 1_500, bytes(32))
        business.block(platform)
        anvil.advance(31 * DAY)
        business.charge(*ids)
        business.call(payee, "refund", ids[1], 1, 1_000)
        business.unblock(platform)
        business.call(business.operator, "claim", platform, business.token)
        add_what_payers_add(business)
        pay_in_another_token(business)
        pay_into_escrow(business)
        anvil.finalize()
        yield business


def add_what_payers_add(business: Business) -> None:
    """Everything with which a subscription is more than a plan and seats, and charges that show it."""
    anvil, payee = business.anvil, business.payee
    quoter, uncle, heir = (business.payer(name) for name in ("quoter", "uncle", "heir"))
    for account, code in ((payee, SIGNS_ALL), (uncle, SIGNS_ALL), (quoter, QUOTES_SEVEN)):
        anvil.rpc("anvil_setCode", account, code)
    plain = business.create_plan(3_000_000, 30, Unit.DAY, align_to=1)
    cheaper = business.create_plan(2_000_000, 30, Unit.DAY, align_to=1)
    quoted = business.create_plan(5, 30, Unit.DAY, quoter=quoter)
    first, second, third = (business.payer(name) for name in ("first", "second", "third"))
    coupon = (0, 1_000, 0, 9, ZERO_ADDRESS, 1, UNLIMITED)
    later = anvil.timestamp + 10_000
    opened = [
        business.call(payer, "subscribeWithConditions", plan, business.terms_hash(plan), 0, conditions, off, b"")
        for payer, plan, conditions, off in (
            (first, plain, (0, 0, later, 0, heir, False), NO_COUPON),
            (second, quoted, (100, 0, 0, 0, ZERO_ADDRESS, False), NO_COUPON),
            (third, plain, (0, 0, later, 0, ZERO_ADDRESS, False), coupon),
        )
    ]
    ids = [int(business.events(receipt)[0][0]) for receipt in opened]
    business.call(first, "setFallback", ids[0], uncle, 1, UNLIMITED, b"\1")
    business.approve(first, 0)
    anvil.advance(DAY)
    business.charge(*ids)
    business.call(payee, "lowerPrice", [ids[0]], cheaper)
    business.call(third, "scheduleChange", ids[2], cheaper, business.terms_hash(cheaper), 0)
    anvil.advance(31 * DAY)
    business.charge(*ids)
    anvil.rpc("anvil_setCode", second, SIGNS_ALL)
    business.call(heir, "changePayer", ids[1], heir, 2, UNLIMITED, b"\1", b"")
    business.call(heir, "changePayee", payee, business.token, heir, 3, UNLIMITED, b"\1", b"")
    anvil.advance(31 * DAY)
    business.charge(ids[0])


def pay_in_another_token(business: Business) -> None:
    """An alternative that is offered, withdrawn, and offered again, and a charge that is made under it."""
    anvil, seller, second = business.anvil, business.account("seller"), business.create_token()
    plan = business.create_plan(3_000_000, 30, Unit.DAY, payee=seller)
    other = business.create_plan(4_000_000, 30, Unit.DAY, payee=seller, token=second)
    payer = business.payer("payer with two tokens")
    business.mint(payer, 10**9, token=second)
    business.approve(payer, UNLIMITED, token=second)
    number = business.subscribe(payer, plan)
    for verb in ("offerAlternative", "withdrawAlternative", "offerAlternative"):
        business.call(seller, verb, plan, other)
    business.call(payer, "setFallbackPlan", number, other, business.terms_hash(other))
    business.call(seller, "proposePlan", [number], plan)
    business.approve(payer, 0)
    anvil.advance(31 * DAY)
    business.charge(number)


def pay_into_escrow(business: Business) -> None:
    """The first charge of a protected plan, and its next."""
    shop = business.account("shop")
    plan = business.create_plan(
        *(3_000_000, 30, Unit.DAY),
        payee=shop,
        protection=14 * DAY,
        arbiter=business.account("arbiter"),
        ruling_timeout=7 * DAY,
        default_payee_bps=5_000,
        max_arbiter_fee_bps=500,
    )
    payer = business.payer("protected payer")
    arguments = (plan, business.terms_hash(plan), 0, (0, 0, 0, 0, ZERO_ADDRESS, False), NO_COUPON, b"")
    opened = business.call(payer, "subscribeWithConditions", *arguments)
    business.anvil.advance(31 * DAY)
    business.charge(int(business.events(opened)[0][0]))


def logs_of(business: Business) -> list[dict[str, str]]:
    query = {"address": business.subscriptions, "fromBlock": "0x0", "toBlock": "latest"}
    found: list[dict[str, str]] = business.anvil.rpc("eth_getLogs", query)
    return found


def test_E62_no_event_that_anything_builds_on_is_left_out_unseen(business: Business, new_database: NewDatabase) -> None:
    contract = business.contract
    target = Target(business.anvil.chain_id, contract.address, contract.start_block)
    names = {log["logIndex"] + log["blockHash"]: event_names()[log["topics"][0]] for log in logs_of(business)}
    hidden: set[str] = set()

    def without(_: object, answer: bytes) -> tuple[int, bytes]:
        document = msgspec.json.decode(answer)
        if isinstance(document, dict) and isinstance(document["result"], list):
            document["result"] = [log for log in document["result"] if log["logIndex"] + log["blockHash"] not in hidden]
        return 200, msgspec.json.encode(document)

    kinds = set()
    last = open_database(new_database())
    with bad_node(business.anvil.url, seed=0, rate=0) as node:
        node._answer = without  # type: ignore[method-assign, assignment]  # an honest node, but for one log
        rpc = Rpc(node.url, sleep=lambda _: None)
        for log, name in names.items():
            if name not in UNSEEN:
                kinds.add(name)
                hidden = {log}
                last = open_database(new_database())
                with pytest.raises(EventsInconsistent):
                    ingest(last, rpc, target)
                assert content(last)["entries"] == []
    assert kinds == set(event_names().values()) - UNSEEN
    rpc = Rpc(business.anvil.url)
    ingest(last, rpc, target)
    assert audit(last, rpc, target).ok

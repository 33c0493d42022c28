"""The same facade in an event loop."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path

import pytest
from eth_account import Account

from tallystick import AsyncTallystick, Config, DeclineReason, Tallystick, parse_any_mandate, parse_end, parse_mandate
from tallystick.core.events import Cancelled, PayeeChanged, Refunded
from tallystick.errors import AnotherChargeIsNext, KeyMissing, NodeUnreachable, UnknownPlan, UsageTooDear
from tests.business import Business
from tests.client.conftest import BILLER, MERCHANT, PAYER

MONTH_S = 32 * 86_400


def test_it_has_every_method_of_the_other_one() -> None:
    def public(cls: type) -> dict[str, object]:
        found = {name: value for parent in reversed(cls.__mro__) for name, value in vars(parent).items()}
        return {name: value for name, value in found.items() if not name.startswith("_")}

    ours, theirs = public(AsyncTallystick), public(Tallystick)
    assert set(ours) == set(theirs) - {"contract"}  # which is reached by `sync`
    for name, value in ours.items():
        if inspect.isfunction(value):
            assert inspect.iscoroutinefunction(value), name
            assert value.__doc__ == getattr(Tallystick, name).__doc__


def test_a_subscription_from_consent_to_its_end(business: Business, manifest: Path) -> None:
    async def connect(index: int) -> AsyncTallystick:
        signer = Account.from_key(business.anvil.key(index))
        return await AsyncTallystick.connect(Config(), rpc_url=business.anvil.url, deployment=manifest, signer=signer)

    async def story() -> None:
        merchant, payer, biller = await asyncio.gather(*map(connect, (MERCHANT, PAYER, BILLER)))
        assert payer.address == business.anvil.address(PAYER)
        assert payer.chain_id == 31337
        plan = await merchant.create_plan(price="9.99", seat_price="1", token=business.token)
        large = await merchant.create_plan(price="19.99", seat_price="1", token=business.token)
        assert [found.plan_id for found in await payer.plans()] == [1, 2]
        assert (await payer.plan(1)) == plan
        direct = await payer.subscribe(plan, seats=1)
        signed = await payer.sign_mandate(plan, seats=2)
        opened = await merchant.submit_mandate(parse_mandate(signed.render()), plans=[1, 2])
        states = await asyncio.gather(
            *(merchant.subscription(one.subscription_id, plans=[1, 2]) for one in (direct, opened))
        )
        assert [state.seats for state in states] == [1, 2]

        offer = await payer.quote(1, large, 3)
        changed = await payer.change_plan(1, large, seats=3)
        assert (changed.plan_id, changed.seats) == (2, offer.seats)
        assert (await biller.charge_dry_run([1])) == [DeclineReason.NOT_DUE]
        business.anvil.advance(MONTH_S)
        assert (await biller.charge([1, 2])).reasons == [DeclineReason.NONE] * 2
        assert (await merchant.refund(1, 1)).one(Refunded).amount_units == 10_990_000
        assert (await merchant.totals(merchant.address, business.token)).charge_count == 5
        assert (await merchant.usage_left(1)).units == 0
        with pytest.raises(UsageTooDear):
            await merchant.charge_usage(1, 1, 1, document=b"")
        with pytest.raises(AnotherChargeIsNext):
            await merchant.charge_usage(1, 1, 1, document=b"", charge_number=1)
        assert (await merchant.claims()) == []
        assert (await merchant.claimable(business.token)).units == 0
        assert (await payer.preview(1)).reason is DeclineReason.NOT_DUE

        assert (await payer.pause(2)).status.name == "PAUSED"
        assert (await payer.resume(2)).status.name == "ACTIVE"
        text = (await payer.sign_cancellation(2)).render()
        await merchant.submit_cancellation(parse_end(text))
        assert (await payer.cancel_at_period_end(1)).status.name == "ENDING"
        stopped = await payer.stop()
        assert stopped is not None
        assert stopped.events == (Cancelled(1),)
        await payer.revoke_mandate(5)
        await merchant.submit_revocation(await payer.sign_revocation(6))
        assert (await merchant.archive_plan(1)).archived
        await payer.approve(2, periods=1)
        assert (await payer.units("1", business.token), (await payer.token(business.token)).symbol) == (10**6, "USDC")
        with pytest.raises(UnknownPlan):
            await payer.plan(9)

    business.mint(business.anvil.address(PAYER), 10**12)
    asyncio.run(story())


def test_conditions_coupons_and_other_wallets(business: Business, manifest: Path) -> None:
    async def connect(index: int) -> AsyncTallystick:
        signer = Account.from_key(business.anvil.key(index))
        return await AsyncTallystick.connect(Config(), rpc_url=business.anvil.url, deployment=manifest, signer=signer)

    async def story() -> None:
        merchant, payer, other = await asyncio.gather(*map(connect, (MERCHANT, PAYER, BILLER)))
        plan = await merchant.create_plan(price="10", token=business.token, every=30, unit="day")
        large = await merchant.create_plan(price="30", token=business.token, every=30, unit="day")
        wanted = await payer.conditions(business.token, max_per_period="30")
        coupon = await merchant.sign_coupon(large, basis_points_off=1_000)
        signed = await payer.sign_mandate_with_conditions([plan, large], conditions=wanted, coupon=coupon)
        opened = await merchant.submit_mandate(parse_any_mandate(signed.render()), plan_id=2, coupon=coupon)
        await payer.subscribe(large)
        assert (await payer.set_conditions(1, wanted)).charges == opened.charges == 1
        await payer.redeem_coupon(2, await merchant.sign_coupon(large, amount_off="1"))
        await payer.schedule_change(1, plan)
        await merchant.lower_price([2], plan)
        await merchant.submit_plan_change(await payer.sign_plan_change(1, large))
        change = await other.countersign_payer_change(await payer.sign_payer_change(1, other.address))
        assert (await merchant.change_payer(change)).payer == other.address
        assert (await payer.set_fallback(await other.sign_fallback(2))).charges == 1
        await other.drop_fallback(2)
        euros = await merchant.create_plan(price="29", token=second, every=30, unit="day")
        await merchant.offer_alternative(large, euros)
        assert (await payer.set_fallback_plan(2, euros)).charges == 1
        await merchant.withdraw_alternative(large, euros)
        await merchant.propose_plan([2], large)
        assert (await merchant.cancel_with_refund(2)).one(Refunded).amount_units > 29 * 10**6
        move = await other.countersign_payee_change(await merchant.sign_payee_change(business.token, other.address))
        assert (await payer.change_payee(move)).one(PayeeChanged).new_payee == other.address

    second = business.create_token()
    business.mint(business.anvil.address(PAYER), 10**12)
    asyncio.run(story())


def test_it_waits_without_holding_up_the_loop(business: Business, manifest: Path) -> None:
    """Between the ticks of a clock a transaction is mined, which takes the node longer than a tick."""

    async def story() -> int:
        signer = Account.from_key(business.anvil.key(MERCHANT))
        merchant = await AsyncTallystick.connect(
            Config(), rpc_url=business.anvil.url, deployment=manifest, signer=signer
        )
        business.anvil.rpc("evm_setAutomine", False)
        business.anvil.rpc("evm_setIntervalMining", 1)
        creating = asyncio.create_task(merchant.create_plan(price="1", token=business.token))
        ticks = 0
        while not creating.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert (await creating).plan_id == 1
        return ticks

    assert asyncio.run(story()) > 5


def test_errors_come_through(business: Business, manifest: Path) -> None:
    async def without_a_node() -> None:
        await AsyncTallystick.connect(Config(), rpc_url="http://127.0.0.1:1", deployment=manifest)

    async def without_a_key() -> None:
        reader = await AsyncTallystick.connect(Config(), rpc_url=business.anvil.url, deployment=manifest)
        await reader.charge([1])

    with pytest.raises(NodeUnreachable):
        asyncio.run(without_a_node())
    with pytest.raises(KeyMissing):
        asyncio.run(without_a_key())

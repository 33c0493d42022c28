"""The facade, as an application uses it, on a real chain."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tallystick
from tallystick import Amount, Config, DeclineReason, Funding, Plan, Status, Tallystick, Token, Unit, parse_mandate
from tallystick.chain.subscriptions import ControlTotals
from tallystick.chain.token import UNLIMITED_UNITS, TokenContract
from tallystick.config import MerchantConfig, SignerConfig
from tallystick.core.events import Refunded
from tallystick.errors import (
    AddressInvalid,
    AllowanceTooLow,
    AmountInvalid,
    AssetMismatch,
    BalanceTooLow,
    ChargeDue,
    DeploymentMissing,
    ForeignPlan,
    InputError,
    KeyLocked,
    KeyMissing,
    NodeUnreachable,
    NotAContract,
    NotAuthorized,
    NotPaused,
    PermitUnsupported,
    RefundTooHigh,
    SaltUsed,
    TallystickError,
    UnknownCharge,
    UnknownPlan,
    WrongChain,
)
from tallystick.testing import Anvil, start_anvil
from tests.business import Business, calldata
from tests.chain.mocks import created
from tests.client.conftest import BILLER, MERCHANT, PAYER, Connect

MONTH_S = 32 * 86_400
OTHER_REGISTER = 1_000_000_001
"""The first subscription of the second pair of payee and token."""


@pytest.fixture
def plan(business: Business, as_account: Connect) -> Plan:
    return as_account(MERCHANT).create_plan(price="9.99", token=business.token)


def test_sell_subscribe_charge_refund_cancel(business: Business, as_account: Connect, plan: Plan) -> None:
    merchant, payer, biller = as_account(MERCHANT), as_account(PAYER), as_account(BILLER)
    business.mint(payer.address, 100_000_000)
    assert (plan.plan_id, plan.terms.price_units, str(plan.terms.period)) == (1, 9_990_000, "month")
    assert payer.plan(1) == plan

    subscription = payer.subscribe(plan.plan_id)
    assert (subscription.payer, subscription.charges, subscription.status) == (payer.address, 1, Status.ACTIVE)
    assert biller.charge_dry_run([1]) == [DeclineReason.NOT_DUE]
    business.anvil.advance(MONTH_S)
    assert biller.charge([1]).reasons == [DeclineReason.NONE]
    assert payer.subscription(1).charges == 2

    assert merchant.refund(1, 2, "4.99").one(Refunded).amount_units == 4_990_000
    assert (
        merchant.refund(1, 2, Amount(1_000_000, merchant.token(business.token))).one(Refunded).amount_units == 1_000_000
    )
    assert merchant.refund(1, 2).one(Refunded).amount_units == 4_000_000
    with pytest.raises(RefundTooHigh):
        merchant.refund(1, 2)
    assert merchant.totals(merchant.address, business.token) == ControlTotals(1, 2, 19_980_000, 3, 9_990_000)

    assert payer.cancel_at_period_end(1).status is Status.ENDING
    assert merchant.cancel(1).status is Status.CANCELLED


def test_E25_pause_and_resume(business: Business, as_account: Connect, plan: Plan) -> None:
    merchant, payer, biller = as_account(MERCHANT), as_account(PAYER), as_account(BILLER)
    business.mint(payer.address, 100_000_000)
    due = payer.subscribe(plan.plan_id).next_due
    paused = payer.pause(1)
    left_s = due - payer.contract.node.timestamp()
    assert (paused.status, paused.next_due, paused.charges) == (Status.PAUSED, left_s, 1)
    with pytest.raises(NotAuthorized):
        merchant.resume(1)
    business.anvil.advance(2 * MONTH_S)
    assert biller.charge_dry_run([1]) == [DeclineReason.PAUSED]
    assert merchant.refund(1, 1, "4.99").one(Refunded).amount_units == 4_990_000
    resumed = payer.resume(1)
    assert (resumed.status, resumed.next_due) == (Status.ACTIVE, payer.contract.node.timestamp() + left_s)
    assert biller.charge_dry_run([1]) == [DeclineReason.NOT_DUE]
    with pytest.raises(NotPaused):
        payer.resume(1)
    business.anvil.advance(left_s)
    with pytest.raises(ChargeDue):
        payer.pause(1)
    assert biller.charge([1, 1]).reasons == [DeclineReason.NONE, DeclineReason.NOT_DUE]

    left_s = payer.pause(1).next_due
    cancelled = merchant.cancel(1)
    assert (cancelled.status, cancelled.next_due) == (Status.CANCELLED, payer.contract.node.timestamp() + left_s)


def test_a_payer_without_coin_signs_and_the_merchant_submits(
    business: Business, as_account: Connect, plan: Plan
) -> None:
    merchant, payer = as_account(MERCHANT), as_account(PAYER)
    business.anvil.rpc("anvil_setBalance", payer.address, "0x0")
    business.mint(payer.address, 100_000_000)
    text = payer.sign_mandate(plan.plan_id, periods=3).render()

    signed = parse_mandate(text)
    assert signed.permit is not None
    assert signed.permit.value_units == 3 * 9_990_000
    assert merchant.submit_mandate(signed).payer == payer.address
    with pytest.raises(SaltUsed):
        merchant.submit_mandate(signed)


def test_a_mandate_for_elsewhere_is_refused(as_account: Connect, plan: Plan) -> None:
    payer = as_account(PAYER)
    signed = payer.sign_mandate(plan.plan_id, funding=Funding.ALLOWANCE, salt=7)
    assert signed.permit is None
    moved = type(signed)(1, signed.contract, signed.mandate, signed.signature)
    with pytest.raises(InputError, match=f"for {signed.contract} on chain 1, this is {signed.contract} on chain 31337"):
        payer.submit_mandate(moved)
    with pytest.raises(InputError, match="cannot approve"):
        payer.sign_mandate(plan.plan_id, funding=Funding.APPROVE)
    as_account(PAYER).revoke_mandate(7)
    with pytest.raises(SaltUsed):
        payer.submit_mandate(signed)


def test_each_way_to_fund(business: Business, as_account: Connect, plan: Plan) -> None:
    payer = as_account(PAYER)
    price = plan.terms.price_units
    node = payer.contract.node
    dollar = TokenContract(node, business.token)

    def allowance() -> int:
        return dollar.allowance(payer.address, business.subscriptions)

    with pytest.raises(BalanceTooLow):
        payer.subscribe(1)
    business.mint(payer.address, 10**9)
    with pytest.raises(AllowanceTooLow):
        payer.subscribe(1, funding=Funding.ALLOWANCE)
    with pytest.raises(InputError, match="found 0 periods"):
        payer.subscribe(1, periods=0)
    before = business.anvil.block_number
    payer.subscribe(1, periods=3)
    assert (business.anvil.block_number - before, allowance()) == (1, 2 * price)  # a permit is no transaction
    payer.subscribe(1, periods=2)
    assert allowance() == price  # it covered two periods
    before = business.anvil.block_number
    payer.subscribe(1, funding=Funding.APPROVE, periods=4)
    assert (business.anvil.block_number - before, allowance()) == (2, 4 * price)  # raised by four, one is used
    payer.subscribe(1, funding=Funding.PERMIT, periods=1)
    assert allowance() == 4 * price
    payer.subscribe(1, funding=Funding.ALLOWANCE)
    assert allowance() == 3 * price


def test_E08_a_token_without_permits_is_approved_in_two_steps(business: Business, as_account: Connect) -> None:
    payer = as_account(PAYER)
    tether = created(business, "MockUSDT")
    business.send(business.operator, tether, "0x40c10f19" + payer.address[2:].rjust(64, "0").lower() + f"{10**9:064x}")
    plan = as_account(MERCHANT).create_plan(price="5", token=tether, unit=Unit.WEEK)
    with pytest.raises(PermitUnsupported):
        payer.subscribe(plan.plan_id, funding=Funding.PERMIT)
    payer.subscribe(plan.plan_id, periods=1)
    token = TokenContract(payer.contract.node, tether)
    token.approve(payer.contract.sender, business.subscriptions, 1)
    payer.subscribe(plan.plan_id, periods=2)
    assert token.allowance(payer.address, business.subscriptions) == 5_000_001
    signed = payer.sign_mandate(plan.plan_id)
    assert signed.permit is None
    payer.approve(plan.plan_id, periods=1)
    assert token.allowance(payer.address, business.subscriptions) == 10_000_001
    as_account(BILLER).submit_mandate(signed)


@pytest.mark.usefixtures("plan")
def test_an_unlimited_allowance_stays_unlimited(business: Business, as_account: Connect) -> None:
    payer = as_account(PAYER)
    business.mint(payer.address, 10**9)
    TokenContract(payer.contract.node, business.token).approve(
        payer.contract.sender, business.subscriptions, UNLIMITED_UNITS
    )
    before = business.anvil.block_number
    payer.subscribe(1, funding=Funding.PERMIT)
    payer.subscribe(1)
    assert business.anvil.block_number - before == 2


def test_plans_are_created_from_what_people_write_and_listed(
    business: Business, as_account: Connect, plan: Plan
) -> None:
    merchant = as_account(MERCHANT)
    dollar = merchant.token(business.token)
    assert dollar == Token(31337, business.token, "USDC", 6)
    other = as_account(BILLER).create_plan(
        price=Amount(5, dollar), token=business.token.lower(), every=30, unit="second", catch_up=2
    )
    biller = business.anvil.address(BILLER)
    assert (other.terms.payee, other.terms.price_units, other.terms.unit) == (biller, 5, Unit.SECOND)
    assert merchant.plans() == [plan, other]
    assert merchant.plans(payee=merchant.address.lower()) == [plan]
    before = business.anvil.block_number
    create, usdc = merchant.create_plan, business.token
    wrong: list[tuple[type[TallystickError], Callable[[], Plan]]] = [
        (AmountInvalid, lambda: create(price="9.9999999", token=usdc)),
        (AmountInvalid, lambda: create(price="ten", token=usdc)),
        (AssetMismatch, lambda: create(price=Amount(1, Token(1, usdc, "USDC", 6)), token=usdc)),
        (AddressInvalid, lambda: create(price=1, token="0x12")),
        (NotAContract, lambda: create(price="1", token=business.payee)),
        (InputError, lambda: create(price=1, token=usdc, unit="fortnight")),
        (AddressInvalid, lambda: create(price=1, token=usdc, fee_bps=1, fee_receiver="nobody")),
    ]
    for error, attempt in wrong:
        with pytest.raises(error):
            attempt()
    assert business.anvil.block_number == before


@pytest.mark.usefixtures("plan")
def test_refunds_are_refused_before_an_approval_is_sent(business: Business, as_account: Connect) -> None:
    payer, merchant = as_account(PAYER), as_account(MERCHANT)
    business.mint(payer.address, 10**9)
    payer.subscribe(1)
    before = business.anvil.block_number
    with pytest.raises(NotAuthorized):
        payer.refund(1, 1)
    with pytest.raises(UnknownCharge):
        merchant.refund(1, 2)
    with pytest.raises(RefundTooHigh):
        merchant.refund(1, 1, "10")
    assert business.anvil.block_number == before


# --- Whose plan it is -------------------------------------------------------------------------------------------------


def test_a_merchant_reads_subscriptions_of_named_plans_only(
    business: Business, as_account: Connect, plan: Plan
) -> None:
    merchant, payer, biller = as_account(MERCHANT), as_account(PAYER), as_account(BILLER)
    business.mint(payer.address, 10**9)
    cheap = merchant.create_plan(price=1, token=business.token)
    other = biller.create_plan(price="9.99", token=business.token)
    for bought in (plan, cheap, other):
        payer.subscribe(bought.plan_id)

    assert merchant.subscription(1, plans=[plan.plan_id]).payer == payer.address
    with pytest.raises(ForeignPlan, match="plan 2 is not the merchant's: it has the number 2, allowed are 1") as caught:
        merchant.subscription(2, plans=[plan.plan_id])
    assert (caught.value.what, caught.value.found, caught.value.allowed) == ("number", 2, (1,))
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), vars(copy)) == (str(caught.value), vars(caught.value))
    with pytest.raises(ForeignPlan, match=f"pays {biller.address}, allowed are {merchant.address}"):
        merchant.subscription(OTHER_REGISTER, plans=[1, 3])
    assert merchant.subscription(2).plan_id == 2  # it pays the merchant, so the merchant has created it
    with pytest.raises(ForeignPlan, match=f"pays {biller.address}, allowed are {merchant.address}"):
        merchant.subscription(OTHER_REGISTER)
    with pytest.raises(InputError, match="found no plans, at least one number is needed"):
        merchant.subscription(1, plans=[])
    assert [payer.subscription(number).plan_id for number in (1, 2, OTHER_REGISTER)] == [1, 2, 3]  # their own
    with pytest.raises(ForeignPlan):
        payer.subscription(2, plans=[1])
    assert merchant.contract.subscription(2).plan_id == 2


def test_a_reader_without_a_key_recognises_what_the_configuration_names(
    business: Business, as_account: Connect, manifest: Path, plan: Plan
) -> None:
    payer, merchant = as_account(PAYER), as_account(MERCHANT)
    business.mint(payer.address, 10**9)
    worthless = created(business, "MockToken", ["string", "string", "uint8"], "Worthless", "USDC", 6)
    business.send(payer.address, worthless, calldata("MockUSDC", "mint", payer.address, 10**9))
    fake = merchant.create_plan(price="9.99", token=worthless)
    for bought in (plan, fake):
        payer.subscribe(bought.plan_id)

    def reader(**named: object) -> Tallystick:
        config = Config(rpc_url=business.anvil.url, deployment=manifest, merchant=MerchantConfig.model_validate(named))
        return Tallystick.connect(config)

    server = reader(payees=[merchant.address], tokens=[business.token], plans=[1, 2])
    assert server.subscription(1).plan_id == 1
    with pytest.raises(ForeignPlan, match=rf"is paid in {worthless}, allowed are {business.token}.*merchant\.tokens"):
        server.subscription(OTHER_REGISTER)
    assert reader(plans=[1]).subscription(1).charges == 1
    assert reader(payees=[merchant.address]).subscription(OTHER_REGISTER).charges == 1
    with pytest.raises(InputError, match=r"nothing says which plans are the merchant's.*plans=\[\.\.\.\], or set"):
        reader().subscription(1)
    with pytest.raises(ForeignPlan, match=rf"pays {merchant.address}.*merchant\.payees"):
        reader(payees=[business.payee], plans=[1]).subscription(1)


def test_a_mandate_for_a_foreign_plan_is_not_submitted(business: Business, as_account: Connect, plan: Plan) -> None:
    merchant, payer = as_account(MERCHANT), as_account(PAYER)
    business.mint(payer.address, 10**9)
    cheap = merchant.create_plan(price=1, token=business.token)
    own, foreign = (payer.sign_mandate(bought.plan_id) for bought in (plan, cheap))
    before = business.anvil.block_number
    with pytest.raises(ForeignPlan, match="has the number 2"):
        merchant.submit_mandate(foreign, plans=[plan.plan_id])
    with pytest.raises(InputError, match="found no plans"):
        merchant.submit_mandate(foreign, plans=[])
    assert business.anvil.block_number == before
    assert merchant.submit_mandate(own, plans=[plan.plan_id]).plan_id == plan.plan_id


# --- Bad input (each a clear error, nothing sent) ---------------------------------------------------------------------


def test_a_wrong_node_is_refused(manifest: Path) -> None:
    with pytest.raises(NodeUnreachable, match=r"no answer from http://127\.0\.0\.1:1 .*start the node, or give"):
        Tallystick.connect(Config(), rpc_url="http://127.0.0.1:1", deployment=manifest)


def test_a_wrong_chain_is_refused(manifest: Path) -> None:
    with start_anvil("--chain-id", "10") as other, pytest.raises(WrongChain, match="serves chain 10"):
        Tallystick.connect(Config(), rpc_url=other.url, deployment=manifest)


def test_a_missing_deployment_is_refused(anvil: Anvil, manifest: Path, tmp_path: Path) -> None:
    with pytest.raises(DeploymentMissing, match="there is no deployment manifest"):
        Tallystick.connect(Config(), rpc_url=anvil.url, deployment=tmp_path / "no.json")
    with start_anvil() as empty, pytest.raises(DeploymentMissing, match="there is no SubscriptionsPayee at"):
        Tallystick.connect(Config(), rpc_url=empty.url, deployment=manifest)


def test_E73_without_a_key_it_reads_and_with_a_locked_one_it_does_nothing(
    business: Business, manifest: Path, plan: Plan, tmp_path: Path
) -> None:
    reader = Tallystick.connect(Config(), rpc_url=business.anvil.url, deployment=manifest)
    assert reader.plan(plan.plan_id) == plan
    with pytest.raises(KeyMissing, match="set TALLYSTICK_KEY"):
        reader.subscribe(plan.plan_id)
    with pytest.raises(UnknownPlan):
        reader.plan(2)
    keystore = tmp_path / "key.json"
    keystore.write_text("{}")
    locked = Config(rpc_url="http://127.0.0.1:1", deployment=manifest, signer=SignerConfig(keystore=keystore))
    with pytest.raises(KeyLocked):
        Tallystick.connect(locked)


def test_importing_the_package_is_quick_and_its_names_are_there() -> None:
    code = "import sys, tallystick; assert 'web3' not in sys.modules; from tallystick import Tallystick as T; T.connect"
    subprocess.run([sys.executable, "-c", code], check=True)
    for name in tallystick.__all__:
        assert getattr(tallystick, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        vars(tallystick)["__getattr__"]("Nothing")

"""`AsyncTallystick`: the methods of `Tallystick` for programs with an event loop.

Each runs the method of the same name in a worker thread (`asyncio.to_thread`) and takes and gives the same. Reading the
chain and waiting for a transaction is waiting for a node, for which a thread is as good; and there is one
implementation. A cancelled call goes on in its thread: a transaction that is on its way cannot be called back. The
loop's default executor bounds how many run at once (`loop.set_default_executor`).
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from eth_account.signers.local import LocalAccount

from tallystick.chain.signer import Signer
from tallystick.client.facade import Tallystick
from tallystick.config import Config

P = ParamSpec("P")
R = TypeVar("R")


def _threaded(
    method: Callable[Concatenate[Tallystick, P], R],
) -> Callable[Concatenate[AsyncTallystick, P], Coroutine[Any, Any, R]]:
    async def run(self: AsyncTallystick, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await asyncio.to_thread(method, self.sync, *args, **kwargs)

    functools.update_wrapper(run, method)
    return run


class AsyncTallystick:
    """Tallystick's contracts on one chain, used by one account. `sync` is the `Tallystick` that does the work."""

    def __init__(self, sync: Tallystick) -> None:
        self.sync = sync

    @classmethod
    async def connect(
        cls,
        config: Config | None = None,
        *,
        rpc_url: str | None = None,
        deployment: Path | str | None = None,
        signer: Signer | LocalAccount | None = None,
        database: str | None = None,
    ) -> Self:
        """As `Tallystick.connect`."""
        connect = functools.partial(
            Tallystick.connect, config, rpc_url=rpc_url, deployment=deployment, signer=signer, database=database
        )
        return cls(await asyncio.to_thread(connect))

    @property
    def chain_id(self) -> int:
        """The chain."""
        return self.sync.chain_id

    @property
    def address(self) -> str:
        """The account that signs and sends. Raises KeyMissing."""
        return self.sync.address

    token = _threaded(Tallystick.token)
    conditions = _threaded(Tallystick.conditions)

    create_plan = _threaded(Tallystick.create_plan)
    plan = _threaded(Tallystick.plan)
    plans = _threaded(Tallystick.plans)
    archive_plan = _threaded(Tallystick.archive_plan)
    offer_alternative = _threaded(Tallystick.offer_alternative)
    withdraw_alternative = _threaded(Tallystick.withdraw_alternative)
    sign_payee_change = _threaded(Tallystick.sign_payee_change)
    countersign_payee_change = _threaded(Tallystick.countersign_payee_change)
    change_payee = _threaded(Tallystick.change_payee)
    sign_coupon = _threaded(Tallystick.sign_coupon)

    subscribe = _threaded(Tallystick.subscribe)
    sign_mandate = _threaded(Tallystick.sign_mandate)
    sign_mandate_with_conditions = _threaded(Tallystick.sign_mandate_with_conditions)
    submit_mandate = _threaded(Tallystick.submit_mandate)
    approve = _threaded(Tallystick.approve)
    revoke_mandate = _threaded(Tallystick.revoke_mandate)
    sign_revocation = _threaded(Tallystick.sign_revocation)
    submit_revocation = _threaded(Tallystick.submit_revocation)
    set_conditions = _threaded(Tallystick.set_conditions)
    redeem_coupon = _threaded(Tallystick.redeem_coupon)

    sign_payer_change = _threaded(Tallystick.sign_payer_change)
    countersign_payer_change = _threaded(Tallystick.countersign_payer_change)
    change_payer = _threaded(Tallystick.change_payer)
    sign_fallback = _threaded(Tallystick.sign_fallback)
    set_fallback = _threaded(Tallystick.set_fallback)
    set_fallback_plan = _threaded(Tallystick.set_fallback_plan)
    drop_fallback = _threaded(Tallystick.drop_fallback)

    subscription = _threaded(Tallystick.subscription)
    preview = _threaded(Tallystick.preview)
    quote = _threaded(Tallystick.quote)
    change_plan = _threaded(Tallystick.change_plan)
    schedule_change = _threaded(Tallystick.schedule_change)
    sign_plan_change = _threaded(Tallystick.sign_plan_change)
    submit_plan_change = _threaded(Tallystick.submit_plan_change)
    lower_price = _threaded(Tallystick.lower_price)
    propose_plan = _threaded(Tallystick.propose_plan)
    cancel = _threaded(Tallystick.cancel)
    cancel_with_refund = _threaded(Tallystick.cancel_with_refund)
    cancel_at_period_end = _threaded(Tallystick.cancel_at_period_end)
    sign_cancellation = _threaded(Tallystick.sign_cancellation)
    submit_cancellation = _threaded(Tallystick.submit_cancellation)
    stop = _threaded(Tallystick.stop)
    pause = _threaded(Tallystick.pause)
    resume = _threaded(Tallystick.resume)

    charge_dry_run = _threaded(Tallystick.charge_dry_run)
    charge = _threaded(Tallystick.charge)
    charge_usage = _threaded(Tallystick.charge_usage)
    usage_left = _threaded(Tallystick.usage_left)
    refund = _threaded(Tallystick.refund)
    claimable = _threaded(Tallystick.claimable)
    claims = _threaded(Tallystick.claims)
    claim = _threaded(Tallystick.claim)
    totals = _threaded(Tallystick.totals)
    units = _threaded(Tallystick.units)

    payment_terms = _threaded(Tallystick.payment_terms)
    sign_payment = _threaded(Tallystick.sign_payment)
    authorize = _threaded(Tallystick.authorize)
    charge_payment = _threaded(Tallystick.charge_payment)
    revoke_payment = _threaded(Tallystick.revoke_payment)
    capture = _threaded(Tallystick.capture)
    capture_milestone = _threaded(Tallystick.capture_milestone)
    void = _threaded(Tallystick.void)
    reclaim = _threaded(Tallystick.reclaim)
    refund_payment = _threaded(Tallystick.refund_payment)
    dispute = _threaded(Tallystick.dispute)
    submit_evidence = _threaded(Tallystick.submit_evidence)
    rule = _threaded(Tallystick.rule)
    rule_by_default = _threaded(Tallystick.rule_by_default)
    payment = _threaded(Tallystick.payment)
    payment_total = _threaded(Tallystick.payment_total)
    payout_claimable = _threaded(Tallystick.payout_claimable)
    claim_payout = _threaded(Tallystick.claim_payout)

    deploy_court_arbiter = _threaded(Tallystick.deploy_court_arbiter)
    court_arbiter = _threaded(Tallystick.court_arbiter)
    court_case = _threaded(Tallystick.court_case)
    judge = _threaded(Tallystick.judge)
    appeal = _threaded(Tallystick.appeal)
    show_evidence = _threaded(Tallystick.show_evidence)
    execute = _threaded(Tallystick.execute)
    pay_judge = _threaded(Tallystick.pay_judge)

    checkout_quote = _threaded(Tallystick.checkout_quote)
    sign_checkout = _threaded(Tallystick.sign_checkout)
    pay_quote = _threaded(Tallystick.pay_quote)
    plan_quote_payment = _threaded(Tallystick.plan_quote_payment)
    pay_quote_by_swap = _threaded(Tallystick.pay_quote_by_swap)
    quote_state = _threaded(Tallystick.quote_state)
    withdraw_quote = _threaded(Tallystick.withdraw_quote)
    quote_total = _threaded(Tallystick.quote_total)
    deposit_address = _threaded(Tallystick.deposit_address)
    expect_deposit = _threaded(Tallystick.expect_deposit)
    deposits = _threaded(Tallystick.deposits)
    deposit = _threaded(Tallystick.deposit)
    sweep = _threaded(Tallystick.sweep)
    sign_refund_address = _threaded(Tallystick.sign_refund_address)
    refund_invoice = _threaded(Tallystick.refund_invoice)
    claim_checkout = _threaded(Tallystick.claim_checkout)

    open_channel = _threaded(Tallystick.open_channel)
    top_up_channel = _threaded(Tallystick.top_up_channel)
    limit_channel = _threaded(Tallystick.limit_channel)
    sign_voucher = _threaded(Tallystick.sign_voucher)
    last_voucher = _threaded(Tallystick.last_voucher)
    grant_key = _threaded(Tallystick.grant_key)
    adopt_channel = _threaded(Tallystick.adopt_channel)
    withdraw_channel = _threaded(Tallystick.withdraw_channel)
    finish_withdrawal = _threaded(Tallystick.finish_withdrawal)
    channel = _threaded(Tallystick.channel)
    till_rules = _threaded(Tallystick.till_rules)
    accept_voucher = _threaded(Tallystick.accept_voucher)
    accept_vouchers = _threaded(Tallystick.accept_vouchers)
    claim_vouchers = _threaded(Tallystick.claim_vouchers)
    settle_channels = _threaded(Tallystick.settle_channels)
    refund_channel = _threaded(Tallystick.refund_channel)
    receiver_total = _threaded(Tallystick.receiver_total)
    create_channel_plan = _threaded(Tallystick.create_channel_plan)
    fill_channels = _threaded(Tallystick.fill_channels)
    take_up_channel = _threaded(Tallystick.take_up_channel)
    archive_channel_plan = _threaded(Tallystick.archive_channel_plan)
    deploy_quoter = _threaded(Tallystick.deploy_quoter)
    ask_quoter = _threaded(Tallystick.ask_quoter)
    plan_conversion = _threaded(Tallystick.plan_conversion)
    convert = _threaded(Tallystick.convert)

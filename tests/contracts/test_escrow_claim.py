"""claim: what the contract keeps for an account that could not receive it, to that account alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.hostile import REFUSALS, play
from tests.contracts.payments import ALL, AMOUNT, Payments, Terms
from tests.contracts.stage import UNLIMITED, Contract, Stage, reverts
from tests.tricks import Trick


@pytest.fixture
def kept(payments: Payments, usdc: Contract, stage: Stage) -> Terms:
    """A captured payment whose payee the token blocks."""
    terms = payments.authorized(token=usdc)
    usdc.blacklist(payments.payee, sender=stage.anyone)
    payments.escrow.capture(terms, ALL, 0, sender=payments.payee)
    return terms


@pytest.mark.usefixtures("kept")
def test_E07_anyone_has_it_paid_to_the_account_once_it_can_receive(
    payments: Payments, usdc: Contract, stage: Stage
) -> None:
    usdc.unBlacklist(payments.payee, sender=stage.anyone)
    with payments.moves(usdc, payee=AMOUNT, escrow=-AMOUNT):
        receipt = payments.escrow.claim(payments.payee, usdc, sender=payments.anyone)
    values = {"account": payments.payee.address, "token": usdc.address, "amount": AMOUNT}
    assert payments.events(receipt) == [("PayoutClaimed", values)]
    assert payments.claimable(payments.payee, usdc) == 0
    with payments.nothing_changes(usdc), reverts("NothingToClaim", account=payments.payee, token=usdc):
        payments.escrow.claim(payments.payee, usdc, sender=payments.payee)


@pytest.mark.usefixtures("kept")
def test_stays_kept_while_the_account_is_blocked_or_the_token_paused(
    payments: Payments, usdc: Contract, stage: Stage
) -> None:
    with payments.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        payments.escrow.claim(payments.payee, usdc, sender=payments.payee)
    usdc.unBlacklist(payments.payee, sender=stage.anyone)
    usdc.pause(sender=stage.anyone)
    with payments.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        payments.escrow.claim(payments.payee, usdc, sender=payments.payee)
    usdc.unpause(sender=stage.anyone)
    payments.escrow.claim(payments.payee, usdc, sender=payments.payee)


@pytest.mark.usefixtures("kept")
def test_nobody_has_a_claim_on_what_is_anothers(payments: Payments, usdc: Contract, token: Contract) -> None:
    accounts = [(payments.payer, usdc), (payments.anyone, usdc), (payments.escrow, usdc), (payments.payee, token)]
    for account, in_token in accounts:
        with payments.nothing_changes(usdc), reverts("NothingToClaim", account=account, token=in_token):
            payments.escrow.claim(account, in_token, sender=payments.anyone)


def test_claims_of_several_payments_add_up_and_others_stay_held(
    payments: Payments, usdc: Contract, stage: Stage, kept: Terms
) -> None:
    more, still_held = payments.authorized(token=usdc, amount=7), payments.authorized(token=usdc, amount=11)
    payments.escrow.capture(more, ALL, 0, sender=payments.payee)
    assert payments.claimable(payments.payee, usdc) == kept.amount + 7
    usdc.unBlacklist(payments.payee, sender=stage.anyone)
    payments.escrow.claim(payments.payee, usdc, sender=payments.payee)
    assert usdc.balanceOf(payments.escrow) == payments.state(still_held).held == 11


@pytest.mark.parametrize("trick", REFUSALS)
def test_E01_E06_what_the_token_refuses_again_stays_kept(payments: Payments, hostile: Contract, trick: Trick) -> None:
    hostile.approve(payments.escrow, UNLIMITED, sender=payments.payer)
    terms = payments.authorized(token=hostile)
    play(hostile, "transfer", trick)
    payments.escrow.capture(terms, ALL, 0, sender=payments.payee)
    with payments.nothing_changes(hostile), reverts("TokenRefused", token=hostile):
        payments.escrow.claim(payments.payee, hostile, sender=payments.payee)
    play(hostile, "transfer", Trick.NONE)
    payments.escrow.claim(payments.payee, hostile, sender=payments.payee)
    assert hostile.balanceOf(payments.payee) == AMOUNT


def test_E06_a_claim_has_all_the_gas_that_it_is_sent_with(
    payments: Payments, project: Any, hooked: Contract, stage: Stage
) -> None:
    """Money whose receipt is dearer than a payout may cost is kept, and can be had: nobody else waits for a claim."""
    hooked.approve(payments.escrow, UNLIMITED, sender=payments.payer)
    hooked.spare(payments.escrow, sender=stage.anyone)
    payee = project.MockWallet.deploy(sender=stage.anyone)
    factory = project.MockWalletFactory.deploy(sender=stage.anyone)
    payee.setHook(factory, factory.create.encode_input(stage.anyone), sender=stage.anyone)  # some 600,000 gas
    terms = payments.authorized(token=hooked, payee=payee)
    payments.escrow.capture(terms, ALL, 0, sender=payments.payer)
    assert payments.claimable(payee, hooked) == AMOUNT
    payments.escrow.claim(payee, hooked, sender=stage.anyone)
    assert payee.hookSucceeded()
    assert (hooked.balanceOf(payee), payments.claimable(payee, hooked)) == (AMOUNT, 0)

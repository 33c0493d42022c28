"""claim, claimWithSignature and settle: as x402 has them, all rows or none, paid out by a call of its own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.channels import (
    ABOVE_BALANCE,
    ABOVE_VOUCHER,
    AMOUNT,
    INVALID_SIGNATURE,
    LATER_OPENING,
    OPENING,
    Channel,
    Channels,
    Voucher,
)
from tests.contracts.hostile import REFUSALS, play
from tests.contracts.payments import digest, second_forms, signed
from tests.contracts.stage import UNLIMITED, Account, Contract, Receipt, Stage, reverts
from tests.contracts.test_contract_accounts import delegate
from tests.tricks import Trick

PART = 30_000_000


def by_signature(channels: Channels, *vouchers: Voucher, key: Account | None = None) -> Receipt:
    """Anyone sends the batch that the authorizer signed."""
    signature = signed(key or channels.authorizer, channels.batch_data(list(vouchers)))
    claims = [voucher.claim() for voucher in vouchers]
    return channels.contract.claimWithSignature(claims, signature, sender=channels.anyone)


# --- Both ---


@pytest.mark.parametrize("who", ["receiver", "authorizer", "anyone, signed"])
def test_counts_what_is_claimed_and_settles_later(channels: Channels, who: str) -> None:
    config = channels.opened()
    voucher = channels.voucher(config, AMOUNT, PART)
    with channels.moves():
        if who == "anyone, signed":
            receipt, sender = by_signature(channels, voucher), channels.anyone
        else:
            sender = getattr(channels, who)
            receipt = channels.claim(voucher, sender=sender)
    values = {"channelId": channels.id(config), "sender": sender, "claimAmount": PART, "newTotalClaimed": PART}
    assert channels.events(receipt) == [("Claimed", values)]
    assert channels.state(config) == Channel(AMOUNT, PART)
    assert (channels.sums(config), channels.totals()) == ((AMOUNT, PART), (PART, 0))
    with channels.moves(receiver=PART, contract=-PART):
        receipt = channels.contract.settle(channels.receiver, config.token, sender=channels.anyone)
    paid = {"receiver": channels.receiver, "token": config.token, "sender": channels.anyone, "amount": PART}
    assert channels.events(receipt) == [("Settled", paid)]
    assert channels.totals() == (PART, PART)
    with channels.nothing_changes():
        assert channels.events(channels.contract.settle(channels.receiver, config.token, sender=channels.anyone)) == []


@pytest.mark.parametrize("claim", [Channels.claim, by_signature])
def test_many_channels_of_many_receivers(channels: Channels, token: Contract, claim: Any) -> None:
    first, second = channels.opened(), channels.opened(receiver=channels.anyone)
    claim(
        channels, channels.voucher(first, PART), channels.voucher(second, PART + 1), channels.voucher(first, PART + 2)
    )
    assert channels.totals() == (PART + 2, 0)
    found = channels.contract.receivers(channels.anyone, token)
    assert (found.totalClaimed, found.totalSettled) == (PART + 1, 0)


@pytest.mark.parametrize("claim", [Channels.claim, by_signature])
def test_E23_E50_what_was_claimed_before_does_nothing(channels: Channels, claim: Any) -> None:
    config = channels.opened()
    voucher = channels.voucher(config, 2 * PART)
    claim(channels, voucher)
    with channels.nothing_changes():
        receipt = claim(channels, voucher, channels.voucher(config, PART), channels.voucher(config, 3 * PART, PART))
    assert channels.events(receipt) == []


@pytest.mark.parametrize("claim", [Channels.claim, by_signature])
def test_one_that_cannot_be_claimed_stops_all(channels: Channels, claim: Any) -> None:
    """x402's server takes a batch that went through for one that was claimed whole."""
    good, config = channels.opened(), channels.opened()
    bad = [
        (channels.voucher(config, AMOUNT + 1), ABOVE_BALANCE),
        (channels.voucher(config, PART, PART + 1), ABOVE_VOUCHER),
        (channels.voucher(config, OPENING, PART), LATER_OPENING),
        (channels.voucher(config, PART, key=channels.key), INVALID_SIGNATURE),
        (channels.voucher(channels.config(), PART), ABOVE_BALANCE),
    ]
    for voucher, reason in bad:
        with channels.nothing_changes(), reverts("ClaimRefused", channelId=channels.id(voucher.config), reason=reason):
            claim(channels, channels.voucher(good, PART), voucher)


@pytest.mark.parametrize("how", ["withdraw", "refund"])
def test_E54_old_vouchers_are_worthless_when_a_channel_is_closed_and_opened_again(channels: Channels, how: str) -> None:
    config = channels.opened()
    old = [channels.voucher(config, most) for most in (PART, AMOUNT, OPENING - 1)]
    if how == "withdraw":
        channels.withdraw(config)
    else:
        channels.contract.refund(config, AMOUNT, sender=channels.receiver)
    channels.fund(config)
    with channels.nothing_changes():
        channels.claim(*old)
        by_signature(channels, *old)
    channels.claim(channels.voucher(config, OPENING + PART))
    assert channels.state(config)[:3] == (AMOUNT, PART, 1)


@pytest.mark.parametrize("claim", [Channels.claim, by_signature])
def test_E14_E16_contract_accounts_sign_vouchers(channels: Channels, project: Any, stage: Stage, claim: Any) -> None:
    wallet = project.MockWallet.deploy(sender=stage.anyone)
    wallet.setSigner(channels.payers[1], sender=stage.anyone)
    config, of_key = channels.config(payer=wallet), channels.opened()
    channels.fund(config)
    voucher = channels.voucher(config, PART, key=channels.payers[1])
    claim(channels, voucher)
    assert channels.state(config) == Channel(AMOUNT, PART)
    wallet.setSigner(channels.payers[2], sender=stage.anyone)
    later = channels.voucher(config, PART + 1, key=channels.payers[1])
    refused = reverts("ClaimRefused", channelId=channels.id(config), reason=INVALID_SIGNATURE)
    with channels.nothing_changes(), refused:
        claim(channels, later)
    delegate(stage, channels.payer, wallet.address)
    claim(channels, channels.voucher(of_key, PART))
    assert channels.state(of_key) == Channel(AMOUNT, PART)


# --- By whom ---


@pytest.mark.parametrize("who", ["payer", "anyone"])
def test_nobody_else_claims(channels: Channels, who: str) -> None:
    mine, theirs = channels.opened(), channels.opened(receiver=getattr(channels, who))
    sender = getattr(channels, who)
    with channels.nothing_changes(), reverts("NotAuthorized", caller=sender):
        channels.claim(channels.voucher(theirs, PART), channels.voucher(mine, PART), sender=sender)


def test_a_batch_is_signed_by_the_authorizer_of_all(channels: Channels) -> None:
    first, second = channels.opened(), channels.opened(receiver_authorizer=channels.key)
    vouchers = [channels.voucher(first, PART), channels.voucher(second, PART)]
    with channels.nothing_changes(), reverts("NotReceiverAuthorizer", found=channels.key, expected=channels.authorizer):
        by_signature(channels, *vouchers)
    for key in (channels.receiver, channels.payer, channels.anyone):
        with channels.nothing_changes(), reverts("InvalidSignature", signer=channels.authorizer):
            by_signature(channels, vouchers[0], key=key)


def test_E13_a_batch_has_one_signature(channels: Channels) -> None:
    voucher = channels.voucher(channels.opened(), PART)
    signature = signed(channels.authorizer, channels.batch_data([voucher]))
    for form in second_forms(signature):
        with channels.nothing_changes(), reverts("InvalidSignature", signer=channels.authorizer):
            channels.contract.claimWithSignature([voucher.claim()], form, sender=channels.anyone)


def test_who_sends_a_batch_changes_nothing_in_it(channels: Channels) -> None:
    config = channels.opened()
    voucher = channels.voucher(config, AMOUNT, PART)
    signature = signed(channels.authorizer, channels.batch_data([voucher]))
    other = channels.voucher(config, AMOUNT, PART + 1)
    for claims in ([other.claim()], [voucher.claim(), other.claim()]):
        with channels.nothing_changes(), reverts("InvalidSignature", signer=channels.authorizer):
            channels.contract.claimWithSignature(claims, signature, sender=channels.anyone)


def test_a_contract_account_signs_batches(channels: Channels, project: Any) -> None:
    wallet = project.MockWallet.deploy(sender=channels.anyone)
    wallet.setSigner(channels.key, sender=channels.anyone)
    config = channels.opened(receiver_authorizer=wallet)
    with channels.nothing_changes(), reverts("InvalidSignature", signer=wallet):
        by_signature(channels, channels.voucher(config, PART))
    by_signature(channels, channels.voucher(config, PART), key=channels.key)
    assert channels.state(config) == Channel(AMOUNT, PART)


def test_refuses_an_empty_batch(channels: Channels) -> None:
    with channels.nothing_changes(), reverts("EmptyBatch"):
        channels.claim()
    with channels.nothing_changes(), reverts("EmptyBatch"):
        channels.contract.claimWithSignature([], b"", sender=channels.anyone)


# --- The digests ---


def test_what_is_signed_is_what_the_documentation_says(channels: Channels) -> None:
    config = channels.opened(payer_authorizer=channels.key)
    channel_id = channels.id(config)
    vouchers = [channels.voucher(config, PART, 5), channels.voucher(config, AMOUNT)]
    contract = channels.contract
    assert bytes(contract.getChannelId(config)) == channel_id
    assert bytes(contract.getVoucherDigest(channel_id, PART)) == digest(channels.voucher_data(config, PART))
    assert bytes(contract.getRefundDigest(channel_id, 3, 4)) == digest(channels.refund_data(config, 3, 4))
    batch = contract.getClaimBatchDigest([voucher.claim() for voucher in vouchers])
    assert bytes(batch) == digest(channels.batch_data(vouchers))
    key = contract.getSpendingKeyDigest(channel_id, channels.key, PART, 7)
    assert bytes(key) == digest(channels.spending_key_data(config, channels.key, PART, 7))


# --- Settle ---


def test_E07_what_a_receiver_cannot_receive_waits_for_it(channels: Channels, usdc: Contract) -> None:
    channels.claim(channels.voucher(channels.opened(token=usdc), PART))
    usdc.blacklist(channels.receiver, sender=channels.anyone)
    with channels.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        channels.contract.settle(channels.receiver, usdc, sender=channels.anyone)
    assert channels.totals(usdc) == (PART, 0)


@pytest.mark.parametrize("trick", [trick for trick in REFUSALS if trick is not Trick.BURN_GAS])
def test_E05_a_token_that_refuses(channels: Channels, hostile: Contract, trick: Trick) -> None:
    hostile.approve(channels.contract, UNLIMITED, sender=channels.payer)
    channels.claim(channels.voucher(channels.opened(token=hostile), PART))
    play(hostile, "transfer", trick)
    with channels.nothing_changes(hostile), reverts("TokenRefused", token=hostile):
        channels.contract.settle(channels.receiver, hostile, sender=channels.anyone)


def test_nobody_is_paid_what_was_not_claimed(channels: Channels, token: Contract) -> None:
    channels.opened()
    with channels.nothing_changes():
        for account in (channels.receiver, channels.payer, channels.anyone):
            channels.contract.settle(account, token, sender=account)

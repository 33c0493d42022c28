"""refund, initiateWithdraw and finalizeWithdraw: what was not claimed goes back, and how a channel closes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.channels import (
    AMOUNT,
    DELAY,
    EVERYTHING,
    OPENING,
    STALE,
    Channel,
    Channels,
    Config,
)
from tests.contracts.payments import second_forms, signed
from tests.contracts.stage import Account, Contract, Stage, reverts

PART = 30_000_000


def announced(channels: Channels, amount: int = EVERYTHING, **changes: Any) -> Config:
    """A channel of which the payer announced a withdrawal."""
    config = channels.opened(**changes)
    channels.contract.initiateWithdraw(config, amount, sender=channels.payer)
    return config


def names(channels: Channels, receipt: Any) -> list[str]:
    """Of the contract's events in a transaction."""
    return [name for name, _ in channels.events(receipt)]


# --- Withdraw ---


@pytest.mark.parametrize("who", ["payer", "key"])
def test_the_payer_or_its_authorizer_withdraw_a_part_after_the_delay(
    channels: Channels, stage: Stage, who: str
) -> None:
    config, sender = channels.opened(payer_authorizer=channels.key), getattr(channels, who)
    receipt = channels.contract.initiateWithdraw(config, PART, sender=sender)
    since, until = stage.now, stage.now + DELAY
    values = {"channelId": channels.id(config), "amount": PART, "finalizeAfter": until}
    assert channels.events(receipt) == [("WithdrawInitiated", values)]
    assert channels.state(config) == Channel(AMOUNT, withdrawing=PART, withdrawal_since=since)
    found = channels.contract.pendingWithdrawals(channels.id(config))
    assert (found.amount, found.initiatedAt) == (PART, since)
    stage.at(until)
    with channels.moves(payer=PART, contract=-PART):
        receipt = channels.contract.finalizeWithdraw(config, sender=sender)
    values = {"channelId": channels.id(config), "sender": sender, "amount": PART}
    assert channels.events(receipt) == [("WithdrawFinalized", values)]
    assert channels.state(config) == Channel(AMOUNT - PART)
    assert channels.sums(config) == (AMOUNT - PART, 0)


@pytest.mark.parametrize("amount", [AMOUNT, EVERYTHING])
def test_a_withdrawal_of_everything_closes_the_channel(channels: Channels, amount: int) -> None:
    config = channels.opened()
    with channels.moves(payer=AMOUNT, contract=-AMOUNT):
        receipt = channels.withdraw(config, amount)
    assert names(channels, receipt) == ["WithdrawFinalized", "ChannelClosed"]
    (told,) = [event.config for event in receipt.events if event.event_name == "ChannelClosed"]
    assert channels.same(told, config)
    assert channels.state(config) == Channel(0, opening=1)
    assert channels.sums(config) == (OPENING, OPENING)
    assert names(channels, channels.fund(config)) == ["ChannelOpened"]
    assert channels.sums(config) == (OPENING + AMOUNT, OPENING)


@pytest.mark.parametrize(("second", "good"), [(-1, False), (0, True), (1, True)])
def test_E20_not_before_the_delay_is_over(channels: Channels, stage: Stage, second: int, good: bool) -> None:
    config = announced(channels)
    until = stage.now + DELAY
    stage.at(until + second)
    if good:
        channels.contract.finalizeWithdraw(config, sender=channels.payer)
    else:
        with channels.nothing_changes(), reverts("WithdrawalTooEarly", until=until, time=until - 1):
            channels.contract.finalizeWithdraw(config, sender=channels.payer)


def test_nobody_else_withdraws(channels: Channels, stage: Stage) -> None:
    config = channels.opened()
    for sender in (channels.receiver, channels.authorizer, channels.anyone):
        with channels.nothing_changes(), reverts("NotAuthorized", caller=sender):
            channels.contract.initiateWithdraw(config, PART, sender=sender)
    channels.contract.initiateWithdraw(config, PART, sender=channels.payer)
    stage.at(stage.now + DELAY)
    for sender in (channels.receiver, channels.authorizer, channels.anyone):
        with channels.nothing_changes(), reverts("NotAuthorized", caller=sender):
            channels.contract.finalizeWithdraw(config, sender=sender)


def test_one_withdrawal_at_a_time(channels: Channels, stage: Stage) -> None:
    config = announced(channels, PART)
    since = stage.now
    with channels.nothing_changes(), reverts("WithdrawalPending", channelId=channels.id(config), since=since):
        channels.contract.initiateWithdraw(config, PART, sender=channels.payer)
    other = channels.opened()
    with channels.nothing_changes(), reverts("NoWithdrawal", channelId=channels.id(other)):
        channels.contract.finalizeWithdraw(other, sender=channels.payer)
    stage.at(since + DELAY)
    channels.contract.finalizeWithdraw(config, sender=channels.payer)
    with channels.nothing_changes(), reverts("NoWithdrawal", channelId=channels.id(config)):
        channels.contract.finalizeWithdraw(config, sender=channels.payer)


def test_refuses_more_than_there_is_and_nothing(channels: Channels) -> None:
    config = channels.opened()
    channels.claim(channels.voucher(config, PART))
    available = AMOUNT - PART
    for amount in (available + 1, EVERYTHING - 1):
        with channels.nothing_changes(), reverts("WithdrawalTooHigh", requested=amount, available=available):
            channels.contract.initiateWithdraw(config, amount, sender=channels.payer)
    with channels.nothing_changes(), reverts("ZeroAmount"):
        channels.contract.initiateWithdraw(config, 0, sender=channels.payer)
    with channels.nothing_changes(), reverts("WithdrawalTooHigh", requested=0, available=0):
        channels.contract.initiateWithdraw(channels.config(), EVERYTHING, sender=channels.payer)


def test_E52_the_receiver_claims_while_a_withdrawal_is_announced_for_all_to_see(
    channels: Channels, stage: Stage
) -> None:
    config = channels.opened()
    voucher = channels.voucher(config, PART)
    channels.contract.initiateWithdraw(config, EVERYTHING, sender=channels.payer)
    since = stage.now
    assert channels.state(config) == Channel(AMOUNT, withdrawing=AMOUNT, withdrawal_since=since, closing=True)
    stage.at(since + DELAY - 1)  # the last second in which nobody can be before it
    with channels.moves(receiver=PART, contract=-PART):
        channels.claim_rows(voucher)
    with channels.moves(payer=AMOUNT - PART, contract=PART - AMOUNT):
        channels.contract.finalizeWithdraw(config, sender=channels.payer)
    assert channels.state(config) == Channel(0, opening=1)


def test_E52_what_is_claimed_too_late_pays_nothing_and_stops_no_other(channels: Channels) -> None:
    config, other = channels.opened(), channels.opened()
    voucher = channels.voucher(config, PART)
    channels.withdraw(config)
    with channels.moves(receiver=PART, contract=-PART):
        receipt = channels.claim_rows(voucher, channels.voucher(other, PART))
    assert channels.skipped(receipt) == [(channels.id(config), STALE)]


def test_a_receiver_who_claims_all_leaves_nothing_to_withdraw(channels: Channels, stage: Stage) -> None:
    config = announced(channels, PART)
    channels.claim(channels.voucher(config, AMOUNT))
    stage.at(stage.now + DELAY)
    with channels.moves():
        receipt = channels.contract.finalizeWithdraw(config, sender=channels.payer)
    assert names(channels, receipt) == ["WithdrawFinalized", "ChannelClosed"]
    assert channels.state(config) == Channel(0, opening=1)


def test_E53_a_third_partys_top_up_resets_no_timer(channels: Channels, stage: Stage, token: Contract) -> None:
    config = announced(channels)
    since = stage.now
    token.mint(channels.anyone, AMOUNT, sender=channels.anyone)
    token.approve(channels.contract, AMOUNT, sender=channels.anyone)
    channels.fund(config, 5, sender=channels.anyone)
    assert channels.state(config) == Channel(AMOUNT + 5, withdrawing=AMOUNT, withdrawal_since=since, closing=True)
    stage.at(since + DELAY)
    with channels.moves(payer=AMOUNT, contract=-AMOUNT):
        channels.contract.finalizeWithdraw(config, sender=channels.payer)


def test_E53_E54_nor_does_it_keep_old_vouchers_alive(channels: Channels, stage: Stage, token: Contract) -> None:
    """A receiver who has a unit put into the channel would leave something in it, so that it does not close."""
    config = channels.opened()
    old = channels.voucher(config, AMOUNT)
    channels.contract.initiateWithdraw(config, AMOUNT, sender=channels.payer)
    token.mint(channels.anyone, 5, sender=channels.anyone)
    token.approve(channels.contract, 5, sender=channels.anyone)
    channels.fund(config, 5, sender=channels.anyone)
    stage.at(stage.now + DELAY)
    receipt = channels.contract.finalizeWithdraw(config, sender=channels.payer)
    assert names(channels, receipt) == ["WithdrawFinalized", "ChannelClosed", "ChannelCreated"]
    assert channels.state(config) == Channel(5, opening=1)
    channels.fund(config)
    with channels.nothing_changes():
        assert channels.skipped(channels.claim_rows(old)) == [(channels.id(config), STALE)]


def test_E07_a_payer_who_is_blocked_loses_nothing(channels: Channels, usdc: Contract, stage: Stage) -> None:
    config = announced(channels, token=usdc)
    since = stage.now
    usdc.blacklist(channels.payer, sender=channels.anyone)
    stage.at(since + DELAY)
    with channels.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        channels.contract.finalizeWithdraw(config, sender=channels.payer)
    usdc.unBlacklist(channels.payer, sender=channels.anyone)
    with channels.moves(usdc, payer=AMOUNT, contract=-AMOUNT):
        channels.contract.finalizeWithdraw(config, sender=channels.payer)


# --- Refund ---


def refund_by_signature(
    channels: Channels, config: Config, amount: int, nonce: int, *, key: Account | None = None
) -> Any:
    signature = signed(key or channels.authorizer, channels.refund_data(config, nonce, amount))
    return channels.contract.refundWithSignature(config, amount, nonce, signature, sender=channels.anyone)


@pytest.mark.parametrize("who", ["receiver", "authorizer", "anyone, signed"])
def test_the_receivers_side_gives_back_a_part_at_once(channels: Channels, who: str) -> None:
    config = channels.opened()
    sender = channels.anyone if who == "anyone, signed" else getattr(channels, who)
    with channels.moves(payer=PART, contract=-PART):
        if who == "anyone, signed":
            receipt = refund_by_signature(channels, config, PART, 0)
        else:
            receipt = channels.contract.refund(config, PART, sender=sender)
    values = {"channelId": channels.id(config), "sender": sender, "amount": PART}
    assert channels.events(receipt) == [("Refunded", values)]
    assert channels.state(config) == Channel(AMOUNT - PART, refunds=1)
    assert channels.contract.refundNonce(channels.id(config)) == 1


@pytest.mark.parametrize("amount", [AMOUNT - PART, AMOUNT, EVERYTHING])
def test_a_refund_of_what_is_left_closes_the_channel(channels: Channels, amount: int) -> None:
    config = channels.opened()
    channels.claim(channels.voucher(config, PART))
    with channels.moves(payer=AMOUNT - PART, contract=PART - AMOUNT):
        receipt = channels.contract.refund(config, amount, sender=channels.receiver)
    assert names(channels, receipt) == ["Refunded", "ChannelClosed"]
    assert channels.state(config) == Channel(0, opening=1, refunds=1)
    assert channels.totals() == (PART, 0)


@pytest.mark.parametrize("who", ["payer", "anyone", "key"])
def test_nobody_else_refunds(channels: Channels, who: str) -> None:
    config, sender = channels.opened(payer_authorizer=channels.key), getattr(channels, who)
    with channels.nothing_changes(), reverts("NotAuthorized", caller=sender):
        channels.contract.refund(config, PART, sender=sender)
    with channels.nothing_changes(), reverts("InvalidSignature", signer=channels.authorizer):
        refund_by_signature(channels, config, PART, 0, key=sender)


def test_E17_a_refund_that_was_signed_pays_once(channels: Channels) -> None:
    config = channels.opened()
    refund_by_signature(channels, config, PART, 0)
    with channels.nothing_changes(), reverts("InvalidRefundNonce", found=0, expected=1):
        refund_by_signature(channels, config, PART, 0)
    with channels.nothing_changes(), reverts("InvalidRefundNonce", found=2, expected=1):
        refund_by_signature(channels, config, PART, 2)
    channels.contract.refund(config, 1, sender=channels.receiver)  # uses the next number up
    with channels.nothing_changes(), reverts("InvalidRefundNonce", found=1, expected=2):
        refund_by_signature(channels, config, PART, 1)


def test_E13_E12_a_refund_has_one_signature_for_one_channel_and_amount(channels: Channels) -> None:
    config, other = channels.opened(), channels.opened()
    signature = signed(channels.authorizer, channels.refund_data(config, 0, PART))
    for terms, amount, form in [
        (other, PART, signature),
        (config, PART + 1, signature),
        *[(config, PART, form) for form in second_forms(signature)],
    ]:
        with channels.nothing_changes(), reverts("InvalidSignature", signer=channels.authorizer):
            channels.contract.refundWithSignature(terms, amount, 0, form, sender=channels.anyone)


def test_E54_a_refund_signed_before_a_channel_was_closed_is_worthless_after_one_that_closed_it(
    channels: Channels,
) -> None:
    config = channels.opened()
    signature = signed(channels.authorizer, channels.refund_data(config, 0, PART))
    channels.contract.refund(config, AMOUNT, sender=channels.receiver)
    channels.fund(config)
    with channels.nothing_changes(), reverts("InvalidRefundNonce", found=0, expected=1):
        channels.contract.refundWithSignature(config, PART, 0, signature, sender=channels.anyone)


def test_where_nothing_is_left_a_refund_uses_up_its_number_alone(channels: Channels) -> None:
    config = channels.opened()
    channels.claim(channels.voucher(config, AMOUNT))
    with channels.moves():
        receipt = refund_by_signature(channels, config, PART, 0)
    assert channels.events(receipt) == []
    assert channels.state(config) == Channel(AMOUNT, AMOUNT, refunds=1)


def test_E32_refuses_nothing(channels: Channels) -> None:
    config = channels.opened()
    with channels.nothing_changes(), reverts("ZeroAmount"):
        channels.contract.refund(config, 0, sender=channels.receiver)
    with channels.nothing_changes(), reverts("ZeroAmount"):
        refund_by_signature(channels, config, 0, 0)


def test_a_refund_counts_towards_a_withdrawal(channels: Channels, stage: Stage) -> None:
    config = announced(channels, PART)
    since = stage.now
    channels.contract.refund(config, 10, sender=channels.receiver)
    assert channels.state(config) == Channel(AMOUNT - 10, 0, 0, PART - 10, since, refunds=1)
    channels.contract.refund(config, PART, sender=channels.receiver)
    assert channels.state(config) == Channel(AMOUNT - 10 - PART, refunds=2)


def test_a_refund_of_all_that_was_asked_for_closes_what_the_withdrawal_would_have_closed(
    channels: Channels, token: Contract
) -> None:
    """Also where a third party's money is left."""
    config = announced(channels)
    token.mint(channels.anyone, 5, sender=channels.anyone)
    token.approve(channels.contract, 5, sender=channels.anyone)
    channels.fund(config, 5, sender=channels.anyone)
    channels.contract.refund(config, 1, sender=channels.receiver)
    assert channels.state(config).closing
    receipt = channels.contract.refund(config, AMOUNT - 1, sender=channels.receiver)
    assert names(channels, receipt) == ["Refunded", "ChannelClosed", "ChannelCreated"]
    assert channels.state(config) == Channel(5, opening=1, refunds=2)


def test_x402s_facilitator_claims_and_refunds_in_one_call(channels: Channels) -> None:
    """One whose claim fails gives nothing back; data behind the call, which facilitators add, is no harm."""
    config, contract = channels.opened(), channels.contract
    voucher = channels.voucher(config, PART)
    bad = channels.voucher(config, AMOUNT + 1)
    refund_signature = signed(channels.authorizer, channels.refund_data(config, 0, AMOUNT - PART))
    refund = contract.refundWithSignature.encode_input(config, AMOUNT - PART, 0, refund_signature)

    def claim(voucher: Any) -> bytes:
        signature = signed(channels.authorizer, channels.batch_data([voucher]))
        return bytes(contract.claimWithSignature.encode_input([voucher.claim()], signature))

    with channels.nothing_changes(), reverts("ClaimRefused", channelId=channels.id(config), reason=4):
        contract.multicall([claim(bad), refund], sender=channels.anyone)
    call = contract.multicall.encode_input([claim(voucher), refund]) + b"a suffix"
    with channels.moves(payer=AMOUNT - PART, contract=PART - AMOUNT):
        channels.anyone.transfer(contract, 0, data=call)
    assert channels.state(config) == Channel(0, opening=1, refunds=1)
    assert channels.totals() == (PART, 0)


def test_openings_come_to_no_end_at_which_money_is_stuck(channels: Channels, stage: Stage) -> None:
    """After 2^32 of them, more than can be paid for, the last goes on."""
    config = channels.opened()
    words = stage.words_read(channels.contract.channels, channels.id(config))
    (key,) = [key for key, word in words.items() if word]
    last = (2**32 - 1) * OPENING
    stage.overwrite(channels.contract, key, last << 128 | last + AMOUNT)
    channels.claim(channels.voucher(config, last + PART))
    channels.withdraw(config)
    assert channels.state(config) == Channel(PART, PART, 2**32 - 1)
    channels.fund(config)
    channels.claim(channels.voucher(config, last + 2 * PART))
    channels.contract.refund(config, EVERYTHING, sender=channels.receiver)
    assert channels.state(config)[:3] == (2 * PART, 2 * PART, 2**32 - 1)

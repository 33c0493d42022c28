"""claimRows: vouchers of many channels at once, of which a bad one stops no other, paid out together."""

from __future__ import annotations

from typing import Any

import pytest
from ape.exceptions import ProviderError, VirtualMachineError
from eth_utils.crypto import keccak

from tests.contracts.channels import (
    ABOVE_BALANCE,
    ABOVE_LIMIT,
    ABOVE_VOUCHER,
    AMOUNT,
    DELAY,
    INVALID_SIGNATURE,
    KEY_EXPIRED,
    LATER_OPENING,
    OPENING,
    STALE,
    Channel,
    Channels,
    Config,
    Voucher,
)
from tests.contracts.hostile import REFUSALS, play
from tests.contracts.payments import second_forms
from tests.contracts.stage import NOBODY, UNLIMITED, Contract, Stage, reverts
from tests.contracts.test_contract_accounts import delegate
from tests.tricks import Trick

PART = 30_000_000
LOCKED = keccak(text="ReentrancyGuardReentrantCall()")[:4]


# --- What is claimed, by whom ---


@pytest.mark.parametrize("who", ["receiver", "authorizer"])
def test_pays_what_the_voucher_says(channels: Channels, who: str) -> None:
    config = channels.opened()
    channel_id, sender = channels.id(config), getattr(channels, who)
    with channels.moves(receiver=PART, contract=-PART):
        receipt = channels.claim_rows(channels.voucher(config, PART), sender=sender)
    claimed = {"channelId": channel_id, "sender": sender, "claimAmount": PART, "newTotalClaimed": PART}
    settled = {"receiver": channels.receiver, "token": config.token, "sender": sender, "amount": PART}
    assert channels.events(receipt) == [("Claimed", claimed), ("Settled", settled)]
    assert receipt.return_value == PART
    assert channels.state(config) == Channel(AMOUNT, PART)
    assert channels.totals() == (PART, PART)
    with channels.moves(receiver=1, contract=-1):
        channels.claim_rows(channels.voucher(config, PART + 1), sender=sender)


@pytest.mark.parametrize("who", ["payer", "anyone", "key"])
def test_nobody_else_may(channels: Channels, who: str) -> None:
    voucher, sender = channels.voucher(channels.opened(), PART), getattr(channels, who)
    with channels.nothing_changes(), reverts("NotAuthorized", caller=sender):
        channels.claim_rows(voucher, sender=sender)
    # As the authorizer of channels that are not there, one may, and it comes to nothing.
    common = (channels.receiver, sender, channels.stage.token, DELAY)
    with channels.nothing_changes():
        receipt = channels.contract.claimRows(*common, voucher.row(), sender=sender)
    assert [reason for _, reason in channels.skipped(receipt)] == [ABOVE_BALANCE]


def test_many_channels_at_once(channels: Channels) -> None:
    configs = [channels.opened(payer_authorizer=channels.key) for _ in range(5)]
    vouchers = [channels.voucher(config, PART + i, key=channels.key) for i, config in enumerate(configs)]
    with channels.moves(receiver=5 * PART + 10, contract=-5 * PART - 10):
        receipt = channels.claim_rows(*vouchers)
    assert receipt.return_value == 5 * PART + 10
    assert [channels.state(config).claimed for config in configs] == [PART + i for i in range(5)]


def test_a_part_of_what_a_voucher_says(channels: Channels) -> None:
    config = channels.opened()
    for total in (1, PART, AMOUNT):
        channels.claim_rows(channels.voucher(config, AMOUNT, total))
        assert channels.state(config) == Channel(AMOUNT, total)
        assert channels.totals() == (total, total)


def test_pays_out_what_was_claimed_before(channels: Channels) -> None:
    config = channels.opened()
    channels.claim(channels.voucher(config, PART))
    assert channels.totals() == (PART, 0)
    with channels.moves(receiver=PART + 1, contract=-PART - 1):
        channels.claim_rows(channels.voucher(config, PART + 1))
    assert channels.totals() == (PART + 1, PART + 1)


def test_a_bad_row_stops_no_other_and_says_why(channels: Channels) -> None:
    empty, good, used, poor = channels.config(), channels.opened(), channels.opened(), channels.opened(1)
    channels.claim_rows(channels.voucher(used, PART), channels.voucher(poor, 1))
    rows = [
        (channels.voucher(empty, PART), ABOVE_BALANCE),
        (channels.voucher(used, PART), STALE),
        (channels.voucher(used, PART + 2, PART), STALE),
        (channels.voucher(used, PART + 2, PART + 3), ABOVE_VOUCHER),
        (channels.voucher(used, OPENING, PART + 1), LATER_OPENING),
        (channels.voucher(used, 2**128 - 1, PART + 1), LATER_OPENING),
        (channels.voucher(poor, 2), ABOVE_BALANCE),
        (channels.voucher(used, PART + 1, key=channels.key), INVALID_SIGNATURE),
        (channels.voucher(used, 0), STALE),
    ]
    before = [channels.state(config) for config in (empty, used, poor)]
    with channels.moves(receiver=PART, contract=-PART):
        first, last = rows[:5], rows[5:]
        receipt = channels.claim_rows(
            *[row for row, _ in first], channels.voucher(good, PART), *[row for row, _ in last]
        )
    assert channels.skipped(receipt) == [(channels.id(row.config), reason) for row, reason in rows]
    assert [channels.state(config) for config in (empty, used, poor)] == before
    assert channels.state(good) == Channel(AMOUNT, PART)


def test_where_every_row_is_bad_nothing_changes(channels: Channels) -> None:
    config = channels.opened()
    channels.claim_rows(channels.voucher(config, PART))
    channels.claim(channels.voucher(config, PART + 1))  # is owed to the receiver, and stays so
    with channels.nothing_changes():
        receipt = channels.claim_rows(channels.voucher(config, PART), channels.voucher(config, PART + 1))
    assert receipt.return_value == 0
    assert [reason for _, reason in channels.skipped(receipt)] == [STALE, STALE]


# --- The cases of vouchers ---


def test_E50_an_older_voucher_is_skipped(channels: Channels) -> None:
    config = channels.opened()
    older, newer = channels.voucher(config, PART), channels.voucher(config, 2 * PART)
    with channels.moves(receiver=2 * PART, contract=-2 * PART):
        receipt = channels.claim_rows(newer, older)
    assert channels.skipped(receipt) == [(channels.id(config), STALE)]


def test_E23_a_voucher_pays_once(channels: Channels) -> None:
    config = channels.opened()
    voucher = channels.voucher(config, PART)
    with channels.moves(receiver=PART, contract=-PART):
        receipt = channels.claim_rows(voucher, voucher, voucher)
    assert channels.skipped(receipt) == [(channels.id(config), STALE)] * 2


def test_E51_a_voucher_above_the_deposit_pays_what_there_is_and_the_rest_once_there_is_more(channels: Channels) -> None:
    config, other = channels.opened(), channels.opened()
    voucher = channels.voucher(config, AMOUNT + PART)
    with channels.moves(receiver=AMOUNT + PART, contract=-AMOUNT - PART):
        receipt = channels.claim_rows(voucher, channels.voucher(other, PART))
    assert channels.skipped(receipt) == []
    assert channels.state(config) == Channel(AMOUNT, AMOUNT)
    assert channels.skipped(channels.claim_rows(voucher)) == [(channels.id(config), ABOVE_BALANCE)]
    channels.fund(config, 2 * PART)
    with channels.moves(receiver=PART, contract=-PART):
        channels.claim_rows(voucher)
    assert channels.state(config) == Channel(AMOUNT + 2 * PART, AMOUNT + PART)


def test_E51_a_part_above_the_deposit_pays_what_there_is(channels: Channels) -> None:
    config = channels.opened()
    with channels.moves(receiver=AMOUNT, contract=-AMOUNT):
        channels.claim_rows(channels.voucher(config, 3 * AMOUNT, 2 * AMOUNT))


@pytest.mark.parametrize("how", ["withdraw", "refund"])
def test_E54_old_vouchers_are_worthless_when_a_channel_is_closed_and_opened_again(channels: Channels, how: str) -> None:
    config = channels.opened()
    channels.claim_rows(channels.voucher(config, 1))
    old = [channels.voucher(config, most) for most in (2, PART, AMOUNT, 10 * AMOUNT, OPENING - 1)]
    if how == "withdraw":
        channels.withdraw(config)
    else:
        channels.contract.refund(config, AMOUNT, sender=channels.receiver)
    channels.fund(config, 20 * AMOUNT)
    assert channels.state(config)[:3] == (20 * AMOUNT, 0, 1)
    with channels.nothing_changes():
        receipt = channels.claim_rows(*old)
    assert [reason for _, reason in channels.skipped(receipt)] == [STALE] * len(old)
    with channels.moves(receiver=PART, contract=-PART):
        channels.claim_rows(channels.voucher(config, OPENING + PART))
    assert channels.sums(config) == (OPENING + 20 * AMOUNT, OPENING + PART)


@pytest.mark.parametrize("change", ["payer", "payer_authorizer", "salt"])
def test_E12_a_voucher_is_for_one_channel(channels: Channels, change: str) -> None:
    """Of the same payer and receiver, with as much money in it."""
    config = channels.opened()
    other = {"salt": bytes(32), "payer_authorizer": channels.payer.address, "payer": channels.payers[1].address}
    channels.fund(second := config._replace(**{change: other[change]}))
    with channels.nothing_changes():
        receipt = channels.claim_rows(channels.voucher(config, PART)._replace(config=second))
    assert channels.skipped(receipt) == [(channels.id(second), INVALID_SIGNATURE)]


@pytest.mark.parametrize("domain", [{"chain_id": 1}, {"contract": "0x" + "11" * 20}])
def test_E12_of_one_contract_on_one_chain(channels: Channels, domain: dict[str, Any]) -> None:
    config = channels.opened()
    receipt = channels.claim_rows(channels.voucher(config, PART, **domain))
    assert channels.skipped(receipt) == [(channels.id(config), INVALID_SIGNATURE)]


def test_E13_a_signature_has_one_form(channels: Channels) -> None:
    config = channels.opened()
    good = channels.voucher(config, PART)
    forms = second_forms(good.signature)
    with channels.nothing_changes():
        receipt = channels.claim_rows(*[good._replace(signature=form) for form in forms])
    assert channels.skipped(receipt) == [(channels.id(config), INVALID_SIGNATURE)] * len(forms)


def test_the_payer_signs_no_voucher_where_it_named_a_key(channels: Channels) -> None:
    config = channels.opened(payer_authorizer=channels.key)
    receipt = channels.claim_rows(channels.voucher(config, PART), channels.voucher(config, PART, key=channels.key))
    assert channels.skipped(receipt) == [(channels.id(config), INVALID_SIGNATURE)]
    assert channels.state(config) == Channel(AMOUNT, PART)


# --- Accounts with code ---


@pytest.fixture
def wallet(channels: Channels, project: Any, token: Contract) -> Contract:
    """A contract account with money; the second payer's key signs for it."""
    wallet = project.MockWallet.deploy(sender=channels.anyone)
    wallet.setSigner(channels.payers[1], sender=channels.anyone)
    token.mint(wallet, 10 * AMOUNT, sender=channels.anyone)
    approve = token.approve.encode_input(channels.contract, UNLIMITED)
    wallet.execute(token, approve, sender=channels.anyone)
    return wallet


def test_a_contract_account_signs_by_its_code(channels: Channels, wallet: Contract) -> None:
    config = channels.config(payer=wallet)
    channels.fund(config)
    bad, good = (channels.voucher(config, PART, key=key) for key in channels.payers[:2])
    receipt = channels.claim_rows(bad, good)
    assert channels.skipped(receipt) == [(channels.id(config), INVALID_SIGNATURE)]
    assert channels.state(config) == Channel(AMOUNT, PART)


def test_E14_a_wallet_that_changes_its_key_signs_by_the_new_one_alone(channels: Channels, wallet: Contract) -> None:
    config = channels.config(payer=wallet)
    channels.fund(config)
    old = channels.voucher(config, PART, key=channels.payers[1])
    wallet.setSigner(channels.payers[2], sender=channels.anyone)
    receipt = channels.claim_rows(old, channels.voucher(config, 1, key=channels.payers[2]))
    assert channels.skipped(receipt) == [(channels.id(config), INVALID_SIGNATURE)]
    assert channels.state(config) == Channel(AMOUNT, 1)


def test_E06_a_wallet_that_burns_gas_burns_a_bounded_amount(channels: Channels, wallet: Contract) -> None:
    config, other = channels.config(payer=wallet), channels.opened()
    channels.fund(config)
    wallet.setBurnsGas(True, sender=channels.anyone)
    rows = [channels.voucher(config, PART, key=channels.payers[1]), channels.voucher(other, PART)]
    with channels.moves(receiver=PART, contract=-PART):
        receipt = channels.claim_rows(*rows)
    assert channels.skipped(receipt) == [(channels.id(config), INVALID_SIGNATURE)]
    assert receipt.gas_used < 400_000


def test_E06_too_little_gas_fakes_no_refusal(channels: Channels, wallet: Contract) -> None:
    """It would skip the row of a wallet that signed, were it not for the gas that is asked for beforehand."""
    config = channels.config(payer=wallet)
    channels.fund(config)
    packed = channels.voucher(config, PART, key=channels.payers[1]).row()
    common = (channels.receiver, channels.authorizer, config.token, DELAY)
    call = channels.contract.claimRows.encode_input(*common, packed)
    transaction = {"from": channels.authorizer.address, "to": channels.contract.address, "data": "0x" + call.hex()}
    outcomes: set[str | int] = set()
    for gas in range(60_000, 700_000, 20_000):
        try:
            answer = channels.stage.rpc("eth_call", transaction | {"gas": hex(gas)}, "latest")
        except (ProviderError, VirtualMachineError):
            outcomes.add("reverts")
        else:
            outcomes.add(int(answer, 16))
    assert outcomes == {"reverts", PART}


@pytest.mark.parametrize("named", [False, True])
def test_E16_an_account_with_code_signs_by_its_key(channels: Channels, project: Any, stage: Stage, named: bool) -> None:
    """Also where it is the authorizer that is named, whose code has no say."""
    silent = project.MockToken.deploy("No", "WALLET", 0, sender=stage.anyone)  # code that knows no ERC-1271
    config = channels.opened(payer_authorizer=channels.payer if named else NOBODY)
    delegate(stage, channels.payer, silent.address)
    channels.claim_rows(channels.voucher(config, PART))
    assert channels.state(config) == Channel(AMOUNT, PART)


@pytest.mark.parametrize("named", [False, True])
def test_E16_an_account_with_code_signs_by_its_code_where_it_signs_as_the_payer(
    channels: Channels, project: Any, stage: Stage, named: bool
) -> None:
    config = channels.opened(payer_authorizer=channels.payer if named else NOBODY)
    delegate(stage, channels.payer, project.MockWallet.deploy(sender=stage.anyone).address)
    project.MockWallet.at(channels.payer.address).setSigner(channels.payers[3], sender=stage.anyone)
    channels.claim_rows(channels.voucher(config, PART, key=channels.payers[3]))
    assert channels.state(config).claimed == (0 if named else PART)


# --- Spending keys ---


def test_a_spending_key_signs_up_to_its_limit(channels: Channels) -> None:
    config = channels.opened()
    channels.claim_rows(channels.by_spending_key(config, PART, limit=PART))
    assert channels.state(config) == Channel(AMOUNT, PART)
    with channels.nothing_changes():
        receipt = channels.claim_rows(
            channels.by_spending_key(config, PART + 1, limit=PART),
            channels.by_spending_key(config, AMOUNT, PART + 1, limit=AMOUNT - 1),
        )
    assert channels.skipped(receipt) == [(channels.id(config), ABOVE_LIMIT)] * 2
    channels.claim_rows(channels.voucher(config, PART + 1))  # the payer signs as before


@pytest.mark.parametrize(("second", "good"), [(-1, True), (0, False), (1, False)])
def test_E20_a_spending_key_signs_until_its_time_is_over(channels: Channels, second: int, good: bool) -> None:
    config = channels.opened()
    before = channels.stage.now + 1_000
    row = channels.by_spending_key(config, PART, valid_before=before)
    channels.stage.at(before + second)
    receipt = channels.claim_rows(row)
    assert channels.skipped(receipt) == ([] if good else [(channels.id(config), KEY_EXPIRED)])
    assert channels.state(config).claimed == (PART if good else 0)


def test_the_payer_signs_for_spending_keys_also_where_it_named_another_for_vouchers(channels: Channels) -> None:
    config = channels.opened(payer_authorizer=channels.payers[1])
    receipt = channels.claim_rows(
        channels.by_spending_key(config, PART, owner=channels.payers[1]), channels.by_spending_key(config, PART)
    )
    assert channels.skipped(receipt) == [(channels.id(config), INVALID_SIGNATURE)]
    assert channels.state(config) == Channel(AMOUNT, PART)


def test_a_contract_account_signs_for_spending_keys(channels: Channels, wallet: Contract) -> None:
    config = channels.config(payer=wallet)
    channels.fund(config)
    channels.claim_rows(channels.by_spending_key(config, PART, owner=channels.payers[1]))
    assert channels.state(config) == Channel(AMOUNT, PART)


def test_what_is_said_of_a_spending_key_is_what_was_signed(channels: Channels) -> None:
    config, other = channels.opened(), channels.opened()
    row = bytearray(channels.by_spending_key(config, PART, limit=PART))
    higher, later, elsewhere, another = (bytearray(row) for _ in range(4))
    higher[90 + 20 + 11] = 1  # in the limit
    later[90 + 36 + 4] ^= 1  # in the time
    elsewhere[40:72] = other.salt
    another[90] ^= 1  # in the key
    not_the_keys = channels.by_spending_key(config, PART, key=channels.key)
    vouchers_of_another = channels.voucher(config, PART, key=channels.payers[1]).signature
    swapped = not_the_keys[: 90 + 41] + vouchers_of_another + not_the_keys[90 + 106 :]
    with channels.nothing_changes():
        receipt = channels.claim_rows(*map(bytes, (higher, later, elsewhere, another)), swapped)
    assert [reason for _, reason in channels.skipped(receipt)] == [INVALID_SIGNATURE] * 5


@pytest.mark.parametrize("size", [0, 1, 41, 65, 105, 106])
def test_a_spending_key_that_is_cut_off(channels: Channels, size: int) -> None:
    config, good = channels.opened(), channels.opened()
    whole = channels.by_spending_key(config, PART)[90:]
    row = Voucher(config, PART, whole[:size]).row(by_spending_key=True)
    receipt = channels.claim_rows(row, channels.voucher(good, PART))
    assert channels.skipped(receipt) == [(channels.id(config), INVALID_SIGNATURE)]
    assert channels.state(good).claimed == PART


def test_a_spending_key_is_over_with_the_opening(channels: Channels) -> None:
    config = channels.opened()
    row = channels.by_spending_key(config, PART)
    channels.withdraw(config)
    channels.fund(config)
    with channels.nothing_changes():
        channels.claim_rows(row, channels.by_spending_key(config, OPENING + PART))
    channels.claim_rows(channels.by_spending_key(config, OPENING + PART, limit=OPENING + PART))
    assert channels.state(config)[:3] == (AMOUNT, PART, 1)


# --- Rows that are none ---


def test_refuses_an_empty_batch(channels: Channels) -> None:
    with channels.nothing_changes(), reverts("EmptyBatch"):
        channels.claim_rows()


@pytest.mark.parametrize("size", [1, 89, 90, 154])
def test_refuses_a_row_that_is_cut_off(channels: Channels, size: int) -> None:
    config = channels.opened()
    row = channels.voucher(config, PART).row()
    assert len(row) == 155
    needed = 90 if size == 1 else 155
    if size == 1:  # what is read of its size lies beyond: zeros
        with channels.nothing_changes(), reverts("RowCutOff", found=155 + 1, needed=155 + needed):
            channels.claim_rows(row, row[:1])
    else:
        with channels.nothing_changes(), reverts("RowCutOff", found=size, needed=needed if size > 89 else 90):
            channels.claim_rows(row[:size])


# --- Tokens ---


def test_E07_a_receiver_that_is_blocked_keeps_what_was_claimed(channels: Channels, usdc: Contract) -> None:
    config = channels.opened(token=usdc)
    usdc.blacklist(channels.receiver, sender=channels.anyone)
    with channels.moves(usdc):
        receipt = channels.claim_rows(channels.voucher(config, PART), token=usdc)
    assert [name for name, _ in channels.events(receipt)] == ["Claimed"]
    assert receipt.return_value == PART
    assert channels.totals(usdc) == (PART, 0)
    with channels.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        channels.contract.settle(channels.receiver, usdc, sender=channels.anyone)
    usdc.unBlacklist(channels.receiver, sender=channels.anyone)
    with channels.moves(usdc, receiver=PART, contract=-PART):
        channels.contract.settle(channels.receiver, usdc, sender=channels.anyone)
    assert channels.totals(usdc) == (PART, PART)


@pytest.mark.parametrize("trick", REFUSALS)
def test_E05_E06_a_token_that_refuses_leaves_it_to_be_settled(
    channels: Channels, hostile: Contract, trick: Trick
) -> None:
    hostile.approve(channels.contract, UNLIMITED, sender=channels.payer)
    config = channels.opened(token=hostile)
    play(hostile, "transfer", trick)
    receipt = channels.claim_rows(channels.voucher(config, PART), token=hostile)
    assert channels.totals(hostile) == (PART, 0)
    assert receipt.gas_used < 500_000


def test_E03_a_receiver_that_is_called_comes_in_nowhere(channels: Channels, hooked: Contract, project: Any) -> None:
    """It would claim again, settle again, or have its money refunded as well."""
    receiver = project.MockWallet.deploy(sender=channels.anyone)
    hooked.spare(channels.contract, sender=channels.anyone)
    hooked.approve(channels.contract, UNLIMITED, sender=channels.payer)
    config: Config = channels.opened(token=hooked, receiver=receiver)
    row = channels.voucher(config, PART).row()
    claim = channels.contract.claimRows.encode_input(receiver, channels.authorizer, hooked, DELAY, row)
    refund = channels.contract.refund.encode_input(config, AMOUNT)
    settle = channels.contract.settle.encode_input(receiver, hooked)
    receiver.setHook(
        channels.contract, channels.contract.multicall.encode_input([claim, settle, refund]), sender=channels.anyone
    )
    receiver.execute(channels.contract, claim, sender=channels.anyone)
    assert receiver.hooks() == 1
    assert not receiver.hookSucceeded()
    assert bytes(receiver.hookAnswer()) == LOCKED
    assert (channels.state(config), hooked.balanceOf(receiver)) == (Channel(AMOUNT, PART), PART)

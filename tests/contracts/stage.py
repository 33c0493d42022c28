"""Where the contract tests play: the contracts on a real chain, a clock, and the few things every test does.

Ape's objects are `Any`, because Ape is published without types that a checker could follow.
"""

from __future__ import annotations

import calendar
import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from ape.exceptions import ContractLogicError, CustomError, VirtualMachineError

from tallystick.core.period import Unit
from tallystick.core.subscription import DeclineReason, Status

Contract = Any
Account = Any
Receipt = Any

PRICE = 9_990_000
"""9.99 of a token with 6 decimals."""
FUNDS = 1_000 * PRICE
UNLIMITED = 2**256 - 1
NOBODY = "0x" + "0" * 40
DAY = 86_400
REGISTER = 1_000_000_000
"""Subscriptions are numbered from the register's number times this, plus 1."""
BESIDES = (
    "PlanChanged",
    "Quoted",
    "Discounted",
    "CreditUsed",
    "PaidByFallback",
    "PaidInAlternative",
    "Claimable",
    "Protected",
)
"""Events of a row that come before its `Charged`, in the order in which they do."""
NO_CHARGE = UNLIMITED
"""In a history, in place of what a change charged: it charged nothing."""
Segment = tuple[int, int, int]
"""The last charge that cost a rate, the rate, and what the charge after it cost."""


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> int:
    """A date and time in UTC as a Unix timestamp."""
    return calendar.timegm((year, month, day, hour, minute, second))


START = utc(2027, 1, 31, 10)
"""The time at which every test begins."""
SUBSCRIBED = utc(2027, 1, 31, 12)
"""When the subscription of the `subscribed` fixture was opened: on a day that February does not have."""
FIRST_DUE = utc(2027, 2, 28, 12)
"""When it is due next."""


@contextlib.contextmanager
def reverts(error: str, **values: Any) -> Iterator[None]:
    """The body reverts with exactly this error of the contract and exactly these values.

    Stricter than `ape.reverts`, which lets pass a revert without data, another error, and values left out.
    """
    with pytest.raises(VirtualMachineError) as caught:
        yield
    found = caught.value
    assert isinstance(found, CustomError), f"expected {error}, found {found!r}"
    expected = {name: getattr(value, "address", value) for name, value in values.items()}
    assert (type(found).__name__, dict(found.inputs)) == (error, expected)


@contextlib.contextmanager
def reverts_bare() -> Iterator[None]:
    """The body reverts without a reason: the ABI decoder, or too little gas."""
    with pytest.raises(ContractLogicError) as caught:
        yield
    assert not isinstance(caught.value, CustomError), f"expected no reason, found {caught.value!r}"
    assert caught.value.revert_message == "Transaction failed."


@contextlib.contextmanager
def balances_move(token: Contract, parties: Mapping[str, Account], units: Mapping[str, int]) -> Iterator[None]:
    """The body changes the parties' balances of a token by so much, by their names, and no other party's."""
    before = {name: token.balanceOf(party) for name, party in parties.items()}
    yield
    found = {name: token.balanceOf(party) - before[name] for name, party in parties.items()}
    assert {name: moved for name, moved in found.items() if moved} == units


def deploy(project: Any, deployer: Account, escrow: Contract | None = None) -> Contract:
    """All parts of the contract, by the interface of the whole; with an escrow of its own unless one is given."""
    views = project.SubscriptionsViews.deploy(sender=deployer)
    consent = project.SubscriptionsConsent.deploy(views, sender=deployer)
    escrow = escrow or project.Escrow.deploy(sender=deployer)
    charges = project.SubscriptionsCharges.deploy(consent, escrow, sender=deployer)
    payer = project.SubscriptionsPayer.deploy(charges, sender=deployer)
    payee = project.SubscriptionsPayee.deploy(payer, sender=deployer)
    core = project.Subscriptions.deploy(payee, sender=deployer)
    return project.ISubscriptions.at(core.address)


class Stage:
    """The contract under test, a token, a merchant and payers with funds; see `conftest.py`."""

    def __init__(
        self,
        chain: Any,
        subscriptions: Contract,
        escrow: Contract,
        token: Contract,
        merchant: Account,
        anyone: Account,
    ) -> None:
        self.chain = chain
        self.escrow = escrow
        self.subscriptions = subscriptions
        self.token = token
        self.merchant = merchant
        self.anyone = anyone

    # --- Time ---

    @property
    def now(self) -> int:
        """The head's time. Each block comes one second after the one before unless `at` says otherwise."""
        return int(self.chain.blocks.head.timestamp)

    def at(self, timestamp: int) -> None:
        """The next block has this time."""
        self.chain.pending_timestamp = timestamp

    # --- What every test does ---

    def rpc(self, method: str, *parameters: Any) -> Any:
        """One JSON-RPC call to the node."""
        return self.chain.provider.make_request(method, list(parameters))

    @contextlib.contextmanager
    def nothing_stored(self, addresses: Sequence[str]) -> Iterator[None]:
        """No transaction of the body stores anything at these contracts."""
        first = self.chain.blocks.height + 1
        yield
        for number in range(first, self.chain.blocks.height + 1):
            for sent in self.rpc("eth_getBlockByNumber", hex(number), False)["transactions"]:
                trace = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
                difference = self.rpc("debug_traceTransaction", sent, trace)
                for side, address in itertools.product(("pre", "post"), addresses):
                    assert "storage" not in difference[side].get(address.lower(), {})

    def fund(self, payer: Account, token: Contract | None = None) -> None:
        """Gives a payer money and lets the contract take all of it."""
        token = token or self.token
        token.mint(payer, FUNDS, sender=payer)
        token.approve(self.subscriptions, UNLIMITED, sender=payer)

    def create_plan(
        self,
        *,
        payee: Account | None = None,
        price: int = PRICE,
        token: Contract | None = None,
        every: int = 1,
        unit: Unit = Unit.MONTH,
        catch_up: int = 0,
        seat_price: int = 0,
        trial: int = 0,
        grace: int = 0,
        min_charges: int = 0,
        max_charges: int = 0,
        fee_bps: int = 0,
        family: int = 0,
        fee_receiver: Account | None = None,
        usage_cap: int = 0,
        usage_price: int = 0,
        biller: Account | None = None,
        align_to: int = 0,
        quoter: Contract | None = None,
        refunds_unused: bool = False,
        protection: int = 0,
        arbiter: Account | None = None,
        ruling_timeout: int = 0,
        default_payee_bps: int = 0,
        max_arbiter_fee_bps: int = 0,
    ) -> int:
        """A plan, by default the merchant's monthly one in the usual token; its number."""
        terms = (
            payee or self.merchant,
            price,
            token or self.token,
            every,
            unit,
            catch_up,
            seat_price,
            trial,
            grace,
            min_charges,
            max_charges,
            fee_bps,
            family,
            fee_receiver or NOBODY,
            usage_cap,
            usage_price,
            biller or NOBODY,
            align_to,
            quoter or NOBODY,
            refunds_unused,
            protection,
            arbiter or NOBODY,
            ruling_timeout,
            default_payee_bps,
            max_arbiter_fee_bps,
        )
        execute = getattr(payee, "execute", None)
        if execute:  # a contract
            execute(self.subscriptions, self.subscriptions.createPlan.encode_input(terms), sender=self.anyone)
        else:
            self.subscriptions.createPlan(terms, sender=payee or self.merchant)
        return int(self.subscriptions.planCount())

    def subscribe(self, payer: Account, plan_id: int, *, seats: int = 0, at: int | None = None) -> int:
        """Subscribes a payer who has funds; the subscription's number."""
        if at is not None:
            self.at(at)
        terms = self.subscriptions.termsHash(plan_id)
        receipt = self.subscriptions.subscribe(plan_id, terms, seats, sender=payer)
        ((_, values),) = [event for event in self.events(receipt) if event[0] == "Subscribed"]
        return int(values["subscriptionId"])

    def change_plan(
        self,
        payer: Account,
        subscription_id: int,
        plan_id: int,
        *,
        seats: int = 0,
        max_to_pay: int = UNLIMITED,
        at: int | None = None,
    ) -> Receipt:
        """The payer changes plan or seats."""
        if at is not None:
            self.at(at)
        terms = self.subscriptions.termsHash(plan_id)
        return self.subscriptions.changePlan(subscription_id, plan_id, terms, seats, max_to_pay, sender=payer)

    def charge(self, *subscription_ids: int, at: int | None = None) -> list[DeclineReason]:
        """Anyone charges; what became of each row, in order, as the events tell it."""
        if at is not None:
            self.at(at)
        return self.outcomes(self.subscriptions.charge(list(subscription_ids), sender=self.anyone))

    def schedule_change(
        self, payer: Account, subscription_id: int, plan_id: int, *, seats: int = 0, at: int | None = None
    ) -> Receipt:
        """The payer changes plan or seats when the paid period ends."""
        if at is not None:
            self.at(at)
        terms = self.subscriptions.termsHash(plan_id)
        return self.subscriptions.scheduleChange(subscription_id, plan_id, terms, seats, sender=payer)

    def charge_as_previewed(self, subscription_id: int, *, at: int) -> list[tuple[str, dict[str, Any]]]:
        """Anyone charges; the events of it, after `preview` said the same in the same second."""
        self.at(at)
        self.rpc("evm_mine")
        told = self.subscriptions.preview(subscription_id)
        self.at(at)
        events = self.events(self.subscriptions.charge([subscription_id], sender=self.anyone))
        assert self.now == at
        used = sum(values["amount"] for name, values in events if name == "CreditUsed")
        name, last = events[-1]
        if name == "Declined":
            assert told.reason == last["reason"] != DeclineReason.NONE
        else:
            found = (last["periodStart"], last["periodEnd"], last["amount"], used)
            assert (told.periodStart, told.periodEnd, told.amount, told.creditUsed) == found
            assert told.reason == DeclineReason.NONE
            other = [values["alternativePlanId"] for name, values in events if name == "PaidInAlternative"]
            plan_id = self.subscriptions.subscription(subscription_id).planId
            assert told.planId == (other[0] if other else plan_id)
        return events

    def outcomes(self, receipt: Receipt) -> list[DeclineReason]:
        """One for each row of a batch: NONE where it paid."""
        return [
            DeclineReason.NONE if name == "Charged" else DeclineReason(values["reason"])
            for name, values in self.events(receipt)
            if name not in BESIDES
        ]

    # --- What would take too long to bring about ---

    def words_read(self, view: Any, *arguments: Any) -> dict[str, int]:
        """The words of storage that a view reads, by their keys."""
        address = view.contract.address
        call = {"to": address, "data": "0x" + view.encode_input(*arguments).hex()}
        touched = self.rpc("eth_createAccessList", call, "latest")["accessList"]
        keys = [key for entry in touched if entry["address"] == address.lower() for key in entry["storageKeys"]]
        return {key: int(self.rpc("eth_getStorageAt", address, key, "latest"), 16) for key in keys}

    def overwrite(self, contract: Contract, key: str, word: int) -> None:
        """Puts a word into a contract's storage."""
        self.rpc("anvil_setStorageAt", contract.address, key, f"0x{word:064x}")

    # --- What the chain says ---

    def events(self, receipt: Receipt) -> list[tuple[str, dict[str, Any]]]:
        """Name and values of the contract's own events in a transaction, in order."""
        return [
            (event.event_name, dict(event.event_arguments))
            for event in receipt.events
            if event.contract_address == self.subscriptions.address
        ]

    def charged_of(self, receipt: Receipt) -> dict[str, Any]:
        """The values of the one charge in a transaction, `Charged` or `Upgraded`."""
        ((_, values),) = [event for event in self.events(receipt) if event[0] in {"Charged", "Upgraded"}]
        return values

    def next_due(self, subscription_id: int) -> int:
        """When the subscription is charged next."""
        return int(self.subscriptions.subscription(subscription_id).nextDue)

    def status(self, subscription_id: int) -> Status:
        """Where the subscription stands."""
        return Status(self.subscriptions.subscription(subscription_id).status)

    def charges(self, subscription_id: int) -> int:
        """How many charges were made."""
        return int(self.subscriptions.subscription(subscription_id).charges)

    def totals(self, payee: Account | None = None, token: Contract | None = None) -> tuple[int, int, int, int]:
        """The control totals: count and sum of charges, count and sum of refunds."""
        found = self.subscriptions.controlTotals(payee or self.merchant, token or self.token)
        return (found.charges.count, found.charges.sum, found.refunds.count, found.refunds.sum)

    def opened(self, payee: Account | None = None, token: Contract | None = None) -> int:
        """How many subscriptions a payee ever had in a token."""
        return int(self.subscriptions.controlTotals(payee or self.merchant, token or self.token).subscriptions)

    @contextlib.contextmanager
    def nothing_changes(self, *tokens: Contract) -> Iterator[None]:
        """No transaction of the body stores anything, here or in the tokens: no money, allowance or schedule moves."""
        first = self.chain.blocks.height + 1
        yield
        for number in range(first, self.chain.blocks.height + 1):
            for sent in self.rpc("eth_getBlockByNumber", hex(number), False)["transactions"]:
                trace = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
                difference = self.rpc("debug_traceTransaction", sent, trace)
                for contract in (self.subscriptions, *(tokens or (self.token,))):
                    for side in ("pre", "post"):
                        assert "storage" not in difference[side].get(contract.address.lower(), {})

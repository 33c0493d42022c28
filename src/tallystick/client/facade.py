"""`Tallystick`: plans, consent, changes and money, each contract verb by its name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Self

from eth_account.signers.local import LocalAccount

from tallystick.chain.signer import KeySigner, Signer
from tallystick.chain.subscriptions import ControlTotals, Preview, Sent, Subscriptions
from tallystick.config import Config, MerchantConfig, load_config
from tallystick.core.address import parse_address
from tallystick.core.cancellation import SignedEnd
from tallystick.core.events import PlanCreated, Subscribed
from tallystick.core.mandate import SignedMandate
from tallystick.core.money import Amount, Token, parse_units
from tallystick.core.period import Unit
from tallystick.core.plan import Plan, PlanTerms
from tallystick.core.subscription import DeclineReason, Subscription
from tallystick.errors import AssetMismatch, InputError
from tallystick.flows.cancel import CANCELLATION_VALID_S, sign_cancellation, sign_revocation, stop, submit_end
from tallystick.flows.change import Offer, change_plan, quote
from tallystick.flows.claim import Claim, find_claims
from tallystick.flows.connect import Connection, open_contract
from tallystick.flows.describe import SubscriptionState, describe
from tallystick.flows.meter import hash_of_usage
from tallystick.flows.recognise import ANY_PLAN, OwnPlans
from tallystick.flows.refund import refund, refundable
from tallystick.flows.subscribe import (
    MANDATE_VALID_S,
    PERIODS,
    Funding,
    approve,
    sign_mandate,
    submit_mandate,
    subscribe,
)

Money = str | int | Amount
"""A decimal number of a token as text, base units, or an Amount."""


class Tallystick:
    """Tallystick's contracts on one chain, used by one account. Threads may share it."""

    def __init__(self, connection: Connection, merchant: MerchantConfig | None = None) -> None:
        self._connection = connection
        self._merchant = merchant or MerchantConfig()
        self._tokens: dict[str, Token] = {}

    @classmethod
    def connect(
        cls,
        config: Config | None = None,
        *,
        rpc_url: str | None = None,
        deployment: Path | str | None = None,
        signer: Signer | LocalAccount | None = None,
    ) -> Self:
        """Connects to a node and verifies that the contracts there are the ones that this package was made for.

        What is not given here comes from `config`, or from tallystick.toml and the environment; the key too, and where
        there is none everything that only reads works. `deployment` is the manifest's file.

        Raises ConfigError, SignerError, NodeUnreachable, WrongChain, DeploymentMissing or DeploymentMismatch.
        """
        config = config or load_config()
        given: dict[str, object] = {"rpc_url": rpc_url, "deployment": None if deployment is None else Path(deployment)}
        config = config.model_copy(update={key: value for key, value in given.items() if value is not None})
        if isinstance(signer, LocalAccount):
            signer = KeySigner(signer)
        has_key = config.signer.keystore is not None or config.signer.key is not None
        return cls(open_contract(config, signer=signer, signing=has_key), config.merchant)

    @property
    def chain_id(self) -> int:
        """The chain."""
        return self._connection.node.chain_id

    @property
    def address(self) -> str:
        """The account that signs and sends. Raises KeyMissing."""
        return self._connection.sender.address

    @property
    def contract(self) -> Subscriptions:
        """The typed calls underneath, whose answers carry receipts and events."""
        return self._connection.contract

    def token(self, address: str) -> Token:
        """A token's symbol and decimals; asked once. Raises AddressInvalid or NotAContract."""
        address = parse_address(address)
        if address not in self._tokens:
            self._tokens[address] = self._connection.token(address).describe()
        return self._tokens[address]

    # --- Plans ---

    def create_plan(
        self,
        *,
        token: str,
        price: Money = 0,
        every: int = 1,
        unit: Unit | str = Unit.MONTH,
        catch_up: int = 0,
        seat_price: Money = 0,
        trial_s: int = 0,
        grace_s: int = 0,
        min_charges: int = 0,
        max_charges: int = 0,
        fee_bps: int = 0,
        fee_receiver: str | None = None,
        family: int = 0,
        usage_cap: Money = 0,
        usage_price: Money = 0,
        biller: str | None = None,
    ) -> Plan:
        """Creates a plan, for ever as it is: `price` for each period of `every` units, paid to the signer, the payee.

        `unit`: second, day, week, month or year. `catch_up`: how many missed periods stay collectible. `seat_price`:
        on top of the price, for each seat. `trial_s`: seconds before the first charge, once for each payer and
        `family`, a number of the payee's own for plans that share a trial. `grace_s`: seconds in which a period can
        still be charged, or the subscription has ended. `min_charges`: from the first charge until so many were made
        the payer can neither cancel nor change. `max_charges`: with the last of them the subscription ends. `fee_bps`:
        hundredths of a percent of each charge, rounded down, that go to `fee_receiver`. `usage_cap`: the most
        that usage may cost in a period, beside the price; `usage_price`: the most that a million units of it may cost;
        `biller`: who may charge it as the payee may. What is 0 is not part of the plan.

        The contract checks that there is a price or seat price, a token at the address, a period of at most 100 years,
        a fee below all of it with a receiver other than the payee, a minimum not above the maximum, and a price of
        usage where there is a cap, and then no count of charges. Raises AddressInvalid, AmountInvalid, InputError,
        NotAContract, ZeroAmount, PayeeRefused, PeriodOutOfRange, FeeTooHigh or TermsContradict.
        """
        terms = PlanTerms(
            payee=self.address,
            price_units=self.units(price, token),
            token=parse_address(token),
            every=every,
            unit=_unit(unit),
            catch_up=catch_up,
            seat_price_units=self.units(seat_price, token),
            trial=trial_s,
            grace=grace_s,
            min_charges=min_charges,
            max_charges=max_charges,
            fee_bps=fee_bps,
            family=family,
            fee_receiver=parse_address(fee_receiver) if fee_receiver else None,
            usage_cap_units=self.units(usage_cap, token),
            usage_price_units=self.units(usage_price, token),
            biller=parse_address(biller) if biller else None,
        )
        created = self.contract.create_plan(terms).one(PlanCreated)
        return Plan(created.plan_id, created.register_id, terms)

    def plan(self, plan_id: int) -> Plan:
        """One plan. Raises UnknownPlan."""
        return self.contract.plan(plan_id)

    def plans(self, *, payee: str | None = None) -> list[Plan]:
        """All plans of the chain in their order, archived ones too, or those of one payee."""
        wanted = parse_address(payee) if payee else None
        found = self.contract.plans(range(1, self.contract.plan_count() + 1))
        return [plan for plan in found if wanted in {None, plan.terms.payee}]

    def archive_plan(self, plan_id: int) -> Plan:
        """The payee, who is the signer, lets a plan take no more subscriptions; those that it has go on.

        The contract checks that the signer is its payee. Raises UnknownPlan, NotAuthorized or PlanIsArchived.
        """
        self.contract.archive_plan(plan_id)
        return self.contract.plan(plan_id)

    # --- Consent ---

    def subscribe(
        self, plan: int | Plan, *, seats: int = 0, funding: Funding = Funding.AUTO, periods: int = PERIODS
    ) -> Subscription:
        """The signer subscribes to a plan and pays its first period, or begins its trial.

        Given as a Plan, exactly those terms are agreed to; given as a number, those that it has now. The contract may
        then move `periods` periods' worth of the token, usage up to its cap included: by permit where the token takes
        one, else by an approval, which is a transaction of its own; `funding` chooses. The contract checks terms,
        seats, that the plan is not archived and that the money arrives. Raises UnknownPlan, TermsChanged,
        PlanIsArchived, SeatsOutOfRange, PayerIsPayee, BalanceTooLow, AllowanceTooLow, TokenRefused, AmountMismatch,
        PermitUnsupported, SignerErrors or TransactionErrors.
        """
        sent = subscribe(self._connection, plan, seats=seats, funding=funding, periods=periods)
        return self.contract.subscription(sent.one(Subscribed).subscription_id)

    def sign_mandate(
        self,
        plan: int | Plan,
        *,
        seats: int = 0,
        funding: Funding = Funding.AUTO,
        periods: int = PERIODS,
        valid_s: int = MANDATE_VALID_S,
        salt: int | None = None,
    ) -> SignedMandate:
        """The signer consents to a plan without sending anything; anyone may submit it within `valid_s` seconds.

        `SignedMandate.render()` is its text for the way to whoever submits it. Raises UnknownPlan, SeatsOutOfRange,
        PermitUnsupported, InputError or KeyMissing.
        """
        return sign_mandate(
            self._connection, plan, seats=seats, funding=funding, periods=periods, valid_s=valid_s, salt=salt
        )

    def submit_mandate(self, signed: SignedMandate, *, plans: Collection[int] | None = None) -> Subscription:
        """Subscribes the payer of a signed mandate, who pays the first period; the signer here pays the gas only.

        A merchant says by `plans`, or in the configuration, which plans are their own: a mandate for another raises
        ForeignPlan, and nothing is sent. Where neither says anything it is submitted whatever it is for. Raises what
        `subscribe` raises, and MandateExpired, InvalidSignature, SaltUsed, or InputError for a mandate for another
        chain or contract.
        """
        own = OwnPlans.of(self._merchant, None, plans)
        plan_id = signed.mandate.plan_id
        if own != ANY_PLAN:
            own.require(plan_id, self.contract.plan(plan_id).terms)
        sent = submit_mandate(self._connection, signed)
        return self.contract.subscription(sent.one(Subscribed).subscription_id)

    def approve(self, plan_id: int, *, periods: int = PERIODS, seats: int | None = None) -> None:
        """Lets the contract move `periods` more periods' worth of the signer's tokens, and waits until that is mined.

        For payers whose token takes no permits, and those whose allowance ran out. `seats`: the fewest that the plan
        sells unless given. Raises UnknownPlan, SeatsOutOfRange, TokenReverted or TransactionErrors.
        """
        approve(self._connection, plan_id, periods, seats)

    def revoke_mandate(self, salt: int) -> Sent:
        """Makes the signer's mandate with this salt worthless. Raises SaltUsed where it was submitted or revoked."""
        return self.contract.revoke_mandate(salt)

    def sign_revocation(self, salt: int) -> SignedEnd:
        """The signer makes a mandate worthless once anyone submits this; nothing is sent. Raises KeyMissing."""
        return sign_revocation(self._connection, salt)

    def submit_revocation(self, signed: SignedEnd) -> Sent:
        """Submits a payer's revocation; the signer here pays the gas. The contract checks the payer's signature and
        that the salt is unused. Raises InvalidSignature, SaltUsed, or InputError for one for elsewhere."""
        return submit_end(self._connection, signed)

    # --- Subscriptions ---

    def subscription(
        self, subscription_id: int, *, plans: Collection[int] | None = None, history: bool = False
    ) -> SubscriptionState:
        """A subscription as it stands, after it was found to be of a plan of the merchant's own, or the signer's.

        With its plan, what is charged next and why that would decline, and with `history` everything that happened,
        which is read from the contract's logs and takes a while on a long chain.

        Anyone can create a plan that pays themselves, and subscribe to it. So the plan must pay one of merchant.payees
        in the configuration (the signer where none is named), in one of merchant.tokens (any where none is named), and
        have one of the numbers `plans`, or of merchant.plans (any where none is named). A payer reads their own without
        that. `contract.subscription` reads any.

        Raises UnknownSubscription, ForeignPlan, or InputError where nothing says which plans are the merchant's.
        """
        found = self.contract.subscription(subscription_id)
        signer = self._connection.signer
        address = signer.address if signer else None
        if plans is not None or found.payer != address:
            own = OwnPlans.of(self._merchant, address, plans)
            if not (own.payees or own.plan_ids):
                raise InputError(
                    f"subscription {subscription_id} is of plan {found.plan_id}, and nothing says which plans are the "
                    "merchant's, though anyone can create some: give numbers as plans=[...], or set merchant.payees"
                )
            own.require(found.plan_id, self.contract.plan(found.plan_id).terms)
        return describe(self._connection, found, history=history)

    def preview(self, subscription_id: int) -> Preview:
        """What a charge would do now: reason, period, amount and credit used. Raises UnknownSubscription."""
        return self.contract.preview(subscription_id)

    def quote(self, subscription_id: int, plan: int | Plan, seats: int | None = None) -> Offer:
        """What `change_plan` would do now; sends nothing. `seats`: as many as now unless given.

        Raises UnknownSubscription, UnknownPlan, and what `change_plan` raises for a change that is not allowed.
        """
        return quote(self._connection, subscription_id, plan, seats)

    def change_plan(
        self,
        subscription_id: int,
        plan: int | Plan,
        *,
        seats: int | None = None,
        max_to_pay: Money | None = None,
        funding: Funding = Funding.AUTO,
    ) -> Subscription:
        """The payer, who is the signer, changes to another plan, other seats, or both, within a paid period or trial.

        Where the period stays the same the difference for the rest of it is paid or credited now; another period
        begins now and is paid, less what was left of the old one. `seats`: as many as now unless given. `max_to_pay`:
        the most to be paid now; where it is not given the change is quoted first, and costs no more than the quote and
        what a delay of ten minutes may add. An allowance that is too low for it is raised by an approval, unless
        `funding` is ALLOWANCE.

        The contract checks payer, terms, seats, that the plan pays the same payee in the same token and is not
        archived, that no charge is due, the old plan's minimum, that neither plan ends after a number of charges and
        the new one has no minimum, and that a trial goes on in a plan of its family with a trial. Raises NotAuthorized,
        UnknownSubscription, UnknownPlan, TermsChanged, NothingToChange, SeatsOutOfRange, AnotherRegister, TrialRunning,
        PayerIsPayee, PlanIsArchived, NotActive, ChargeDue, MinimumTerm, FixedTerm, CreditTooHigh, ToPayTooHigh,
        BalanceTooLow, AllowanceTooLow, TokenRefused or AmountMismatch.
        """
        bound = None
        if max_to_pay is not None:
            bound = self.units(max_to_pay, self._terms(subscription_id).token)
        change_plan(self._connection, subscription_id, plan, seats=seats, max_to_pay_units=bound, funding=funding)
        return self.contract.subscription(subscription_id)

    def cancel(self, subscription_id: int) -> Subscription:
        """Ends a subscription now; its payer may in the trial and once the plan's minimum is charged, its payee always.

        Raises UnknownSubscription, NotAuthorized, MinimumTerm or NotActive.
        """
        self.contract.cancel(subscription_id)
        return self.contract.subscription(subscription_id)

    def cancel_at_period_end(self, subscription_id: int) -> Subscription:
        """Ends a subscription with the paid period. Who may, and what it raises: as `cancel`."""
        self.contract.cancel_at_period_end(subscription_id)
        return self.contract.subscription(subscription_id)

    def sign_cancellation(self, subscription_id: int, *, valid_s: int = CANCELLATION_VALID_S) -> SignedEnd:
        """The payer, who is the signer, ends a subscription without sending anything; anyone may submit it within
        `valid_s` seconds. `SignedEnd.render()` is its text. Raises UnknownSubscription, NotAuthorized or KeyMissing."""
        return sign_cancellation(self._connection, subscription_id, valid_s=valid_s)

    def submit_cancellation(self, signed: SignedEnd) -> Sent:
        """Submits a payer's cancellation; the signer here pays the gas. The contract checks time, signature and the
        plan's minimum. Raises SignatureExpired, InvalidSignature, MinimumTerm, NotActive, UnknownSubscription, or
        InputError for one for elsewhere."""
        return submit_end(self._connection, signed)

    def stop(self, subscription_ids: Sequence[int] | None = None, *, salts: Sequence[int] = ()) -> Sent | None:
        """The payer's emergency stop: ends these of the signer's subscriptions now, or all that they ever opened, also
        before a plan's minimum, and makes mandates with these salts worthless. None where nothing is left to stop.

        All of them are found in the contract's logs, which takes a while on a long chain. The contract passes over what
        is not the signer's. Raises NodeErrors.
        """
        return stop(self._connection, subscription_ids, salts)

    def pause(self, subscription_id: int) -> Subscription:
        """The payer stops the clock: nothing is charged, and what is left of the paid period is kept.

        Raises UnknownSubscription, NotAuthorized, NotActive, or ChargeDue where a period is not paid.
        """
        self.contract.pause(subscription_id)
        return self.contract.subscription(subscription_id)

    def resume(self, subscription_id: int) -> Subscription:
        """The payer lets the clock go on: the next charge is due when what was left has passed.

        Raises UnknownSubscription, NotAuthorized or NotPaused.
        """
        self.contract.resume(subscription_id)
        return self.contract.subscription(subscription_id)

    # --- Money ---

    def charge_dry_run(self, subscription_ids: Sequence[int]) -> list[DeclineReason]:
        """What a charge would do in the next block, row by row: NONE where it would be paid. Sends nothing."""
        return self.contract.charge_dry_run(subscription_ids)

    def charge(self, subscription_ids: Sequence[int]) -> Sent:
        """Charges what is due, in one transaction; anyone may. `Sent.reasons` says how each row went.

        A row that cannot pay is declined and fails no other. Raises InputError for no rows.
        """
        return self.contract.charge(subscription_ids)

    def charge_usage(
        self,
        subscription_id: int,
        amount: Money,
        quantity: int,
        *,
        document: bytes | Path | str | None = None,
        usage_hash: bytes | str | None = None,
        charge_number: int | None = None,
    ) -> Sent:
        """The signer, who is the payee or the plan's biller, charges what was used in the period being served.

        `quantity`: units of usage. `document` lists them, as bytes or as the path of a file; its keccak-256 goes on
        chain, the document stays with the merchant, who gives it to a payer who asks. Where it is elsewhere, its
        `usage_hash` is given instead, as 32 bytes or as text.

        `charge_number`: the number that this charge is to have, one more than the subscription's `charges`. Kept with
        the bill and given, it makes the call safe to repeat: where it was charged already, or another charge was made
        since, AnotherChargeIsNext is raised and nothing charged. Where it is None the count is read and the next number
        taken, so that calling twice charges twice.

        The contract checks that the signer may, that the subscription is active or ending and not in its trial, and
        that the amount is within the plan's price for so much usage and within its cap for the period. Credit pays
        nothing of it. Raises UnknownSubscription, NotAuthorized, ZeroAmount, AnotherChargeIsNext, NotActive,
        TrialRunning, UsageEnded, UsageTooDear, UsageAboveCap, AllowanceTooLow, BalanceTooLow, TokenRefused,
        AmountMismatch, AmountInvalid, AssetMismatch, or InputError where neither document nor hash can be had, or both
        are given.
        """
        hashed = hash_of_usage(document, usage_hash)
        found = self.contract.subscription(subscription_id)
        units = self.units(amount, self.contract.plan(found.plan_id).terms.token)
        number = found.charges + 1 if charge_number is None else charge_number
        return self.contract.charge_usage(subscription_id, number, units, quantity, hashed)

    def usage_left(self, subscription_id: int) -> Amount:
        """What usage may still cost in the period being served; zero where the plan charges none.

        Raises UnknownSubscription.
        """
        token = self.token(self._terms(subscription_id).token)
        return Amount(self.contract.usage_left(subscription_id), token)

    def refund(self, subscription_id: int, charge_number: int, amount: Money | None = None) -> Sent:
        """The signer, who is the payee, gives back a part of a charge, or all that is left of it.

        What was paid before plan or seats were changed, for usage, and where credit was used, is read from the logs.
        The contract checks the payee and that no more is given back than was paid. Raises UnknownSubscription,
        UnknownCharge, NotAuthorized, RefundTooHigh, BalanceTooLow, TokenRefused, AmountInvalid or AssetMismatch.
        """
        units = None
        if amount is not None:
            terms = refundable(self._connection, subscription_id, charge_number).terms
            units = self.units(amount, terms.token)
        return refund(self._connection, subscription_id, charge_number, units)

    def claimable(self, token: str, account: str | None = None) -> Amount:
        """What the contract keeps for an account (the signer) that could not receive its part of a charge."""
        account = parse_address(account) if account else self.address
        return Amount(self.contract.claimable(account, parse_address(token)), self.token(token))

    def claims(self, account: str | None = None) -> list[Claim]:
        """Everything that the contract keeps now, for all accounts or one, as found by its logs."""
        return find_claims(self._connection, parse_address(account) if account else None)

    def claim(self, token: str, account: str | None = None) -> Sent:
        """Has all that the contract keeps for an account (the signer) in a token paid out to it; anyone may.

        Raises NothingToClaim, or TokenRefused where the account still cannot receive it.
        """
        return self.contract.claim(parse_address(account) if account else self.address, parse_address(token))

    def totals(self, payee: str, token: str) -> ControlTotals:
        """Subscriptions, and count and sum of all charges and refunds, of a payee in a token, as the contract counted
        them."""
        return self.contract.control_totals(parse_address(payee), parse_address(token))

    def units(self, amount: Money, token: str) -> int:
        """Base units of a token. Raises AmountInvalid for text that it cannot hold, AssetMismatch for another asset."""
        if isinstance(amount, Amount):
            if amount.asset != self.token(token):
                raise AssetMismatch(
                    f"found an amount in {amount.asset.symbol}, the token is {self.token(token).symbol}"
                )
            return amount.units
        return amount if isinstance(amount, int) else parse_units(amount, self.token(token).decimals)

    def _terms(self, subscription_id: int) -> PlanTerms:
        return self.contract.plan(self.contract.subscription(subscription_id).plan_id).terms


def _unit(unit: Unit | str) -> Unit:
    words = {known.word: known for known in Unit}
    if isinstance(unit, str) and unit not in words:
        raise InputError(f"found {unit!r} for the unit of a period, allowed are {', '.join(words)}")
    return words[unit] if isinstance(unit, str) else unit

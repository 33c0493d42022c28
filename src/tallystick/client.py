"""The facade that an application imports.

    from tallystick import Tallystick

    tally = Tallystick.connect(rpc_url="https://...", signer=account)          # an eth-account account
    plan = tally.plans.create(price="9.99", token=USDC, every=1, unit="month")
    subscription = tally.subscribe(plan.plan_id)                                # as the payer
    tally.charge([subscription.subscription_id])

It reads from the chain. Amounts are base units of the plan's token unless they are text, which is a decimal number of
the token as people write it; times are Unix seconds, UTC. Everything that goes wrong is a TallystickError; the
contract's own errors have their Solidity names (`tallystick.errors`). Each method tries its call before it sends
anything, so that an error means nothing was changed, unless it is a TransactionError with a `transaction`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Self

from eth_account.signers.local import LocalAccount

from tallystick.chain.signer import KeySigner, Signer
from tallystick.chain.subscriptions import ControlTotals, Sent, Subscriptions
from tallystick.config import Config, MerchantConfig, load_config
from tallystick.core.address import parse_address
from tallystick.core.events import PlanCreated, Subscribed
from tallystick.core.mandate import SignedMandate
from tallystick.core.money import Amount, Token, parse_units
from tallystick.core.period import Unit
from tallystick.core.plan import Plan, PlanTerms
from tallystick.core.subscription import DeclineReason, Subscription
from tallystick.errors import AssetMismatch, InputError
from tallystick.flows.connect import Connection, open_contract
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


class Tallystick:
    """Tallystick's contracts on one chain, used by one account. Threads may share it."""

    def __init__(self, connection: Connection, merchant: MerchantConfig | None = None) -> None:
        self._connection = connection
        self._merchant = merchant or MerchantConfig()
        self._tokens: dict[str, Token] = {}
        self.plans = Plans(self)

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

    # --- Subscriptions ---

    def subscribe(self, plan_id: int, *, funding: Funding = Funding.AUTO, periods: int = PERIODS) -> Subscription:
        """The signer subscribes to a plan and pays its first period.

        The contract may then move `periods` periods' worth of the token: by permit where the token takes one, else by
        an approval, which is a transaction of its own; `funding` chooses. Raises UnknownPlan, TermsChanged,
        PayerIsPayee, BalanceTooLow, AllowanceTooLow, TokenRefused, AmountMismatch, PermitUnsupported, SignerErrors or
        TransactionErrors.
        """
        sent = subscribe(self._connection, plan_id, funding=funding, periods=periods)
        return self.contract.subscription(sent.one(Subscribed).subscription_id)

    def sign_mandate(
        self,
        plan_id: int,
        *,
        funding: Funding = Funding.AUTO,
        periods: int = PERIODS,
        valid_s: int = MANDATE_VALID_S,
        salt: int | None = None,
    ) -> SignedMandate:
        """The signer consents to a plan without sending anything; anyone may submit it within `valid_s` seconds.

        `SignedMandate.render()` is its text for the way to whoever submits it. Raises UnknownPlan, PermitUnsupported,
        InputError or KeyMissing.
        """
        return sign_mandate(self._connection, plan_id, funding=funding, periods=periods, valid_s=valid_s, salt=salt)

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

    def approve(self, plan_id: int, *, periods: int = PERIODS) -> None:
        """Lets the contract move `periods` more periods' worth of the signer's tokens, and waits until that is mined.

        For payers whose token takes no permits, and those whose allowance ran out. Raises UnknownPlan, TokenReverted or
        TransactionErrors.
        """
        approve(self._connection, plan_id, periods)

    def revoke_mandate(self, salt: int) -> Sent:
        """Makes the signer's mandate with this salt worthless. Raises SaltUsed where it was submitted or revoked."""
        return self.contract.revoke_mandate(salt)

    def subscription(self, subscription_id: int, *, plans: Collection[int] | None = None) -> Subscription:
        """A subscription as it stands, after it was found to be of a plan of the merchant's own, or the signer's.

        Anyone can create a plan that pays the merchant, of one unit or in a worthless token, and subscribe to it. So
        its plan must have one of the numbers `plans`, or those of merchant.plans in the configuration, pay one of
        merchant.payees (the signer where none is named) and be paid in one of merchant.tokens (any where none is
        named). Where no plans are said a subscription can only be read by its payer. `contract.subscription` reads any.

        Raises UnknownSubscription, ForeignPlan, or InputError where nothing says which plans are the merchant's.
        """
        found = self.contract.subscription(subscription_id)
        signer = self._connection.signer
        address = signer.address if signer else None
        if plans is None and found.payer == address:
            return found
        own = OwnPlans.of(self._merchant, address, plans)
        if not own.plan_ids:
            raise InputError(
                f"subscription {subscription_id} is of plan {found.plan_id}, and nothing says which plans are the "
                f"merchant's, though anyone can create one: give their numbers as plans=[...], or set merchant.plans"
            )
        own.require(found.plan_id, self.contract.plan(found.plan_id).terms)
        return found

    def cancel(self, subscription_id: int, *, at_period_end: bool = False) -> Subscription:
        """Ends a subscription now, or with the paid period; its payer and its payee may.

        Raises UnknownSubscription, NotAuthorized or NotActive.
        """
        if at_period_end:
            self.contract.cancel_at_period_end(subscription_id)
        else:
            self.contract.cancel(subscription_id)
        return self.contract.subscription(subscription_id)

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

    def refund(self, subscription_id: int, charge_number: int, amount: str | int | Amount | None = None) -> Sent:
        """The signer, who is the payee, gives back a part of a charge, or all that is left of it.

        `amount`: base units, an Amount of the plan's token, or a decimal number of it as text. Raises
        UnknownSubscription, UnknownCharge, NotAuthorized, RefundTooHigh, BalanceTooLow, TokenRefused, AmountInvalid or
        AssetMismatch.
        """
        units = None
        if amount is not None:
            terms = refundable(self._connection, subscription_id, charge_number).terms
            units = self.units(amount, terms.token)
        return refund(self._connection, subscription_id, charge_number, units)

    def totals(self, payee: str, token: str) -> ControlTotals:
        """Count and sum of all charges and refunds of a payee in a token, as the contract counted them."""
        return self.contract.control_totals(parse_address(payee), parse_address(token))

    def units(self, amount: str | int | Amount, token: str) -> int:
        """Base units of a token. Raises AmountInvalid for text that it cannot hold, AssetMismatch for another asset."""
        if isinstance(amount, Amount):
            if amount.asset != self.token(token):
                raise AssetMismatch(
                    f"found an amount in {amount.asset.symbol}, the token is {self.token(token).symbol}"
                )
            return amount.units
        return amount if isinstance(amount, int) else parse_units(amount, self.token(token).decimals)


class Plans:
    """The plans of a chain: `tally.plans`."""

    def __init__(self, tally: Tallystick) -> None:
        self._tally = tally

    def create(
        self,
        *,
        price: str | int | Amount,
        token: str,
        every: int = 1,
        unit: Unit | str = Unit.MONTH,
        payee: str | None = None,
        catch_up: int = 0,
    ) -> Plan:
        """Creates a plan, for ever as it is: `price` for each period of `every` units, paid to `payee` (the signer).

        `price`: base units, an Amount, or a decimal number of the token as text. `unit`: second, day, week, month or
        year. `catch_up`: how many missed periods stay collectible. Raises AddressInvalid, AmountInvalid, InputError,
        NotAContract, ZeroAmount, ZeroAddress or PeriodOutOfRange.
        """
        terms = PlanTerms(
            payee=parse_address(payee) if payee else self._tally.address,
            price_units=self._tally.units(price, token),
            token=parse_address(token),
            every=every,
            unit=_unit(unit),
            catch_up=catch_up,
        )
        created = self._tally.contract.create_plan(terms).one(PlanCreated)
        return Plan(created.plan_id, terms)

    def get(self, plan_id: int) -> Plan:
        """One plan. Raises UnknownPlan."""
        return self._tally.contract.plan(plan_id)

    def list(self, *, payee: str | None = None) -> list[Plan]:
        """All plans of the chain in their order, or those of one payee."""
        contract = self._tally.contract
        plans = contract.plans(range(1, contract.plan_count() + 1))
        wanted = parse_address(payee) if payee else None
        return [plan for plan in plans if wanted in {None, plan.terms.payee}]


def _unit(unit: Unit | str) -> Unit:
    words = {known.word: known for known in Unit}
    if isinstance(unit, str) and unit not in words:
        raise InputError(f"found {unit!r} for the unit of a period, allowed are {', '.join(words)}")
    return words[unit] if isinstance(unit, str) else unit

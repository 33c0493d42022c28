"""`Tallystick`'s verbs for payment channels: the payer's wallet and the merchant's till.

Both keep what they know in the database, because no chain could tell it again.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from sqlalchemy import Engine

from tallystick.chain.channels import ReceiverTotal
from tallystick.chain.contract import Sent
from tallystick.client.base import Client, Money
from tallystick.core.address import parse_address
from tallystick.core.channel import MIN_WITHDRAW_DELAY_S, Channel
from tallystick.core.channel_plan import ChannelFilled, ChannelPlanTerms
from tallystick.core.period import Unit
from tallystick.core.spending import Limits
from tallystick.core.till import TillRules
from tallystick.core.voucher import Voucher
from tallystick.core.voucher_texts import Grant
from tallystick.flows.accept_vouchers import Accepted, Rejected, Till, till_rules
from tallystick.flows.bring import PaymentFunding
from tallystick.flows.channel_plan import (
    CreatedChannelPlan,
    create_channel_plan,
    fill_channels,
    open_channel_plan,
    take_up_channel,
)
from tallystick.flows.claim_vouchers import ClaimPolicy, ClaimReport, claim_vouchers
from tallystick.flows.leave_channel import announce_withdrawal, finish_withdrawal, refund_channel
from tallystick.flows.look_up_channel import (
    ChannelReport,
    describe_channel,
    find_channel,
    find_wallet_channel,
)
from tallystick.flows.open_channel import DELAY_S, make_channel, open_channel, top_up_channel
from tallystick.flows.sign_voucher import KEY_VALID_S, adopt_channel, grant_key, set_limits, sign_voucher
from tallystick.storage.database import open_durable

AnyChannel = Channel | bytes | str
"""A channel, its id, or the first digits of that."""


class ChannelVerbs(Client):
    """Payment channels, on both sides."""

    # --- The payer's wallet ---

    def open_channel(
        self,
        *,
        receiver: str,
        token: str,
        deposit: Money,
        receiver_authorizer: str | None = None,
        voucher_key: str | None = None,
        withdraw_delay_s: int = DELAY_S,
        limits: Limits | None = None,
        funding: PaymentFunding | str = PaymentFunding.AUTO,
    ) -> Channel:
        """Opens a channel from the signer to a receiver with a first deposit.

        `receiver_authorizer` may claim for the receiver, who may itself where none is given; take what the merchant
        says. `voucher_key` signs vouchers in the signer's place. What is not spent comes back `withdraw_delay_s` after
        the signer asks for it. `limits` are the wallet's own. `funding` as for `sign_payment`; of itself ERC-3009 where
        the token takes it.

        Raises InputError, AddressInvalid, NotAContract, BalanceTooLow, PermitUnsupported, TokenRefused, AmountMismatch
        or KeyMissing.
        """
        token = parse_address(token)
        channel = make_channel(
            self._connection,
            receiver=parse_address(receiver),
            token=token,
            receiver_authorizer=_address(receiver_authorizer),
            payer_authorizer=_address(voucher_key),
            withdraw_delay_s=withdraw_delay_s,
        )
        way, units = PaymentFunding(funding), self.units(deposit, token)
        open_channel(self._connection, self._engine, channel, units, limits=limits, funding=way)
        return channel

    def top_up_channel(
        self, channel: AnyChannel, amount: Money, *, funding: PaymentFunding | str = PaymentFunding.AUTO
    ) -> Sent:
        """Adds to a channel, with the signer's money, whoever it is. No timer starts anew by it. Raises as
        `open_channel`, and DepositTooHigh."""
        found = self._channel(channel)
        units = self.units(amount, found.terms.token)
        return top_up_channel(self._connection, found, units, funding=PaymentFunding(funding))

    def limit_channel(self, channel: AnyChannel, limits: Limits) -> None:
        """The wallet's own limits for a channel, from now on. Raises UnknownChannel."""
        set_limits(self._connection, self._engine, self._channel(channel).channel_id, limits)

    def sign_voucher(self, channel: AnyChannel, amount: Money, *, request: str | None = None) -> Voucher:
        """A voucher for so much more than the one before, written down before it is given; nothing is sent.
        `render_voucher` makes its text. `request` names what is paid for: asked for again, as after a crash, the same
        voucher is given again.

        Raises SpendingLimit, ChannelExhausted, UnknownChannel or NotAuthorized; then nothing was signed.
        """
        found = self._channel(channel)
        units = self.units(amount, found.terms.token)
        return sign_voucher(self._connection, self._engine, found.channel_id, units, request=request)

    def last_voucher(self, channel: AnyChannel) -> Voucher | None:
        """The highest voucher that the wallet signed, as after a crash or a lost answer; None before the first."""
        return find_wallet_channel(self._connection, self._engine, _name(channel)).last_voucher

    def grant_key(self, channel: AnyChannel, key: str, limit: Money, *, valid_s: int = KEY_VALID_S) -> Grant:
        """The signer, the payer, lets a key spend up to `limit` more from a channel, claimed within `valid_s` seconds;
        nothing is sent. `Grant.render()` is its text. Do not sign from the same channel meanwhile.

        Raises UnknownChannel, NotAuthorized or InputError.
        """
        found = self._channel(channel)
        units = self.units(limit, found.terms.token)
        return grant_key(self._connection, self._engine, found.channel_id, parse_address(key), units, valid_s=valid_s)

    def adopt_channel(self, grant: Grant, *, limits: Limits | None = None) -> Channel:
        """The signer, a spending key, spends from a payer's channel by its own wallet from now on. Raises
        InvalidSignature, NotAuthorized or InputError."""
        return adopt_channel(self._connection, self._engine, grant, limits=limits).channel

    def withdraw_channel(self, channel: AnyChannel, amount: Money | None = None) -> Sent:
        """The payer asks back what was not claimed, all of it unless `amount` is given; the receiver has the channel's
        delay to claim. Raises NotAuthorized, WithdrawalPending, WithdrawalTooHigh or ZeroAmount."""
        found = self._channel(channel)
        units = None if amount is None else self.units(amount, found.terms.token)
        return announce_withdrawal(self._connection, self._engine, found, units)

    def finish_withdrawal(self, channel: AnyChannel) -> Sent:
        """The payer has what was asked back. Raises NotAuthorized, NoWithdrawal, WithdrawalTooEarly or TokenRefused."""
        return finish_withdrawal(self._connection, self._engine, self._channel(channel))

    def channel(self, channel: AnyChannel) -> ChannelReport:
        """A channel as it stands on chain, in the wallet and in the till. Raises UnknownChannel."""
        return describe_channel(self._connection, self._engine, self._channel(channel))

    # --- Plans whose charges fill channels ---

    def create_channel_plan(
        self,
        *,
        token: str,
        price: Money,
        every: int = 1,
        unit: Unit | str = Unit.MONTH,
        receiver_authorizer: str | None = None,
        withdraw_delay_s: int = DELAY_S,
    ) -> CreatedChannelPlan:
        """A plan of which each charge goes into the payer's own channel to the signer, from where vouchers spend it.

        Payers subscribe to its `plan_id` as to any other; the `beneficiary` that they name, or else they themselves,
        signs vouchers. Created once for the same terms: its address follows from them. Raises InputError,
        AddressInvalid, NotAContract or KeyMissing.
        """
        token = parse_address(token)
        period = Unit[unit.upper()] if isinstance(unit, str) else unit
        authorizer = _address(receiver_authorizer) or self.address
        parties = self.address, authorizer, withdraw_delay_s, token
        terms = ChannelPlanTerms(*parties, self.units(price, token), every, period)
        return create_channel_plan(self._connection, terms)

    def fill_channels(self, contract: str, subscription_ids: Sequence[int]) -> list[ChannelFilled]:
        """Puts what these subscriptions were charged since the last time into their channels: one answer for each of
        which something was charged. Anyone may. Raises AnotherPlan or InputError."""
        sent = fill_channels(self._connection, parse_address(contract), subscription_ids)
        return [event for event in sent.events if isinstance(event, ChannelFilled)]

    def take_up_channel(self, contract: str, subscription_id: int, *, limits: Limits | None = None) -> Channel:
        """The signer, the payer or the key that the payer named, spends from a subscription's channel by its own wallet
        from now on. Raises AnotherPlan, NotAuthorized or InputError."""
        address = parse_address(contract)
        return take_up_channel(self._connection, self._engine, address, subscription_id, limits=limits).channel

    def archive_channel_plan(self, contract: str) -> Sent:
        """The signer, the plan's receiver, ends the sale; subscriptions go on. Raises NotAuthorized or InputError."""
        return open_channel_plan(self._connection, parse_address(contract)).archive()

    # --- The merchant's till ---

    def till_rules(
        self,
        *,
        tokens: Sequence[str] = (),
        receivers: Sequence[str] = (),
        authorizers: Sequence[str] = (),
        margin_bps: int = 100,
        notice_s: int = 600,
        least_delay_s: int = MIN_WITHDRAW_DELAY_S,
    ) -> TillRules:
        """What the till takes (`TillRules`): tokens and receivers of the configuration, or else the signer, where none
        are given here; authorizers are the signer and the receivers. Raises InputError where no token is named: anybody
        can make one that is worth nothing."""
        return till_rules(
            self._connection,
            self._merchant,
            tokens=tokens,
            receivers=receivers,
            authorizers=authorizers,
            margin_bps=margin_bps,
            notice_s=notice_s,
            least_delay_s=least_delay_s,
        )

    def accept_voucher(self, voucher: Voucher, *, at_least: Money = 1, rules: TillRules | None = None) -> Accepted:
        """Takes a voucher for at least so much more than the channel's last, and keeps it. Only where the channel is
        new, or was not looked at for a minute, is the node asked.

        Raises VoucherRefused, and nothing is kept; or InputError as `till_rules`.
        """
        least = self.units(at_least, voucher.channel.terms.token)
        return self._till(rules).accept(voucher, least_units=least)

    def accept_vouchers(
        self, vouchers: Sequence[Voucher], *, least_units: int = 1, rules: TillRules | None = None
    ) -> list[Accepted | Rejected]:
        """Takes many at once, each kept or refused by itself; the quickest way."""
        return self._till(rules).accept_many(vouchers, least_units=least_units)

    def claim_vouchers(self, token: str, policy: ClaimPolicy | None = None, *, dry_run: bool = False) -> ClaimReport:
        """Claims what the till took for the signer, receiver or authorizer: where it is worth its fees, or cannot wait
        (`ClaimPolicy`). What is skipped is told with its reason. Raises NotAuthorized, InputError or TransactionErrors.
        """
        return claim_vouchers(self._connection, self._engine, parse_address(token), policy, dry_run=dry_run)

    def settle_channels(self, token: str, receiver: str | None = None) -> Sent:
        """Anyone has paid to a receiver, the signer unless given, what was claimed and could not be paid. Raises
        TokenRefused."""
        account = parse_address(receiver) if receiver else self.address
        return self._connection.channels.settle(account, parse_address(token))

    def refund_channel(self, channel: AnyChannel, amount: Money | None = None) -> Sent:
        """The receiver gives back to the payer what no voucher is out for, all of it unless `amount` is given. Raises
        InputError where vouchers would lose their worth, NotAuthorized or TokenRefused."""
        found = self._channel(channel)
        units = None if amount is None else self.units(amount, found.terms.token)
        return refund_channel(self._connection, self._engine, found, units)

    def receiver_total(self, receiver: str, token: str) -> ReceiverTotal:
        """Units that were ever claimed for a receiver in a token, and paid to it."""
        return self._connection.channels.total(parse_address(receiver), parse_address(token))

    # --- Parts ---

    @functools.cached_property
    def _engine(self) -> Engine:
        return open_durable(self._config.database)

    @functools.cached_property
    def _tills(self) -> dict[TillRules, Till]:
        return {}

    def _till(self, rules: TillRules | None) -> Till:
        wanted = rules or self.till_rules()
        if wanted not in self._tills:
            self._tills[wanted] = Till(self._connection, self._engine, wanted)
        return self._tills[wanted]

    def _channel(self, channel: AnyChannel) -> Channel:
        if isinstance(channel, Channel):
            return channel
        return find_channel(self._connection, self._engine, channel)


def _name(channel: AnyChannel) -> str | bytes:
    return channel.channel_id if isinstance(channel, Channel) else channel


def _address(given: str | None) -> str | None:
    return parse_address(given) if given else None

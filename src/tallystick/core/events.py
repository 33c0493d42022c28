"""What happened on chain: one frozen type for each event of `Subscriptions`, and what identifies it.

An event is a plain tuple of its values, because the mirror handles tens of thousands of them a second. Addresses are
checksummed (EIP-55), amounts are base units of the plan's token, times are Unix seconds.
"""

from __future__ import annotations

from typing import NamedTuple

from tallystick.core.plan import PlanTerms
from tallystick.core.subscription import DeclineReason


class Origin(NamedTuple):
    """Where an event stands on chain. Its identity is (chain, block hash, transaction hash, log index); number and time
    only say where and when."""

    block_number: int
    block_hash: bytes
    block_time: int
    transaction_hash: bytes
    log_index: int


class RegisterOpened(NamedTuple):
    """A payee's first plan in a token. The register numbers its subscriptions from `register_id` x 10^9 + 1."""

    register_id: int
    payee: str
    token: str


class PayeeChanged(NamedTuple):
    """A register, with its plans and subscriptions, belongs to another payee from now on."""

    register_id: int
    payee: str
    new_payee: str


class PlanCreated(NamedTuple):
    """A plan was created."""

    plan_id: int
    register_id: int
    terms: PlanTerms


class PlanArchived(NamedTuple):
    """A plan takes no more subscriptions."""

    plan_id: int


class Subscribed(NamedTuple):
    """A payer subscribed. The charge of the first period follows as an event of its own, unless `first_due`, the end of
    a trial or the start that the payer asked for, is later than now."""

    subscription_id: int
    payer: str
    plan_id: int
    first_due: int


class SeatsSet(NamedTuple):
    """A subscription began with so many seats."""

    subscription_id: int
    seats: int


class MandateAccepted(NamedTuple):
    """The signed consent behind a subscription."""

    subscription_id: int
    payer: str
    salt: int
    mandate_hash: bytes


class MandateRevoked(NamedTuple):
    """A payer made a mandate worthless."""

    payer: str
    salt: int


class Charged(NamedTuple):
    """The payer paid for [period_start, period_end)."""

    subscription_id: int
    charge_number: int
    period_start: int
    period_end: int
    amount_units: int


class UsageCharged(NamedTuple):
    """What the charge of usage that follows is for: so many units of usage, listed in the document with this hash."""

    subscription_id: int
    charge_number: int
    quantity: int
    usage_hash: bytes


class CreditUsed(NamedTuple):
    """Credit paid a part of the charge that follows."""

    subscription_id: int
    charge_number: int
    amount_units: int


class Claimable(NamedTuple):
    """An account could not receive its part of the charge that follows; the contract keeps it."""

    account: str
    token: str
    subscription_id: int
    amount_units: int


class Claimed(NamedTuple):
    """An account received everything that the contract kept for it in a token."""

    account: str
    token: str
    amount_units: int


class PlanChanged(NamedTuple):
    """Another plan or number of seats, from now on; `credit_units` is what later charges take less. What a change at
    once costs is a charge before it, or both are one `Upgraded`; one that was scheduled comes before the charge of the
    period with which it begins."""

    subscription_id: int
    plan_id: int
    seats: int
    credit_units: int


class Upgraded(NamedTuple):
    """A dearer plan from now on, and the charge of the difference, in one: of a change at once that leaves seats and
    due time as they are, and no credit."""

    subscription_id: int
    plan_id: int
    charge_number: int
    amount_units: int

    def parts(self, time: int, period_end: int, seats: int) -> tuple[Charged, PlanChanged]:
        """The two events that it stands for: `time` is its block's, the others are as before it."""
        charge = Charged(self.subscription_id, self.charge_number, time, period_end, self.amount_units)
        return charge, PlanChanged(self.subscription_id, self.plan_id, seats, 0)


class ChangeScheduled(NamedTuple):
    """The plan and the number of seats from the next period on; the present ones, where nothing is scheduled any more.
    A `PlanChanged` comes before that period's charge."""

    subscription_id: int
    plan_id: int
    seats: int


class PriceLowered(NamedTuple):
    """The payee scheduled a plan that differs by lower prices alone. A coupon or fallback wallet for the plan before is
    for this one now."""

    subscription_id: int
    plan_id: int
    seats: int


class ConditionsSet(NamedTuple):
    """What the payer adds to the plan's terms, from now on; zeros and None add nothing. `beneficiary` is whom the
    subscription serves in the payer's place."""

    subscription_id: int
    max_per_period_units: int
    max_total_units: int
    ends_at: int
    beneficiary: str | None
    by_permit2: bool


class CouponRedeemed(NamedTuple):
    """The next `periods` charges of periods cost less, while they are of the plan, or of any where it is 0: so many
    hundredths of a percent, and so much."""

    subscription_id: int
    coupon_hash: bytes
    plan_id: int
    basis_points_off: int
    amount_off_units: int
    periods: int


class Discounted(NamedTuple):
    """What a coupon takes off the charge that follows."""

    subscription_id: int
    charge_number: int
    amount_units: int


class Quoted(NamedTuple):
    """What the price of the charge that follows, in units of the plan's quoter, is in units of the token."""

    subscription_id: int
    charge_number: int
    price_units: int
    amount_units: int


class FallbackSet(NamedTuple):
    """The wallet that pays where the payer cannot; None: there is none any more."""

    subscription_id: int
    wallet: str | None


class PaidByFallback(NamedTuple):
    """Who pays the charge that follows in the payer's place."""

    subscription_id: int
    charge_number: int
    wallet: str


class PayerChanged(NamedTuple):
    """Another wallet pays from now on, not through Permit2, and receives refunds."""

    subscription_id: int
    payer: str
    new_payer: str


class Declined(NamedTuple):
    """A charge did not happen."""

    subscription_id: int
    due: int
    reason: DeclineReason


class Cancelled(NamedTuple):
    """A subscription ended."""

    subscription_id: int


class CancellationScheduled(NamedTuple):
    """A subscription will end with its paid period, at `ends_at`."""

    subscription_id: int
    ends_at: int


class Paused(NamedTuple):
    """The payer stopped the clock, with so many seconds of the paid period left."""

    subscription_id: int
    left: int


class Resumed(NamedTuple):
    """The clock goes on: the next charge is due at `next_due`, which also anchors those after it."""

    subscription_id: int
    next_due: int


class Refunded(NamedTuple):
    """The payee gave back all or a part of a charge."""

    subscription_id: int
    charge_number: int
    amount_units: int


Event = (
    RegisterOpened
    | PayeeChanged
    | PlanCreated
    | PlanArchived
    | Subscribed
    | SeatsSet
    | MandateAccepted
    | MandateRevoked
    | Charged
    | UsageCharged
    | CreditUsed
    | Claimable
    | Claimed
    | PlanChanged
    | Upgraded
    | ChangeScheduled
    | PriceLowered
    | ConditionsSet
    | CouponRedeemed
    | Discounted
    | Quoted
    | FallbackSet
    | PaidByFallback
    | PayerChanged
    | Declined
    | Cancelled
    | CancellationScheduled
    | Paused
    | Resumed
    | Refunded
)


class Recorded(NamedTuple):
    """An event together with where it stands on chain."""

    origin: Origin
    event: Event

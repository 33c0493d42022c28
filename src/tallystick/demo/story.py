"""The year: who subscribes how, what goes wrong, and how it is put right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from eth_account.signers.local import LocalAccount

from tallystick.core.cancellation import parse_end
from tallystick.core.money import Amount
from tallystick.core.period import DAY_S, Period, Unit
from tallystick.core.plan import Plan
from tallystick.core.subscription import Subscription
from tallystick.demo.conversion import Exchanged, exchange_euros, sell_for_euros
from tallystick.demo.metering import Metering, play_metering
from tallystick.demo.order import Order, play_order
from tallystick.demo.sale import SoldOnce, sell_once
from tallystick.demo.stage import Stage
from tallystick.flows.subscribe import Funding

MONTHS = 12
WAYS = ("approval", "permit", "mandate on an allowance", "mandate with permit")
PAYERS_BY_WAY = (7, 7, 6, 7)
PLAN_OF_NINE = (0, 0, 0, 0, 0, 0, 1, 1, 2)
"""Of nine payers six take the monthly plan, two the yearly, one the one that charges every 30 seconds."""
SHORT_CHARGES = 10
PERIODS_ALLOWED = 24
"""For how many periods each payer lets the contract charge: more than the year needs."""
ANCHOR_DAY = 31
SPENDING_MONEY = "1000"
EURO_CENTS, EURO_BOUND = 2_000, "25"
"""The price in euros, and the most that its payer lets it be in dollars."""

SALE_IN, ORDER_IN = 1, 2
EMPTY_WALLET_IN, REFUND_IN, CANCEL_IN, REORGANISE_IN, REVOKE_IN = 3, 4, 5, 6, 7
UPGRADE_IN, BLOCK_IN, DOWNGRADE_IN, SIGN_OFF_IN, METER_IN = 8, 9, 10, 11, 12
TRIAL_S = 14 * DAY_S
FEE_BPS = 250
TEAMS = (("permit", 3), ("mandate with permit", 8))
"""How the teams subscribe, and with how many seats."""
TRIALS = ("approval", "mandate with permit")

Tell = Callable[[str], object]


@dataclass
class Subscriber:
    """A payer and their subscription."""

    name: str
    account: LocalAccount
    plan: Plan
    subscription_id: int


@dataclass
class Counts:
    """What happened, as it was seen when it happened."""

    charges: int = 0
    declines: int = 0
    recovered: int = 0
    trials: int = 0
    changes: int = 0
    claims: int = 0
    cancellations: int = 0
    refunds: int = 0
    reorgs: int = 0
    rolled_back_events: int = 0
    ways: dict[str, int] = field(default_factory=dict)
    order: Order | None = None
    sold_once: SoldOnce | None = None
    in_euros: int = 0
    """The number of the subscription whose price is in euros."""
    exchanged: Exchanged | None = None
    metering: Metering | None = None


class Year:
    """Plays the year on a stage. `tell` gets a line for everything worth telling."""

    def __init__(self, stage: Stage, tell: Tell) -> None:
        self.stage = stage
        self.tell = tell
        self.counts = Counts()
        self.plans: list[Plan] = []
        self.subscribers: list[Subscriber] = []
        self.start = 0

    def play(self) -> Counts:
        """Everything from the first plan to the last charge; then the mirror knows it all, and all is final."""
        self._sell()
        self._subscribe_all()
        self._subscribe_others()
        self._sell_in_euros()
        self._charge_every_30_seconds()
        for month in range(1, MONTHS + 1):
            self._month(month)
        if self.stage.market.router is not None:
            self._exchange()
        self.stage.anvil.finalize()
        self.stage.index()
        return self.counts

    # --- selling ----------------------------------------------------------------------------------------------------

    def _sell(self) -> None:
        create, token = self.stage.merchant.create_plan, self.stage.token
        self.plans = [
            create(price="9.99", token=token, every=1, unit="month"),
            create(price="99", token=token, every=1, unit="year"),
            create(price="0.05", token=token, every=30, unit="second"),
        ]
        self.tell("the merchant creates three plans: 9.99 a month, 99 a year, 0.05 for 30 seconds")
        platform = self.stage.funded("platform").address
        self.team = create(price="19", seat_price="5", token=token, fee_bps=FEE_BPS, fee_receiver=platform)
        self.trial = create(price="14.99", token=token, trial_s=TRIAL_S)
        self.plus = create(price="29.99", token=token)
        self.tell(
            "and three more: 19 a month and 5 for each seat, of which a platform gets 2.5 %; 14.99 a month after 14 "
            "days of trial; 29.99 a month to upgrade to"
        )

    def _sell_in_euros(self) -> None:
        """A plan whose price is in euros, charged in dollars by the rate of the day."""
        stage = self.stage
        quoter = stage.merchant.deploy_quoter(stage.token, price_feed=stage.market.feed)
        plan = stage.merchant.create_plan(price=EURO_CENTS, token=stage.token, quoter=quoter)
        actor = stage.funded("euro payer")
        stage.give(actor, SPENDING_MONEY)
        payer = stage.as_(actor)
        opened = payer.subscribe(plan, conditions=payer.conditions(stage.token, max_per_period=EURO_BOUND))
        self.counts.charges += opened.charges
        self.counts.ways["approval"] += 1
        self.counts.in_euros = opened.subscription_id
        self.subscribers.append(Subscriber("euro payer", actor, plan, opened.subscription_id))
        self.tell(f"a payer subscribes at 20.00 euros a month, charged in dollars, never more than {EURO_BOUND}")

    def _subscribe_all(self) -> None:
        self.start = self.stage.anvil.timestamp
        for way, count in zip(WAYS, PAYERS_BY_WAY, strict=True):
            for _ in range(count):
                self._add(self.plans[PLAN_OF_NINE[len(self.subscribers) % len(PLAN_OF_NINE)]], way)
            self.tell(f"{count} payers subscribe by {way} and pay their first period")

    def _subscribe_others(self) -> None:
        for way, seats in TEAMS:
            self._add(self.team, way, seats)
        for way in TRIALS:
            self._add(self.trial, way)
        self.counts.trials = len(TRIALS)
        self.tell(
            f"two teams of {TEAMS[0][1]} and {TEAMS[1][1]} seats subscribe, two payers begin a trial and pay nothing "
            "yet"
        )

    def _add(self, plan: Plan, way: str, seats: int = 0) -> Subscriber:
        name = f"payer {len(self.subscribers) + 1}"
        actor = self.stage.funded(name, ether=way != "mandate with permit")
        self.stage.give(actor, SPENDING_MONEY)
        opened = self._subscribe(actor, plan, way, seats)
        self.counts.charges += opened.charges
        self.counts.ways[way] = self.counts.ways.get(way, 0) + 1
        self.subscribers.append(Subscriber(name, actor, plan, opened.subscription_id))
        return self.subscribers[-1]

    def _subscribe(self, actor: LocalAccount, plan: Plan, way: str, seats: int) -> Subscription:
        payer, periods = self.stage.as_(actor), PERIODS_ALLOWED
        if way == "approval":
            return payer.subscribe(plan, seats=seats, funding=Funding.APPROVE, periods=periods)
        if way == "permit":
            return payer.subscribe(plan, seats=seats, funding=Funding.PERMIT, periods=periods)
        if way == "mandate on an allowance":
            payer.approve(plan.plan_id, periods=periods)
            signed = payer.sign_mandate(plan, seats=seats, funding=Funding.ALLOWANCE)
        else:  # the payer has no ether at all: the merchant submits what they signed
            signed = payer.sign_mandate(plan, seats=seats, funding=Funding.PERMIT, periods=periods)
        return self.stage.merchant.submit_mandate(signed)

    # --- charging ---------------------------------------------------------------------------------------------------

    def _charge_every_30_seconds(self) -> None:
        short = [subscriber for subscriber in self.subscribers if subscriber.plan == self.plans[2]]
        before = self.counts.charges
        for _ in range(SHORT_CHARGES):
            self.stage.at(self.stage.anvil.timestamp + 31)
            self._round()
        for subscriber in short:
            self.stage.merchant.cancel_at_period_end(subscriber.subscription_id)
            self.counts.cancellations += 1
        charged = self.counts.charges - before
        self.tell(f"{charged} charges of the 30-second plan in five minutes; its {len(short)} payers then end it")

    def _month(self, month: int) -> None:
        due = Period(1, Unit.MONTH).later(self.start, month, ANCHOR_DAY)
        self.stage.market.month(month)
        if month == EMPTY_WALLET_IN:
            self.stage.take_all(self._monthly(0).account)
        if month == REVOKE_IN:
            self.stage.set_allowance(self._monthly(3).account, "0")
        if month == BLOCK_IN:
            self.stage.block(self.stage.merchant.address)
        self.stage.at(due + 2 * 3_600)  # by then all of them are due, the first subscribed as the last
        charged, declined = self._round()
        self.tell(f"month {month}: {charged} charged, {declined} declined")
        acts: dict[int, Callable[[], object]] = {
            SALE_IN: self._sell_once,
            ORDER_IN: self._order,
            EMPTY_WALLET_IN: lambda: self._recover(month),
            REVOKE_IN: lambda: self._recover(month),
            REFUND_IN: self._give_back,
            CANCEL_IN: self._cancel,
            REORGANISE_IN: lambda: self._reorganise(charged),
            UPGRADE_IN: lambda: self._change(self.plus, days=10),
            BLOCK_IN: self._claim,
            DOWNGRADE_IN: lambda: self._change(self.plans[0], days=20),
            SIGN_OFF_IN: self._sign_off,
            METER_IN: self._meter,
        }
        if month in acts:
            acts[month]()

    def _round(self) -> tuple[int, int]:
        """The mirror, a round of billing, the mirror again: charges and declines."""
        self.stage.market.say()
        self.stage.index()
        report = self.stage.bill()
        self.stage.index()
        self.counts.charges += report.charged
        self.counts.declines += len(report.declined)
        return report.charged, len(report.declined)

    # --- what goes wrong, and changes of mind -----------------------------------------------------------------------

    def _monthly(self, index: int) -> Subscriber:
        return [subscriber for subscriber in self.subscribers if subscriber.plan == self.plans[0]][index]

    def _recover(self, month: int) -> None:
        if month == EMPTY_WALLET_IN:
            payer, how = self._monthly(0), "fills the wallet again"
            self.stage.give(payer.account, SPENDING_MONEY)
        else:
            payer, how = self._monthly(3), "allows the charges again"
            self.stage.set_allowance(payer.account, SPENDING_MONEY)
        self.stage.at(self.stage.anvil.timestamp + DAY_S + 60)
        charged, _ = self._round()
        self.counts.recovered += charged
        self.tell(f"  {payer.name} {how}; the retry a day later charges {charged}")

    def _sell_once(self) -> None:
        sold = self.counts.sold_once = sell_once(self.stage)
        self.tell(
            f"  a customer pays {sold.invoice} from an exchange: {sold.first} of {sold.due} at first, then more than "
            f"the rest, and {sold.given_back} go back to an account that they prove"
        )
        self.tell(f"  a quote over {sold.quoted} is paid by a signature, {sold.partners} of it to a partner")

    def _give_back(self) -> None:
        self._refund()
        self.tell(f"  somebody pays a quote of {sell_for_euros(self.stage)}")

    def _exchange(self) -> None:
        """At the year's end, by the feed's rate and through a pool."""
        done = self.counts.exchanged = exchange_euros(self.stage)
        change = f"{done.gain} more" if done.gain.units >= 0 else f"{-done.gain} less"
        self.tell(
            f"the merchant exchanges {done.given} for {done.received}, at least {done.least}: {change} than they were "
            "worth when they came in"
        )

    def _order(self) -> None:
        order = self.counts.order = play_order(self.stage)
        self.tell(
            f"  an order is paid into escrow: the merchant captures {order.captured}, the buyer disputes the rest, and "
            f"the arbiter gives {order.to_payee} to the merchant, {order.to_payer} back, and takes {order.arbiter_fee}"
        )

    def _meter(self) -> None:
        found = self.counts.metering = play_metering(self.stage)
        self.tell(
            f"  a customer's program pays for {found.vouchers:,} requests by vouchers; the merchant claims "
            f"{found.claimed} at once, and gives {found.refunded} back"
        )

    def _refund(self) -> None:
        self.stage.merchant.refund(self._monthly(1).subscription_id, 2, "5.00")
        self.stage.merchant.refund(self._monthly(2).subscription_id, 3)
        self.counts.refunds += 2
        self.tell("  the merchant gives back 5.00 of one charge and the whole of another")

    def _cancel(self) -> None:
        leaver = self._monthly(4)
        self.stage.as_(leaver.account).cancel(leaver.subscription_id)
        self.counts.cancellations += 1
        self.tell(f"  {leaver.name} cancels")

    def _change(self, plan: Plan, *, days: int) -> None:
        """A monthly payer changes to another plan, so many days later."""
        changing = self._monthly(5)
        self.stage.at(self.stage.anvil.timestamp + days * DAY_S)
        payer, number = self.stage.as_(changing.account), changing.subscription_id
        before = payer.subscription(number).charges
        offer = payer.quote(number, plan, when="now")
        changed = payer.change_plan(number, plan, when="now")
        self.counts.charges += changed.charges - before
        self.counts.changes += 1
        done = f"pays {self._amount(offer.to_pay_units)} for the rest of the month"
        if not offer.to_pay_units:
            done = f"is credited {self._amount(changed.credit_units)}, which the next charge takes less"
        self.tell(f"  {days} days later {changing.name} changes to {self._amount(plan.terms.price_units)} and {done}")

    def _amount(self, units: int) -> Amount:
        return Amount(units, self.stage.merchant.token(self.stage.token))

    def _claim(self) -> None:
        """The stablecoin's issuer had blocked the merchant: the contract kept the charges until they could be paid."""
        merchant = self.stage.merchant
        kept = merchant.claimable(self.stage.token)
        self.stage.unblock(merchant.address)
        merchant.claim(self.stage.token)
        self.counts.claims += 1
        self.tell(f"  the merchant was blocked by the token, so the contract kept {kept}; unblocked, it claims them")

    def _sign_off(self) -> None:
        """A payer without ether signs the end, and the merchant submits it."""
        leaver = next(one for one in self.subscribers if one.plan == self.team and not self._has_ether(one))
        text = self.stage.as_(leaver.account).sign_cancellation(leaver.subscription_id).render()
        self.stage.merchant.submit_cancellation(parse_end(text))
        self.counts.cancellations += 1
        self.tell(f"  {leaver.name}, who has no coin for gas, signs a cancellation; the merchant submits it")

    def _has_ether(self, subscriber: Subscriber) -> bool:
        return int(self.stage.anvil.rpc("eth_getBalance", subscriber.account.address, "latest"), 16) > 0

    def _reorganise(self, charged: int) -> None:
        """The chain forgets its last block, with the charges in it; they are due again and charged again."""
        self.stage.anvil.reorg(1)
        done = self.stage.index()
        self.counts.reorgs += done.rolled_back_events is not None
        self.counts.rolled_back_events += done.rolled_back_events or 0
        self.counts.charges -= charged
        self.stage.at(self.stage.anvil.timestamp + 3_600)
        again, _ = self._round()
        self.tell(
            f"  a reorganisation takes back the last block: {done.rolled_back_events} pending events rolled back, "
            f"{again} charged again"
        )

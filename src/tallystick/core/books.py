"""The books of one contract: what each event does to plans, subscriptions, journal and invoices.

`Books.apply` is the only way from an event to anything that is derived from it. The mirror applies each final event
once and stores the change; readers apply the pending ones on top of what is stored; the audit applies them all again.

Every event is checked against what came before it. Plans and registers, the subscriptions of a register and the charges
of a subscription are numbered without gaps by the contract, and every amount follows from the terms, so that an event
which a node left out is noticed at the next one. Where one act makes several events, nothing is derived before the last
of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple, get_args

from tallystick.core.act import Act, PartOfCharge, refuse
from tallystick.core.alternative import named, offered, require_proposable, withdrawn
from tallystick.core.change import changed, objection, quote
from tallystick.core.charge import charged, kept_parts, require_credit, said
from tallystick.core.consent import ConsentEvent, consented, lowered, scheduled
from tallystick.core.events import (
    AlternativeOffered,
    AlternativeWithdrawn,
    CancellationScheduled,
    Cancelled,
    ChangeScheduled,
    Charged,
    Claimable,
    Claimed,
    CreditUsed,
    Declined,
    Event,
    FallbackPlanSet,
    Paused,
    PayeeChanged,
    PlanArchived,
    PlanChanged,
    PlanCreated,
    PlanProposed,
    PriceLowered,
    Recorded,
    Refunded,
    RegisterOpened,
    Resumed,
    SeatsSet,
    Subscribed,
    Upgraded,
    UsageCharged,
)
from tallystick.core.invoice import Invoice, Kind, Parts, QuotedPrice, Usage, credit_note_for, invoice_for
from tallystick.core.ledger import GENESIS_HASH, NOTHING_KEPT, Entry, Kept, claim_entry, entry_for
from tallystick.core.life import LifeEvent, lived, require_status
from tallystick.core.opening import needs_conditions, opened, require_opening, seated
from tallystick.core.pegs import PegHistory, peg_at
from tallystick.core.plan import Plan
from tallystick.core.register import created_plan, moved_register, opened_register
from tallystick.core.subscription import Register, Status, Subscription
from tallystick.core.usage import used


class ClaimableBalance(NamedTuple):
    """What the contract keeps for an account in a token, in base units."""

    account: str
    token: str
    units: int


class Change(NamedTuple):
    """What one event does: what it makes, and what stands differently after it. What it leaves alone is None."""

    plan: Plan | None = None
    subscription: Subscription | None = None
    entry: Entry | None = None
    invoice: Invoice | None = None
    register: Register | None = None
    claimables: tuple[ClaimableBalance, ...] = ()


_NOTHING = Change()


class Books:
    """Everything that the next event may need to know.

    Whoever keeps only a part in memory fills in the subscriptions that the coming events touch, and the charges that
    they refund: `refunded_charges` with the invoices of those which are older (`charge_invoices`). With `keep_all` the
    books remember everything themselves.
    """

    def __init__(self, pegs: PegHistory, *, keep_all: bool = False) -> None:
        self.pegs = pegs
        self.keep_all = keep_all
        self.refunded_charges: set[tuple[int, int]] = set()
        self.registers: dict[int, Register] = {}
        self.plans: dict[int, Plan] = {}
        self.subscriptions: dict[int, Subscription] = {}
        self.charge_invoices: dict[tuple[int, int], Invoice] = {}
        self.refunded_units: defaultdict[tuple[int, int], int] = defaultdict(int)
        self.claimables: dict[tuple[str, str], int] = {}
        self.entry_number = 0
        self.entry_hash = GENESIS_HASH
        self.invoice_numbers: dict[tuple[Kind, str], int] = {}
        self.act = Act()

    def apply(self, recorded: Recorded, *, final: bool = True) -> Change:
        """The change that an event makes; the books then stand after it.

        Only a final event is journalled and gets an invoice number. Raises EventsInconsistent for an event that cannot
        follow the ones before it.
        """
        if self.act:
            self.act.require_continued(recorded)
        event = recorded.event
        apply = self._VERBS.get(type(event))
        return _NOTHING if apply is None else apply(self, recorded, event, final)

    def has(self, subscriptions: Iterable[int], charges: Iterable[tuple[int, int]]) -> bool:
        """Whether these subscriptions, and the invoices of these charges, are in memory."""
        return all(number in self.subscriptions for number in subscriptions) and all(
            charge in self.charge_invoices for charge in charges
        )

    # --- registers and plans ---

    def _open_register(self, recorded: Recorded, event: RegisterOpened, _final: bool) -> Change:
        register = opened_register(recorded, event, self.registers)
        self.registers[register.register_id] = register
        self.act.add(recorded)
        return Change(register=register)

    def _change_payee(self, recorded: Recorded, event: PayeeChanged, _final: bool) -> Change:
        moved = moved_register(recorded, event, self.registers)
        self.registers[moved.register_id] = moved
        for plan in self.plans.values():
            if plan.register_id == moved.register_id:
                self.plans[plan.plan_id] = plan.paying(moved.payee)
        return Change(register=moved)

    def _create_plan(self, recorded: Recorded, event: PlanCreated, _final: bool) -> Change:
        plan = created_plan(recorded, event, self.registers, self.plans)
        self.act.end()
        self.plans[plan.plan_id] = plan
        return Change(plan=plan)

    def _archive_plan(self, recorded: Recorded, event: PlanArchived, _final: bool) -> Change:
        plan = self._plan(recorded, event.plan_id)
        if plan.archived:
            refuse(recorded, f"plan {plan.plan_id} is archived already")
        plan = replace(plan, archived=True)
        self.plans[plan.plan_id] = plan
        return Change(plan=plan)

    def _offer_alternative(self, recorded: Recorded, event: AlternativeOffered, _final: bool) -> Change:
        plan, alternative = self._plan(recorded, event.plan_id), self._plan(recorded, event.alternative_plan_id)
        plan = offered(recorded, event, plan, alternative)
        self.plans[plan.plan_id] = plan
        return Change(plan=plan)

    def _withdraw_alternative(self, recorded: Recorded, event: AlternativeWithdrawn, _final: bool) -> Change:
        plan = withdrawn(recorded, event, self._plan(recorded, event.plan_id))
        self.plans[plan.plan_id] = plan
        return Change(plan=plan)

    # --- a subscription's life ---

    def _subscribe(self, recorded: Recorded, event: Subscribed, _final: bool) -> Change:
        plan = self._plan(recorded, event.plan_id)
        register = self.registers[plan.register_id]
        if event.subscription_id != register.next_id:
            refuse(recorded, f"subscription {event.subscription_id} is opened where {register.next_id} is the next")
        subscription = opened(recorded, event, plan)
        must_go_on = plan.terms.seat_price_units or needs_conditions(recorded, event, plan.terms)
        if must_go_on or event.first_due == recorded.origin.block_time:
            self.act.add(recorded)
        register = register._replace(subscriptions=register.subscriptions + 1)
        self.registers[register.register_id] = register
        return self._keep(subscription)._replace(register=register)

    def _set_seats(self, recorded: Recorded, event: SeatsSet, _final: bool) -> Change:
        subscription = self._subscription(recorded, event.subscription_id)
        terms = self.plans[subscription.plan_id].terms
        after = seated(recorded, event, subscription, terms, self.act)
        opening = next(self.act.all(Subscribed))
        if subscription.next_due == recorded.origin.block_time or needs_conditions(*opening, terms):
            self.act.add(recorded)
        else:
            self.act.end()
        return self._keep(after)

    def _consent(self, recorded: Recorded, event: ConsentEvent, _final: bool) -> Change:
        subscription = self._subscription(recorded, event.subscription_id)
        terms = self.plans[subscription.plan_id].terms
        after = consented(recorded, event, subscription, terms)
        if self.act:
            require_opening(recorded, self.act, terms)
            if subscription.next_due == recorded.origin.block_time:  # it is charged at once
                self.act.add(recorded)
            else:
                self.act.end()
        return self._keep(after)

    def _schedule(self, recorded: Recorded, event: ChangeScheduled, _final: bool) -> Change:
        subscription = self._subscription(recorded, event.subscription_id)
        plan, new_plan = self.plans[subscription.plan_id], self._plan(recorded, event.plan_id)
        return self._keep(scheduled(recorded, event, subscription, plan, new_plan))

    def _lower(self, recorded: Recorded, event: PriceLowered, _final: bool) -> Change:
        subscription = self._subscription(recorded, event.subscription_id)
        coming = self.plans[(subscription.scheduled or subscription).plan_id]
        return self._keep(lowered(recorded, event, subscription, coming, self._plan(recorded, event.plan_id)))

    def _name_fallback_plan(self, recorded: Recorded, event: FallbackPlanSet, _final: bool) -> Change:
        subscription = self._subscription(recorded, event.subscription_id)
        plan, alternative = self.plans[subscription.plan_id], self._plan(recorded, event.alternative_plan_id)
        return self._keep(named(recorded, event, subscription, plan, alternative))

    def _propose(self, recorded: Recorded, event: PlanProposed, _final: bool) -> Change:
        subscription = self._subscription(recorded, event.subscription_id)
        require_proposable(recorded, event, subscription, self._plan(recorded, event.plan_id))
        return _NOTHING

    def _live(self, recorded: Recorded, event: LifeEvent, _final: bool) -> Change:
        return self._keep(lived(recorded, event, self._subscription(recorded, event.subscription_id)))

    # --- charges and changes ---

    def _charge(self, recorded: Recorded, event: Charged, final: bool) -> Change:
        subscription = self._subscription(recorded, event.subscription_id)
        if event.charge_number != subscription.charges + 1:
            refuse(recorded, f"charge {event.charge_number} follows charge {subscription.charges}")
        if self.act and self.act.kinds() == [UsageCharged]:
            return self._charge_usage(recorded, event, subscription, final)
        require_status(recorded, subscription, Status.ACTIVE)
        # Only a change of plan charges within a period, and it says itself what for.
        if subscription.next_due > recorded.origin.block_time:
            self.act.add(recorded)
            return _NOTHING
        due, plan, after, paid_by, payment_id = charged(recorded, event, subscription, self.plans, self.act)
        kept: Kept = NOTHING_KEPT
        claimables: list[Claimable] = []
        if self.act:
            kept, claimables = kept_parts(recorded, event, plan.terms, self.act)
            self.act.end()
        balances = tuple(self._claimable(account, token, units) for account, token, _, units in claimables)
        self.subscriptions[event.subscription_id] = after
        quoter = plan.terms.quoter
        quoted = QuotedPrice(due.asked_units, due.price_units, quoter) if quoter else None
        parts = Parts(due.credit_units, due.discount_units, quoted, paid_by, payment_id=payment_id)
        invoice = self._invoice(recorded, event, after, plan, final, parts)
        entry = self._journal(event, recorded, plan, kept) if final and event.amount_units else None
        return Change(None, after, entry, invoice, self._count(plan), balances)

    def _charge_usage(self, recorded: Recorded, event: Charged, subscription: Subscription, final: bool) -> Change:
        plan = self.plans[subscription.plan_id]
        ((_, told),) = self.act.all(UsageCharged)
        change = self._keep(used(recorded, event, told, subscription, plan.terms))
        self.act.end()
        usage = Usage(told.quantity, told.usage_hash)
        invoice = self._invoice(recorded, event, subscription, plan, final, Parts(usage=usage))
        entry = self._journal(event, recorded, plan, is_usage=True) if final else None
        return change._replace(invoice=invoice, entry=entry, register=self._count(plan))

    def _change_plan(self, recorded: Recorded, event: PlanChanged, final: bool) -> Change:
        subscription = self._subscription(recorded, event.subscription_id)
        plan, new_plan = self.plans[subscription.plan_id], self._plan(recorded, event.plan_id)
        time = recorded.origin.block_time
        if subscription.scheduled and subscription.next_due <= time and not self.act:
            self.act.add(recorded)  # its period is charged next, and checked against it
            return _NOTHING
        if refused := objection(subscription, plan, new_plan, event.seats, time):
            refuse(recorded, refused)
        done = quote(subscription, plan.terms, new_plan.terms, event.seats, time)
        if event.credit_units != done.credit_units:
            refuse(recorded, f"{event.credit_units} units of credit are left, expected are {done.credit_units}")
        after = changed(subscription, event.plan_id, event.seats, done)
        change = self._keep(after)
        parts = [CreditUsed] * (done.credit_used_units != 0) + [Charged] * (done.charged_units != 0)
        if self.act.kinds() != parts:
            found = ", ".join(kind.__name__ for kind in self.act.kinds()) or "nothing"
            refuse(
                recorded, f"it charges {done.charged_units} units, {done.credit_used_units} by credit; told was {found}"
            )
        if not parts:
            return change
        ((charged_at, charge),) = self.act.all(Charged)
        require_credit(charged_at, self.act, charge.charge_number, done.credit_used_units)
        wanted = (charge.subscription_id, after.charges, time, done.next_due, done.to_pay_units)
        if charge != wanted:
            refuse(charged_at, f"it is {said(*charge[2:])}, of the change that made it {said(*wanted[2:])}")
        stays = (event.seats, done.next_due) == (subscription.seats, subscription.next_due)
        in_one = charged_at.origin == recorded.origin
        if in_one != (stays and done.to_pay_units != 0):
            refuse(recorded, f"a change like this is told in {'two events' if in_one else 'one event'}")
        self.act.end()
        made_of = Parts(done.credit_used_units, change=done)
        invoice = self._invoice(charged_at, charge, after, new_plan, final, made_of)
        entry = self._journal(charge, charged_at, new_plan) if final and charge.amount_units else None
        return change._replace(invoice=invoice, entry=entry, register=self._count(new_plan))

    def _upgrade(self, recorded: Recorded, event: Upgraded, final: bool) -> Change:
        # As the two events that it stands for; where it is refused, it is one of them that is named.
        subscription, time = self._subscription(recorded, event.subscription_id), recorded.origin.block_time
        if subscription.next_due <= time:  # a charge of a period, else
            refuse(recorded, f"a charge is due since {subscription.next_due}")
        charge, change = event.parts(time, subscription.next_due, subscription.seats)
        self._charge(recorded._replace(event=charge), charge, final)
        return self._change_plan(recorded._replace(event=change), change, final)

    def _count(self, plan: Plan, *, refund: bool = False) -> Register:
        """One charge more, or one refund, of the plan's payee and token."""
        register = self.registers[plan.register_id]
        if refund:
            register = register._replace(refunds=register.refunds + 1)
        else:
            register = register._replace(charges=register.charges + 1)
        self.registers[register.register_id] = register
        return register

    def _invoice(
        self,
        recorded: Recorded,
        event: Charged,
        subscription: Subscription,
        plan: Plan,
        final: bool,
        parts: Parts,
    ) -> Invoice:
        """`plan` is the one under which it was charged, which may be one in another token than the subscription's."""
        terms = plan.terms
        invoice = invoice_for(
            event,
            recorded.origin,
            number=self._next_number(Kind.INVOICE, terms.payee) if final else None,
            payer=subscription.payer,
            plan_id=plan.plan_id,
            terms=terms,
            peg=peg_at(self.pegs, terms.token, recorded.origin.block_number),
            seats=subscription.seats,
            beneficiary=subscription.beneficiary,
            parts=parts,
        )
        key = (event.subscription_id, event.charge_number)
        if self.keep_all or key in self.refunded_charges:
            self.charge_invoices[key] = invoice
        return invoice

    def _await_charge(self, recorded: Recorded, event: PartOfCharge, _final: bool) -> Change:
        self._subscription(recorded, event.subscription_id)
        self.act.add(recorded)
        return _NOTHING

    # --- refunds and claims ---

    def _refund(self, recorded: Recorded, event: Refunded, final: bool) -> Change:
        subscription = self._subscription(recorded, event.subscription_id)
        key = (event.subscription_id, event.charge_number)
        charge = self.charge_invoices.get(key)
        if charge is None:
            refuse(recorded, f"it refunds charge {event.charge_number}, which is unknown")
        self.refunded_units[key] += event.amount_units
        if self.refunded_units[key] > charge.total_units:
            refuse(recorded, f"{self.refunded_units[key]} units refunded of a charge of {charge.total_units}")
        plan = self.plans[charge.plan_id]
        credit_note = credit_note_for(
            event,
            recorded.origin,
            charge,
            payee=plan.terms.payee,
            payer=subscription.payer,
            number=self._next_number(Kind.CREDIT_NOTE, plan.terms.payee) if final else None,
            # Valued as the invoice that it corrects, whatever was declared since.
            peg=peg_at(self.pegs, charge.token, charge.origin.block_number),
        )
        entry = self._journal(event, recorded, plan) if final else None
        return Change(invoice=credit_note, entry=entry, register=self._count(plan, refund=True))

    def _claim(self, recorded: Recorded, event: Claimed, final: bool) -> Change:
        found = self.claimables.get((event.account, event.token), 0)
        if not event.amount_units or event.amount_units != found:
            refuse(recorded, f"{event.amount_units} units are claimed, {found} are kept for {event.account}")
        balance = self._claimable(event.account, event.token, -found)
        entry = None
        if final:
            self.entry_number += 1
            entry = claim_entry(self.entry_number, event, recorded.origin, self.entry_hash)
            self.entry_hash = entry.hash
        return Change(entry=entry, claimables=(balance,))

    def _claimable(self, account: str, token: str, units: int) -> ClaimableBalance:
        total = self.claimables.get((account, token), 0) + units
        self.claimables[account, token] = total
        return ClaimableBalance(account, token, total)

    # --- parts ---

    def _journal(
        self,
        event: Charged | Refunded,
        recorded: Recorded,
        plan: Plan,
        kept: Kept = NOTHING_KEPT,
        *,
        is_usage: bool = False,
    ) -> Entry:
        self.entry_number += 1
        number, before = self.entry_number, self.entry_hash
        entry = entry_for(number, event, recorded.origin, plan.plan_id, plan.terms, before, kept, is_usage=is_usage)
        self.entry_hash = entry.hash
        return entry

    def _next_number(self, kind: Kind, payee: str) -> int:
        number = self.invoice_numbers.get((kind, payee), 0) + 1
        self.invoice_numbers[kind, payee] = number
        return number

    def _plan(self, recorded: Recorded, plan_id: int) -> Plan:
        found = self.plans.get(plan_id)
        if found is None:
            refuse(recorded, f"plan {plan_id} is unknown")
        return found

    def _subscription(self, recorded: Recorded, subscription_id: int) -> Subscription:
        found = self.subscriptions.get(subscription_id)
        if found is None:
            refuse(recorded, f"subscription {subscription_id} is unknown")
        return found

    def _keep(self, subscription: Subscription) -> Change:
        self.subscriptions[subscription.subscription_id] = subscription
        return Change(subscription=subscription)

    _VERBS: ClassVar[dict[type[Event], Callable[[Books, Recorded, Any, bool], Change]]] = {
        Charged: _charge,
        Refunded: _refund,
        Subscribed: _subscribe,
        SeatsSet: _set_seats,
        Cancelled: _live,
        CancellationScheduled: _live,
        Paused: _live,
        Resumed: _live,
        PlanChanged: _change_plan,
        Upgraded: _upgrade,
        **dict.fromkeys(get_args(PartOfCharge), _await_charge),
        **dict.fromkeys(get_args(ConsentEvent), _consent),
        ChangeScheduled: _schedule,
        PriceLowered: _lower,
        PlanProposed: _propose,
        FallbackPlanSet: _name_fallback_plan,
        Claimed: _claim,
        RegisterOpened: _open_register,
        PayeeChanged: _change_payee,
        PlanCreated: _create_plan,
        PlanArchived: _archive_plan,
        AlternativeOffered: _offer_alternative,
        AlternativeWithdrawn: _withdraw_alternative,
    }
    """What is done with each event. Of the others (declines, mandates) nothing follows."""


def touched(events: Iterable[Event]) -> tuple[list[int], list[tuple[int, int]]]:
    """The subscriptions from before that these events build on, and the charges that they refund: (subscription, charge
    number).

    A decline builds on nothing: it changes nothing, and may name a number that no subscription can have.
    """
    subscriptions: set[int] = set()
    opened: set[int] = set()
    charges: set[tuple[int, int]] = set()
    for event in events:
        if isinstance(event, Charged):  # by far the most
            subscriptions.add(event.subscription_id)
        elif isinstance(event, Refunded):
            subscriptions.add(event.subscription_id)
            charges.add((event.subscription_id, event.charge_number))
        elif isinstance(event, Subscribed):
            opened.add(event.subscription_id)
        elif not isinstance(event, Declined) and (number := getattr(event, "subscription_id", None)) is not None:
            subscriptions.add(number)
    return sorted(subscriptions - opened), sorted(charges)

"""`Tallystick`: plans, consent, changes, money, payments of every kind, each contract verb by its name."""

from __future__ import annotations

from tallystick.client.channels import ChannelVerbs
from tallystick.client.checkouts import CheckoutVerbs
from tallystick.client.consent import ConsentVerbs
from tallystick.client.conversions import ConversionVerbs
from tallystick.client.courts import CourtVerbs
from tallystick.client.money import MoneyVerbs
from tallystick.client.payments import PaymentVerbs
from tallystick.client.plans import PlanVerbs
from tallystick.client.subscriptions import SubscriptionVerbs
from tallystick.client.wallets import WalletVerbs


class Tallystick(
    PlanVerbs,
    ConsentVerbs,
    WalletVerbs,
    SubscriptionVerbs,
    MoneyVerbs,
    PaymentVerbs,
    CourtVerbs,
    CheckoutVerbs,
    ChannelVerbs,
    ConversionVerbs,
):
    """Tallystick's contracts on one chain, used by one account. Threads may share it."""

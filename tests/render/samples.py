"""Documents to render: ordinary ones and hostile ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tallystick.core.invoice import Kind
from tallystick.core.money import Amount, Currency, Token
from tallystick.render.document import (
    EscrowPayment,
    FiatValue,
    InvoiceDocument,
    Line,
    Party,
    Payment,
    QuotedPrice,
    Sale,
    Status,
    Usage,
)

USDC = Token(8453, "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", "USDC", 6)
DAI = Token(1, "0x6B175474E89094C44Da98b954EedeAC495271d0F", "DAI", 18)
USD = Currency("USD", 2)
PAID_AT = 1_795_292_525  # 21 November 2026, 20:22:05 UTC
MONTH_S = 30 * 86_400
MERCHANT = Party(
    name="Northwind Analytics GmbH",
    address=("Torstraße 140", "10119 Berlin", "Germany"),
    tax_id="DE 319 572 684",
    email="billing@northwind-analytics.example",
    account="0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
)
CUSTOMER = Party(
    name="Harbour & Finch Ltd",
    address=("22 Mortimer Street", "London W1T 3JL", "United Kingdom"),
    tax_id="GB 438 2291 77",
    account="0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
)
PAYMENT = Payment(
    chain_id=8453,
    contract="0x5FbDB2315678afecb367f032d93F642f64180aa3",
    transaction_hash="0x8f3c1e5b7a2d94601c8be27f5d3a6049b1e7c2d58f6a03947be1d2c5f8a7063b",
    log_index=17,
    block_number=38_214_907,
    block_hash="0x2b7ad1f04c9e6358017fd2ac4be95d130867fae2c1b94d5730e8a6f2d4c1b957",
    block_time=PAID_AT,
    sender="0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
    recipient="0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    token=USDC.address,
)
PAR = "par: 1 USDC = 1 USD, declared by the merchant"
HOSTILE = r"#panic() $x^2$ *bold* _it_ @ref <label> `raw` \u{41} // c /* c */ [x] {y} = h #{1+1} ~ -- --- ... 'q' "


def line(units: int, description: str = "Plan 3, one month", token: Token = USDC, quantity: int = 1) -> Line:
    amount = Amount(units, token)
    return Line(description, PAID_AT, PAID_AT + MONTH_S, quantity, amount, Amount(units * quantity, token))


def invoice(**changes: Any) -> InvoiceDocument:
    """A paid invoice over 49.00 USDC, with these fields changed."""
    lines = changes.pop("lines", (line(49_000_000),))
    total = Amount(sum(one.amount.units for one in lines), lines[0].amount.asset)
    fields: dict[str, Any] = {
        "kind": Kind.INVOICE,
        "number": "INV-000042",
        "status": Status.PAID,
        "issued_at": PAID_AT,
        "merchant": MERCHANT,
        "customer": CUSTOMER,
        "lines": lines,
        "total": total,
        "fiat": FiatValue(Amount(total.units // 10**4, USD), PAR) if total.asset == USDC else None,
        "payment": PAYMENT,
        "subscription_id": 118,
        "charge_number": 7,
    }
    return InvoiceDocument(**(fields | changes))


def credit_note(**changes: Any) -> InvoiceDocument:
    """A credit note over 12.50 USDC."""
    fields: dict[str, Any] = {
        "kind": Kind.CREDIT_NOTE,
        "number": "CN-000003",
        "lines": (line(12_500_000, "Refund of charge 7, plan 3"),),
        "refers_to": "INV-000042",
        "payment": replace(PAYMENT, sender=PAYMENT.recipient, recipient=PAYMENT.sender),
    }
    return invoice(**(fields | changes))


def many_lines(count: int = 60) -> InvoiceDocument:
    return invoice(
        lines=tuple(
            line(1_250_000 * (1 + n * n), f"Plan {n}, one month", quantity=1 + n % 4) for n in range(1, count + 1)
        )
    )


SAMPLES = {
    "invoice": invoice(),
    "pending": invoice(number=None, status=Status.PENDING),
    "credit_note": credit_note(),
    "refunded": invoice(status=Status.REFUNDED, refunded=Amount(49_000_000, USDC), credit_notes=("CN-000003",)),
    "partly_refunded": invoice(
        status=Status.PARTLY_REFUNDED, refunded=Amount(12_500_000, USDC), credit_notes=("CN-000003", "CN-000004")
    ),
    "credit": invoice(
        lines=(
            line(49_000_000),
            line(7_000_000, "Plan 3, seats for one month", quantity=12),
            line(-20_333_333, "Credit from a change of plan"),
        )
    ),
    "covered_by_credit": invoice(lines=(line(49_000_000), line(-49_000_000, "Credit from a change of plan"))),
    "usage": invoice(
        lines=(line(3_125_000, "Plan 3, 1,250,000 units of usage"),),
        usage=Usage(1_250_000, "0x5e1f0c9d7b3a2846f5e8c17d90b4a6325c8f1e7d04b93a6258c7f1e0d5b4a392"),
    ),
    "quoted": invoice(
        lines=(line(53_021_374, "Plan 3, one month, as quoted"), line(-3_000_000, "Discount by coupon")),
        quoted=QuotedPrice(4_900, Amount(53_021_374, USDC), "0x" + "9A" * 20),
        beneficiary="0x" + "7B" * 20,
        payment=replace(PAYMENT, sender="0x" + "6C" * 20),
    ),
    "escrow": invoice(
        lines=(replace(line(49_000_000, "Payment, milestone 2"), period_start=None, period_end=None),),
        subscription_id=None,
        charge_number=None,
        escrow=EscrowPayment("0x" + "5e" * 32, str(2**256 - 1)),
    ),
    "sale": invoice(
        number="SALE-000042",
        lines=(
            replace(line(25_000_000, "INV-2027-0042"), period_start=None, period_end=None),
            replace(line(-40_000, "Difference waived"), period_start=None, period_end=None),
        ),
        subscription_id=None,
        charge_number=None,
        sale=Sale("INV-2027-0042", "deposit", "0x" + "5a" * 32),
    ),
    "anonymous": invoice(
        merchant=Party(account=MERCHANT.account),
        customer=Party(account=CUSTOMER.account),
        fiat=None,
        lines=(replace(line(1), description="Plan 1, one period of 30 seconds", period_end=PAID_AT + 30),),
    ),
    "sixty_lines": many_lines(),
    "hostile": invoice(
        merchant=Party(name=HOSTILE, address=(HOSTILE * 3, "\x00\x07\x1b[31m\u202eabc"), tax_id='#read("/etc/passwd")'),
        customer=Party(
            name="W" * 400, address=("\ud800 \ue000 \ufdd0 \U0010ffff", "a\nb\rc"), account=CUSTOMER.account
        ),
        lines=(line(49_000_000, HOSTILE), line(1_000_000, "endless" * 60)),
    ),
    "scripts": invoice(
        merchant=Party(
            name="株式会社さくら分析 · 北京数据有限公司 · 주식회사 한빛",
            address=("東京都千代田区丸の内1-1-1", "서울특별시 중구 세종대로 110"),
        ),
        customer=Party(
            name="شركة النور للتجارة",
            address=(
                "שדרות רוטשילד 1, תל אביב",
                "ถนนสุขุมวิท กรุงเทพมหานคร",
                "महात्मा गांधी मार्ग, मुंबई",
                "Москва, Київ, Αθήνα, Đà Nẵng",
                "gm ☀️ 🚀 👩‍💻",
            ),
            account=CUSTOMER.account,
        ),
    ),
    "eighteen_decimals": invoice(
        lines=(line(1_234_567_123_456_789_012_345_678, token=DAI), line(5 * 10**18, token=DAI, quantity=3))
    ),
    "uint256": invoice(lines=(line(2**256 - 1, token=DAI),)),
    "unknown_script": invoice(customer=Party(name="𓀀𓀁 ᚠᚢ", account=CUSTOMER.account)),
}

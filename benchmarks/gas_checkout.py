"""What each verb of the checkout costs: part of `benchmarks.gas`."""

from __future__ import annotations

from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from benchmarks.scene import FUNDS_UNITS, PRICE_UNITS, Scene, account, calldata, measured
from benchmarks.standards import USDC, Measurement
from tallystick.contracts import load_artefact
from tallystick.core import quote as quotes
from tallystick.core.deposit import deposit_address
from tallystick.core.funding import Funding, permit2_data
from tallystick.core.permit import TokenDomain
from tallystick.core.permit2 import PERMIT2
from tallystick.core.quote import Quote, shared
from tests.contracts.permit2 import place_permit2

QUOTE = "(address,uint256,bytes32,address,uint256,uint40,(address,uint96)[])"
PAY = f"pay({QUOTE},bytes,address,uint8,bytes)"
LATER = 2_100_000_000
FEW, MOST = 20, 16


class Sales:
    """One merchant and one payer in a token, and quotes between them."""

    def __init__(self, scene: Scene, kind: str) -> None:
        self.scene, self.kind, self.token = scene, kind, scene.tokens[kind]
        checkout = load_artefact("Checkout")
        self.contract, self.code_hash = checkout.address, keccak(load_artefact("Deposit").creation_code)
        self.keys = {name: keccak(text=f"{kind} {name} of quotes") for name in ("merchant", "payer")}
        self.merchant, self.payer = (Account.from_key(key).address for key in self.keys.values())
        self.payees = [account(f"{kind} payee {number}") for number in range(MOST)]
        self.numbers = self.nonces = 0
        place_permit2(scene.anvil.rpc)
        scene.fund(kind, [self.payer, self.merchant], self.contract, PERMIT2)
        for payee in self.payees:
            scene.send(payee, self.token, calldata("mint(address,uint256)", payee, FUNDS_UNITS))

    def sign(self, name: str, message: dict[str, object]) -> bytes:
        """By the merchant's or the payer's key."""
        return bytes(Account.sign_typed_data(self.keys[name], full_message=message).signature)

    def offer(self, payees: int = 1) -> tuple[Quote, bytes]:
        """Another quote, with the merchant's signature."""
        payouts = shared(PRICE_UNITS, [(payee, 1) for payee in self.payees[:payees]])
        invoice = keccak(text=f"invoice {self.numbers}")
        quote = Quote(self.merchant, self.numbers, invoice, self.token, LATER, payouts)
        self.numbers += 1
        asked = quotes.typed_data(quote, chain_id=self.scene.anvil.chain_id, contract=self.contract)
        return quote, self.sign("merchant", asked)

    def pay(self, funding: Funding, payees: int = 1) -> int:
        """Another quote; the gas that its payment used."""
        quote, signature = self.offer(payees)
        chain_id, contract = self.scene.anvil.chain_id, self.contract
        data, sender = b"", self.scene.operator
        match funding:
            case Funding.PERMIT2:
                nonce, self.nonces = self.nonces, self.nonces + 1
                asked = quotes.permit2_typed_data(quote, nonce=nonce, chain_id=chain_id, contract=contract)
                data = permit2_data(nonce, self.sign("payer", asked))
            case Funding.AUTHORIZATION:
                token = TokenDomain("USD Coin", "2", chain_id, to_checksum_address(self.token))
                data = self.sign("payer", quotes.authorization_typed_data(quote, self.payer, token, contract=contract))
            case _:
                sender = self.payer
        return self.scene.send(sender, contract, calldata(PAY, quote.words, signature, self.payer, int(funding), data))

    def sweep(self, first: int, count: int) -> int:
        """Deposit addresses to which somebody sent money before; the gas for each."""
        invoices = [keccak(text=f"{self.kind} deposit {number}") for number in range(first, first + count)]
        for invoice in invoices:
            place = deposit_address(self.merchant, invoice, contract=self.contract, code_hash=self.code_hash)
            self.scene.send(self.payer, self.token, calldata("transfer(address,uint256)", place, PRICE_UNITS))
        data = calldata("sweep(address,address,bytes32[])", self.merchant, self.token, invoices)
        return self.scene.send(self.scene.operator, self.contract, data) // count


def checkout(scene: Scene, kind: str) -> list[Measurement]:
    """Each verb once, after the merchant was paid and swept before."""
    sales = Sales(scene, kind)
    sales.pay(Funding.ALLOWANCE)
    sales.pay(Funding.PERMIT2)
    sales.sweep(0, 1)
    gas = {
        ("pay a quote by the payer", 1): sales.pay(Funding.ALLOWANCE),
        ("pay a quote by the payer, to 16", 1): sales.pay(Funding.ALLOWANCE, MOST),
        ("pay a quote, Permit2", 1): sales.pay(Funding.PERMIT2),
    }
    if kind == USDC:
        gas["pay a quote, ERC-3009", 1] = sales.pay(Funding.AUTHORIZATION)
    gas["sweep", 1] = sales.sweep(1, 1)
    gas["sweep", FEW] = sales.sweep(2, FEW)
    gas["sweep again", 1] = sales.sweep(1, 1)
    return [measured(op, kind, rows, used) for (op, rows), used in gas.items()]

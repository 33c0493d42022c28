"""Payment channels on the stage: their terms, what is signed for them, written anew from the interface's documentation,
and what of them the tests look at."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.contracts.payments import DOMAIN_FIELDS, RECEIVE_FIELDS, digest, domain_of, fields, signed
from tests.contracts.permit2 import PERMIT2
from tests.contracts.signing import PERMIT_FIELDS
from tests.contracts.stage import NOBODY, UNLIMITED, Account, Contract, Receipt, Stage, balances_move

AMOUNT = 100_000_000
"""A hundred of a token with 6 decimals."""
DELAY = 86_400
MIN_DELAY, MAX_DELAY = 900, 30 * 86_400
ALLOWANCE, PERMIT, PERMIT2_WITNESS, AUTHORIZATION, COLLECTOR = range(5)
"""How the money comes."""
(
    NONE,
    STALE,
    ABOVE_VOUCHER,
    LATER_OPENING,
    ABOVE_BALANCE,
    INVALID_SIGNATURE,
    ABOVE_LIMIT,
    KEY_EXPIRED,
) = range(8)
"""Why a voucher pays nothing."""
OPENING = 2**96
"""The sums of a channel go on from a multiple of this after each closing."""
EVERYTHING = 2**128 - 1
"""In place of an amount to withdraw."""
CONFIG_FIELDS = (
    "address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,address token,"
    "uint40 withdrawDelay,bytes32 salt"
)
TYPES = {
    "ChannelConfig": CONFIG_FIELDS,
    "Voucher": "bytes32 channelId,uint128 maxClaimableAmount",
    "Refund": "bytes32 channelId,uint256 nonce,uint128 amount",
    "ClaimBatch": "ClaimEntry[] claims",
    "ClaimEntry": "bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed",
    "SpendingKey": "bytes32 channelId,address key,uint128 maxClaimableAmount,uint40 validBefore",
}


class Config(NamedTuple):
    """The terms of a channel, in the order of the contract's struct."""

    payer: str
    payer_authorizer: str
    receiver: str
    receiver_authorizer: str
    token: str
    withdraw_delay: int = DELAY
    salt: bytes = bytes(32)

    def message(self) -> dict[str, Any]:
        """By the names that are signed."""
        return dict(zip((field["name"] for field in fields(CONFIG_FIELDS)), self, strict=True))


class Channel(NamedTuple):
    """A channel as the contract tells it."""

    deposited: int
    claimed: int = 0
    opening: int = 0
    withdrawing: int = 0
    withdrawal_since: int = 0
    closing: bool = False
    refunds: int = 0


class Voucher(NamedTuple):
    """Of a channel, up to a sum, and what the receiver asks for of it; 0: all, where it may leave it open."""

    config: Config
    most: int
    signature: bytes
    total: int = 0

    def claim(self) -> tuple[tuple[Config, int], bytes, int]:
        """As `claim` takes it."""
        return (self.config, self.most), self.signature, self.total or self.most

    def row(self, *, by_spending_key: bool = False) -> bytes:
        """As `claimRows` takes it."""
        return (
            bytes.fromhex(self.config.payer[2:] + self.config.payer_authorizer[2:])
            + self.config.salt
            + self.most.to_bytes(16, "big")
            + (len(self.signature) | by_spending_key << 15 | bool(self.total) << 14).to_bytes(2, "big")
            + (self.total.to_bytes(16, "big") if self.total else b"")
            + self.signature
        )


def typed(primary: str, message: dict[str, Any], contract: str, chain_id: int = 31_337) -> dict[str, Any]:
    """A message of the contract."""
    names = [primary, "ClaimEntry"] if primary == "ClaimBatch" else [primary]
    return {
        "types": {"EIP712Domain": fields(DOMAIN_FIELDS)} | {name: fields(TYPES[name]) for name in names},
        "primaryType": primary,
        "domain": domain_of(contract, name="x402 Batch Settlement", chain_id=chain_id),
        "message": message,
    }


class Channels:
    """The contract under test with those who are party to channels; see `conftest.py`."""

    def __init__(self, stage: Stage, contract: Contract, payers: list[Account], named: dict[str, Account]) -> None:
        self.stage, self.contract, self.payers = stage, contract, payers
        self.payer, self.anyone = payers[0], stage.anyone
        self.receiver = named["receiver"]
        self.authorizer = named["authorizer"]
        self.key = named["key"]
        self._salts = itertools.count(1)

    # --- Terms, and what is signed for them ---

    def config(self, **changes: Any) -> Config:
        """Of a channel unlike any before, whose vouchers the payer signs by its key, unless `changes` say so."""
        usual = {
            "payer": self.payer,
            "payer_authorizer": NOBODY,
            "receiver": self.receiver,
            "receiver_authorizer": self.authorizer,
            "token": self.stage.token,
            "salt": keccak(next(self._salts).to_bytes(32, "big")),
        }
        chosen = {name: getattr(value, "address", value) for name, value in (usual | changes).items()}
        return Config(**chosen)

    def id(self, config: Config, *, contract: str | None = None, chain_id: int = 31_337) -> bytes:
        """What names the channel."""
        return digest(typed("ChannelConfig", config.message(), contract or self.contract.address, chain_id))

    def voucher_data(self, config: Config, most: int, **domain: Any) -> dict[str, Any]:
        """The message of a voucher."""
        message = {"channelId": self.id(config), "maxClaimableAmount": most}
        return typed("Voucher", message, domain.pop("contract", self.contract.address), **domain)

    def voucher(
        self, config: Config, most: int, total: int = 0, *, key: Account | None = None, **domain: Any
    ) -> Voucher:
        """Signed by the first payer unless `key` is another."""
        return Voucher(config, most, signed(key or self.payer, self.voucher_data(config, most, **domain)), total)

    def spending_key_data(self, config: Config, key: Account, limit: int, valid_before: int) -> dict[str, Any]:
        """The message of a key that may sign vouchers of no more than `limit`."""
        message = {
            "channelId": self.id(config),
            "key": key.address,
            "maxClaimableAmount": limit,
            "validBefore": valid_before,
        }
        return typed("SpendingKey", message, self.contract.address)

    def by_spending_key(
        self,
        config: Config,
        most: int,
        total: int = 0,
        *,
        limit: int = AMOUNT,
        valid_before: int = 2**40 - 1,
        key: Account | None = None,
        owner: Account | None = None,
    ) -> bytes:
        """A row whose voucher a key signed that the owner, by default the payer, signed for."""
        key = key or self.key
        of_key = signed(owner or self.payer, self.spending_key_data(config, key, limit, valid_before))
        head = bytes.fromhex(key.address[2:]) + limit.to_bytes(16, "big") + valid_before.to_bytes(5, "big")
        of_voucher = self.voucher(config, most, key=key).signature
        return Voucher(config, most, head + of_voucher + of_key, total).row(by_spending_key=True)

    def batch_data(self, vouchers: list[Voucher]) -> dict[str, Any]:
        """The message of a batch of claims."""
        entries = [
            {"channelId": self.id(each.config), "maxClaimableAmount": each.most, "totalClaimed": each.claim()[2]}
            for each in vouchers
        ]
        return typed("ClaimBatch", {"claims": entries}, self.contract.address)

    def refund_data(self, config: Config, nonce: int, amount: int) -> dict[str, Any]:
        """The message of a refund."""
        message = {"channelId": self.id(config), "nonce": nonce, "amount": amount}
        return typed("Refund", message, self.contract.address)

    def authorization(
        self,
        config: Config,
        amount: int,
        *,
        to: str | None = None,
        key: Account | None = None,
        salt: int = 7,
        before: int = 2**40 - 1,
        **changes: Any,
    ) -> bytes:
        """USDC's ERC-3009 authorization for a deposit: packed for `AUTHORIZATION`, as x402 encodes it where
        it is to a collector."""
        nonce = keccak(encode(["bytes32", "uint256"], [self.id(config), salt]))
        message = {
            "from": config.payer,
            "to": to or self.contract.address,
            "value": amount,
            "validAfter": 0,
            "validBefore": before,
            "nonce": nonce,
        }
        data = {
            "types": {"EIP712Domain": fields(DOMAIN_FIELDS), "ReceiveWithAuthorization": fields(RECEIVE_FIELDS)},
            "primaryType": "ReceiveWithAuthorization",
            "domain": domain_of(config.token, name="USD Coin", version="2"),
            "message": message | changes,
        }
        signature = signed(key or self.payer, data)
        if to is None:
            return before.to_bytes(5, "big") + salt.to_bytes(32, "big") + signature
        return encode(["uint256", "uint256", "uint256", "bytes"], [0, before, salt, signature])

    def permit2_transfer(
        self,
        config: Config,
        amount: int,
        *,
        spender: str | None = None,
        nonce: int = 0,
        key: Account | None = None,
        permit: bytes = b"",
        **changes: Any,
    ) -> bytes:
        """Permit2's transfer for a deposit, as `PERMIT2_WITNESS` and the collector take it."""
        outer = "TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,DepositWitness witness"
        message = {
            "permitted": {"token": config.token, "amount": amount},
            "spender": spender or self.contract.address,
            "nonce": nonce,
            "deadline": UNLIMITED,
            "witness": {"channelId": self.id(config)},
        }
        data = {
            "types": {
                "EIP712Domain": fields("string name,uint256 chainId,address verifyingContract"),
                "PermitWitnessTransferFrom": fields(outer),
                "TokenPermissions": fields("address token,uint256 amount"),
                "DepositWitness": fields("bytes32 channelId"),
            },
            "primaryType": "PermitWitnessTransferFrom",
            "domain": {"name": "Permit2", "chainId": 31_337, "verifyingContract": PERMIT2},
            "message": message | changes,
        }
        signature = signed(key or self.payer, data)
        return encode(["uint256", "uint256", "bytes", "bytes"], [nonce, UNLIMITED, signature, permit])

    def permit(self, token: Contract, owner: Account, *, spender: str | None = None, value: int = UNLIMITED) -> bytes:
        """An EIP-2612 permit, a word for each of value, deadline, v, r and s."""
        message = {
            "owner": owner.address,
            "spender": spender or self.contract.address,
            "value": value,
            "nonce": token.nonces(owner),
            "deadline": UNLIMITED,
        }
        data = {
            "types": {"EIP712Domain": fields(DOMAIN_FIELDS), "Permit": fields(PERMIT_FIELDS)},
            "primaryType": "Permit",
            "domain": domain_of(token.address, name=token.name()),
            "message": message,
        }
        signature = signed(owner, data)
        words = [value, UNLIMITED, signature[64], signature[:32], signature[32:64]]
        return encode(["uint256", "uint256", "uint8", "bytes32", "bytes32"], words)

    # --- Verbs ---

    def fund(self, config: Config, amount: int = AMOUNT, *, sender: Account | None = None) -> Receipt:
        """Somebody, by default the payer, deposits by allowance."""
        return self.contract.fill(config, amount, ALLOWANCE, b"", sender=sender or self.payer)

    def opened(self, amount: int = AMOUNT, **changes: Any) -> Config:
        """A channel with money in it."""
        config = self.config(**changes)
        self.fund(config, amount)
        return config

    def claim_rows(
        self, *rows: bytes | Voucher, sender: Account | None = None, token: Contract | None = None
    ) -> Receipt:
        """The receiver's authorizer claims rows of the usual terms."""
        packed = b"".join(row.row() if isinstance(row, Voucher) else row for row in rows)
        common = (self.receiver, self.authorizer, token or self.stage.token, DELAY)
        return self.contract.claimRows(*common, packed, sender=sender or self.authorizer)

    def claim(self, *vouchers: Voucher, sender: Account | None = None) -> Receipt:
        """The receiver's authorizer claims as x402 does."""
        return self.contract.claim([each.claim() for each in vouchers], sender=sender or self.authorizer)

    def withdraw(self, config: Config, amount: int = EVERYTHING) -> Receipt:
        """The payer announces a withdrawal, waits, and has it paid out."""
        self.contract.initiateWithdraw(config, amount, sender=self.payer)
        self.stage.at(self.stage.now + config.withdraw_delay)
        return self.contract.finalizeWithdraw(config, sender=self.payer)

    # --- What the chain says ---

    def state(self, config: Config) -> Channel:
        """What the channel has."""
        found = self.contract.channel(self.id(config))
        return Channel(
            found.deposited,
            found.claimed,
            found.opening,
            found.withdrawing,
            found.withdrawalSince,
            found.closing,
            found.refunds,
        )

    def sums(self, config: Config) -> tuple[int, int]:
        """Balance and what was claimed, as x402 reads them."""
        found = self.contract.channels(self.id(config))
        return int(found.balance), int(found.totalClaimed)

    def totals(self, token: Contract | None = None) -> tuple[int, int]:
        """What was claimed for the receiver, and what was paid to it."""
        found = self.contract.receivers(self.receiver, token or self.stage.token)
        return int(found.totalClaimed), int(found.totalSettled)

    def events(self, receipt: Receipt) -> list[tuple[str, dict[str, Any]]]:
        """Name and values of the contract's own events in a transaction, in order; terms are left out."""
        return [
            (event.event_name, {name: value for name, value in event.event_arguments.items() if name != "config"})
            for event in receipt.events
            if event.contract_address == self.contract.address
        ]

    def same(self, told: Any, config: Config) -> bool:
        """Whether an event tells these terms: its addresses come in lower case."""
        found = [value.lower() if isinstance(value, str) else value for value in told]
        return found == [value.lower() if isinstance(value, str) else value for value in config]

    def skipped(self, receipt: Receipt) -> list[tuple[bytes, int]]:
        """Channel and reason of each row that paid nothing."""
        found = [values for name, values in self.events(receipt) if name == "ClaimSkipped"]
        return [(bytes(values["channelId"]), int(values["reason"])) for values in found]

    @contextlib.contextmanager
    def moves(self, token: Contract | None = None, **units: int) -> Iterator[None]:
        """The body changes these balances, of parties by their names here, by so much, and no other party's."""
        names = ("payer", "receiver", "authorizer", "key", "anyone", "contract")
        parties = {name: getattr(self, name) for name in names}
        with balances_move(token or self.stage.token, parties, units):
            yield

    @contextlib.contextmanager
    def nothing_changes(self, *tokens: Contract) -> Iterator[None]:
        """No transaction of the body stores anything in the contract or the tokens."""
        addresses = [self.contract.address, *(token.address for token in tokens or (self.stage.token,))]
        with self.stage.nothing_stored(addresses):
            yield

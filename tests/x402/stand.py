"""x402's own code around our contract: a chain with the contract where x402 expects it, a facilitator and a merchant
that are asked over HTTP, and buyers.

Of x402, nothing is changed or left out. Its servers are framework-agnostic; what stands here in a framework's place
reads requests and writes responses, and the merchant's pages are one line of text.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests
from ape_ethereum.multicall.constants import MULTICALL3_CODE
from eth_abi.abi import encode
from eth_account import Account
from eth_utils.address import to_checksum_address
from x402 import x402ClientSync, x402FacilitatorSync, x402ResourceServerSync
from x402.http import FacilitatorConfig, HTTPFacilitatorClientSync
from x402.http.clients.requests import wrapRequestsWithPayment
from x402.http.types import HTTPRequestContext, PaymentOption, RouteConfig
from x402.http.x402_http_server import x402HTTPResourceServerSync
from x402.mechanisms.evm.batch_settlement import constants
from x402.mechanisms.evm.batch_settlement.authorizer_signer import LocalAuthorizerSigner
from x402.mechanisms.evm.batch_settlement.client import BatchSettlementEvmScheme, BatchSettlementEvmSchemeOptions
from x402.mechanisms.evm.batch_settlement.facilitator import BatchSettlementEvmFacilitator
from x402.mechanisms.evm.batch_settlement.server import (
    BatchSettlementChannelManagerSync,
    BatchSettlementEvmSchemeServerConfig,
    ChannelManagerConfigSync,
)
from x402.mechanisms.evm.batch_settlement.server import BatchSettlementEvmScheme as ServerScheme
from x402.mechanisms.evm.constants import MULTICALL3_ADDRESS
from x402.mechanisms.evm.signers import EthAccountSignerWithRPC, FacilitatorWeb3Signer
from x402.schemas import AssetAmount, PaymentPayload, PaymentRequirements

from tallystick.testing import Anvil
from tests.contracts.permit2 import PERMIT2, place_permit2

BUILD = Path(__file__).parent.parent.parent / ".build" / "__local__.json"
NETWORK = "eip155:31337"
SCHEME = constants.SCHEME_BATCH_SETTLEMENT
PRICE = 1_000
"""Of a page, in units of the token."""
FUNDS = 10**12
TIMEOUT_S = 100_000
"""How long what buyers sign is good for: longer than any test moves the chain's clock."""
PAGE = "the page"
CHANNELS = constants.BATCH_SETTLEMENT_ADDRESS


def built(name: str) -> tuple[bytes, list[dict[str, Any]]]:
    """Creation code and ABI of a contract, from Ape's build."""
    found = json.loads(BUILD.read_text())["contractTypes"][name]
    return bytes.fromhex(found["deploymentBytecode"]["bytecode"].removeprefix("0x")), found["abi"]


class Chain:
    """An Anvil with the contract and its collectors at x402's addresses, Permit2, Multicall3, and two tokens."""

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        self.usdc = self.create("MockUSDC")
        self.token = self.create("MockToken", encode(["string", "string", "uint8"], ["Mock Dollar", "MUSD", 6]))
        at = encode(["address"], [CHANNELS])
        self._place("Channels", CHANNELS)
        self._place("AuthorizationCollector", constants.ERC3009_DEPOSIT_COLLECTOR_ADDRESS, at)
        self._place("Permit2Collector", constants.PERMIT2_DEPOSIT_COLLECTOR_ADDRESS, at)
        anvil.rpc("anvil_setCode", MULTICALL3_ADDRESS, "0x" + bytes(MULTICALL3_CODE).hex())
        place_permit2(anvil.rpc)

    def create(self, name: str, arguments: bytes = b"") -> str:
        """Creates a contract; its address."""
        data = "0x" + (built(name)[0] + arguments).hex()
        sent = self.anvil.rpc(
            "eth_sendTransaction", {"from": self.anvil.address(0), "data": data, "gas": hex(15_000_000)}
        )
        return str(to_checksum_address(self.anvil.receipt(sent)["contractAddress"]))

    def _place(self, name: str, address: str, arguments: bytes = b"") -> None:
        """The code that the constructor made, with what it keeps in it, at the address that x402 has for it."""
        code = self.anvil.rpc("eth_getCode", self.create(name, arguments), "latest")
        self.anvil.rpc("anvil_setCode", address, code)

    def call(self, address: str, name: str, function: str, *arguments: Any) -> Any:
        """What a contract answers."""
        return getattr(self._contract(address, name).functions, function)(*arguments).call()

    def send(self, key: str, address: str, name: str, function: str, *arguments: Any) -> Any:
        """A transaction of a key's account; its receipt."""
        web3 = self._web3()
        account = Account.from_key(key)
        call = getattr(self._contract(address, name).functions, function)(*arguments)
        nonce = web3.eth.get_transaction_count(account.address)
        built_call = call.build_transaction({"from": account.address, "nonce": nonce, "gas": 500_000})
        sent = web3.eth.send_raw_transaction(account.sign_transaction(built_call).raw_transaction)
        receipt = web3.eth.wait_for_transaction_receipt(sent)
        assert receipt["status"] == 1
        return receipt

    def _contract(self, address: str, name: str) -> Any:
        return self._web3().eth.contract(address=to_checksum_address(address), abi=built(name)[1])

    def _web3(self) -> Any:
        from web3 import Web3

        return Web3(Web3.HTTPProvider(self.anvil.url))

    def balance(self, token: str, account: str) -> int:
        """In units of the token."""
        return int(self.call(token, "MockToken", "balanceOf", account))

    def sums(self, channel_id: str) -> tuple[int, int]:
        """Balance and what was claimed."""
        balance, claimed = self.call(CHANNELS, "Channels", "channels", bytes.fromhex(channel_id[2:]))
        return int(balance), int(claimed)


class _Request:
    """A request as x402's server reads it."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self._handler = handler

    def get_header(self, name: str) -> str | None:
        return self._handler.headers.get(name)

    def get_method(self) -> str:
        return self._handler.command

    def get_path(self) -> str:
        return self._handler.path

    def get_url(self) -> str:
        return f"http://{self._handler.headers['Host']}{self._handler.path}"

    def get_accept_header(self) -> str:
        return self._handler.headers.get("accept", "")

    def get_user_agent(self) -> str:
        return self._handler.headers.get("user-agent", "")

    def get_query_params(self) -> dict[str, str | list[str]]:
        return {}

    def get_query_param(self, name: str) -> None:  # noqa: ARG002 - x402's signature
        return None

    def get_body(self) -> None:
        return None


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server on a free port; its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def facilitator(chain: Chain) -> Iterator[str]:
    """x402's facilitator, asked over HTTP; its address."""
    signer = FacilitatorWeb3Signer(chain.anvil.key(1), chain.anvil.url)
    service = x402FacilitatorSync()
    service.register([NETWORK], BatchSettlementEvmFacilitator(signer))

    class Handler(_Handler):
        def do_GET(self) -> None:
            assert self.path == "/supported"
            self.say(service.get_supported())

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            payload = PaymentPayload.model_validate(asked["paymentPayload"])
            requirements = PaymentRequirements.model_validate(asked["paymentRequirements"])
            self.say({"/verify": service.verify, "/settle": service.settle}[self.path](payload, requirements))

        def say(self, answer: Any) -> None:
            body = answer.model_dump_json(by_alias=True, exclude_none=True).encode()
            self.answer(200, {"Content-Type": "application/json"}, body)

    with serving(Handler) as url:
        yield url


class Merchant:
    """x402's server with a page to sell, and its manager of channels."""

    def __init__(self, chain: Chain, facilitator_url: str, token: str, method: str, charged: int = PRICE) -> None:
        self.chain, self.token = chain, token
        self.receiver, self.authorizer = chain.anvil.address(2), Account.from_key(chain.anvil.key(3))
        self.charged = charged
        self._facilitator = HTTPFacilitatorClientSync(FacilitatorConfig(url=facilitator_url))
        config = BatchSettlementEvmSchemeServerConfig(
            receiver_authorizer_signer=LocalAuthorizerSigner(self.authorizer),
            onchain_state_ttl_ms=0,  # it looks at the chain each time: the tests move the clock
        )
        self.scheme = ServerScheme(self.receiver, config)
        resources = x402ResourceServerSync(self._facilitator)
        scheme: Any = self.scheme  # its own package's types do not know it for one
        resources.register(NETWORK, scheme)
        name, version = ("USD Coin", "2") if token == chain.usdc else ("Mock Dollar", "1")
        extra = {"name": name, "version": version, "assetTransferMethod": method}
        price = AssetAmount(amount=str(PRICE), asset=token, extra=extra)
        option = PaymentOption(SCHEME, self.receiver, price, NETWORK, max_timeout_seconds=TIMEOUT_S, extra=extra)
        self.pages = x402HTTPResourceServerSync(resources, {"GET /page": RouteConfig(accepts=option)})
        self.pages.initialize()
        self.manager = BatchSettlementChannelManagerSync(
            ChannelManagerConfigSync(self.scheme, self._facilitator, self.receiver, token, NETWORK)
        )
        self.sold = 0

    @contextlib.contextmanager
    def open(self) -> Iterator[str]:
        """Sells; the address of the page."""
        merchant = self

        class Handler(_Handler):
            def do_GET(self) -> None:
                merchant.serve(self)

        with serving(Handler) as url:
            yield f"{url}/page"

    def serve(self, handler: _Handler) -> None:
        """Verifies, shows the page, settles: the order that x402's middlewares have."""
        request = HTTPRequestContext(
            adapter=_Request(handler),
            path=handler.path,
            method="GET",
            payment_header=handler.headers.get("payment-signature"),
        )
        result = self.pages.process_http_request(request)
        if result.type == "payment-error":
            assert result.response is not None
            body = json.dumps(result.response.body or {}).encode()
            handler.answer(result.response.status, result.response.headers, body)
            return
        assert result.type == "payment-verified"
        assert result.payment_payload is not None
        assert result.payment_requirements is not None
        self.sold += 1
        settled = self.pages.process_settlement(
            result.payment_payload,
            result.payment_requirements,
            context=request,
            settlement_overrides={"amount": str(self.charged)} if self.charged != PRICE else None,
            declared_extensions=result.declared_extensions,
            before_handler_settlement=result.before_handler_settlement,
        )
        if settled.success:
            handler.answer(200, settled.headers, PAGE.encode())
        else:
            assert settled.response is not None
            handler.answer(settled.response.status, settled.response.headers, b"{}")


class Buyer:
    """x402's client with a wallet of its own, who has money and lets Permit2 move it."""

    def __init__(self, chain: Chain, number: int) -> None:
        self.chain = chain
        self.key, self.address = chain.anvil.key(number), chain.anvil.address(number)
        for token in (chain.usdc, chain.token):
            chain.send(self.key, token, "MockToken", "mint", self.address, FUNDS)
            chain.send(self.key, token, "MockToken", "approve", PERMIT2, 2**256 - 1)
        self.forget()

    def forget(self) -> None:
        """All that the client remembers of its channels."""
        signer = EthAccountSignerWithRPC(Account.from_key(self.key), self.chain.anvil.url)
        self.scheme = BatchSettlementEvmScheme(signer, BatchSettlementEvmSchemeOptions())
        client = x402ClientSync()
        client.set_spend_controls(False)  # else it takes the tokens that it knows alone
        client.register(NETWORK, self.scheme)
        self.session = wrapRequestsWithPayment(requests.Session(), client)

    def buy(self, url: str) -> requests.Response:
        """The page, paid for."""
        return self.session.get(url, timeout=60)

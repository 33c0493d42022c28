// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ICheckout} from "../../contracts/interfaces/ICheckout.sol";
import {MockToken} from "../../contracts/mocks/MockToken.sol";
import {MockUSDC} from "../../contracts/mocks/MockUSDC.sol";
import {Bringer, WitnessedTransfer} from "./EscrowScene.sol";
import {Forge} from "./Forge.sol";
import {PERMIT2} from "./Permit2.sol";

/// @dev Errors that are not of the interface.
interface CheckoutErrors {
    error InsufficientGas(uint256 found, uint256 needed);
    error ReentrancyGuardReentrantCall();
}

/// @notice Merchants and payers, what they sign, written anew from the documentation, and the contract as Ape compiled it.
abstract contract CheckoutScene is Forge {
    uint256 internal constant START = 1_801_389_600; // 31 January 2027, 10:00
    uint256 internal constant PAYER_KEY = 0xA11CE;
    uint256 internal constant MERCHANT_KEY = 0x5E11E4;
    string internal constant PAYOUT = "Payout(address payee,uint256 amount)";
    string internal constant QUOTE =
        "Quote(address merchant,uint256 number,bytes32 invoice,address token,uint256 amount,uint256 validBefore,Payout[] payouts)";

    ICheckout internal checkout;
    MockToken internal token;
    MockUSDC internal usdc;
    Bringer internal bringer;
    address internal payer = vm.addr(PAYER_KEY);
    address internal merchant = vm.addr(MERCHANT_KEY);
    address internal stranger = address(0xc0ffee);

    function _build() internal {
        vm.warp(START);
        bytes memory code = _creationCode();
        address deployed;
        assembly ("memory-safe") {
            deployed := create(0, add(code, 0x20), mload(code))
        }
        vm.assertTrue(deployed != address(0), "deployed");
        checkout = ICheckout(deployed);
        (token, usdc, bringer) = (new MockToken("Mock Dollar", "MUSD", 6), new MockUSDC(), new Bringer());
        vm.etch(PERMIT2, type(WitnessedTransfer).runtimeCode);
    }

    /// @dev As Ape compiled it: the code that is shipped.
    function _creationCode() internal view virtual returns (bytes memory) {
        string memory key = ".contractTypes.Checkout.deploymentBytecode.bytecode";
        return vm.parseJsonBytes(vm.readFile(".build/__local__.json"), key);
    }

    /// @dev Good for a day, in parts of 1, 2, 3 ... units above `amount`, to payees 0xBEE1, 0xBEE2 and so on.
    function _quote(uint256 number, uint256 parts, uint96 amount) internal view returns (ICheckout.Quote memory quote) {
        (quote.merchant, quote.number, quote.invoice) = (merchant, number, keccak256(abi.encode(number)));
        (quote.token, quote.validBefore) = (address(token), uint40(START + 1 days));
        quote.payouts = new ICheckout.Payout[](parts);
        for (uint256 i = 0; i < parts; ++i) {
            quote.payouts[i] = ICheckout.Payout(_payeeOf(i), amount + uint96(i));
            quote.amount += amount + i;
        }
    }

    function _payeeOf(uint256 i) internal pure returns (address) {
        return address(uint160(0xBEE1 + i));
    }

    function _structHash(ICheckout.Quote memory quote) internal pure returns (bytes32) {
        bytes memory parts;
        for (uint256 i = 0; i < quote.payouts.length; ++i) {
            bytes memory part = abi.encode(keccak256(bytes(PAYOUT)), quote.payouts[i].payee, quote.payouts[i].amount);
            parts = bytes.concat(parts, keccak256(part));
        }
        bytes32 kind = keccak256(bytes(string.concat(QUOTE, PAYOUT)));
        bytes memory words = abi.encode(quote.merchant, quote.number, quote.invoice, quote.token, quote.amount);
        return keccak256(bytes.concat(kind, words, abi.encode(quote.validBefore, keccak256(parts))));
    }

    function _digest(bytes32 structHash) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Tallystick Checkout"),
                keccak256("1"),
                block.chainid,
                address(checkout)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function _signed(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _offer(ICheckout.Quote memory quote) internal view returns (bytes memory) {
        return _signed(MERCHANT_KEY, _digest(_structHash(quote)));
    }

    function _acceptance(uint256 key, ICheckout.Quote memory quote) internal view returns (bytes memory) {
        bytes32 kind = keccak256(bytes(string.concat("Acceptance(address payer,Quote quote)", PAYOUT, QUOTE)));
        return _signed(key, _digest(keccak256(abi.encode(kind, vm.addr(key), _structHash(quote)))));
    }

    /// @dev An EIP-2612 permit to the contract in the mock token.
    function _permit(uint256 key, uint256 value) internal view returns (bytes memory) {
        bytes32 kind = keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        address owner = vm.addr(key);
        bytes32 inner = keccak256(
            abi.encode(kind, owner, address(checkout), value, token.nonces(owner), type(uint256).max)
        );
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(key, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), inner)));
        return abi.encode(value, type(uint256).max, v, r, s);
    }

    /// @dev USDC's ERC-3009.
    function _authorization(uint256 key, ICheckout.Quote memory quote) internal view returns (bytes memory) {
        bytes32 inner = keccak256(
            abi.encode(
                usdc.RECEIVE_WITH_AUTHORIZATION_TYPEHASH(),
                vm.addr(key),
                address(checkout),
                quote.amount,
                0,
                uint256(quote.validBefore),
                _digest(_structHash(quote))
            )
        );
        return _signed(key, keccak256(abi.encodePacked(hex"1901", usdc.DOMAIN_SEPARATOR(), inner)));
    }

    /// @dev The payer tells what stands for Permit2 what it would have signed there.
    function _agreesInPermit2(address owner, ICheckout.Quote memory quote, uint256 nonce)
        internal
        returns (bytes memory)
    {
        WitnessedTransfer.PermitTransferFrom memory permit;
        permit.permitted = WitnessedTransfer.TokenPermissions(quote.token, quote.amount);
        (permit.nonce, permit.deadline) = (nonce, quote.validBefore - 1);
        string memory kind =
            string.concat("Quote witness)", PAYOUT, QUOTE, "TokenPermissions(address token,uint256 amount)");
        bytes32 agreement =
            WitnessedTransfer(PERMIT2).agreementOf(permit, address(checkout), _structHash(quote), kind);
        vm.prank(owner);
        WitnessedTransfer(PERMIT2).agree(agreement);
        return abi.encode(nonce);
    }
}

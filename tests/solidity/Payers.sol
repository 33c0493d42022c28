// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {Payees} from "./Payees.sol";

/// @notice How payers consent at random, directly and by signatures, true ones and forged ones.
abstract contract Payers is Payees {
    uint256 internal constant SUBSCRIPTIONS = 24;
    uint256 internal constant SALTS = 12;
    bytes32 private constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    // -------------------------------------------------------------- subscribe

    function subscribe(uint256 payerSeed, uint256 planSeed, uint256 seats, uint256 permitSeed) public clocked {
        if (ids.length == SUBSCRIPTIONS) return;
        (address payer, uint256 planId) = (payers[payerSeed % PAYERS], planSeed % plans.length + 1);
        seats = _someSeats(planId, seats);
        bytes32 terms = subscriptions.termsHash(permitSeed % 32 == 7 ? planId % plans.length + 1 : planId);
        bool allowed = terms == subscriptions.termsHash(planId) && _isOpenTo(payer, planId, seats)
            && _termsOf(planId).quoter == address(0);
        bytes memory data = abi.encodeCall(subscriptions.subscribe, (planId, terms, seats));
        string memory what = "subscribed";
        if (permitSeed % 4 == 0) {
            Permit memory permit = _permitOf(payerSeed % PAYERS, _termsOf(planId).token, permitSeed / 4);
            data = abi.encodeCall(subscriptions.subscribeWithPermit, (planId, terms, seats, permit));
            what = "subscribed with a permit";
        }
        _consents(what, payer, payer, planId, seats, data, allowed);
    }

    /// @dev `forger`: a fourth is signed with another payer's key.
    function submitMandate(uint256 payerSeed, uint256 planSeed, uint256 seats, uint256 salt, uint256 forger)
        external
        clocked
    {
        if (ids.length == SUBSCRIPTIONS) return;
        Mandate memory mandate = _someMandate(payerSeed, planSeed, seats, salt);
        bool forged = forger % 4 == 0;
        uint256 signer = forged ? payerSeed % PAYERS + 1 : payerSeed % PAYERS;
        bytes memory signature = _sign(signer % PAYERS, subscriptions.mandateHash(mandate));
        bool allowed = !forged && !saltUsed[mandate.payer][mandate.salt] && mandate.validBefore > _now()
            && _isOpenTo(mandate.payer, mandate.planId, mandate.seats)
            && _termsOf(mandate.planId).quoter == address(0);
        bytes memory data = abi.encodeCall(subscriptions.submitMandate, (mandate, signature));
        string memory what = "mandate";
        if (salt % 4 == 0) {
            Permit memory permit = _permitOf(payerSeed % PAYERS, _termsOf(mandate.planId).token, forger / 4);
            data = abi.encodeCall(subscriptions.submitMandateWithPermit, (mandate, signature, permit));
            what = "mandate with a permit";
        }
        _consents(what, address(0xc0ffee), mandate.payer, mandate.planId, mandate.seats, data, allowed);
    }

    function _someMandate(uint256 payerSeed, uint256 planSeed, uint256 seats, uint256 salt)
        private
        view
        returns (Mandate memory)
    {
        uint256 planId = planSeed % plans.length + 1;
        uint256 validBefore = salt % 9 == 8 ? _now() : _now() + 1;
        return Mandate(payers[payerSeed % PAYERS], planId, _someSeats(planId, seats), salt % SALTS, validBefore);
    }

    /// @dev The payer's consent holds for this call.
    function _consents(
        string memory what,
        address sender,
        address payer,
        uint256 planId,
        uint256 seats,
        bytes memory data,
        bool allowed
    ) internal {
        bytes32 consent = _consent(payer, planId, seats);
        if (allowed) ++consents[consent];
        (bool ok, bytes memory answer) = _tries(what, sender, data);
        vm.assertTrue(allowed || !ok, "Inv-1: no subscription without consent");
        if (ok || !allowed) return;
        --consents[consent];
        _assertLack(answer, _termsOf(planId).token);
    }

    /// @dev An honest token refuses only for want of money.
    function _assertLack(bytes memory failure, address token) internal view {
        if (token != tokens[HONEST]) return;
        bytes4 why = bytes4(failure);
        vm.assertTrue(why == AllowanceTooLow.selector || why == BalanceTooLow.selector, "only money can be lacking");
    }

    function _isOpenTo(address payer, uint256 planId, uint256 seats) internal view returns (bool) {
        return payer != _payeeOf(planId) && !archived[planId] && _sells(planId, seats) && _termsOf(planId).feeReceiver != payer;
    }

    // ----------------------------------------------------------------- revoke

    function revokeMandate(uint256 payerSeed, uint256 salt) external clocked {
        address payer = payers[payerSeed % PAYERS];
        bool unused = !saltUsed[payer][salt % SALTS];
        _mustDo("revoked", payer, abi.encodeCall(subscriptions.revokeMandate, (salt % SALTS)), unused);
    }

    function revokeMandateBySignature(uint256 payerSeed, uint256 salt, uint256 forger) external clocked {
        address payer = payers[payerSeed % PAYERS];
        bool forged = forger % 3 == 0;
        bytes32 typehash = keccak256("Revocation(address payer,uint256 salt)");
        bytes32 digest = _digest(keccak256(abi.encode(typehash, payer, salt % SALTS)));
        bytes memory signature = _sign((payerSeed % PAYERS + (forged ? 1 : 0)) % PAYERS, digest);
        bool allowed = !saltUsed[payer][salt % SALTS] && !forged;
        bytes memory data = abi.encodeCall(subscriptions.revokeMandateBySignature, (payer, salt % SALTS, signature));
        _mustDo("revoked by signature", address(0xc0ffee), data, allowed);
    }

    // ------------------------------------------------------------------ parts

    /// @dev Mostly as many as the plan may sell.
    function _someSeats(uint256 planId, uint256 seed) internal view returns (uint256) {
        if (seed % 16 == 15) return bound(seed / 16, 0, 2 ** 24);
        return _termsOf(planId).seatPrice == 0 ? 0 : seed % 7 + 1;
    }

    /// @dev Of any allowance; a fourth is signed for another one.
    function _permitOf(uint256 payer, address token, uint256 seed) private view returns (Permit memory) {
        uint256 value = seed % 2 == 0 ? type(uint256).max : bound(seed, 0, 1e10);
        bytes memory signature = new bytes(65);
        if (token != tokens[USDT]) {
            uint256 signed = seed % 4 == 3 ? value / 2 : value;
            uint256 nonce = IERC20Permit(token).nonces(payers[payer]);
            bytes32 structHash =
                keccak256(abi.encode(PERMIT_TYPEHASH, payers[payer], address(subscriptions), signed, nonce, _now()));
            bytes32 domain = IERC20Permit(token).DOMAIN_SEPARATOR();
            signature = _sign(payer, keccak256(abi.encodePacked(hex"1901", domain, structHash)));
        }
        (bytes32 r, bytes32 s) = (bytes32(0), bytes32(0));
        assembly ("memory-safe") {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
        }
        return Permit(value, _now(), uint8(signature[64]), r, s);
    }

    function _sign(uint256 payer, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_keyOf(payer), digest);
        return abi.encodePacked(r, s, v);
    }

    function _digest(bytes32 structHash) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Tallystick Subscriptions"),
                keccak256("1"),
                block.chainid,
                address(subscriptions)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }
}

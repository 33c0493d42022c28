// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Consents} from "./Consents.sol";

/// @notice How other wallets come in at random: to pay where the payer cannot, to take a payer's place, or a payee's.
abstract contract Wallets is Consents {
    bytes32 private constant FALLBACK_TYPEHASH = keccak256(
        "Fallback(uint256 subscriptionId,address payer,address wallet,bytes32 terms,uint256 seats,uint256 salt,uint256 validBefore)"
    );
    bytes32 private constant PAYER_CHANGE_TYPEHASH = keccak256(
        "PayerChange(uint256 subscriptionId,address payer,address newPayer,bytes32 terms,uint256 seats,uint256 maxPerPeriod,uint256 endsAt,uint256 salt,uint256 validBefore)"
    );
    bytes32 private constant PAYEE_CHANGE_TYPEHASH =
        keccak256("PayeeChange(address payee,address token,address newPayee,uint256 salt,uint256 validBefore)");

    // ---------------------------------------------------------------- fallback

    /// @dev A fourth is signed with another wallet's key, an eighth for one seat more. The payer often needs it soon.
    function setFallback(uint256 idSeed, uint256 walletSeed, uint256 salt, uint256 caller, uint256 forger)
        external
        clocked
    {
        uint256 id = _someId(idSeed, Status.Active);
        Subscription storage row = rows[id];
        (uint256 wallet, address sender) = (walletSeed % PAYERS, _senderOf(row.payer, caller));
        askedWallet = payers[wallet];
        bytes memory signature = _fallbackSignature(id, wallet, salt % SALTS, forger);
        PlanTerms storage terms = _termsOf(row.planId);
        bool allowed = sender == row.payer && row.status != Status.Cancelled && forger % 4 > 0 && forger / 4 % 8 > 0
            && terms.quoter == address(0) && askedWallet != terms.feeReceiver && !saltUsed[askedWallet][salt % SALTS];
        bytes memory data =
            abi.encodeCall(subscriptions.setFallback, (id, askedWallet, salt % SALTS, _now() + 1, signature));
        _mustDo("fallback set", sender, data, allowed);
        if (!allowed) return;
        saltUsed[askedWallet][salt % SALTS] = true;
        if (forger % 8 < 5 || terms.token != tokens[HONEST]) return;
        _approve(row.payer, terms.token, address(subscriptions), 0);
    }

    function _fallbackSignature(uint256 id, uint256 wallet, uint256 salt, uint256 forger)
        private
        view
        returns (bytes memory)
    {
        Subscription storage row = rows[id];
        bytes32 terms = subscriptions.termsHash(row.planId);
        uint256 seats = row.seats + (forger / 4 % 8 == 0 ? 1 : 0);
        bytes32 digest = _digest(
            keccak256(
                abi.encode(FALLBACK_TYPEHASH, id, row.payer, payers[wallet], terms, seats, salt, _now() + 1)
            )
        );
        return _sign((wallet + (forger % 4 == 0 ? 1 : 0)) % PAYERS, digest);
    }

    /// @dev Mostly one that is offered. The payer often needs it soon.
    function setFallbackPlan(uint256 idSeed, uint256 planSeed, uint256 caller, uint256 need) external clocked {
        uint256 id = _someId(idSeed, Status.Active);
        for (uint256 i = 0; i < ids.length && planSeed % 8 > 0 && _offeredTo(id, planSeed) == 0; ++i) {
            id = ids[(idSeed % ids.length + i) % ids.length];
        }
        Subscription storage row = rows[id];
        askedAlternative = _offeredTo(id, planSeed);
        if (askedAlternative == 0) askedAlternative = planSeed % plans.length + 1;
        address sender = _senderOf(row.payer, caller);
        bool allowed = sender == row.payer && caller % 16 != 5 && _isNameable(id, askedAlternative);
        uint256 seen = caller % 16 != 5 ? askedAlternative : askedAlternative % plans.length + 1;
        bytes32 terms = subscriptions.termsHash(seen);
        bytes memory data = abi.encodeCall(subscriptions.setFallbackPlan, (id, askedAlternative, terms));
        _mustDo("fallback plan set", sender, data, allowed);
        if (!allowed || need % 4 == 0) return;
        address token = _termsOf(row.planId).token;
        if (token == tokens[HONEST]) _approve(row.payer, token, address(subscriptions), 0);
    }

    function _offeredTo(uint256 id, uint256 seed) private view returns (uint256 alternativeId) {
        for (uint256 i = 0; i < plans.length; ++i) {
            alternativeId = (seed % plans.length + i) % plans.length + 1;
            if (_isAlternative(rows[id].planId, alternativeId)) return alternativeId;
        }
        return 0;
    }

    function dropFallback(uint256 idSeed, uint256 caller) external clocked {
        uint256 id = ids[idSeed % ids.length];
        for (uint256 i = 0; i < ids.length && !_hasFallback(id); ++i) {
            id = ids[i];
        }
        address wallet = fallbacks[id].wallet;
        bool byWallet = wallet != address(0) && caller % 2 == 0;
        address sender = _senderOf(byWallet ? wallet : rows[id].payer, caller / 2);
        bool allowed = _hasFallback(id) && (sender == wallet || sender == rows[id].payer);
        _mustDo("fallback dropped", sender, abi.encodeCall(subscriptions.dropFallback, (id)), allowed);
    }

    // ------------------------------------------------------------------- payer

    /// @dev Sent by one of both, whose signature is empty, or by anybody. A fourth is forged.
    function changePayer(uint256 idSeed, uint256 walletSeed, uint256 salt, uint256 caller, uint256 forger)
        external
        clocked
    {
        uint256 id = _someId(idSeed, Status.Active);
        (address payer, uint256 wallet) = (rows[id].payer, walletSeed % PAYERS);
        (askedWallet, salt) = (payers[wallet], salt % SALTS);
        address sender = _senderOf(payer, caller);
        bool signed = forger % 4 > 0 || sender == askedWallet;
        bool allowed = signed && _mayChangePayer(id) && !saltUsed[payer][salt] && !saltUsed[askedWallet][salt];
        uint256 signer = (wallet + (forger % 4 == 0 ? 1 : 0)) % PAYERS;
        _mustDo("payer changed", sender, _payerChange(id, signer, salt), allowed);
        if (allowed) saltUsed[payer][salt] = true;
    }

    function _mayChangePayer(uint256 id) private view returns (bool) {
        Subscription storage row = rows[id];
        bool isDue = row.status == Status.Active && row.nextDue <= _now();
        return !isDue && row.status != Status.Cancelled && askedWallet != row.payer
            && askedWallet != _termsOf(row.planId).feeReceiver;
    }

    function _payerChange(uint256 id, uint256 signer, uint256 salt) private view returns (bytes memory) {
        bytes32 digest = _payerChangeDigest(id, salt);
        bytes memory byPayer = _sign(_indexOf(rows[id].payer), digest);
        bytes memory bySecond = _sign(signer, digest);
        return abi.encodeCall(subscriptions.changePayer, (id, askedWallet, salt, _now() + 1, byPayer, bySecond));
    }

    function _payerChangeDigest(uint256 id, uint256 salt) private view returns (bytes32) {
        Subscription storage row = rows[id];
        Limits storage limit = limits[id];
        bytes32 terms = subscriptions.termsHash(row.planId);
        return _digest(
            keccak256(
                abi.encode(
                    PAYER_CHANGE_TYPEHASH,
                    id,
                    row.payer,
                    askedWallet,
                    terms,
                    row.seats,
                    limit.maxPerPeriod,
                    limit.endsAt,
                    salt,
                    _now() + 1
                )
            )
        );
    }

    function _indexOf(address payer) internal view returns (uint256 found) {
        while (payers[found] != payer) {
            ++found;
        }
    }

    // ------------------------------------------------------------------- payee

    /// @dev Seldom: a register that was handed over is not the one that most plans are made for.
    function changePayee(uint256 planSeed, uint256 newSeed, uint256 salt, uint256 forger) external clocked {
        if (forger % 3 > 0) return;
        uint256 planId = planSeed % plans.length + 1;
        (address payee, address token) = (_payeeOf(planId), _termsOf(planId).token);
        uint256 next = newSeed % PAYEES;
        if (forger / 3 % 4 > 0) next = _freePayee(token, next);
        salt %= SALTS;
        bool forged = forger / 12 % 4 == 0;
        bool allowed = !forged && registerAfter[payees[next]][token] == 0 && !saltUsed[payee][salt]
            && !saltUsed[payees[next]][salt];
        uint256 signer = PAYERS + (next + (forged ? 1 : 0)) % PAYEES;
        _mustDo("payee changed", payee, _payeeChange(planId, payees[next], signer, salt), allowed);
        if (allowed) saltUsed[payee][salt] = true;
    }

    function _payeeChange(uint256 planId, address newPayee, uint256 signer, uint256 salt)
        private
        view
        returns (bytes memory)
    {
        (address payee, address token, uint256 validBefore) = (_payeeOf(planId), _termsOf(planId).token, _now() + 1);
        bytes32 digest =
            _digest(keccak256(abi.encode(PAYEE_CHANGE_TYPEHASH, payee, token, newPayee, salt, validBefore)));
        bytes memory signature = _sign(signer, digest);
        return abi.encodeCall(
            subscriptions.changePayee, (payee, token, newPayee, salt, validBefore, "", signature)
        );
    }

    function _freePayee(address token, uint256 first) private view returns (uint256 found) {
        for (uint256 i = 0; i < PAYEES; ++i) {
            found = (first + i) % PAYEES;
            if (registerAfter[payees[found]][token] == 0) return found;
        }
    }
}

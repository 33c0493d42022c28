// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Model} from "./Model.sol";

/// @notice What payees do at random: sell, stop selling, give back. What only they may do is tried by others as well.
abstract contract Payees is Model {
    uint256 private constant PLANS = 20;
    uint256 private constant BLOCK_GAS = 30_000_000;
    address internal constant BILLER = address(0xb111);

    // ------------------------------------------------------------------ plans

    /// @dev Of every kind, an eighth of them not valid.
    function createPlan(uint256 seed, uint256 price, uint256 caller) external clocked {
        if (plans.length == PLANS) return;
        PlanTerms memory terms = _randomTerms(uint256(keccak256(abi.encode(seed))), price);
        _create(terms, _senderOf(terms.payee, caller));
    }

    function archivePlan(uint256 seed, uint256 caller) external clocked {
        uint256 planId = seed % plans.length + 1;
        if (caller % 5 > 1) return; // seldom: plans without subscribers are dull
        address payee = _payeeOf(planId);
        address sender = _senderOf(payee, caller);
        bool allowed = sender == payee && !archived[planId];
        _does("plan archived", sender, abi.encodeCall(subscriptions.archivePlan, (planId)), allowed);
    }

    function _create(PlanTerms memory terms, address sender) internal {
        askedTerms = keccak256(abi.encode(terms));
        uint256 before = plans.length;
        bytes memory call = abi.encodeCall(subscriptions.createPlan, (terms));
        bool allowed = _isValid(terms) && sender == terms.payee;
        _mustDo("plan created", sender, call, allowed);
        vm.assertEq(plans.length, before + (allowed ? 1 : 0), "a plan");
    }

    function _randomTerms(uint256 seed, uint256 price) private view returns (PlanTerms memory terms) {
        terms.payee = payees[seed % PAYEES];
        terms.token = tokens[(seed >> 8) % TOKENS];
        if (seed >> 16 & 1 == 0) {
            PlanTerms storage other = _termsOf(uint256(uint8(seed >> 24)) % plans.length + 1);
            (terms.payee, terms.token) = (_payeeOf(uint256(uint8(seed >> 24)) % plans.length + 1), other.token);
        }
        terms.unit = Unit((seed >> 32) % 5);
        terms.every = uint32(1 + (seed >> 40) % (terms.unit == Unit.Second ? 2_000_000 : 3));
        terms.catchUp = uint8((seed >> 48) % 4);
        terms.price = uint96(bound(price, 0, 1e8));
        if (seed >> 56 & 1 == 0 || terms.price == 0) terms.seatPrice = uint96(1 + (seed >> 64) % 1e8);
        if ((seed >> 72) % 3 == 0) terms.trial = uint32(1 + (seed >> 80) % 30 days);
        if ((seed >> 88) % 3 == 0) terms.grace = uint32(1 + (seed >> 96) % 40 days);
        if ((seed >> 104) % 4 == 0) terms.minCharges = uint16(1 + (seed >> 112) % 4);
        if ((seed >> 120) % 4 == 0) terms.maxCharges = terms.minCharges + uint16(1 + (seed >> 128) % 3);
        if (seed >> 136 & 1 == 0) {
            terms.feeBps = uint16(1 + (seed >> 144) % 9_999);
            terms.feeReceiver = collectors[(seed >> 160) % collectors.length];
        }
        terms.family = uint16(seed >> 168 & 1);
        if (terms.minCharges == 0 && terms.maxCharges == 0) _meter(terms, seed >> 192);
        if (seed >> 188 & 3 == 0) terms.alignTo = uint32(_now() - (seed >> 190) % 300 days);
        if (seed >> 210 & 3 == 0) terms.quoter = address(quoter);
        if (terms.quoter == address(0)) terms.refundsUnused = seed >> 212 & 1 == 0;
        if (seed >> 176 & 7 == 0) _spoil(terms, (seed >> 184) % 16);
    }

    /// @dev Half of them sell usage, at prices from a millionth of a base unit.
    function _meter(PlanTerms memory terms, uint256 seed) private view {
        if (seed % 2 == 0) return;
        (terms.usageCap, terms.usagePrice) = (uint96(1 + (seed >> 1) % 1e8), uint96(1 + (seed >> 32) % 1e7));
        terms.biller = [address(0), BILLER, payers[0], terms.payee][(seed >> 60) % 4];
    }

    function _spoil(PlanTerms memory terms, uint256 how) private view {
        if (how == 13) terms.alignTo = uint32(_now() + 1);
        if (how == 14) terms.quoter = address(1);
        if (how == 15) (terms.quoter, terms.refundsUnused) = (address(quoter), true);
        if (how == 0) terms.payee = address(0);
        if (how == 1) terms.token = address(0);
        if (how == 2) (terms.price, terms.seatPrice) = (0, 0);
        if (how == 3) terms.every = 0;
        if (how == 4) (terms.feeBps, terms.feeReceiver) = (10_000, address(1));
        if (how == 5) (terms.feeBps, terms.feeReceiver) = (1, address(0));
        if (how == 6) (terms.feeBps, terms.feeReceiver) = (0, address(1));
        if (how == 7) (terms.minCharges, terms.maxCharges) = (3, 2);
        if (how == 8) (terms.usageCap, terms.usagePrice) = (1, 0);
        if (how == 9) (terms.usageCap, terms.usagePrice, terms.biller) = (0, 1, address(0));
        if (how == 10) (terms.usageCap, terms.usagePrice, terms.biller) = (0, 0, BILLER);
        if (how == 11) (terms.usageCap, terms.usagePrice, terms.minCharges) = (1, 1, 1);
        if (how == 12) (terms.usageCap, terms.usagePrice, terms.maxCharges) = (1, 1, terms.minCharges + 1);
    }

    // ------------------------------------------------------------ alternatives

    /// @dev Three fourths: one that may be offered, which is made for it where there is none yet.
    function offerAlternative(uint256 planSeed, uint256 tokenSeed, uint256 price, uint256 caller) external clocked {
        uint256 planId = planSeed % plans.length + 1;
        uint256 alternativeId = tokenSeed % plans.length + 1;
        if (planSeed % 4 > 0) (planId, alternativeId) = _somePair(planId, tokenSeed, price);
        address payee = _payeeOf(planId);
        address sender = _senderOf(payee, caller);
        bool allowed =
            sender == payee && _isOfferable(planId, alternativeId) && !offered[planId][alternativeId];
        bytes memory data = abi.encodeCall(subscriptions.offerAlternative, (planId, alternativeId));
        _mustDo("alternative offered", sender, data, allowed);
    }

    /// @dev Of a plan to which somebody is subscribed.
    function _somePair(uint256 first, uint256 tokenSeed, uint256 price)
        private
        returns (uint256 planId, uint256 alternativeId)
    {
        planId = rows[_anyId(first)].planId;
        for (alternativeId = plans.length; alternativeId > 0; --alternativeId) {
            if (_isOfferable(planId, alternativeId) && !offered[planId][alternativeId]) return (planId, alternativeId);
        }
        alternativeId = planId;
        PlanTerms memory terms = _termsOf(planId);
        if (terms.quoter != address(0) || terms.refundsUnused || plans.length >= PLANS + 5) return (planId, planId);
        _create(_alternativeTo(terms, _payeeOf(planId), tokenSeed, price), _payeeOf(planId));
        return (planId, plans.length);
    }

    function _alternativeTo(PlanTerms memory terms, address payee, uint256 tokenSeed, uint256 price)
        private
        view
        returns (PlanTerms memory other)
    {
        (other.payee, other.unit, other.every, other.alignTo) = (payee, terms.unit, terms.every, terms.alignTo);
        other.token = tokens[tokenSeed % TOKENS];
        if (other.token == terms.token) other.token = tokens[(tokenSeed % TOKENS + 1) % TOKENS];
        other.price = uint96(bound(price, 1, 1e8));
        if (terms.seatPrice > 0) other.seatPrice = uint96(1 + price % 1e7);
        if (tokenSeed / TOKENS % 2 == 0) {
            (other.feeBps, other.feeReceiver) = (uint16(1 + tokenSeed % 9_999), collectors[tokenSeed % 2]);
        }
    }

    /// @dev Seldom.
    function withdrawAlternative(uint256 planSeed, uint256 caller) external clocked {
        if (caller % 4 > 0) return;
        uint256 planId = planSeed % plans.length + 1;
        uint256 alternativeId = planSeed / 32 % plans.length + 1;
        for (uint256 i = 0; i < plans.length * plans.length && !offered[planId][alternativeId]; ++i) {
            (planId, alternativeId) = (i / plans.length + 1, i % plans.length + 1);
        }
        address sender = _senderOf(_payeeOf(caller % 8 > 0 ? planId : alternativeId), caller / 8);
        bool isPayee = sender == _payeeOf(planId) || sender == _payeeOf(alternativeId);
        bytes memory data = abi.encodeCall(subscriptions.withdrawAlternative, (planId, alternativeId));
        _mustDo("alternative withdrawn", sender, data, isPayee && offered[planId][alternativeId]);
    }

    function proposePlan(uint256 idSeed, uint256 planSeed, uint256 caller) external clocked {
        uint256[] memory some = new uint256[](2);
        (some[0], some[1]) = (_anyId(idSeed), _anyId(idSeed));
        uint256 planId = planSeed % plans.length + 1;
        while (planSeed % 4 > 0 && registerOf[planId - 1] != registerOf[rows[some[0]].planId - 1]) {
            planId = planId % plans.length + 1;
        }
        address sender = _senderOf(_payeeOf(planId), caller);
        bool allowed = sender == _payeeOf(planId) && !archived[planId]
            && registerOf[planId - 1] == registerOf[rows[some[0]].planId - 1];
        _mustDo("proposed", sender, abi.encodeCall(subscriptions.proposePlan, (some, planId)), allowed);
    }

    // ----------------------------------------------------------------- refund

    /// @dev Of two thirds something was changed or used, or the last charge paid in another token. Half of the amounts are small. A fifth of the callers
    /// tells a wrong history, or uses the wrong function.
    function refund(uint256 seed, uint256 chargeSeed, uint256 amount, uint256 caller) external clocked {
        uint256 id = _someTold(seed);
        Subscription storage row = rows[id];
        uint256 chargeNumber = chargeSeed % 8 == 0 ? bound(chargeSeed / 8, 0, row.charges + 1) : row.charges;
        if (row.charges > 0 && chargeSeed % 8 > 3) chargeNumber = chargeSeed % row.charges + 1;
        uint256 refundable = paidIn[id][chargeNumber] - givenBack[id][chargeNumber];
        amount = bound(amount, 0, refundable + 1);
        uint256 planId = _paidUnder(id, chargeNumber);
        address payee = _payeeOf(planId);
        address sender = _senderOf(payee, caller);
        bool allowed = sender == payee && chargeNumber > 0 && chargeNumber <= row.charges && amount > 0
            && amount <= refundable;

        bool changed = segments[id].length > 0;
        bytes memory data;
        if (caller % 5 == 4) {
            allowed = false;
            data = _wrongRefund(id, chargeNumber, amount, caller / 5);
        } else {
            data = _rightRefund(id, chargeNumber, amount, segments[id]);
        }
        string memory what = changed ? "refunded after a change" : "refunded";
        bool ok = _does(what, sender, data, allowed);
        if (ok && isForUsage[id][chargeNumber]) ++done["usage refunded"];
        if (ok && planId != row.planId) ++done["refunded in another token"];
        if (ok || !allowed || _termsOf(planId).token != tokens[HONEST]) return;
        vm.assertTrue(owned[tokens[HONEST]][payee] < amount, "E37: a payee refunds what it has");
    }

    function _someTold(uint256 seed) private view returns (uint256 id) {
        for (uint256 i = 0; i < ids.length && seed % 4 == 1; ++i) {
            id = _anyId(bound(seed, 0, type(uint128).max) + i);
            if (paidUnder[id][rows[id].charges] != 0) return id;
        }
        for (uint256 i = 0; i < ids.length && seed % 3 > 0; ++i) {
            id = _anyId(bound(seed, 0, type(uint128).max) + i);
            if (segments[id].length > 0) return id;
        }
        return _anyId(seed);
    }

    function _rightRefund(uint256 id, uint256 chargeNumber, uint256 amount, Segment[] memory history)
        private
        view
        returns (bytes memory)
    {
        if (history.length == 0) return abi.encodeCall(subscriptions.refund, (id, chargeNumber, amount));
        return abi.encodeCall(subscriptions.refundChanged, (id, chargeNumber, amount, history));
    }

    function _wrongRefund(uint256 id, uint256 chargeNumber, uint256 amount, uint256 seed)
        private
        view
        returns (bytes memory)
    {
        Segment[] memory history = segments[id];
        if (history.length == 0) {
            history = new Segment[](1);
            history[0] = Segment(chargeNumber, 1e12, 0);
            return abi.encodeCall(subscriptions.refundChanged, (id, chargeNumber, amount, history));
        }
        if (seed % 5 == 0) return abi.encodeCall(subscriptions.refund, (id, chargeNumber, amount));
        Segment memory last = history[history.length - 1];
        if (seed % 5 == 1) history = new Segment[](0);
        if (seed % 5 == 2) ++last.rate;
        if (seed % 5 == 3) last.next ^= 1;
        if (seed % 5 == 4) ++last.lastCharge;
        return abi.encodeCall(subscriptions.refundChanged, (id, chargeNumber, amount, history));
    }

    // ------------------------------------------------------------------ parts

    /// @dev Two thirds: who has the right.
    function _senderOf(address right, uint256 caller) internal view returns (address) {
        if (caller % 3 > 0) return right;
        uint256 seed = caller / 3 % (PAYERS + PAYEES + 1);
        if (seed < PAYERS) return payers[seed];
        return seed < PAYERS + PAYEES ? payees[seed - PAYERS] : address(0xc0ffee);
    }

    /// @dev Calls the contract: what may not be done must fail.
    function _does(string memory what, address sender, bytes memory data, bool allowed) internal returns (bool ok) {
        (ok,) = _tries(what, sender, data);
        vm.assertTrue(allowed || !ok, what);
    }

    /// @dev Calls the contract: it must do what may be done, and nothing else.
    function _mustDo(string memory what, address sender, bytes memory data, bool allowed) internal {
        (bool ok,) = _tries(what, sender, data);
        vm.assertTrue(allowed == ok, what);
    }

    function _tries(string memory what, address sender, bytes memory data)
        internal
        returns (bool ok, bytes memory answer)
    {
        vm.prank(sender);
        (ok, answer) = address(subscriptions).call{gas: BLOCK_GAS}(data); // a token may burn all of it
        if (!ok) {
            _forget();
            return (ok, answer);
        }
        _follow();
        ++done[what];
    }
}

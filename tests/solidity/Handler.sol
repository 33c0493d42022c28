// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Lives} from "./Lives.sol";

/// @notice Does at random what people do, and expects that what nobody may do fails.
contract Handler is Lives {
    uint256 private constant ROWS = 6;

    constructor() clocked {
        vm.recordLogs();
        // One register of an honest token with everything to change between.
        _sell(0, HONEST, 9_990_000, 0, Unit.Month, 1, 0);
        _sell(0, HONEST, 1_000_000, 250_001, Unit.Month, 1, 250);
        _sell(0, HONEST, 3_000_001, 0, Unit.Week, 2, 0);
        _sell(0, HONEST, 0, 777_777, Unit.Day, 14, 9_999);
        _sellTrial(4_321_000);
        _sell(1, HOSTILE, 5_000_000, 0, Unit.Month, 1, 0);
        _sell(1, HOSTILE, 5_000_000, 1, Unit.Week, 1, 5_000);
        _sell(0, USDT, 1_000_000, 0, Unit.Second, 1_000_000, 9_990);
        _sell(1, USDC, 20_000_000, 0, Unit.Year, 1, 3_000);
        _sell(1, USDC, 70_003, 0, Unit.Day, 1, 0);
        _sellAligned();
        _sellTrial(2_000_001);
        for (uint256 i = 0; i < PAYERS; ++i) {
            subscribe(i, i, 0, 1);
            subscribe(i, i + 4, 1, 1);
        }
        subscribe(1, 9, 0, 1); // each day, in USDC
    }

    function _sell(uint256 payee, uint256 token, uint96 price, uint96 seatPrice, Unit unit, uint32 every, uint16 feeBps)
        private
    {
        PlanTerms memory terms;
        (terms.payee, terms.token, terms.price, terms.seatPrice) = (payees[payee], tokens[token], price, seatPrice);
        (terms.unit, terms.every, terms.feeBps, terms.catchUp) = (unit, every, feeBps, uint8(plans.length % 3));
        if (feeBps > 0) terms.feeReceiver = collectors[plans.length % 2];
        if (token == USDT) terms.minCharges = 3;
        if (plans.length % 2 == 0) {
            (terms.usageCap, terms.usagePrice, terms.biller) = (price / 2 + 1, 2_000_001, BILLER);
        }
        _create(terms, terms.payee);
    }

    /// @dev On the first of the month, cheaper and with a quoted price; refunds what is unused.
    function _sellAligned() private {
        PlanTerms memory terms;
        (terms.payee, terms.token, terms.price, terms.unit, terms.every) =
            (payees[0], tokens[HONEST], 9_990_000, Unit.Month, 1);
        (terms.alignTo, terms.refundsUnused) = (1_798_761_600, true); // 1 January 2027
        _create(terms, terms.payee);
        terms.price = 4_990_000;
        _create(terms, terms.payee);
        (terms.alignTo, terms.refundsUnused, terms.quoter) = (0, false, address(quoter));
        _create(terms, terms.payee);
        (terms.quoter, terms.price) = (address(0), 8_990_000); // cheaper than the first of all, and else the same
        (terms.usageCap, terms.usagePrice, terms.biller) = (1_000_001, 2_000_001, BILLER);
        _create(terms, terms.payee);
    }

    function _sellTrial(uint96 price) private {
        PlanTerms memory terms;
        (terms.payee, terms.token, terms.price, terms.unit, terms.every) =
        (payees[0], tokens[HONEST], price, Unit.Week, 2);
        (terms.trial, terms.grace, terms.family, terms.seatPrice) = (20 days, 10 days, 1, 123_457);
        _create(terms, terms.payee);
    }

    // ----------------------------------------------------------------- charge

    /// @dev Several rows, some of them twice, some unknown; half of the batches are of one plan.
    function charge(uint256[6] calldata seeds, uint256 size) external clocked {
        _charge(_rows(seeds, bound(size, 2, ROWS)));
    }

    /// @dev One row: it may revert, but only for what it received. The preview is what happens.
    function chargeOne(uint256 seed) external clocked {
        _chargeOne(_anyId(seed));
    }

    /// @dev One with a fallback plan, when it is due and its payer has the other token alone.
    function chargeElsewhere(uint256 seed) external clocked {
        uint256 id = _anyId(seed);
        for (uint256 i = 0; i < ids.length && fallbacks[id].alternativeId == 0; ++i) {
            id = ids[(seed % ids.length + i) % ids.length];
        }
        Subscription storage row = rows[id];
        uint256 other = fallbacks[id].alternativeId;
        if (other == 0 || row.status != Status.Active) return;
        if (row.nextDue > _now()) _passTo(row.nextDue);
        vm.warp(_now());
        address token = _termsOf(row.planId).token;
        if (token == tokens[HONEST]) _approve(row.payer, token, address(subscriptions), 0);
        for (uint256 t = 0; t < TOKENS; ++t) {
            if (tokens[t] == _termsOf(other).token) mint(_indexOf(row.payer), t, 1e12);
        }
        _chargeOne(id);
    }

    function _chargeOne(uint256 id) private {
        uint256[] memory one = new uint256[](1);
        one[0] = id;
        Subscription memory before = rows[one[0]];
        uint256 paidBefore = paidFor[one[0]];
        bool honest = _isHonestTo(one[0]);
        Preview memory preview;
        if (honest) preview = subscriptions.preview(one[0]);
        try subscriptions.charge(one) returns (bytes memory reasons) {
            _followCharge(one, reasons);
            if (reasons[0] == 0) ++done["paid alone"];
            if (honest) _assertPreviewed(one[0], before, paidBefore, preview, uint8(reasons[0]));
        } catch (bytes memory failure) {
            _forget();
            vm.assertTrue(!honest && bytes4(failure) == AmountMismatch.selector, "AmountMismatch");
            ++done["undone"];
        }
    }

    function _assertPreviewed(
        uint256 id,
        Subscription memory before,
        uint256 paidBefore,
        Preview memory preview,
        uint256 reason
    ) private {
        vm.assertEq(uint256(preview.reason), reason, "Inv-16: the preview, reason");
        ++done["previewed"];
        if (reason > 0) return;
        vm.assertEq(paidFor[id] - paidBefore, preview.amount, "Inv-16: the preview, amount");
        vm.assertEq(before.credit - rows[id].credit, preview.creditUsed, "Inv-16: the preview, credit");
        vm.assertEq(_paidUnder(id, rows[id].charges), preview.planId, "Inv-16: the preview, plan");
        vm.assertEq(periodStart[id], preview.periodStart, "Inv-16: the preview, start");
        vm.assertEq(rows[id].nextDue, preview.periodEnd, "Inv-16: the preview, end");
    }

    /// @dev E06: with any gas a batch either reverts as a whole or does what it does with plenty.
    function chargeStarved(uint256[6] calldata seeds, uint256 gasLimit) external clocked {
        uint256[] memory batch = _rows(seeds, 4);
        uint256 before = vm.snapshotState();
        bytes memory reasons = subscriptions.charge(batch);
        vm.revertToState(before);
        _forget();
        try subscriptions.charge{gas: bound(gasLimit, 30_000, 1_500_000)}(batch) returns (bytes memory found) {
            vm.assertEq(keccak256(found), keccak256(reasons), "Inv-7: no decline is faked");
            _followCharge(batch, found);
            ++done["starved"];
        } catch {
            _forget();
        }
    }

    function _charge(uint256[] memory batch) private {
        bytes memory reasons = subscriptions.charge(batch);
        _followCharge(batch, reasons);
        for (uint256 i = 0; i < batch.length; ++i) {
            if (reasons[i] == 0) ++done["paid"];
            else ++done["declined"];
        }
    }

    function _rows(uint256[6] calldata seeds, uint256 size) private view returns (uint256[] memory batch) {
        batch = new uint256[](size);
        for (uint256 i = 0; i < size; ++i) {
            uint256 seed = seeds[i] % (ids.length + 1);
            if (seed < ids.length) batch[i] = ids[seed];
            else batch[i] = rows[seeds[i]].payer == address(0) ? seeds[i] : 0;
            if (i == 0 || seeds[0] % 2 == 0) continue;
            for (uint256 j = 0; j < ids.length && rows[batch[i]].planId != rows[batch[0]].planId; ++j) {
                batch[i] = ids[(seed + j) % ids.length];
            }
        }
    }

    // ------------------------------------------------------------------ claim

    /// @dev Mostly for somebody for whom something is kept, half of the time when USDC lets them receive again.
    function claim(uint256 accountSeed, uint256 tokenSeed) external clocked {
        (address account, address token) = (accounts[accountSeed % accounts.length], tokens[tokenSeed % TOKENS]);
        for (uint256 i = 0; i < accounts.length * TOKENS && claimables[account][token] == 0; ++i) {
            account = accounts[i / TOKENS];
            token = tokens[i % TOKENS];
        }
        bool allowed = claimables[account][token] > 0;
        if (allowed && tokenSeed % 8 > 3) _letGo();
        _does("claimed", address(0xc0ffee), abi.encodeCall(subscriptions.claim, (account, token)), allowed);
    }

    // ------------------------------------------------------------- invariants

    function assertInvariants() external {
        _assertMoney();
        _assertKept();
        _assertStateIsThatOfTheEvents();
        _assertPlansNeverChange();
        _assertControlTotalsAreTheEvents();
    }

    /// @dev What takes long and cannot become right again: at the end of a campaign.
    function assertAtTheEnd() external view {
        _assertTermsAreRead();
        _assertTrials();
        _assertRefunds();
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ISubscriptions} from "../../contracts/interfaces/ISubscriptions.sol";
import {Model} from "./Model.sol";

/// @notice Does at random what people do, and expects that what nobody may do fails.
contract Handler is Model {
    uint256 private constant PLANS = 8;
    uint256 private constant SUBSCRIPTIONS = 24;
    uint256 private constant SALTS = 6;

    /// @dev How often each action succeeded: a campaign in which nothing happens proves nothing.
    mapping(string what => uint256) public done;

    constructor() clocked {
        vm.recordLogs();
        createPlan(0, 0, 9_990_000, 1, 3, 0);
        createPlan(1, 1, 5_000_000, 1, 3, 2);
        createPlan(0, 2, 1, 7, 1, 0);
        for (uint256 i = 0; i < PAYERS; ++i) {
            subscribe(i, i);
        }
    }

    // -------------------------------------------------------- plans, consent

    function createPlan(uint256 payee, uint256 token, uint256 price, uint256 every, uint256 unit, uint256 catchUp)
        public
        clocked
    {
        if (plans.length == PLANS) return;
        ISubscriptions.PlanTerms memory terms = ISubscriptions.PlanTerms({
            payee: payees[payee % PAYEES],
            price: uint96(bound(price, 1, 1e8)),
            token: tokens[token % TOKENS],
            every: uint32(bound(every, 1, 5)),
            unit: ISubscriptions.Unit(bound(unit, 0, 4)),
            catchUp: uint8(bound(catchUp, 0, 3))
        });
        plans.push(terms);
        vm.assertEq(subscriptions.createPlan(terms), plans.length, "plans are numbered without gaps");
        _follow();
    }

    function subscribe(uint256 payerSeed, uint256 planSeed) public clocked {
        if (rows.length == SUBSCRIPTIONS) return;
        (address payer, uint256 planId) = (payers[payerSeed % PAYERS], planSeed % plans.length + 1);
        bytes32 terms = subscriptions.termsHash(planId);
        ++consents[payer][planId];
        vm.prank(payer);
        try subscriptions.subscribe(planId, terms) {
            _follow();
            ++done["subscribed"];
        } catch {
            _forget();
            --consents[payer][planId];
        }
    }

    /// @dev `forged`: another payer's key signs.
    function submitMandate(uint256 payerSeed, uint256 planSeed, uint256 salt, bool forged) external clocked {
        if (rows.length == SUBSCRIPTIONS) return;
        uint256 payerIndex = payerSeed % PAYERS;
        address payer = payers[payerIndex];
        ISubscriptions.Mandate memory mandate =
            ISubscriptions.Mandate(payer, planSeed % plans.length + 1, salt % SALTS, type(uint256).max);
        uint256 key = _keyOf(forged ? (payerIndex + 1) % PAYERS : payerIndex);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, subscriptions.mandateHash(mandate));
        bool allowed = !forged && !subscriptions.isSaltUsed(payer, mandate.salt);
        if (allowed) ++consents[payer][mandate.planId];
        try subscriptions.submitMandate(mandate, abi.encodePacked(r, s, v)) {
            vm.assertTrue(allowed, "Inv-1: a forged, used or revoked mandate");
            _follow();
            ++done["mandates"];
        } catch {
            _forget();
            if (allowed) --consents[payer][mandate.planId];
        }
    }

    function revokeMandate(uint256 payerSeed, uint256 salt) external clocked {
        address payer = payers[payerSeed % PAYERS];
        bool used = subscriptions.isSaltUsed(payer, salt % SALTS);
        vm.prank(payer);
        try subscriptions.revokeMandate(salt % SALTS) {
            vm.assertTrue(!used, "revoked twice");
        } catch {
            vm.assertTrue(used, "revocable");
        }
        _forget();
        vm.assertTrue(subscriptions.isSaltUsed(payer, salt % SALTS), "revoked");
    }

    // ----------------------------------------------------------------- charge

    /// @dev Several rows, some of them twice, some unknown.
    function charge(uint256[6] calldata seeds, uint256 size) public clocked {
        uint256[] memory ids = new uint256[](bound(size, 2, 6));
        for (uint256 i = 0; i < ids.length; ++i) {
            ids[i] = bound(seeds[i], 0, rows.length + 1);
        }
        bytes memory reasons = subscriptions.charge(ids);
        _followCharge(ids, reasons);
        for (uint256 i = 0; i < ids.length; ++i) {
            if (reasons[i] == 0) ++done["paid"];
            else ++done["declined"];
        }
    }

    /// @dev One row: it may revert, but only for what it received.
    function chargeOne(uint256 seed) external clocked {
        uint256[] memory ids = new uint256[](1);
        ids[0] = bound(seed, 1, rows.length);
        try subscriptions.charge(ids) returns (bytes memory reasons) {
            _followCharge(ids, reasons);
        } catch (bytes memory failure) {
            _forget();
            vm.assertTrue(bytes4(failure) == ISubscriptions.AmountMismatch.selector, "AmountMismatch");
        }
    }

    /// @dev E06: with any gas a batch either reverts as a whole or does what it does with plenty.
    function chargeStarved(uint256[4] calldata seeds, uint256 gasLimit) external clocked {
        uint256[] memory ids = new uint256[](seeds.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            ids[i] = bound(seeds[i], 1, rows.length);
        }
        uint256 before = vm.snapshotState();
        bytes memory reasons = subscriptions.charge(ids);
        vm.revertToState(before);
        _forget();
        try subscriptions.charge{gas: bound(gasLimit, 30_000, 1_500_000)}(ids) returns (bytes memory found) {
            vm.assertEq(keccak256(found), keccak256(reasons), "Inv-7: no decline is faked");
            _followCharge(ids, found);
            ++done["starved"];
        } catch {
            _forget();
        }
    }

    // -------------------------------------------------- cancel, pause, refund

    function cancel(uint256 seed, uint256 caller, bool atPeriodEnd) external clocked {
        uint256 id = bound(seed, 1, rows.length);
        Row storage row = rows[id - 1];
        address sender = _anybody(caller);
        bool allowed = (sender == row.payer || sender == plans[row.planId - 1].payee)
            && (atPeriodEnd
                    ? row.status == ISubscriptions.Status.Active
                    : row.status != ISubscriptions.Status.Cancelled);
        bytes memory data = atPeriodEnd
            ? abi.encodeCall(subscriptions.cancelAtPeriodEnd, (id))
            : abi.encodeCall(subscriptions.cancel, (id));
        vm.prank(sender);
        (bool ok,) = address(subscriptions).call(data);
        vm.assertTrue(ok == allowed, "who may cancel");
        _follow();
        if (ok) ++done["cancelled"];
    }

    /// @dev Two thirds by the payer.
    function pause(uint256 seed, uint256 caller) external clocked {
        uint256 id = bound(seed, 1, rows.length);
        Row storage row = rows[id - 1];
        address sender = caller % 3 == 0 ? _anybody(caller / 3) : row.payer;
        bool allowed = sender == row.payer && row.status == ISubscriptions.Status.Active && row.nextDue > _now();
        vm.prank(sender);
        (bool ok,) = address(subscriptions).call(abi.encodeCall(subscriptions.pause, (id)));
        vm.assertTrue(ok == allowed, "who may pause, and when");
        _follow();
        if (ok) ++done["paused"];
    }

    function resume(uint256 seed, uint256 caller) external clocked {
        uint256 id = bound(seed, 1, rows.length);
        Row storage row = rows[id - 1];
        address sender = caller % 3 == 0 ? _anybody(caller / 3) : row.payer;
        bool allowed = sender == row.payer && row.status == ISubscriptions.Status.Paused;
        vm.prank(sender);
        (bool ok,) = address(subscriptions).call(abi.encodeCall(subscriptions.resume, (id)));
        vm.assertTrue(ok == allowed, "who may resume, and when");
        _follow();
        if (ok) ++done["resumed"];
    }

    function refund(uint256 seed, uint256 chargeSeed, uint256 amount, uint256 caller) external clocked {
        uint256 id = bound(seed, 1, rows.length);
        ISubscriptions.PlanTerms memory terms = plans[rows[id - 1].planId - 1];
        address sender = caller % 3 == 0 ? _anybody(caller / 3) : terms.payee;
        uint256 chargeNumber = bound(chargeSeed, 0, rows[id - 1].charges + 1);
        amount = bound(amount, 0, uint256(terms.price) + 1);
        vm.prank(sender);
        try subscriptions.refund(id, chargeNumber, amount) {
            vm.assertEq(sender, terms.payee, "only the payee refunds");
            vm.assertTrue(amount > 0, "something");
            _follow();
            ++done["refunded"];
        } catch {
            _forget();
        }
    }

    // ------------------------------------------------------------- invariants

    function assertInvariants() external {
        _assertMoney();
        _assertStateIsThatOfTheEvents();
        _assertPlansNeverChange();
        _assertControlTotalsAreTheEvents();
    }

    function _anybody(uint256 seed) private view returns (address) {
        seed %= PAYERS + PAYEES + 1;
        if (seed < PAYERS) return payers[seed];
        return seed < PAYERS + PAYEES ? payees[seed - PAYERS] : address(0xc0ffee);
    }
}

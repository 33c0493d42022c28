// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IEscrow} from "../../contracts/interfaces/IEscrow.sol";
import {IFunding} from "../../contracts/interfaces/IFunding.sol";
import {IPayouts} from "../../contracts/interfaces/IPayouts.sol";
import {Vm} from "./Forge.sol";
import {EscrowScene} from "./EscrowScene.sol";
import {PERMIT2} from "./Permit2.sol";

/// @notice Does at random what the parties of payments do, those who may and those who may not, and keeps beside the
/// contract what must be true of it: each call must do what this says, or fail where this says so.
contract EscrowHandler is EscrowScene {
    struct Row {
        IEscrow.PaymentTerms terms;
        IEscrow.Payment state;
        uint256 captured; // ever, the fee included
        uint256 refunded;
        uint256 returned; // to the payer, of what was held
        uint256 arbiterFees;
    }

    uint256 private constant PAYERS = 3;
    uint256 private constant FUNDS = 1e15;
    uint256 private constant BLOCK_GAS = 30_000_000;
    bytes32 private constant AUTHORIZED = IEscrow.Authorized.selector;
    bytes32 private constant CHARGED = IEscrow.PaymentCharged.selector;
    bytes32 private constant RULED = IEscrow.Ruled.selector;
    bytes32 private constant KEPT = IPayouts.PayoutKept.selector;

    /// @notice How often each thing was done.
    mapping(string what => uint256) public done;

    Row[] private _rows;
    address[] private _accounts;
    address[2] private _tokens;
    address[2] private _payees = [address(0xBEEF), address(0xBEEF2)];
    uint256 private _time = START;
    uint256 private _salt;
    mapping(address token => mapping(address account => uint256)) private _owned;
    mapping(address account => mapping(address token => uint256)) private _kept;
    mapping(address payee => mapping(address token => IEscrow.PaymentTotal)) private _totals;
    mapping(address token => uint256) private _donated;
    mapping(address token => uint256) private _brought; // by payers' consent and collectors
    mapping(address token => uint256) private _paidOut;

    /// @dev Forge does not keep the clock from call to call.
    modifier clocked() {
        vm.warp(_time);
        _;
        _time = block.timestamp;
    }

    constructor() {
        _build();
        _tokens = [address(token), address(usdc)];
        for (uint256 i = 0; i < PAYERS; ++i) {
            _accounts.push(_payerOf(i));
        }
        address[8] memory others =
            [_payees[0], _payees[1], operator, arbiter, receiver, stranger, address(bringer), address(escrow)];
        for (uint256 i = 0; i < others.length; ++i) {
            _accounts.push(others[i]);
        }
        for (uint256 i = 0; i < _accounts.length - 1; ++i) {
            for (uint256 t = 0; t < 2; ++t) {
                _mint(_tokens[t], _accounts[i], i < PAYERS || _accounts[i] == address(bringer) ? FUNDS : 1e9);
                vm.prank(_accounts[i]);
                token_(t).approve(address(escrow), type(uint256).max);
                vm.prank(_accounts[i]);
                token_(t).approve(PERMIT2, type(uint256).max);
            }
        }
        vm.recordLogs();
        // A payment of each kind, so that there is something to do.
        for (uint256 seed = 0; seed < 6; ++seed) {
            _authorize(uint256(keccak256(abi.encode("first", seed))) | 7 << 200, 0);
        }
    }

    // ---------------------------------------------------------------- consent

    /// @dev An eighth is signed with another's key, or by nobody.
    function authorize(uint256 seed, uint256 way) external {
        _authorize(spread(seed), way);
    }

    function _authorize(uint256 seed, uint256 way) private clocked {
        IEscrow.PaymentTerms memory terms = _make(seed);
        way = _wayOf(way, terms);
        bool forged = seed >> 200 & 7 == 0;
        bytes memory data = _dataOf(way, terms, forged);
        bytes memory call = abi.encodeCall(escrow.authorize, (terms, _fundingOf(way), data));
        bool allowed = (way == 5 || !forged) && _comes(way, terms, false)
            && block.timestamp + terms.disputeWindow < terms.captureBefore;
        address sender = way == 0 ? (forged ? stranger : terms.payer) : (way == 5 ? address(bringer) : stranger);
        if (!_mustDo(way == 5 ? "collected" : "authorized", sender, call, allowed)) return;
        _comesFrom(way, terms);
        _open(terms, IEscrow.Status.Open, terms.amount, 0);
    }

    function charge(uint256 seed, uint256 way, uint256 feeSeed, uint256 who) external clocked {
        seed = spread(seed);
        IEscrow.PaymentTerms memory terms = _make(seed);
        if (who % 4 < 3) (terms.disputeWindow, terms.milestonesRoot) = (0, 0);
        way = _wayOf(way, terms);
        if (way == 5) terms.operator = address(bringer);
        bool forged = seed >> 200 & 7 == 0;
        uint256 feeBps = _feeBps(terms, feeSeed);
        address sender = way == 5 ? address(bringer) : [terms.payee, terms.operator, terms.payer, stranger][who % 4];
        if (sender == address(0)) sender = stranger;
        bytes memory data = _dataOf(way, terms, forged);
        bytes memory call = abi.encodeCall(escrow.charge, (terms, feeBps, _fundingOf(way), data));
        uint256 fee = terms.amount * feeBps / BASIS;
        bool consented = way == 5 || !forged || way < 3 && sender == terms.payer;
        bool allowed = consented && _comes(way, terms, fee == 0 && way < 4) && sender != stranger
            && _feeFits(terms, feeBps) && terms.disputeWindow == 0 && terms.milestonesRoot == 0;
        if (!_mustDo("charged", sender, call, allowed)) return;
        _comesFrom(way, terms);
        _open(terms, IEscrow.Status.Closed, 0, terms.amount);
        Row storage row = _rows[_rows.length - 1];
        row.captured = terms.amount;
        _payWithFee(row, terms.amount, fee);
    }

    /// @dev Of terms that nobody used yet, or that somebody did.
    function revoke(uint256 seed, uint256 who) external clocked {
        bool fresh = seed % 2 == 0 || _rows.length == 0;
        IEscrow.PaymentTerms memory terms = fresh ? _make(seed) : _rows[seed % _rows.length].terms;
        address sender = who % 4 == 0 ? terms.payee : terms.payer;
        if (!_mustDo("revoked", sender, abi.encodeCall(escrow.revoke, (terms)), fresh && who % 4 != 0)) return;
        bytes memory again = abi.encodeCall(escrow.authorize, (terms, IFunding.Funding.Allowance, ""));
        _mustDo("", terms.payer, again, false);
    }

    /// @dev What was signed once is worthless afterwards, whatever became of it: no closed payment opens again.
    function replay(uint256 rowSeed, uint256 way) external clocked {
        Row storage row = _rows[rowSeed % _rows.length];
        way = _wayOf(way, row.terms);
        bytes memory data = _dataOf(way, row.terms, false);
        address sender = way == 0 ? row.terms.payer : way == 5 ? address(bringer) : stranger;
        _mustDo("", sender, abi.encodeCall(escrow.authorize, (row.terms, _fundingOf(way), data)), false);
        ++done["replayed"];
    }

    // ------------------------------------------------------------------- held

    function capture(uint256 rowSeed, uint256 amount, uint256 feeSeed, uint256 who) external clocked {
        Row storage row = _row(rowSeed, IEscrow.Status.Open);
        uint256 held = row.state.held;
        amount = amount % 8 == 0 ? type(uint256).max : amount % 8 == 1 ? held + amount % 2 : bound(amount, 0, held + 1);
        uint256 real = amount == type(uint256).max ? held : amount;
        address sender = _senderOf(row, who);
        uint256 feeBps = _feeBps(row.terms, feeSeed);
        bool allowed = held > 0 && real > 0 && real <= held && _feeFits(row.terms, feeBps);
        if (sender == row.terms.payer) allowed = allowed && (_isOpen(row) || real == held);
        else allowed = allowed && _mayTake(row, sender) && row.terms.milestonesRoot == 0;
        bytes memory call = abi.encodeCall(escrow.capture, (row.terms, amount, feeBps));
        if (_mustDo(sender == row.terms.payer ? "released" : "captured", sender, call, allowed)) {
            _captures(row, real, feeBps);
        }
    }

    /// @dev The two of `_make`; a fourth with another amount.
    function captureMilestone(uint256 rowSeed, uint256 which, uint256 feeSeed, uint256 who) external clocked {
        Row storage row = _row(rowSeed, IEscrow.Status.Open);
        for (uint256 i = 0; i < _rows.length && (row.terms.milestonesRoot == 0 || !_isOpen(row)); ++i) {
            row = _rows[(rowSeed % _rows.length + i) % _rows.length];
        }
        (uint256[3] memory leaf, bytes32[] memory proof) = _milestoneOf(row.terms, which % 2);
        if (which >> 8 & 3 == 0) ++leaf[1];
        address sender = _senderOf(row, who);
        uint256 feeBps = _feeBps(row.terms, feeSeed);
        bool allowed = row.terms.milestonesRoot != 0 && which >> 8 & 3 != 0 && row.state.held > 0
            && _mayTake(row, sender) && row.state.milestones >> leaf[0] & 1 == 0 && block.timestamp >= leaf[2]
            && _feeFits(row.terms, feeBps);
        bytes memory call =
            abi.encodeCall(escrow.captureMilestone, (row.terms, leaf[0], leaf[1], leaf[2], feeBps, proof));
        if (!_mustDo("milestone captured", sender, call, allowed)) return;
        row.state.milestones |= 1 << leaf[0];
        _captures(row, leaf[1] < row.state.held ? leaf[1] : row.state.held, feeBps);
    }

    function void(uint256 rowSeed, uint256 who) external clocked {
        Row storage row = _row(rowSeed, IEscrow.Status.Open);
        address sender = _senderOf(row, who);
        bool allowed = row.state.held > 0 && (sender == row.terms.payee || sender == row.terms.operator);
        if (_mustDo("voided", sender, abi.encodeCall(escrow.void, (row.terms)), allowed)) _givesBack(row);
    }

    function reclaim(uint256 rowSeed, uint256 who) external clocked {
        Row storage row = _row(rowSeed, IEscrow.Status.Open);
        bool allowed = _isOpen(row) && block.timestamp >= row.terms.captureBefore;
        if (_mustDo("reclaimed", _senderOf(row, who), abi.encodeCall(escrow.reclaim, (row.terms)), allowed)) {
            _givesBack(row);
        }
    }

    function refund(uint256 rowSeed, uint256 amount, uint256 who) external clocked {
        Row storage row = _rows[rowSeed % _rows.length];
        for (uint256 i = 0; i < _rows.length && row.state.refundable == 0; ++i) {
            row = _rows[(rowSeed % _rows.length + i) % _rows.length];
        }
        amount = bound(amount, 0, row.state.refundable + 1);
        address sender = who % 8 == 0 ? row.terms.operator : row.terms.payee;
        address asset = row.terms.token;
        bool allowed = sender == row.terms.payee && amount > 0 && amount <= row.state.refundable
            && block.timestamp < row.terms.refundBefore && _owned[asset][sender] >= amount && !_blocked(asset, sender)
            && !_blocked(asset, row.terms.payer);
        if (!_mustDo("refunded", sender, abi.encodeCall(escrow.refund, (row.terms, amount)), allowed)) return;
        (row.state.refundable, row.refunded) = (row.state.refundable - amount, row.refunded + amount);
        _moves(asset, sender, row.terms.payer, amount);
    }

    // ---------------------------------------------------------------- dispute

    function dispute(uint256 rowSeed, uint256 who) external clocked {
        Row storage row = _row(rowSeed, IEscrow.Status.Open);
        for (uint256 i = 0; i < _rows.length && (row.terms.arbiter == address(0) || !_isOpen(row)); ++i) {
            row = _rows[(rowSeed % _rows.length + i) % _rows.length];
        }
        address sender = _senderOf(row, who);
        bool allowed = (sender == row.terms.payer || sender == row.terms.payee) && row.terms.arbiter != address(0)
            && _isOpen(row) && block.timestamp < row.terms.captureBefore;
        if (!_mustDo("disputed", sender, abi.encodeCall(escrow.dispute, (row.terms, NO_HASH)), allowed)) return;
        (row.state.status, row.state.since) = (IEscrow.Status.Disputed, block.timestamp);
    }

    function submitEvidence(uint256 rowSeed, uint256 who) external clocked {
        Row storage row = _row(rowSeed, IEscrow.Status.Disputed);
        address sender = _senderOf(row, who);
        bool isParty = sender == row.terms.payer || sender == row.terms.payee || sender == row.terms.arbiter;
        bool allowed = isParty && row.state.status == IEscrow.Status.Disputed;
        _mustDo("evidence", sender, abi.encodeCall(escrow.submitEvidence, (row.terms, bytes32(rowSeed))), allowed);
    }

    function rule(uint256 rowSeed, uint256 toPayee, uint256 fee, uint256 who) external clocked {
        Row storage row = _row(rowSeed, IEscrow.Status.Disputed);
        uint256 held = row.state.held;
        uint256 maxFee = held * row.terms.maxArbiterFeeBps / BASIS;
        (toPayee, fee) = (bound(toPayee, 0, held), bound(fee, 0, fee % 8 == 0 ? held : maxFee));
        address sender = who % 8 == 0 ? _senderOf(row, who >> 8) : arbiter;
        bool allowed = sender == row.terms.arbiter && row.state.status == IEscrow.Status.Disputed
            && block.timestamp < row.state.since + row.terms.rulingTimeout && fee <= maxFee && toPayee <= held - fee;
        if (_mustDo("ruled", sender, abi.encodeCall(escrow.rule, (row.terms, toPayee, fee)), allowed)) {
            _divides(row, toPayee, fee);
        }
    }

    function ruleByDefault(uint256 rowSeed, uint256 who) external clocked {
        Row storage row = _row(rowSeed, IEscrow.Status.Disputed);
        bool allowed = row.state.status == IEscrow.Status.Disputed
            && block.timestamp >= row.state.since + row.terms.rulingTimeout;
        bytes memory call = abi.encodeCall(escrow.ruleByDefault, (row.terms));
        if (!_mustDo("ruled by default", _senderOf(row, who), call, allowed)) return;
        _divides(row, row.state.held * row.terms.defaultPayeeBps / BASIS, 0);
    }

    // ------------------------------------------------------------------ claim

    function claim(uint256 accountSeed, uint256 tokenSeed) public clocked {
        (address account, address asset) = (_accounts[accountSeed % _accounts.length], _tokens[tokenSeed % 2]);
        for (uint256 i = 0; i < _accounts.length && _kept[account][asset] == 0; ++i) {
            (account, asset) = (_accounts[i], address(usdc));
        }
        uint256 amount = _kept[account][asset];
        bool allowed = amount > 0 && !_blocked(asset, account);
        if (!_mustDo("claimed", stranger, abi.encodeCall(escrow.claim, (account, asset)), allowed)) return;
        _kept[account][asset] = 0;
        _moves(asset, address(escrow), account, amount);
    }

    // -------------------------------------------------------------- the world

    function pass(uint256 time) external clocked {
        vm.warp(block.timestamp + bound(time, 1, 2 days));
    }

    /// @dev To a second before, at, or after something ends for a payment; not back.
    function passToBoundary(uint256 rowSeed, uint256 which) external clocked {
        Row storage row = _row(rowSeed, which % 2 == 0 ? IEscrow.Status.Open : IEscrow.Status.Disputed);
        uint256[4] memory ends = [
            row.state.since + row.terms.disputeWindow,
            row.terms.captureBefore,
            row.state.since + row.terms.rulingTimeout,
            row.terms.refundBefore
        ];
        uint256 time = ends[(which >> 8) % 4] + which % 3 - 1;
        if (time > block.timestamp && time < block.timestamp + 20 days) vm.warp(time);
    }

    /// @dev USDC blocks a party, or lets them go again.
    function blockAccount(uint256 seed) external clocked {
        address account = _accounts[seed % (_accounts.length - 2)];
        if (_blocked(address(usdc), account)) usdc.unBlacklist(account);
        else if (seed >> 8 & 1 == 0) usdc.blacklist(account);
    }

    function donate(uint256 tokenSeed, uint256 amount) external clocked {
        address asset = _tokens[tokenSeed % 2];
        amount = bound(amount, 1, 1e9);
        _mint(asset, address(escrow), amount);
        _donated[asset] += amount;
    }

    /// @dev A payee or payer spends nearly all of it, or gets it back.
    function spend(uint256 seed) external clocked {
        (address account, address asset) = (_accounts[seed % (PAYERS + 2)], _tokens[seed >> 8 & 1]);
        if (_owned[asset][account] < 1e9) {
            if (!_blocked(asset, account)) _mint(asset, account, FUNDS);
            return;
        }
        if (seed >> 16 & 3 > 0 || _blocked(asset, account) || _blocked(asset, stranger)) return;
        uint256 amount = _owned[asset][account] - 7;
        vm.prank(account);
        token_(seed >> 8 & 1).transfer(stranger, amount);
        _moves(asset, account, stranger, amount);
    }

    // ------------------------------------------------------------- invariants

    function assertInvariants() external {
        vm.warp(_time);
        uint256[2] memory held;
        for (uint256 i = 0; i < _rows.length; ++i) {
            Row storage row = _rows[i];
            _assertRow(row);
            held[row.terms.token == _tokens[0] ? 0 : 1] += row.state.held;
        }
        for (uint256 t = 0; t < 2; ++t) {
            uint256 kept;
            for (uint256 i = 0; i < _accounts.length; ++i) {
                (address account, address asset) = (_accounts[i], _tokens[t]);
                kept += _kept[account][asset];
                vm.assertEq(escrow.claimable(account, asset), _kept[account][asset], "Inv-22: what is kept");
                vm.assertEq(token_(t).balanceOf(account), _owned[asset][account], "Inv-29: who received what");
                vm.assertEq(
                    keccak256(abi.encode(escrow.paymentTotal(account, asset))),
                    keccak256(abi.encode(_totals[account][asset])),
                    "Inv-25: totals are the events'"
                );
            }
            uint256 found = token_(t).balanceOf(address(escrow));
            vm.assertEq(found, held[t] + kept + _donated[_tokens[t]], "Inv-22: held, kept, and donated");
            vm.assertEq(_brought[_tokens[t]], held[t] + kept + _paidOut[_tokens[t]], "Inv-29: no more than was brought");
        }
    }

    function _assertRow(Row storage row) private view {
        IEscrow.Payment memory found = escrow.payment(_idOf(row.terms));
        vm.assertEq(keccak256(abi.encode(found)), keccak256(abi.encode(row.state)), "Inv-23: the payment");
        uint256 sum = found.held + row.captured + row.returned + row.arbiterFees;
        vm.assertEq(sum, row.terms.amount, "Inv-23: authorized is held, captured, given back, or the arbiter's");
        vm.assertEq(found.refundable + row.refunded, row.captured, "Inv-23: refunds within what was captured");
        vm.assertTrue((found.held == 0) == (found.status == IEscrow.Status.Closed), "Inv-27: closed is empty");
    }

    /// @dev Inv-24: after its last deadline any payment can be ended by anyone, and all of it is paid.
    function endAll() external {
        vm.warp(_time);
        for (uint256 i = 0; i < _accounts.length; ++i) {
            usdc.unBlacklist(_accounts[i]);
        }
        for (uint256 i = 0; i < _rows.length; ++i) {
            Row storage row = _rows[i];
            if (row.state.status == IEscrow.Status.Closed) continue;
            bool disputed = row.state.status == IEscrow.Status.Disputed;
            uint256 last = disputed ? row.state.since + row.terms.rulingTimeout : row.terms.captureBefore;
            if (last > block.timestamp) vm.warp(last);
            bytes memory call =
                disputed ? abi.encodeCall(escrow.ruleByDefault, (row.terms)) : abi.encodeCall(escrow.reclaim, (row.terms));
            _mustDo("ended", stranger, call, true);
            if (disputed) _divides(row, row.state.held * row.terms.defaultPayeeBps / BASIS, 0);
            else _givesBack(row);
        }
        _time = block.timestamp;
        for (uint256 i = 0; i < 2 * _accounts.length; ++i) {
            (address account, address asset) = (_accounts[i / 2], _tokens[i % 2]);
            if (_kept[account][asset] > 0) claim(i / 2, i % 2);
        }
        for (uint256 t = 0; t < 2; ++t) {
            vm.assertEq(token_(t).balanceOf(address(escrow)), _donated[_tokens[t]], "Inv-24: all of it is paid");
        }
    }

    // ------------------------------------------------------------------ terms

    function _make(uint256 seed) private returns (IEscrow.PaymentTerms memory terms) {
        (terms.payer, terms.payee, terms.token) = (_payerOf(seed % PAYERS), _payees[seed >> 8 & 1], _tokens[seed >> 16 & 1]);
        terms.amount = uint96(seed >> 24 & 3 == 0 ? 1 + (seed >> 32) % 300 : 1 + (seed >> 32) % 1e9);
        terms.operator = seed >> 64 & 3 == 0 ? address(0) : operator;
        terms.authorizeBefore = uint40(block.timestamp + 1 + (seed >> 72) % 1 days);
        terms.captureBefore = uint40(terms.authorizeBefore + (seed >> 90) % 5 days);
        terms.refundBefore = uint40(terms.captureBefore + (seed >> 110) % 5 days);
        if (seed >> 130 & 3 == 0) terms.disputeWindow = uint32((seed >> 132) % 1 days);
        if (seed >> 150 & 3 > 0) {
            (terms.arbiter, terms.rulingTimeout) = (arbiter, uint32(1 + (seed >> 152) % 3 days));
            terms.defaultPayeeBps = uint16((seed >> 170) % 10_001);
            terms.maxArbiterFeeBps = uint16((seed >> 171) % 3_000);
        }
        if (seed >> 184 & 1 == 0) {
            (terms.feeReceiver, terms.maxFeeBps) = (receiver, uint16(1 + (seed >> 185) % 10_000));
            terms.minFeeBps = uint16((seed >> 186) % (uint256(terms.maxFeeBps) + 1));
        }
        terms.salt = ++_salt;
        if (seed >> 220 & 3 > 0) return terms;
        (uint256[3] memory one, uint256[3] memory other) = _leavesOf(terms);
        terms.milestonesRoot = _pair(_leaf(one[0], one[1], one[2]), _leaf(other[0], other[1], other[2]));
    }

    /// @dev More than a half at once, and all of it a day before the end.
    function _leavesOf(IEscrow.PaymentTerms memory terms)
        private
        pure
        returns (uint256[3] memory one, uint256[3] memory other)
    {
        one = [uint256(0), terms.amount / 2 + 1, 0];
        other = [uint256(19), terms.amount, terms.captureBefore - 12 hours];
    }

    function _milestoneOf(IEscrow.PaymentTerms memory terms, uint256 which)
        private
        pure
        returns (uint256[3] memory leaf, bytes32[] memory proof)
    {
        (uint256[3] memory one, uint256[3] memory other) = _leavesOf(terms);
        if (which == 1) (one, other) = (other, one);
        proof = new bytes32[](1);
        proof[0] = _leaf(other[0], other[1], other[2]);
        return (one, proof);
    }

    // --------------------------------------------------------------- the ways

    /// @dev 0: the payer calls. 1: a signature. 2: with a permit. 3: Permit2. 4: ERC-3009. 5: a collector.
    function _wayOf(uint256 way, IEscrow.PaymentTerms memory terms) private view returns (uint256) {
        way = way % 6;
        if (way == 2 && terms.token != address(token)) return 4;
        return way == 4 && terms.token != address(usdc) ? 1 : way;
    }

    function _fundingOf(uint256 way) private pure returns (IFunding.Funding) {
        return IFunding.Funding(way == 0 ? 0 : way - 1);
    }

    function _dataOf(uint256 way, IEscrow.PaymentTerms memory terms, bool forged) private returns (bytes memory) {
        uint256 key = _keyOf(terms.payer);
        if (forged) key = key == PAYER_KEY ? PAYER_KEY + 1 : PAYER_KEY;
        if (way == 3) {
            if (forged) return abi.encode(0);
            return _agreesInPermit2(terms, terms.salt);
        }
        if (way == 4) return _authorization(key, terms);
        bytes memory consent = _signed(key, _idOf(terms));
        return way == 2 ? bytes.concat(_permit(_keyOf(terms.payer), type(uint256).max), consent) : consent;
    }

    /// @dev Whether the money comes, to the contract or directly to the payee.
    function _comes(uint256 way, IEscrow.PaymentTerms memory terms, bool direct) private view returns (bool) {
        address from = way == 5 ? address(bringer) : terms.payer;
        return _owned[terms.token][from] >= terms.amount && !_blocked(terms.token, from)
            && !(direct && _blocked(terms.token, terms.payee));
    }

    function _comesFrom(uint256 way, IEscrow.PaymentTerms memory terms) private {
        _moves(terms.token, way == 5 ? address(bringer) : terms.payer, address(escrow), terms.amount);
        _brought[terms.token] += terms.amount;
        if (way == 3) ++done["by Permit2"];
        if (way == 4) ++done["by ERC-3009"];
        if (way == 2) ++done["by permit"];
    }

    // ---------------------------------------------------------------- effects

    function _open(IEscrow.PaymentTerms memory terms, IEscrow.Status status, uint256 held, uint256 refundable) private {
        _rows.push();
        Row storage row = _rows[_rows.length - 1];
        (row.terms, row.state) = (terms, IEscrow.Payment(status, held, refundable, block.timestamp, 0));
    }

    function _captures(Row storage row, uint256 amount, uint256 feeBps) private {
        row.captured += amount;
        (row.state.held, row.state.refundable) = (row.state.held - amount, row.state.refundable + amount);
        if (row.state.held == 0) row.state.status = IEscrow.Status.Closed;
        _payWithFee(row, amount, amount * feeBps / BASIS);
    }

    function _givesBack(Row storage row) private {
        uint256 held = row.state.held;
        (row.returned, row.state.held, row.state.status) = (row.returned + held, 0, IEscrow.Status.Closed);
        _pays(row.terms.token, row.terms.payer, held);
    }

    function _divides(Row storage row, uint256 toPayee, uint256 fee) private {
        uint256 toPayer = row.state.held - toPayee - fee;
        (row.captured, row.returned, row.arbiterFees) = (row.captured + toPayee, row.returned + toPayer, fee);
        row.state.refundable += toPayee;
        (row.state.held, row.state.status) = (0, IEscrow.Status.Closed);
        _payWithFee(row, toPayee, toPayee * row.terms.minFeeBps / BASIS);
        _pays(row.terms.token, row.terms.payer, toPayer);
        _pays(row.terms.token, row.terms.arbiter, fee);
    }

    function _payWithFee(Row storage row, uint256 amount, uint256 fee) private {
        _pays(row.terms.token, row.terms.payee, amount - fee);
        _pays(row.terms.token, row.terms.feeReceiver, fee);
    }

    /// @dev E07: what cannot be received is kept.
    function _pays(address asset, address to, uint256 amount) private {
        if (amount == 0) return;
        if (!_blocked(asset, to)) return _payOut(asset, to, amount);
        _kept[to][asset] += amount;
        ++done["kept"];
    }

    function _payOut(address asset, address to, uint256 amount) private {
        _paidOut[asset] += amount;
        (_owned[asset][address(escrow)], _owned[asset][to]) =
            (_owned[asset][address(escrow)] - amount, _owned[asset][to] + amount);
    }

    function _moves(address asset, address from, address to, uint256 amount) private {
        if (from == address(escrow)) return _payOut(asset, to, amount);
        _owned[asset][from] -= amount;
        _owned[asset][to] += amount;
    }

    function _mint(address asset, address to, uint256 amount) private {
        token_(asset == _tokens[0] ? 0 : 1).mint(to, amount);
        _owned[asset][to] += amount;
    }

    // ------------------------------------------------------------------ calls

    /// @dev It must do what may be done, and nothing else.
    function _mustDo(string memory what, address sender, bytes memory data, bool allowed) private returns (bool ok) {
        if (sender == address(bringer)) {
            (ok,) = bringer.call(address(escrow), data);
        } else {
            vm.prank(sender);
            (ok,) = address(escrow).call{gas: BLOCK_GAS}(data);
        }
        vm.assertTrue(ok == allowed, bytes(what).length == 0 ? "never again" : what);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        if (!ok) {
            ++done["refused"];
            return false;
        }
        ++done[what];
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter == address(escrow)) _onEvent(logs[i]);
        }
    }

    function _onEvent(Vm.Log memory log) private {
        if (log.topics[0] == AUTHORIZED || log.topics[0] == CHARGED) {
            IEscrow.PaymentTerms memory terms = abi.decode(log.data, (IEscrow.PaymentTerms));
            IEscrow.PaymentTotal storage total = _totals[terms.payee][terms.token];
            (total.count, total.sum) = (total.count + 1, total.sum + terms.amount);
        } else if (log.topics[0] == RULED) {
            (uint256 toPayee, uint256 toPayer, uint256 arbiterFee, uint256 fee,) =
                abi.decode(log.data, (uint256, uint256, uint256, uint256, bool));
            uint256 held;
            for (uint256 i = 0; i < _rows.length; ++i) {
                if (_idOf(_rows[i].terms) == log.topics[1]) held = _rows[i].state.held;
            }
            vm.assertEq(toPayee + toPayer + arbiterFee + fee, held, "Inv-26: the four are what was held");
        } else if (log.topics[0] == KEPT) {
            ++done["told that it is kept"];
        }
    }

    // ------------------------------------------------------------------ parts

    function token_(uint256 which) private view returns (Token) {
        return Token(_tokens[which]);
    }

    function _payerOf(uint256 which) private pure returns (address) {
        return vm.addr(PAYER_KEY + which);
    }

    function _keyOf(address account) private pure returns (uint256 key) {
        for (key = PAYER_KEY; vm.addr(key) != account; ++key) {}
    }

    function _blocked(address asset, address account) private view returns (bool) {
        return asset == address(usdc) && usdc.isBlacklisted(account);
    }

    function _isOpen(Row storage row) private view returns (bool) {
        return row.state.status == IEscrow.Status.Open;
    }

    /// @dev Payee or operator, after the window and before the end.
    function _mayTake(Row storage row, address sender) private view returns (bool) {
        bool isPayee = sender == row.terms.payee || sender == row.terms.operator;
        return isPayee && _isOpen(row) && block.timestamp >= row.state.since + row.terms.disputeWindow
            && block.timestamp < row.terms.captureBefore;
    }

    /// @dev Half of the time one who may often, else anybody.
    function _senderOf(Row storage row, uint256 who) private view returns (address) {
        if (who % 2 == 0) return who >> 8 & 1 == 0 ? row.terms.payee : row.terms.payer;
        return [row.terms.payer, row.terms.payee, operator, arbiter, receiver, stranger][(who >> 8) % 6];
    }

    /// @dev Half of the time one in this state, if there is any.
    function _row(uint256 seed, IEscrow.Status status) private view returns (Row storage row) {
        row = _rows[seed % _rows.length];
        if (seed >> 128 & 1 == 0) return row;
        for (uint256 i = 0; i < _rows.length && row.state.status != status; ++i) {
            row = _rows[(seed % _rows.length + i) % _rows.length];
        }
    }

    function _feeBps(IEscrow.PaymentTerms memory terms, uint256 seed) private pure returns (uint256) {
        if (seed % 8 == 0) return uint256(terms.maxFeeBps) + seed % 3;
        return bound(seed, terms.minFeeBps, terms.maxFeeBps);
    }

    function _feeFits(IEscrow.PaymentTerms memory terms, uint256 feeBps) private pure returns (bool) {
        return terms.minFeeBps <= feeBps && feeBps <= terms.maxFeeBps;
    }
}

/// @dev What both tokens have.
interface Token {
    function mint(address to, uint256 value) external;
    function approve(address spender, uint256 value) external returns (bool);
    function transfer(address to, uint256 value) external returns (bool);
    function balanceOf(address account) external view returns (uint256);
}

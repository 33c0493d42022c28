// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ICheckout} from "../../contracts/interfaces/ICheckout.sol";
import {IFunding} from "../../contracts/interfaces/IFunding.sol";
import {IPayouts} from "../../contracts/interfaces/IPayouts.sol";
import {CheckoutScene} from "./CheckoutScene.sol";
import {Vm} from "./Forge.sol";
import {PERMIT2} from "./Permit2.sol";

/// @notice Does at random what merchants, payers and strangers do with quotes and deposit addresses, those who may and
/// those who may not, and keeps beside the contract what must be true of it: each call must do what this says, or fail
/// where this says so.
contract CheckoutHandler is CheckoutScene {
    uint256 private constant FUNDS = 1e15;
    uint256 private constant PLACES = 6;
    uint256 private constant NUMBERS = 600;

    /// @notice How often each thing was done.
    mapping(string what => uint256) public done;

    address[] private _accounts;
    address[] private _receivers;
    address[2] private _tokens;
    uint256 private _time = START;
    uint256 private _nonce;
    mapping(uint256 word => uint256 bits) private _usedBits;
    mapping(address token => mapping(address account => uint256)) private _owned;
    mapping(address account => mapping(address token => uint256)) private _kept;
    mapping(address token => uint256) private _keptInAll;
    mapping(address token => ICheckout.Total) private _totals;
    mapping(address token => uint256) private _donated;

    /// @dev Forge does not keep the clock from call to call.
    modifier clocked() {
        vm.warp(_time);
        _;
        _time = block.timestamp;
    }

    constructor() {
        _build();
        _tokens = [address(token), address(usdc)];
        _receivers = [merchant, address(0xBEE1), address(0xCAFE)];
        _accounts = [payer, merchant, stranger, address(bringer), address(0xCAFE), address(checkout)];
        for (uint256 i = 0; i < 4; ++i) {
            _accounts.push(_payeeOf(i));
        }
        for (uint256 t = 0; t < 2; ++t) {
            for (uint256 i = 0; i < 4; ++i) {
                _mint(_tokens[t], _accounts[i], FUNDS);
                for (uint256 s = 0; s < 2; ++s) {
                    vm.prank(_accounts[i]);
                    Asset(_tokens[t]).approve(s == 0 ? address(checkout) : PERMIT2, type(uint256).max);
                }
            }
        }
        vm.recordLogs();
    }

    // ------------------------------------------------------------------- quotes

    /// @dev One in eight is signed by the payer in the merchant's place, one by a stranger in the payer's.
    function pay(uint256 seed, uint256 way, uint256 numberSeed) external clocked {
        seed = spread(seed);
        ICheckout.Quote memory quote = _make(seed, numberSeed);
        way %= 6;
        if (quote.token == address(usdc) && way == 2) way = 1; // the scene signs permits of the other token
        if (quote.token == address(token) && way == 4) way = 3; // which knows no ERC-3009
        bytes memory call = _callOf(quote, way, seed >> 200 & 7 == 0, seed >> 203 & 7 == 0);
        address from = way == 5 ? address(bringer) : payer;
        bool allowed = seed >> 200 & 7 != 0 && (way == 5 || seed >> 203 & 7 != 0) && _isPayable(quote, way, from);
        address sender = way == 0 ? (seed >> 203 & 7 == 0 ? stranger : payer) : way == 5 ? from : stranger;
        string memory what = ["paid", "by acceptance", "by permit", "by Permit2", "by ERC-3009", "collected"][way];
        if (!_mustDo(what, sender, call, allowed)) return;
        _use(quote.number);
        _totals[quote.token].count += 1;
        _totals[quote.token].sum += uint192(quote.amount);
        _owned[quote.token][from] -= quote.amount;
        for (uint256 i = 0; i < quote.payouts.length; ++i) {
            _receives(quote.token, quote.payouts[i].payee, quote.payouts[i].amount);
        }
    }

    function _callOf(ICheckout.Quote memory quote, uint256 way, bool forged, bool unasked)
        private
        returns (bytes memory)
    {
        bytes memory offer = forged ? _signed(PAYER_KEY, _digest(_structHash(quote))) : _offer(quote);
        (IFunding.Funding funding, bytes memory data) = _fundingOf(way, quote, unasked);
        return abi.encodeCall(checkout.pay, (quote, offer, payer, funding, data));
    }

    /// @dev As far as signatures are not concerned.
    function _isPayable(ICheckout.Quote memory quote, uint256 way, address from) private view returns (bool) {
        bool direct = quote.payouts.length == 1 && way < 4;
        bool stopped = usdc.isBlacklisted(from) || direct && usdc.isBlacklisted(quote.payouts[0].payee);
        return !_isUsed(quote.number) && block.timestamp < quote.validBefore
            && quote.amount <= _owned[quote.token][from] && (quote.token == address(token) || !stopped);
    }

    function withdrawQuote(uint256 numberSeed, uint256 who) external clocked {
        uint256 number = numberSeed % NUMBERS;
        address sender = who % 3 == 0 ? stranger : merchant;
        bool allowed = sender == stranger || !_isUsed(number);
        if (sender == stranger) allowed = !checkout.isUsed(stranger, number);
        if (!_mustDo("withdrawn", sender, abi.encodeCall(checkout.withdrawQuote, (number)), allowed)) return;
        if (sender == merchant) _use(number);
    }

    // ------------------------------------------------------- deposit addresses

    /// @dev As an exchange does; some by somebody who sends twice.
    function send(uint256 seed, uint256 amount) external clocked {
        (address asset, address place) = (_tokens[seed >> 8 & 1], _placeOf(seed));
        amount = bound(amount, 1, 1e9);
        if (asset == address(usdc) && (usdc.isBlacklisted(payer) || usdc.isBlacklisted(place))) return;
        if (_owned[asset][payer] < amount) return;
        vm.prank(payer);
        Asset(asset).transfer(place, amount);
        _owned[asset][payer] -= amount;
        _owned[asset][place] += amount;
        ++done["sent"];
    }

    /// @dev All six addresses, or fewer, some of them twice; whatever stands there goes, or stays where it is blocked.
    function sweep(uint256 seed, uint256 count) external clocked {
        seed = spread(seed);
        address receiver = _receivers[seed % _receivers.length];
        address asset = _tokens[seed >> 8 & 1];
        bytes32[] memory invoices = new bytes32[](bound(count, 0, 8));
        for (uint256 i = 0; i < invoices.length; ++i) {
            invoices[i] = bytes32((seed >> (16 + i * 4) & 0xff) % PLACES);
        }
        bytes memory call = abi.encodeCall(checkout.sweep, (receiver, asset, invoices));
        if (!_mustDo("swept", stranger, call, true)) return;
        uint256 sum = 0;
        for (uint256 i = 0; i < invoices.length; ++i) {
            address place = checkout.depositAddress(receiver, invoices[i]);
            uint256 units = _owned[asset][place];
            bool blocked = asset == address(usdc) && (usdc.isBlacklisted(place) || usdc.isBlacklisted(receiver));
            if (units == 0 || blocked) continue;
            _owned[asset][place] = 0;
            _owned[asset][receiver] += units;
            sum += units;
            ++done["emptied"];
        }
        vm.assertEq(_toldSwept(), sum, "events say what was swept");
    }

    // ------------------------------------------------------------------ others

    function refund(uint256 seed, uint256 amount) external clocked {
        (address asset, address to) = (_tokens[seed & 1], _accounts[(seed >> 8) % _accounts.length]);
        amount = bound(amount, 0, 2e9);
        bool movable = asset == address(token) || !usdc.isBlacklisted(merchant) && !usdc.isBlacklisted(to);
        bool allowed = amount != 0 && to != address(checkout) && to != merchant && amount <= _owned[asset][merchant]
            && movable;
        bytes memory call = abi.encodeCall(checkout.refund, (bytes32(seed), asset, to, amount));
        if (!_mustDo("refunded", merchant, call, allowed)) return;
        _owned[asset][merchant] -= amount;
        _owned[asset][to] += amount;
    }

    function claim(uint256 seed) external clocked {
        (address asset, address account) = (_tokens[seed & 1], _accounts[(seed >> 8) % _accounts.length]);
        uint256 units = _kept[account][asset];
        bool movable = asset == address(token) || !usdc.isBlacklisted(account);
        bytes memory call = abi.encodeCall(checkout.claim, (account, asset));
        if (!_mustDo("claimed", stranger, call, units != 0 && movable)) return;
        _kept[account][asset] = 0;
        _keptInAll[asset] -= units;
        _owned[asset][account] += units;
    }

    /// @dev One of the accounts, or a deposit address; the next time it is free again.
    function blockAccount(uint256 seed) external clocked {
        address account = seed & 1 == 0 ? _accounts[(seed >> 8) % _accounts.length] : _placeOf(seed >> 8);
        if (account == address(checkout)) return;
        if (usdc.isBlacklisted(account)) usdc.unBlacklist(account);
        else usdc.blacklist(account);
    }

    /// @dev To the contract itself, whose it is not.
    function donate(uint256 seed, uint256 amount) external clocked {
        address asset = _tokens[seed & 1];
        amount = bound(amount, 1, 1e6);
        _mint(asset, address(checkout), amount);
        _donated[asset] += amount;
    }

    function pass(uint256 seconds_) external clocked {
        vm.warp(block.timestamp + bound(seconds_, 1, 6 hours));
    }

    // ---------------------------------------------------------------- must hold

    /// @notice Invariants 31 to 34 of docs/invariants.md.
    function assertInvariants() external view {
        for (uint256 t = 0; t < 2; ++t) {
            address asset = _tokens[t];
            vm.assertEq(
                Asset(asset).balanceOf(address(checkout)), _keptInAll[asset] + _donated[asset], "31: holds what it keeps"
            );
            ICheckout.Total memory total = checkout.quoteTotal(merchant, asset);
            vm.assertEq(total.count, _totals[asset].count, "32: count");
            vm.assertEq(total.sum, _totals[asset].sum, "32: sum");
            for (uint256 i = 0; i < _accounts.length; ++i) {
                address account = _accounts[i];
                if (account == address(checkout)) continue;
                vm.assertEq(Asset(asset).balanceOf(account), _owned[asset][account], "31: to whom it was agreed");
                vm.assertEq(checkout.claimable(account, asset), _kept[account][asset], "31: kept for whom");
            }
            for (uint256 r = 0; r < _receivers.length; ++r) {
                for (uint256 i = 0; i < PLACES; ++i) {
                    address place = checkout.depositAddress(_receivers[r], bytes32(i));
                    vm.assertEq(Asset(asset).balanceOf(place), _owned[asset][place], "34: stands or is the receiver's");
                    vm.assertEq(place.code.length, 0, "34: nothing is left there");
                }
            }
        }
        for (uint256 word = 0; word * 256 < NUMBERS; ++word) {
            vm.assertEq(checkout.usedNumbers(merchant, word), _usedBits[word], "33: a number is used once");
        }
    }

    // ------------------------------------------------------------------- pieces

    function _make(uint256 seed, uint256 numberSeed) private view returns (ICheckout.Quote memory quote) {
        quote = _quote(numberSeed % NUMBERS, 1 + seed % 4, uint96(bound(seed >> 8 & 0xffffffff, 1, 1e9)));
        if (seed >> 60 & 1 != 0) quote.token = address(usdc);
        quote.validBefore = uint40(block.timestamp + 1 days);
        if (seed >> 61 & 15 == 0) quote.validBefore = uint40(block.timestamp);
    }

    function _fundingOf(uint256 way, ICheckout.Quote memory quote, bool unasked)
        private
        returns (IFunding.Funding, bytes memory)
    {
        uint256 key = unasked ? MERCHANT_KEY : PAYER_KEY;
        if (way == 0) return (IFunding.Funding.Allowance, "");
        if (way == 1) return (IFunding.Funding.Allowance, _acceptance(key, quote));
        if (way == 2) {
            bytes memory permit = _permit(key, type(uint256).max); // does not matter: the allowance is there
            return (IFunding.Funding.Permit, bytes.concat(permit, _acceptance(key, quote)));
        }
        if (way == 3) return (IFunding.Funding.Permit2, _agreesInPermit2(unasked ? merchant : payer, quote, ++_nonce));
        if (way == 4) return (IFunding.Funding.Authorization, _authorization(key, quote));
        return (IFunding.Funding.Collector, "");
    }

    function _use(uint256 number) private {
        _usedBits[number / 256] += 1 << number % 256;
    }

    function _isUsed(uint256 number) private view returns (bool) {
        return _usedBits[number / 256] >> number % 256 & 1 != 0;
    }

    function _placeOf(uint256 seed) private view returns (address) {
        return checkout.depositAddress(_receivers[seed % _receivers.length], bytes32((seed >> 4) % PLACES));
    }

    function _receives(address asset, address account, uint256 units) private {
        if (asset == address(usdc) && usdc.isBlacklisted(account)) {
            _kept[account][asset] += units;
            _keptInAll[asset] += units;
            ++done["kept"];
        } else {
            _owned[asset][account] += units;
        }
    }

    function _mint(address asset, address account, uint256 units) private {
        if (asset == address(usdc)) usdc.mint(account, units);
        else token.mint(account, units);
        if (account != address(checkout)) _owned[asset][account] += units;
    }

    function _toldSwept() private returns (uint256 sum) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            bool told = logs[i].emitter == address(checkout) && logs[i].topics[0] == ICheckout.Swept.selector;
            if (told) sum += abi.decode(logs[i].data, (uint256));
        }
    }

    /// @dev Whether it was done: exactly where it is allowed.
    function _mustDo(string memory what, address sender, bytes memory call, bool allowed) private returns (bool ok) {
        vm.getRecordedLogs();
        if (sender == address(bringer)) {
            (ok,) = bringer.call(address(checkout), call);
        } else {
            vm.prank(sender);
            (ok,) = address(checkout).call(call);
        }
        vm.assertTrue(ok == allowed, string.concat(what, allowed ? " must be possible" : " must be refused"));
        ++done[ok ? what : "refused"];
    }
}

interface Asset {
    function balanceOf(address account) external view returns (uint256);
    function transfer(address to, uint256 amount) external returns (bool);
    function approve(address spender, uint256 amount) external returns (bool);
}

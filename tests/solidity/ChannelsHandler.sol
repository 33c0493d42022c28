// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IChannels} from "../../contracts/interfaces/IChannels.sol";
import {ChannelsScene} from "./ChannelsScene.sol";
import {Token} from "./EscrowHandler.sol";
import {Vm} from "./Forge.sol";
import {PERMIT2} from "./Permit2.sol";

/// @notice Does at random what the parties of channels do, those who may and those who may not, and keeps beside the
/// contract what must be true of it: each call must do what this says, or fail where this says so.
contract ChannelsHandler is ChannelsScene {
    struct Row {
        IChannels.ChannelConfig config;
        IChannels.Channel state;
        uint256 key; // signs its vouchers; zero: the wallet's owner does
        uint256 signed; // the most that a voucher said since the channel was opened
        uint256 deposited; // ever
        uint256 claimed;
        uint256 paidBack;
        uint256 sum; // what counted as claimed when it was looked at last
    }

    /// @dev A row of a batch, and what is wrong with it.
    struct Draw {
        uint256 most;
        uint256 total;
        bool forged;
        bool bySpendingKey;
        bool over;
        bool expired;
    }

    struct Total {
        uint256 claimed;
        uint256 settled;
    }

    uint256 private constant PAYERS = 3;
    uint256 private constant FUNDS = 1e15;
    uint256 private constant BLOCK_GAS = 30_000_000;

    /// @notice How often each thing was done.
    mapping(string what => uint256) public done;

    Row[] private _rows;
    address[] private _accounts;
    address[2] private _tokens;
    uint256 private _time = START;
    uint256 private _salt;
    mapping(address token => mapping(address account => uint256)) private _owned;
    mapping(address token => Total) private _totals;
    mapping(address token => Total) private _told; // by events
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
        for (uint256 i = 0; i < PAYERS; ++i) {
            _accounts.push(vm.addr(PAYER_KEY + i));
        }
        address[5] memory others = [address(wallet), receiver, stranger, address(bringer), address(channels)];
        for (uint256 i = 0; i < others.length; ++i) {
            _accounts.push(others[i]);
        }
        for (uint256 i = 0; i < _accounts.length - 1; ++i) {
            for (uint256 t = 0; t < 2; ++t) {
                Token(_tokens[t]).mint(_accounts[i], FUNDS);
                _owned[_tokens[t]][_accounts[i]] = FUNDS;
                vm.prank(_accounts[i]);
                Token(_tokens[t]).approve(address(channels), type(uint256).max);
                vm.prank(_accounts[i]);
                Token(_tokens[t]).approve(PERMIT2, type(uint256).max);
            }
        }
        vm.recordLogs();
        // Some channels, so that there is something to do.
        for (uint256 seed = 0; seed < 6; ++seed) {
            fund(uint256(keccak256(abi.encode("first", seed))) & ~uint256(1), 1_000_000 * (seed + 1), 0);
        }
    }

    // ---------------------------------------------------------------- deposit

    /// @dev A new channel half of the time; by allowance of the payer or a stranger, by collector, by ERC-3009, by Permit2.
    function fund(uint256 seed, uint256 amount, uint256 way) public clocked {
        if (seed & 1 == 0 || _rows.length == 0) _open(seed >> 1);
        Row storage row = _rows[seed & 1 == 0 ? _rows.length - 1 : (seed >> 1) % _rows.length];
        amount = bound(amount, 0, 1e9);
        way %= 5;
        if (way == 3 && (row.config.token != address(usdc) || row.config.payer == address(wallet))) way = 0;
        if (row.config.payer == address(wallet) && way == 0) way = 1;
        address source = [row.config.payer, stranger, address(bringer), row.config.payer, row.config.payer][way];
        bytes memory call = abi.encodeCall(channels.fill, (row.config, uint128(amount), _funding(way), _data(row, way, amount)));
        address sender = way > 2 ? stranger : source;
        bool blocked = _blocked(row.config.token, source);
        if (!_mustDo("funded", sender, call, amount != 0 && !blocked)) return;
        ++done[["by the payer", "by a stranger", "by a collector", "by ERC-3009", "by Permit2"][way]];
        _moves(row.config.token, source, address(channels), amount);
        row.state.deposited += amount;
        row.deposited += amount;
    }

    function _open(uint256 seed) private {
        IChannels.ChannelConfig memory config = _config(++_salt);
        Row storage row = _rows.push();
        config.payer = _accounts[seed % (PAYERS + 1)];
        config.token = _tokens[seed >> 8 & 1];
        row.key = config.payer == address(wallet) ? PAYER_KEY : PAYER_KEY + seed % (PAYERS + 1);
        if (seed >> 16 & 1 == 1) (config.payerAuthorizer, row.key) = (vm.addr(VOUCHER_KEY), VOUCHER_KEY);
        row.config = config;
    }

    function _funding(uint256 way) private pure returns (IChannels.Funding) {
        if (way < 2) return IChannels.Funding.Allowance;
        if (way == 2) return IChannels.Funding.Collector;
        return way == 3 ? IChannels.Funding.Authorization : IChannels.Funding.Permit2;
    }

    function _data(Row storage row, uint256 way, uint256 amount) private returns (bytes memory) {
        IChannels.ChannelConfig memory config = row.config;
        uint256 salt = ++_salt;
        if (way == 4) return _agreesInPermit2(config, address(channels), amount, salt, "");
        if (way < 3) return "";
        uint40 before = uint40(block.timestamp + 1);
        uint256 key = PAYER_KEY;
        while (vm.addr(key) != config.payer) ++key;
        address to = address(channels);
        bytes memory signature = _authorization(key, config.payer, to, amount, before, _idOf(config), salt);
        return abi.encodePacked(before, salt, signature);
    }

    // ------------------------------------------------------------------ claim

    /// @dev As x402: by receiver, authorizer or signature, sometimes by a stranger, sometimes signed by nobody's key.
    function claim(uint256 rowSeed, uint256 most, uint256 total, uint256 who) external clocked {
        Row storage row = _rows[rowSeed % _rows.length];
        (most, total) = _sumsOf(row, most, total);
        bool forged = who >> 128 & 7 == 0;
        IChannels.VoucherClaim[] memory claims = new IChannels.VoucherClaim[](1);
        claims[0] = _claimOf(forged ? SPENDING_KEY : row.key, row.config, uint128(most), uint128(total));
        who %= 4;
        bytes memory call = who < 3
            ? abi.encodeCall(channels.claim, (claims))
            : abi.encodeCall(channels.claimWithSignature, (claims, _batchSignature(AUTHORIZER_KEY, claims)));
        address sender = [receiver, authorizer, stranger, stranger][who];
        IChannels.Refusal reason = _reasonOf(row, most, total, forged);
        if (reason == IChannels.Refusal.None && total > _balance(row)) reason = IChannels.Refusal.AboveBalance;
        bool stale = reason == IChannels.Refusal.Stale;
        bool allowed = who != 2 && (stale || reason == IChannels.Refusal.None);
        if (!_mustDo("claimed", sender, call, allowed) || stale) return;
        _claims(row, most, total);
    }

    /// @dev Up to eight rows of any channels, of which those in another token are of no channel.
    function claimRows(uint256 seed, uint256 count, uint256 who) external clocked {
        address asset = _tokens[seed & 1];
        bytes memory packed;
        count = bound(count, 1, 8);
        uint256 sum;
        for (uint256 i = 0; i < count; ++i) {
            uint256 each = uint256(keccak256(abi.encode(seed, i)));
            (bytes memory row, uint256 claimed) = _packedRow(each, asset, who % 3 != 2);
            packed = bytes.concat(packed, row);
            sum += claimed;
        }
        bytes memory call = abi.encodeCall(channels.claimRows, (receiver, authorizer, asset, DELAY, packed));
        address sender = [receiver, authorizer, stranger][who % 3];
        if (!_mustDo("claimed by rows", sender, call, who % 3 != 2)) return;
        if (sum == 0) return;
        if (_blocked(asset, receiver)) {
            ++done["kept"];
            return;
        }
        _settles(asset);
    }

    /// @dev What becomes of it is written down at once, so that the next row of the same channel finds it.
    function _packedRow(uint256 seed, address asset, bool counts)
        private
        returns (bytes memory packed, uint256 claimed)
    {
        Row storage row = _rows[seed % _rows.length];
        Draw memory draw;
        (draw.most, draw.total) = _sumsOf(row, seed >> 32, seed >> 96);
        draw.forged = seed >> 160 & 7 == 0;
        draw.bySpendingKey = seed >> 168 & 3 == 0;
        draw.over = draw.bySpendingKey && seed >> 176 & 3 == 0;
        draw.expired = draw.bySpendingKey && seed >> 184 & 3 == 0;
        bool part = seed >> 192 & 1 == 0;
        packed = _row(
            row.config, uint128(draw.most), part ? uint128(draw.total) : 0, _sign(row, draw), draw.bySpendingKey
        );
        if (!part) draw.total = draw.most;
        if (counts && row.config.token == asset) claimed = _expect(row, draw);
    }

    function _sign(Row storage row, Draw memory draw) private view returns (bytes memory) {
        uint128 most = uint128(draw.most);
        if (!draw.bySpendingKey) return _voucher(draw.forged ? SPENDING_KEY : row.key, row.config, most);
        uint40 before = uint40(block.timestamp + (draw.expired ? 0 : 1));
        uint256 owner = draw.forged ? SPENDING_KEY : _ownerOf(row);
        return _bySpendingKey(owner, _idOf(row.config), most, draw.over ? most - 1 : most, before);
    }

    function _expect(Row storage row, Draw memory draw) private returns (uint256 claimed) {
        bool signed = !draw.forged && !draw.over && !draw.expired;
        IChannels.Refusal reason = _reasonOf(row, draw.most, draw.total, !signed);
        uint256 total = draw.total < _balance(row) ? draw.total : _balance(row);
        if (reason != IChannels.Refusal.None || total == _claimedSum(row)) {
            ++done["skipped"];
            return 0;
        }
        if (draw.bySpendingKey) ++done["by a spending key"];
        claimed = total - _claimedSum(row);
        _claims(row, draw.most, total);
    }

    function settle(uint256 which) external clocked {
        address asset = _tokens[which % 2];
        bool owes = _totals[asset].claimed != _totals[asset].settled;
        bytes memory call = abi.encodeCall(channels.settle, (receiver, asset));
        if (!_mustDo("settled", stranger, call, !owes || !_blocked(asset, receiver))) return;
        _settles(asset);
    }

    // ------------------------------------------------------- refund, withdraw

    function refund(uint256 rowSeed, uint256 amount, uint256 who) external clocked {
        Row storage row = _rows[rowSeed % _rows.length];
        uint256 available = row.state.deposited - row.state.claimed;
        amount = who >> 8 & 1 == 0 ? available : bound(amount, 0, 2 * available + 1);
        bytes memory call = abi.encodeCall(channels.refund, (row.config, uint128(amount)));
        if (who % 4 == 3) {
            bytes memory signature =
                _refundSignature(AUTHORIZER_KEY, _idOf(row.config), row.state.refunds, uint128(amount));
            call = abi.encodeCall(
                channels.refundWithSignature, (row.config, uint128(amount), row.state.refunds, signature)
            );
        }
        address sender = [receiver, authorizer, row.config.payer, stranger][who % 4];
        bool received = !_blocked(row.config.token, row.config.payer) || available == 0;
        if (!_mustDo("refunded", sender, call, amount != 0 && who % 4 != 2 && received)) return;
        row.state.refunds += 1;
        if (amount > available) amount = available;
        if (amount == 0) return;
        bool fulfils = row.state.withdrawalSince != 0 && amount >= row.state.withdrawing;
        bool closing = amount == available || fulfils && row.state.closing;
        if (fulfils || closing) {
            (row.state.withdrawing, row.state.withdrawalSince, row.state.closing) = (0, 0, false);
        } else if (row.state.withdrawalSince != 0) {
            row.state.withdrawing -= amount;
        }
        _paysBack(row, amount, closing);
    }

    function initiateWithdraw(uint256 rowSeed, uint256 amount, uint256 who) external clocked {
        Row storage row = _rows[rowSeed % _rows.length];
        uint256 available = row.state.deposited - row.state.claimed;
        amount = who >> 8 & 1 == 0 ? type(uint128).max : bound(amount, 0, available + 1);
        address sender = who % 4 == 0 ? receiver : _exiterOf(row, who);
        uint256 asked = amount == type(uint128).max ? available : amount;
        bool allowed = who % 4 != 0 && row.state.withdrawalSince == 0 && asked != 0 && asked <= available;
        bytes memory call = abi.encodeCall(channels.initiateWithdraw, (row.config, uint128(amount)));
        if (!_mustDo("withdrawal announced", sender, call, allowed)) return;
        (row.state.withdrawing, row.state.withdrawalSince) = (asked, block.timestamp);
        row.state.closing = asked == available;
    }

    function finalizeWithdraw(uint256 rowSeed, uint256 who) external clocked {
        Row storage row = _announced(rowSeed);
        address sender = who % 8 == 0 ? receiver : _exiterOf(row, who);
        uint256 since = row.state.withdrawalSince;
        uint256 available = row.state.deposited - row.state.claimed;
        uint256 amount = row.state.withdrawing < available ? row.state.withdrawing : available;
        bool received = !_blocked(row.config.token, row.config.payer) || amount == 0;
        bool allowed = who % 8 != 0 && since != 0 && block.timestamp >= since + DELAY && received;
        if (!_mustDo("withdrawn", sender, abi.encodeCall(channels.finalizeWithdraw, (row.config)), allowed)) return;
        bool closing = row.state.closing || amount == available;
        (row.state.withdrawing, row.state.withdrawalSince, row.state.closing) = (0, 0, false);
        _paysBack(row, amount, closing);
    }

    // ------------------------------------------------------------------ world

    function pass(uint256 time) external clocked {
        vm.warp(block.timestamp + bound(time, 1, 2 days));
    }

    /// @dev The second before a withdrawal may be paid out, that second, or the next.
    function passToBoundary(uint256 rowSeed, uint256 second) external clocked {
        uint256 until = _announced(rowSeed).state.withdrawalSince + DELAY - 1 + second % 3;
        if (until > block.timestamp) vm.warp(until);
    }

    function blockAccount(uint256 which, bool blocked) external {
        address account = which % 4 == 0 ? receiver : _accounts[which % (PAYERS + 1)];
        blocked && which >> 8 & 1 == 0 ? usdc.blacklist(account) : usdc.unBlacklist(account);
    }

    function donate(uint256 which, uint256 amount) external {
        address asset = _tokens[which % 2];
        amount = bound(amount, 1, 1e6);
        Token(asset).mint(address(channels), amount);
        _owned[asset][address(channels)] += amount;
        _donated[asset] += amount;
    }

    // -------------------------------------------------------------- invariants

    function assertInvariants() external {
        for (uint256 t = 0; t < 2; ++t) {
            address asset = _tokens[t];
            uint256 held = _donated[asset] + _totals[asset].claimed - _totals[asset].settled;
            for (uint256 i = 0; i < _rows.length; ++i) {
                if (_rows[i].config.token == asset) held += _rows[i].state.deposited - _rows[i].state.claimed;
            }
            vm.assertEq(Token(asset).balanceOf(address(channels)), held, "what it holds is what it owes");
            (uint128 claimed, uint128 settled) = channels.receivers(receiver, asset);
            vm.assertEq(claimed, _totals[asset].claimed, "claimed for the receiver");
            vm.assertEq(settled, _totals[asset].settled, "paid to the receiver");
            vm.assertEq(claimed, _told[asset].claimed, "what events tell was claimed");
            vm.assertEq(settled, _told[asset].settled, "what events tell was paid");
            for (uint256 i = 0; i < _accounts.length; ++i) {
                uint256 found = Token(asset).balanceOf(_accounts[i]);
                vm.assertEq(found, _owned[asset][_accounts[i]], "nobody has more or less");
            }
        }
        for (uint256 i = 0; i < _rows.length; ++i) {
            _assertRow(_rows[i]);
        }
    }

    function _assertRow(Row storage row) private {
        bytes32 id = _idOf(row.config);
        bytes32 found = keccak256(abi.encode(channels.channel(id)));
        vm.assertEq(found, keccak256(abi.encode(row.state)), "the channel is what was done to it");
        (uint128 balance, uint128 sum) = channels.channels(id);
        vm.assertEq(balance, _balance(row), "balance");
        vm.assertEq(sum, _claimedSum(row), "sum");
        vm.assertLe(row.sum, sum, "what counts as claimed never falls");
        row.sum = sum;
        vm.assertLe(sum, balance, "no more is claimed than there is");
        vm.assertLe(row.state.claimed, row.signed, "no more is claimed than was signed since it was opened");
        uint256 left = row.state.deposited - row.state.claimed;
        vm.assertEq(row.claimed + row.paidBack + left, row.deposited, "what came in is claimed, given back, or there");
    }

    /// @notice Everyone has what is theirs, whatever was before.
    function endAll() external clocked {
        for (uint256 i = 0; i < _accounts.length; ++i) {
            usdc.unBlacklist(_accounts[i]);
        }
        for (uint256 i = 0; i < _rows.length; ++i) {
            Row storage row = _rows[i];
            for (uint256 again = 0; again < 2; ++again) {
                if (row.state.withdrawalSince == 0 && row.state.deposited != row.state.claimed) {
                    this.initiateWithdraw(i, 0, 1);
                }
                _time = block.timestamp + DELAY;
                if (row.state.withdrawalSince != 0) this.finalizeWithdraw(i, 1);
                vm.warp(_time);
            }
            vm.assertEq(row.state.deposited, row.state.claimed, "nothing is left in it");
        }
        for (uint256 t = 0; t < 2; ++t) {
            this.settle(t);
            uint256 found = Token(_tokens[t]).balanceOf(address(channels));
            vm.assertEq(found, _donated[_tokens[t]], "nothing is left but what was given to it");
        }
    }

    // ------------------------------------------------------------ what happens

    /// @dev In a quarter of the cases of another opening, else around what the channel has.
    function _sumsOf(Row storage row, uint256 most, uint256 total) private view returns (uint256, uint256) {
        uint256 opening = row.state.opening;
        if (most % 16 == 0) ++opening;
        if (most % 16 == 1 && opening > 0) --opening;
        most = bound(most >> 4, 1, row.state.deposited + row.state.deposited / 4 + 1);
        total = total % 4 == 0 ? most : bound(total >> 2, 1, most + most / 16 + 1);
        return (opening * OPENING + most, opening * OPENING + total);
    }

    function _reasonOf(Row storage row, uint256 most, uint256 total, bool forged)
        private
        view
        returns (IChannels.Refusal)
    {
        if (total <= _claimedSum(row)) return IChannels.Refusal.Stale;
        if (total > most) return IChannels.Refusal.AboveVoucher;
        if (most / OPENING != row.state.opening) return IChannels.Refusal.LaterOpening;
        return forged ? IChannels.Refusal.InvalidSignature : IChannels.Refusal.None;
    }

    function _claims(Row storage row, uint256 most, uint256 total) private {
        uint256 amount = total - _claimedSum(row);
        row.state.claimed += amount;
        row.claimed += amount;
        _totals[row.config.token].claimed += amount;
        if (most % OPENING > row.signed) row.signed = most % OPENING;
    }

    function _settles(address asset) private {
        Total storage total = _totals[asset];
        _moves(asset, address(channels), receiver, total.claimed - total.settled);
        total.settled = total.claimed;
    }

    function _paysBack(Row storage row, uint256 amount, bool closing) private {
        _moves(row.config.token, address(channels), row.config.payer, amount);
        row.paidBack += amount;
        row.state.deposited -= amount;
        if (!closing) return;
        ++done["closed"];
        if (row.state.deposited != row.state.claimed) ++done["closed and opened"];
        (row.state.opening, row.state.deposited) = (row.state.opening + 1, row.state.deposited - row.state.claimed);
        (row.state.claimed, row.signed) = (0, 0);
    }

    function _moves(address asset, address from, address to, uint256 amount) private {
        _owned[asset][from] -= amount;
        _owned[asset][to] += amount;
    }

    /// @dev It must do what may be done, and nothing else.
    function _mustDo(string memory what, address sender, bytes memory data, bool allowed) private returns (bool ok) {
        if (sender == address(bringer)) {
            (ok,) = bringer.call(address(channels), data);
        } else {
            vm.prank(sender);
            (ok,) = address(channels).call{gas: BLOCK_GAS}(data);
        }
        vm.assertTrue(ok == allowed, what);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        ++done[ok ? what : "refused"];
        if (!ok) return false;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter == address(channels)) _onEvent(logs[i]);
        }
    }

    function _onEvent(Vm.Log memory log) private {
        if (log.topics[0] == IChannels.Settled.selector) {
            _told[address(uint160(uint256(log.topics[2])))].settled += abi.decode(log.data, (uint256));
        } else if (log.topics[0] == IChannels.Claimed.selector) {
            (uint256 amount,) = abi.decode(log.data, (uint256, uint256));
            for (uint256 i = 0; i < _rows.length; ++i) {
                if (_idOf(_rows[i].config) == log.topics[1]) _told[_rows[i].config.token].claimed += amount;
            }
        } else if (log.topics[0] == IChannels.ClaimSkipped.selector) {
            ++done["told that it is skipped"];
        }
    }

    // ------------------------------------------------------------------ parts

    function _balance(Row storage row) private view returns (uint256) {
        return row.state.opening * OPENING + row.state.deposited;
    }

    function _claimedSum(Row storage row) private view returns (uint256) {
        return row.state.opening * OPENING + row.state.claimed;
    }

    function _blocked(address asset, address account) private view returns (bool) {
        return asset == address(usdc) && usdc.isBlacklisted(account);
    }

    /// @dev The payer or its authorizer.
    function _exiterOf(Row storage row, uint256 who) private view returns (address) {
        bool named = row.config.payerAuthorizer != address(0) && who >> 16 & 1 == 0;
        return named ? row.config.payerAuthorizer : row.config.payer;
    }

    /// @dev Whose signature is the payer's.
    function _ownerOf(Row storage row) private view returns (uint256 key) {
        if (row.config.payer == address(wallet)) return PAYER_KEY;
        for (key = PAYER_KEY; vm.addr(key) != row.config.payer; ++key) {}
    }

    /// @dev One with a withdrawal under way, if there is any.
    function _announced(uint256 seed) private view returns (Row storage row) {
        row = _rows[seed % _rows.length];
        for (uint256 i = 0; i < _rows.length && row.state.withdrawalSince == 0; ++i) {
            row = _rows[(seed % _rows.length + i) % _rows.length];
        }
    }
}

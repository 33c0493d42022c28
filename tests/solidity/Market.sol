// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {ISubscriptions} from "../../contracts/interfaces/ISubscriptions.sol";
import {ISubscriptionsTypes} from "../../contracts/interfaces/ISubscriptionsTypes.sol";
import {HostileToken} from "../../contracts/mocks/HostileToken.sol";
import {MockQuoter} from "../../contracts/mocks/MockQuoter.sol";
import {MockToken} from "../../contracts/mocks/MockToken.sol";
import {MockUSDC} from "../../contracts/mocks/MockUSDC.sol";
import {MockUSDT} from "../../contracts/mocks/MockUSDT.sol";
import {Forge} from "./Forge.sol";
import {Permit2, PERMIT2} from "./Permit2.sol";

/// @notice Everybody who meets at the contract: payers with keys, payees, receivers of fees, tokens good and bad; and
/// what each must own if money moves only as the contract's events say.
abstract contract Market is Forge, ISubscriptionsTypes {
    uint256 internal constant PAYERS = 4;
    uint256 internal constant PAYEES = 3; // the last one sells nothing at first: others hand over to it
    uint256 internal constant TOKENS = 4;
    uint256 internal constant HONEST = 0;
    uint256 internal constant HOSTILE = 1;
    uint256 internal constant USDT = 2;
    uint256 internal constant USDC = 3;
    uint256 private constant START = 1_801_389_600; // 31 January 2027, 10:00

    ISubscriptions internal immutable subscriptions = ISubscriptions(_deployAll());
    HostileToken private immutable _hostile = new HostileToken();
    MockUSDT private immutable _usdt = new MockUSDT();
    MockUSDC private immutable _usdc = new MockUSDC();
    MockQuoter internal immutable quoter = new MockQuoter();
    address[] internal tokens;
    address[] internal payers;
    address[] internal payees;
    /// @dev Receivers of fees: two who do nothing else, a payee, a payer.
    address[] internal collectors = [address(0xfee1), address(0xfee2)];
    /// @dev Whoever can come to own something of it.
    address[] internal accounts;

    /// @dev How often each action succeeded: a campaign in which nothing happens proves nothing.
    mapping(string what => uint256) public done;

    mapping(address token => mapping(address account => uint256)) internal owned;
    uint256 private _time = START;

    /// @dev Forge sets the clock back after each action.
    modifier clocked() {
        vm.warp(_time);
        _;
    }

    constructor() clocked {
        tokens = [address(new MockToken("Mock Dollar", "MUSD", 6)), address(_hostile), address(_usdt), address(_usdc)];
        vm.etch(PERMIT2, type(Permit2).runtimeCode);
        for (uint256 i = 0; i < PAYERS; ++i) {
            payers.push(vm.addr(_keyOf(i)));
            accounts.push(payers[i]);
        }
        for (uint256 i = 0; i < PAYEES; ++i) {
            payees.push(vm.addr(_keyOf(PAYERS + i)));
            accounts.push(payees[i]);
        }
        accounts.push(collectors[0]);
        accounts.push(collectors[1]);
        collectors.push(payees[1]);
        collectors.push(payers[0]);
        accounts.push(address(subscriptions));
        for (uint256 t = 0; t < TOKENS; ++t) {
            for (uint256 i = 0; i < PAYERS; ++i) {
                mint(i, t, 1e12);
                _approve(payers[i], tokens[t], address(subscriptions), type(uint256).max);
                _approve(payers[i], tokens[t], PERMIT2, type(uint256).max);
                _allow(payers[i], tokens[t], type(uint160).max, type(uint48).max);
            }
            for (uint256 i = 0; i < PAYEES; ++i) {
                _approve(payees[i], tokens[t], address(subscriptions), type(uint256).max);
            }
        }
    }

    // ---------------------------------------------------------------- actions

    function pass(uint256 time) external {
        _time += bound(time, 0, time % 4 == 0 ? 90 days : time % 4 == 1 ? 2 days : 20 days);
    }

    function mint(uint256 payer, uint256 token, uint256 amount) public {
        (address to, address asset) = (payers[payer % PAYERS], tokens[token % TOKENS]);
        if (_usdc.isBlacklisted(to) || _hostile.blocked() == to) return;
        amount = bound(amount, 0, 1e12);
        MockToken(asset).mint(to, amount);
        owned[asset][to] += amount;
    }

    /// @dev A payer spends elsewhere, often all of it.
    function spend(uint256 payer, uint256 token, uint256 amount) external {
        (address from, address asset) = (payers[payer % PAYERS], tokens[token % TOKENS]);
        if (_usdc.isBlacklisted(from) || _hostile.trickOf(IERC20.transfer.selector) != HostileToken.Trick.None) return;
        amount = amount % 2 == 0 ? owned[asset][from] : bound(amount, 0, owned[asset][from]);
        _call(from, asset, abi.encodeCall(IERC20.transfer, (address(0xdead), amount)));
        owned[asset][from] -= amount;
    }

    function approve(uint256 payer, uint256 token, uint256 amount) external {
        if (_usdc.isBlacklisted(payers[payer % PAYERS]) || _usdc.isBlacklisted(address(subscriptions))) return;
        if (amount % 4 == 0) amount = 0;
        if (amount % 4 == 1) amount = type(uint256).max;
        address spender = amount % 3 == 0 ? PERMIT2 : address(subscriptions);
        _approve(payers[payer % PAYERS], tokens[token % TOKENS], spender, amount);
    }

    /// @dev In Permit2: often none, or one that has expired.
    function allow(uint256 payer, uint256 token, uint256 amount, uint256 time) external clocked {
        uint160 allowed = amount % 3 == 0 ? type(uint160).max : uint160(bound(amount / 3, 0, 2e7));
        uint256 expiration = time % 4 == 0 ? _time + time % 40 days : time % 4 == 1 ? _time : type(uint48).max;
        _allow(payers[payer % PAYERS], tokens[token % TOKENS], allowed, uint48(expiration));
    }

    /// @dev The quoter's price moves, and for a fourth of the seeds there is none.
    function quotePrice(uint256 rate, uint256 seed) external {
        quoter.setRate(bound(rate, 1, 4e6));
        quoter.play(seed % 4 == 0 ? MockQuoter.Trick(seed / 4 % 11) : MockQuoter.Trick.None);
    }

    /// @dev The hostile token plays a trick in one of its functions; an even seed makes it behave. In `transfer`, which
    /// pays out what was kept, it does no more than to refuse: whoever is paid by a lie is paid by nobody.
    function misbehave(uint256 seed) external {
        bytes4[5] memory functions = [
            IERC20.transferFrom.selector,
            IERC20.balanceOf.selector,
            IERC20.allowance.selector,
            IERC20Permit.permit.selector,
            IERC20.transfer.selector
        ];
        for (uint256 i = 0; i < functions.length; ++i) {
            _hostile.play(functions[i], HostileToken.Trick.None);
        }
        if (seed % 2 == 0) return;
        uint256 place = seed / 2 % functions.length;
        _hostile.play(functions[place], place == 4 ? HostileToken.Trick.Refuse : HostileToken.Trick(seed / 10 % 11));
    }

    /// @dev E07: the hostile token or USDC moves nothing to an account any more, USDC nothing from it either; before,
    /// it lets go of the last one. A third of the seeds leaves it at that, a third blocks the payee of most of it.
    function blockAccount(uint256 seed, uint256 account) external {
        address blocked = seed % 3 == 0 ? address(0) : accounts[account % accounts.length];
        if (seed % 3 == 1) blocked = payees[1];
        if (seed % 2 == 0) {
            _hostile.blockAccount(blocked);
            return;
        }
        _letGo();
        if (blocked != address(0)) _usdc.blacklist(blocked);
    }

    /// @dev Of everybody whom USDC blocks.
    function _letGo() internal {
        for (uint256 i = 0; i < accounts.length; ++i) {
            _usdc.unBlacklist(accounts[i]);
        }
    }

    /// @dev USDT's fee goes on or off.
    function setFee(uint256 feeBps) external {
        _usdt.setParams(feeBps % 2 == 0 ? 0 : feeBps % 20, type(uint256).max);
    }

    // ------------------------------------------------------------------ parts

    /// @dev As Ape compiled them: the code that is shipped, and nothing for Forge to compile.
    function _deployAll() private returns (address) {
        string memory build = vm.readFile(".build/__local__.json");
        address next = _deploy(_built(build, "SubscriptionsViews"));
        next = _deploy(bytes.concat(_built(build, "SubscriptionsConsent"), abi.encode(next)));
        address escrow = _deploy(_built(build, "Escrow"));
        next = _deploy(bytes.concat(_built(build, "SubscriptionsCharges"), abi.encode(next, escrow)));
        next = _deploy(bytes.concat(_built(build, "SubscriptionsPayer"), abi.encode(next)));
        next = _deploy(bytes.concat(_built(build, "SubscriptionsPayee"), abi.encode(next)));
        return _deploy(bytes.concat(_built(build, "Subscriptions"), abi.encode(next)));
    }

    function _built(string memory build, string memory name) private pure returns (bytes memory) {
        return vm.parseJsonBytes(build, string.concat(".contractTypes.", name, ".deploymentBytecode.bytecode"));
    }

    function _deploy(bytes memory code) private returns (address deployed) {
        assembly ("memory-safe") {
            deployed := create(0, add(code, 0x20), mload(code))
        }
        vm.assertTrue(deployed != address(0), "deployed");
    }

    /// @dev Of a payer or, behind them, of a payee.
    function _keyOf(uint256 account) internal pure returns (uint256) {
        return 0xA000 + account;
    }

    function _passTo(uint256 time) internal {
        if (time > _time) _time = time;
    }

    function _now() internal view returns (uint256) {
        return _time;
    }

    /// @dev Whether a token does for this payer what it says: then the contract may blame nothing but their money.
    function _isHonest(address token, address payer) internal view returns (bool) {
        if (token == tokens[HONEST]) return true;
        return token == tokens[USDC] && !_usdc.isBlacklisted(payer) && !_usdc.isBlacklisted(address(subscriptions));
    }

    /// @dev Of the tokens here USDC alone tells.
    function _isBlocked(address token, address account) internal view returns (bool) {
        return token == tokens[USDC] && _usdc.isBlacklisted(account);
    }

    /// @dev An event of the contract says that money moved: nothing else may move it.
    function _moved(address token, address from, address to, uint256 amount) internal {
        owned[token][from] -= amount;
        owned[token][to] += amount;
    }

    /// @dev Inv-3: what left payers arrived at payees, receivers of fees or in the contract's keeping, to the unit.
    function _assertMoney() internal {
        HostileToken.Trick trick = _hostile.trickOf(IERC20.balanceOf.selector);
        _hostile.play(IERC20.balanceOf.selector, HostileToken.Trick.None);
        for (uint256 t = 0; t < TOKENS; ++t) {
            for (uint256 i = 0; i < accounts.length; ++i) {
                uint256 balance = IERC20(tokens[t]).balanceOf(accounts[i]);
                vm.assertEq(balance, owned[tokens[t]][accounts[i]], "Inv-3: a balance");
            }
        }
        _hostile.play(IERC20.balanceOf.selector, trick);
    }

    /// @dev USDT wants a zero in between, and answers nothing.
    function _approve(address owner, address token, address spender, uint256 amount) internal {
        _call(owner, token, abi.encodeCall(IERC20.approve, (spender, 0)));
        _call(owner, token, abi.encodeCall(IERC20.approve, (spender, amount)));
    }

    function _allow(address owner, address token, uint160 amount, uint48 expiration) private {
        bytes memory data = abi.encodeCall(Permit2.approve, (token, address(subscriptions), amount, expiration));
        _call(owner, PERMIT2, data);
    }

    function _call(address sender, address target, bytes memory data) private {
        vm.prank(sender);
        (bool ok,) = target.call(data);
        vm.assertTrue(ok, "a payer's own call");
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IEscrow} from "../../contracts/interfaces/IEscrow.sol";
import {ISubscriptions} from "../../contracts/interfaces/ISubscriptions.sol";
import {ISubscriptionsTypes} from "../../contracts/interfaces/ISubscriptionsTypes.sol";
import {HostileToken} from "../../contracts/mocks/HostileToken.sol";
import {MockToken} from "../../contracts/mocks/MockToken.sol";
import {Forge} from "./Forge.sol";

/// @notice Forge's cheat codes for what would take too long to bring about.
interface Cheats {
    function record() external;
    function accesses(address account) external returns (bytes32[] memory reads, bytes32[] memory writes);
    function load(address account, bytes32 slot) external view returns (bytes32);
    function store(address account, bytes32 slot, bytes32 word) external;
    function setNonceUnsafe(address account, uint64 nonce) external;
    function computeCreateAddress(address deployer, uint256 nonce) external pure returns (address);
    function etch(address account, bytes calldata code) external;
}

/// @notice One payee, one payer with funds, a token that does what it should and one that does not.
abstract contract Scene is Forge, ISubscriptionsTypes {
    uint256 internal constant START = 1_801_389_600; // 31 January 2027, 10:00
    uint256 internal constant KEY = 0xA11CE;
    uint256 internal constant PAYEE_KEY = 0xBEEF;
    uint256 internal constant SECOND_KEY = 0x5EC0;
    uint96 internal constant PRICE = 9_990_000;
    Cheats internal constant cheats = Cheats(address(vm));

    ISubscriptions internal subscriptions;
    IEscrow internal escrow;
    MockToken internal token;
    HostileToken internal hostile;
    address internal payee = vm.addr(PAYEE_KEY);
    address internal payer = vm.addr(KEY);
    address internal second = vm.addr(SECOND_KEY);
    address internal stranger = address(0xc0ffee);

    function setUp() public virtual {
        vm.warp(START);
        address next = _deploy(_creationCode("SubscriptionsViews"));
        next = _deploy(bytes.concat(_creationCode("SubscriptionsConsent"), abi.encode(next)));
        escrow = IEscrow(_deploy(_creationCode("Escrow")));
        next = _deploy(bytes.concat(_creationCode("SubscriptionsCharges"), abi.encode(next, escrow)));
        next = _deploy(bytes.concat(_creationCode("SubscriptionsPayer"), abi.encode(next)));
        next = _deploy(bytes.concat(_creationCode("SubscriptionsPayee"), abi.encode(next)));
        subscriptions = ISubscriptions(_deploy(bytes.concat(_creationCode("Subscriptions"), abi.encode(next))));
        vm.assertTrue(address(subscriptions) != address(0), "deployed");
        token = new MockToken("Mock Dollar", "MUSD", 6);
        hostile = new HostileToken();
        _fund(payer, token);
        _fund(payer, hostile);
        _fund(payee, token);
        _fund(second, token);
    }

    /// @dev As Ape compiled it: the code that is shipped.
    function _creationCode(string memory name) internal view virtual returns (bytes memory) {
        string memory key = string.concat(".contractTypes.", name, ".deploymentBytecode.bytecode");
        return vm.parseJsonBytes(vm.readFile(".build/__local__.json"), key);
    }

    /// @dev Zero where the constructor refuses.
    function _deploy(bytes memory code) internal returns (address deployed) {
        assembly ("memory-safe") {
            deployed := create(0, add(code, 0x20), mload(code))
        }
    }

    // ------------------------------------------------------------------ parts

    function _fund(address account, MockToken asset) internal {
        asset.mint(account, 1e12);
        vm.prank(account);
        asset.approve(address(subscriptions), type(uint256).max);
    }

    /// @dev A monthly plan.
    function _terms() internal view returns (PlanTerms memory terms) {
        (terms.payee, terms.price, terms.token) = (payee, PRICE, address(token));
        (terms.every, terms.unit) = (1, Unit.Month);
    }

    function _create(PlanTerms memory terms) internal returns (uint256) {
        vm.prank(terms.payee);
        return subscriptions.createPlan(terms);
    }

    function _subscribe(uint256 planId, uint256 seats) internal returns (uint256) {
        bytes32 terms = subscriptions.termsHash(planId);
        vm.prank(payer);
        return subscriptions.subscribe(planId, terms, seats);
    }

    function _subscribe(PlanTerms memory terms) internal returns (uint256) {
        return _subscribe(_create(terms), terms.seatPrice == 0 ? 0 : 1);
    }

    function _change(uint256 id, uint256 planId, uint256 seats) internal {
        bytes memory data = _changing(id, planId, seats, type(uint256).max);
        vm.prank(payer);
        (bool ok,) = address(subscriptions).call(data);
        vm.assertTrue(ok, "changed");
    }

    function _changing(uint256 id, uint256 planId, uint256 seats, uint256 most) internal view returns (bytes memory) {
        bytes32 terms = subscriptions.termsHash(planId);
        return abi.encodeWithSelector(subscriptions.changePlan.selector, id, planId, terms, seats, most);
    }

    /// @dev Alone, as a batch of one row.
    function _charge(uint256 id) internal returns (DeclineReason) {
        uint256[] memory ids = new uint256[](1);
        ids[0] = id;
        return DeclineReason(uint8(subscriptions.charge(ids)[0]));
    }

    function _charge(uint256 first, uint256 second) internal returns (bytes memory) {
        uint256[] memory ids = new uint256[](2);
        (ids[0], ids[1]) = (first, second);
        return subscriptions.charge(ids);
    }

    function _nextDue(uint256 id) internal view returns (uint256) {
        return subscriptions.subscription(id).nextDue;
    }

    function _signed(bytes32 digest) internal pure returns (bytes memory) {
        return _signed(KEY, digest);
    }

    function _signed(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev The EIP-712 digest of a struct.
    function _typed(bytes32 structHash) internal view returns (bytes32) {
        bytes32 kind =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        bytes32 domain = keccak256(
            abi.encode(kind, keccak256("Tallystick Subscriptions"), keccak256("1"), block.chainid, subscriptions)
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    // ------------------------------------------------- conditions and coupons

    /// @dev Without a coupon.
    function _open(uint256 planId, Conditions memory conditions) internal returns (uint256) {
        Coupon memory none;
        return _open(planId, conditions, none);
    }

    function _open(uint256 planId, Conditions memory conditions, Coupon memory coupon) internal returns (uint256 id) {
        bytes memory data = _opening(planId, conditions, coupon);
        vm.prank(payer);
        (bool ok, bytes memory answer) = address(subscriptions).call(data);
        vm.assertTrue(ok, "opened");
        return abi.decode(answer, (uint256));
    }

    function _opening(uint256 planId, Conditions memory conditions, Coupon memory coupon)
        internal
        view
        returns (bytes memory)
    {
        uint256 seats = subscriptions.plan(planId).seatPrice == 0 ? 0 : 1;
        bytes memory signature = coupon.periods == 0 ? bytes("") : _couponSignature(planId, coupon);
        return abi.encodeCall(
            subscriptions.subscribeWithConditions,
            (planId, subscriptions.termsHash(planId), seats, conditions, coupon, signature)
        );
    }

    function _couponSignature(uint256 planId, Coupon memory coupon) internal view returns (bytes memory) {
        return _signed(PAYEE_KEY, subscriptions.couponHash(planId, coupon));
    }

    /// @dev For any plan, by anyone, for ever.
    function _coupon(uint16 basisPointsOff, uint96 amountOff, uint16 periods) internal pure returns (Coupon memory) {
        return Coupon(0, basisPointsOff, amountOff, periods, address(0), 1, type(uint256).max);
    }

    function _schedule(uint256 id, uint256 planId, uint256 seats) internal {
        bytes memory data = _scheduling(id, planId, seats);
        vm.prank(payer);
        (bool ok,) = address(subscriptions).call(data);
        vm.assertTrue(ok, "scheduled");
    }

    function _scheduling(uint256 id, uint256 planId, uint256 seats) internal view returns (bytes memory) {
        return abi.encodeCall(
            subscriptions.scheduleChange, (id, planId, subscriptions.termsHash(planId), seats)
        );
    }

    // ------------------------------------------------------------- assertions

    /// @dev The call reverts with exactly this error.
    function _refuses(address sender, bytes memory data, bytes memory failure) internal {
        vm.prank(sender);
        (bool ok, bytes memory found) = address(subscriptions).call(data);
        vm.assertTrue(!ok, "refused");
        vm.assertEq(keccak256(found), keccak256(failure), "the error and its values");
    }

    function _declines(uint256 id, DeclineReason reason) internal {
        vm.assertEq(uint256(_charge(id)), uint256(reason), "why it declined");
    }

    // -------------------------------------------- what would take too long

    /// @dev The slot that the contract read as the `n`-th one since `cheats.record()`.
    function _slotRead(uint256 n) internal returns (bytes32) {
        (bytes32[] memory reads,) = cheats.accesses(address(subscriptions));
        return reads[n];
    }

    /// @dev Sets bits of a subscription's word.
    function _mark(uint256 id, uint256 bits) internal {
        cheats.record();
        subscriptions.subscription(id);
        _setBits(_slotRead(0), bits);
    }

    /// @dev Sets bits of a register's word.
    function _markRegister(uint256 bits) internal {
        cheats.record();
        subscriptions.controlTotals(payee, address(token));
        _setBits(_slotRead(1), bits);
    }

    function _setBits(bytes32 slot, uint256 bits) private {
        uint256 word = uint256(cheats.load(address(subscriptions), slot));
        cheats.store(address(subscriptions), slot, bytes32(word | bits));
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IChannelPlan} from "../../contracts/interfaces/IChannelPlan.sol";
import {IChannels} from "../../contracts/interfaces/IChannels.sol";
import {Campaign} from "./Campaign.sol";
import {Scene} from "./Scene.sol";

/// @notice A plan whose charges fill channels.
abstract contract ChannelPlanScene is Scene {
    address internal constant RECEIVER = address(0xBEE);

    IChannels internal channels;
    IChannelPlan internal plan;

    function setUp() public virtual override {
        super.setUp();
        channels = IChannels(_deploy(_creationCode("Channels")));
        plan = IChannelPlan(_created(RECEIVER, RECEIVER, 1 days));
        vm.assertTrue(address(plan) != address(0), "deployed");
    }

    /// @return Zero where it is refused.
    function _created(address receiver, address authorizer, uint40 delay) internal returns (address) {
        bytes memory arguments = abi.encode(
            subscriptions, channels, receiver, authorizer, delay, address(token), PRICE, uint32(1), Unit.Week
        );
        return _deploy(bytes.concat(_creationCode("ChannelPlan"), arguments));
    }

    function _subscribes(address account) internal returns (uint256) {
        (uint256 planId, bytes32 terms) = (plan.planId(), subscriptions.termsHash(plan.planId()));
        vm.prank(account);
        return subscriptions.subscribe(planId, terms, 0);
    }

    function _fill(uint256 first, uint256 other) internal returns (uint256) {
        uint256[] memory ids = new uint256[](2);
        (ids[0], ids[1]) = (first, other);
        return plan.fill(ids);
    }

    function _inChannel(uint256 id) internal view returns (uint256) {
        return channels.channel(channels.getChannelId(plan.channelOf(id))).deposited;
    }
}

/// @notice Each branch of it; what `make coverage` counts.
contract ChannelPlanPathsTest is ChannelPlanScene {
    function testFuzz_what_was_charged_since_goes_into_the_channel(uint8 before, uint8 later) public {
        uint256 id = _subscribes(payer);
        uint256 other = _subscribes(second);
        _chargeTimes(id, before % 4);
        vm.assertEq(_fill(id, other), (before % 4 + 2) * PRICE, "all that was charged");
        _chargeTimes(id, later % 4);
        vm.assertEq(_fill(id, id), (later % 4) * PRICE, "what was charged since, once");
        vm.assertEq(_inChannel(id), (before % 4 + later % 4 + 1) * PRICE, "in its channel");
        vm.assertEq(_inChannel(other), PRICE, "in the other's");
        (uint256 charges, uint256 amount) = plan.unfilled(id);
        vm.assertEq(charges + amount, 0, "nothing is left");
    }

    function testFuzz_only_with_terms_that_a_channel_can_have(uint256 seed, uint40 delay) public {
        address[4] memory parties = [address(0), address(channels), RECEIVER, stranger];
        (address receiver, address authorizer) = (parties[seed % 4], parties[(seed >> 8) % 4]);
        delay = uint40(delay % 32 days);
        bool sound = receiver != address(0) && receiver != address(channels) && authorizer != address(0)
            && delay >= 15 minutes && delay <= 30 days;
        address made = _created(receiver, authorizer, delay);
        vm.assertTrue((made != address(0)) == sound, "created");
        if (!sound) return;
        plan = IChannelPlan(made);
        uint256 id = _subscribes(payer);
        vm.assertEq(_fill(id, id), PRICE, "what is charged goes into the channel");
    }

    function test_of_another_plan() public {
        uint256 id = _subscribe(_terms());
        bytes memory reason = abi.encodeWithSelector(IChannelPlan.AnotherPlan.selector, id, 2, 1);
        (bool ok, bytes memory failure) = address(plan).call(abi.encodeCall(plan.unfilled, (id)));
        vm.assertTrue(!ok && keccak256(failure) == keccak256(reason), "another plan");
    }

    function test_the_receiver_ends_the_sale() public {
        (bool ok,) = address(plan).call(abi.encodeCall(plan.archive, ()));
        vm.assertTrue(!ok, "nobody else");
        vm.prank(RECEIVER);
        plan.archive();
        vm.assertTrue(subscriptions.isArchived(plan.planId()), "archived");
    }

    function test_whom_the_subscription_serves_signs_vouchers() public {
        uint256 id = _subscribes(payer);
        vm.assertEq(plan.channelOf(id).payerAuthorizer, address(0), "the payer");
        Conditions memory conditions;
        conditions.beneficiary = stranger;
        vm.prank(payer);
        subscriptions.setConditions(id, conditions);
        vm.assertEq(plan.channelOf(id).payerAuthorizer, stranger, "a key");
    }

    function _chargeTimes(uint256 id, uint256 times) private {
        for (uint256 i = 0; i < times; ++i) {
            vm.warp(subscriptions.subscription(id).nextDue);
            vm.assertTrue(_charge(id) == DeclineReason.None, "charged");
        }
    }
}

/// @notice Random lives of three subscriptions to it: everybody acts, in any order.
contract ChannelPlanHandler is ChannelPlanScene {
    uint256[] private _ids;
    uint256 public charged;
    mapping(string => uint256) public done;

    constructor() {
        setUp();
        address[3] memory owners = [payer, second, payee];
        for (uint256 i = 0; i < owners.length; ++i) {
            _ids.push(_subscribes(owners[i]));
            charged += PRICE;
        }
    }

    function charge(uint256 seed, uint256 later) external {
        vm.warp(block.timestamp + later % 9 days);
        if (_charge(_one(seed)) != DeclineReason.None) return;
        charged += PRICE;
        ++done["charged"];
    }

    function fill(uint256 seed, uint256 other) external {
        if (_fill(_one(seed), _one(other)) != 0) ++done["filled"];
    }

    function pause(uint256 seed) external {
        _byPayer(seed, abi.encodeWithSelector(subscriptions.pause.selector, _one(seed)), "paused");
    }

    function resume(uint256 seed) external {
        _byPayer(seed, abi.encodeWithSelector(subscriptions.resume.selector, _one(seed)), "resumed");
    }

    function nameKey(uint256 seed, address key) external {
        Conditions memory conditions;
        conditions.beneficiary = key;
        _byPayer(seed, abi.encodeCall(subscriptions.setConditions, (_one(seed), conditions)), "key named");
    }

    function withdraw(uint256 seed, uint256 amount) external {
        IChannels.ChannelConfig memory config = plan.channelOf(_one(seed));
        vm.prank(config.payer);
        (bool ok,) = address(channels).call(abi.encodeCall(channels.initiateWithdraw, (config, uint128(amount % 2e7))));
        vm.warp(block.timestamp + 1 days);
        vm.prank(config.payer);
        (bool out,) = address(channels).call(abi.encodeCall(channels.finalizeWithdraw, (config)));
        if (ok && out) ++done["withdrawn"];
    }

    function assertInvariants() external view {
        uint256 unfilled = 0;
        for (uint256 i = 0; i < _ids.length; ++i) {
            (, uint256 amount) = plan.unfilled(_ids[i]);
            unfilled += amount;
        }
        vm.assertEq(token.balanceOf(address(plan)), unfilled, "here is what is not filled");
        vm.assertEq(subscriptions.controlTotals(address(plan), address(token)).charges.sum, charged, "all is counted");
        vm.assertEq(token.allowance(address(this), address(channels)), 0, "nobody else pays");
    }

    function _one(uint256 seed) private view returns (uint256) {
        return _ids[spread(seed) % 3];
    }

    /// @dev What the payer may not do now does nothing.
    function _byPayer(uint256 seed, bytes memory data, string memory what) private {
        vm.prank(subscriptions.subscription(_one(seed)).payer);
        (bool ok,) = address(subscriptions).call(data);
        if (ok) ++done[what];
    }
}

/// @notice What was charged is in a channel, or here and told as not filled. See docs/invariants.md.
contract ChannelPlanTest is Campaign {
    uint256 private constant CAMPAIGN = 600;

    ChannelPlanHandler private _handler;

    function setUp() public {
        _handler = new ChannelPlanHandler();
    }

    function _target() internal view override returns (address) {
        return address(_handler);
    }

    function _actions() internal view override returns (bytes4[] memory actions) {
        bytes4[7] memory often = [
            _handler.charge.selector,
            _handler.charge.selector,
            _handler.fill.selector,
            _handler.pause.selector,
            _handler.resume.selector,
            _handler.nameKey.selector,
            _handler.withdraw.selector
        ];
        actions = new bytes4[](often.length);
        for (uint256 i = 0; i < often.length; ++i) {
            actions[i] = often[i];
        }
    }

    function test_the_handler_does_everything_that_can_be_done() public {
        bytes4[] memory actions = _actions();
        for (uint256 step = 0; step < CAMPAIGN; ++step) {
            uint256 seed = uint256(keccak256(abi.encode(step)));
            _actAs(abi.encodePacked(actions[seed % actions.length], step, uint256(uint160(seed >> 8))));
            _handler.assertInvariants();
        }
        string[6] memory all = ["charged", "filled", "paused", "resumed", "key named", "withdrawn"];
        for (uint256 i = 0; i < all.length; ++i) {
            vm.assertTrue(_handler.done(all[i]) > 0, all[i]);
        }
    }

    function invariant_what_was_charged_is_in_a_channel_or_still_to_be_filled() public view {
        _handler.assertInvariants();
    }
}

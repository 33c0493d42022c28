// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Checkout} from "../../contracts/Checkout.sol";
import {ChainlinkQuoter} from "../../contracts/ChainlinkQuoter.sol";
import {AuthorizationCollector} from "../../contracts/AuthorizationCollector.sol";
import {ChannelPlan} from "../../contracts/ChannelPlan.sol";
import {Channels} from "../../contracts/Channels.sol";
import {Permit2Collector} from "../../contracts/Permit2Collector.sol";
import {Subscriptions} from "../../contracts/Subscriptions.sol";
import {Escrow} from "../../contracts/Escrow.sol";
import {SubscriptionsCharges} from "../../contracts/SubscriptionsCharges.sol";
import {SubscriptionsConsent} from "../../contracts/SubscriptionsConsent.sol";
import {SubscriptionsPayee} from "../../contracts/SubscriptionsPayee.sol";
import {SubscriptionsPayer} from "../../contracts/SubscriptionsPayer.sol";
import {SubscriptionsViews} from "../../contracts/SubscriptionsViews.sol";
import {UniswapSwapper} from "../../contracts/UniswapSwapper.sol";
import {AlignedTest} from "../solidity/Aligned.t.sol";
import {AlternativesTest} from "../solidity/Alternatives.t.sol";
import {CheckoutPathsTest} from "../solidity/CheckoutPaths.t.sol";
import {ChainlinkQuoterTest} from "../solidity/ChainlinkQuoter.t.sol";
import {ChannelPlanPathsTest} from "../solidity/ChannelPlan.t.sol";
import {ChannelsPathsTest} from "../solidity/ChannelsPaths.t.sol";
import {ConditionsTest} from "../solidity/Conditions.t.sol";
import {CouponsTest} from "../solidity/Coupons.t.sol";
import {CourtTest} from "../solidity/Court.t.sol";
import {EscrowPathsTest} from "../solidity/EscrowPaths.t.sol";
import {MeteredTest} from "../solidity/Metered.t.sol";
import {PathsTest} from "../solidity/Paths.t.sol";
import {ProtectedTest} from "../solidity/Protected.t.sol";
import {QuotedTest} from "../solidity/Quoted.t.sol";
import {RefusalsTest} from "../solidity/Refusals.t.sol";
import {SchedulesTest} from "../solidity/Schedules.t.sol";
import {SwapPathsTest} from "../solidity/UniswapSwapper.t.sol";
import {SwapCollectorTest} from "../solidity/SwapCollector.t.sol";
import {WalletsTest} from "../solidity/Wallets.t.sol";

/// @notice Forge counts what runs of the code that it compiles itself: here that code takes the place of the one that is
/// shipped. Run by `make coverage`.
library Compiled {
    function creationCode(string memory name) internal pure returns (bytes memory) {
        bytes32 wanted = keccak256(bytes(name));
        if (wanted == keccak256("Subscriptions")) return type(Subscriptions).creationCode;
        if (wanted == keccak256("SubscriptionsPayee")) return type(SubscriptionsPayee).creationCode;
        if (wanted == keccak256("SubscriptionsPayer")) return type(SubscriptionsPayer).creationCode;
        if (wanted == keccak256("SubscriptionsConsent")) return type(SubscriptionsConsent).creationCode;
        if (wanted == keccak256("SubscriptionsCharges")) return type(SubscriptionsCharges).creationCode;
        if (wanted == keccak256("ChannelPlan")) return type(ChannelPlan).creationCode;
        if (wanted == keccak256("Channels")) return type(Channels).creationCode;
        if (wanted == keccak256("AuthorizationCollector")) return type(AuthorizationCollector).creationCode;
        if (wanted == keccak256("Permit2Collector")) return type(Permit2Collector).creationCode;
        if (wanted == keccak256("Escrow")) return type(Escrow).creationCode;
        return type(SubscriptionsViews).creationCode;
    }
}

contract AlignedCoverage is AlignedTest {
    function _creationCode(string memory name) internal pure override returns (bytes memory) {
        return Compiled.creationCode(name);
    }
}

contract AlternativesCoverage is AlternativesTest {
    function _creationCode(string memory name) internal pure override returns (bytes memory) {
        return Compiled.creationCode(name);
    }
}

contract CheckoutPathsCoverage is CheckoutPathsTest {
    function _creationCode() internal pure override returns (bytes memory) {
        return type(Checkout).creationCode;
    }
}

contract ChainlinkQuoterCoverage is ChainlinkQuoterTest {
    function _creationCode() internal pure override returns (bytes memory) {
        return type(ChainlinkQuoter).creationCode;
    }
}

contract ChannelPlanCoverage is ChannelPlanPathsTest {
    function _creationCode(string memory name) internal pure override returns (bytes memory) {
        return Compiled.creationCode(name);
    }
}

contract ChannelsPathsCoverage is ChannelsPathsTest {
    function _creationCode(string memory name) internal pure override returns (bytes memory) {
        return Compiled.creationCode(name);
    }
}

contract ConditionsCoverage is ConditionsTest {
    function _creationCode(string memory name) internal pure override returns (bytes memory) {
        return Compiled.creationCode(name);
    }
}

contract CouponsCoverage is CouponsTest {
    function _creationCode(string memory name) internal pure override returns (bytes memory) {
        return Compiled.creationCode(name);
    }
}

contract CourtCoverage is CourtTest {
    function _creationCode() internal pure override returns (bytes memory) {
        return type(Escrow).creationCode;
    }
}

contract EscrowPathsCoverage is EscrowPathsTest {
    function _creationCode() internal pure override returns (bytes memory) {
        return type(Escrow).creationCode;
    }
}

contract MeteredCoverage is MeteredTest {
    function _creationCode(string memory name) internal pure override returns (bytes memory) {
        return Compiled.creationCode(name);
    }
}

contract PathsCoverage is PathsTest {
    function _creationCode(string memory name) internal pure override returns (bytes memory) {
        return Compiled.creationCode(name);
    }
}

contract ProtectedCoverage is ProtectedTest {
    function _creationCode(string memory name) internal pure override returns (bytes memory) {
        return Compiled.creationCode(name);
    }
}

contract QuotedCoverage is QuotedTest {
    function _creationCode(string memory name) internal pure override returns (bytes memory) {
        return Compiled.creationCode(name);
    }
}

contract RefusalsCoverage is RefusalsTest {
    function _creationCode(string memory name) internal pure override returns (bytes memory) {
        return Compiled.creationCode(name);
    }
}

contract SchedulesCoverage is SchedulesTest {
    function _creationCode(string memory name) internal pure override returns (bytes memory) {
        return Compiled.creationCode(name);
    }
}

contract SwapPathsCoverage is SwapPathsTest {
    function _creationCode() internal pure override returns (bytes memory) {
        return type(UniswapSwapper).creationCode;
    }
}

contract SwapCollectorCoverage is SwapCollectorTest {
    function _creationCode() internal pure override returns (bytes memory) {
        return type(Checkout).creationCode;
    }
}

contract WalletsCoverage is WalletsTest {
    function _creationCode(string memory name) internal pure override returns (bytes memory) {
        return Compiled.creationCode(name);
    }
}

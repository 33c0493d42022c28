// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IChainlinkQuoter} from "../../contracts/interfaces/IChainlinkQuoter.sol";
import {IQuoter} from "../../contracts/interfaces/IQuoter.sol";
import {MockFeed} from "../../contracts/mocks/MockFeed.sol";
import {MockToken} from "../../contracts/mocks/MockToken.sol";
import {Big} from "./Big.sol";
import {Forge} from "./Forge.sol";

/// @notice What a price in a currency is in a token, for any answers and decimals, against arithmetic by hand; and that
/// there is no price of a round that should not be trusted (E34).
contract ChainlinkQuoterTest is Forge {
    struct Decimals {
        uint256 token;
        uint256 price;
        uint256 priceFeed;
        uint256 tokenFeed;
    }

    uint256 private constant START = 1_801_389_600; // 31 January 2027, 10:00
    uint256 private constant MOST = type(uint96).max;
    uint32 private constant AGE = 1 days;
    uint32 private constant GRACE = 1 hours;

    MockToken private _token;
    MockFeed private _priceFeed;
    MockFeed private _tokenFeed;
    MockFeed private _sequencer;
    bytes private _code;

    function setUp() public {
        vm.warp(START);
        _code = _creationCode();
        _build(Decimals(6, 2, 8, 8));
    }

    // ------------------------------------------------------------- the amount

    /// @dev E04, E34: the payee gets at least what the price is worth, and less than a unit more.
    function testFuzz_E34_an_amount_is_what_the_price_is_worth_rounded_up(
        uint256 price,
        uint256 ofPrice,
        uint256 ofToken,
        uint256 seed
    ) public {
        _judge(price, ofPrice, ofToken, _spread(seed));
    }

    function _judge(uint256 price, uint256 ofPrice, uint256 ofToken, uint256 seed) private {
        Decimals memory decimals = Decimals(seed % 25, (seed >> 32) % 25, (seed >> 64) % 25, (seed >> 96) % 25);
        price = _anySize(price, seed >> 128, 0);
        (ofPrice, ofToken) = (_anySize(ofPrice, seed >> 136, 1), _anySize(ofToken, seed >> 144, 1));
        _build(decimals);
        _priceFeed.answer(int256(ofPrice));
        _tokenFeed.answer(int256(ofToken));
        // By one feed, by the other, or by both.
        if (seed >> 252 == 0) (_priceFeed, ofPrice, decimals.priceFeed) = (MockFeed(address(0)), 1, 0);
        else if (seed >> 252 == 1) (_tokenFeed, ofToken, decimals.tokenFeed) = (MockFeed(address(0)), 1, 0);
        IChainlinkQuoter.Config memory config = _config(decimals);

        uint256[24] memory worth = Big.times(Big.times(Big.number(price), ofPrice), 10 ** decimals.token);
        worth = Big.times(worth, 10 ** decimals.tokenFeed);
        uint256[24] memory unit = Big.times(Big.times(Big.number(ofToken), 10 ** decimals.price), 10 ** decimals.priceFeed);
        (bool ok, bytes memory answer) = _ask(_create(config), price);
        if (ok) {
            uint256 amount = abi.decode(answer, (uint256));
            vm.assertLe(amount, MOST, "96 bits");
            _assertIsCeiling(amount, worth, unit);
            vm.assertEq(amount == 0 ? 1 : 0, price == 0 ? 1 : 0, "what has a price is never for nothing");
            return;
        }
        vm.assertEq(bytes32(bytes4(answer)), bytes32(IChainlinkQuoter.AmountTooHigh.selector), "the one way to fail");
        vm.assertTrue(Big.isBelow(Big.times(unit, MOST), worth), "it is too high indeed");
        (uint256 found, uint256 allowed) = _values(answer);
        vm.assertEq(allowed, MOST, "96 bits");
        if (found == type(uint256).max) vm.assertTrue(Big.isBelow(Big.times(unit, found), worth), "beyond 256 bits");
        else _assertIsCeiling(found, worth, unit);
    }

    function _assertIsCeiling(uint256 amount, uint256[24] memory worth, uint256[24] memory unit) private pure {
        vm.assertTrue(!Big.isBelow(Big.times(unit, amount), worth), "no less than it is worth");
        if (amount != 0) vm.assertTrue(Big.isBelow(Big.times(unit, amount - 1), worth), "less than a unit more");
    }

    function test_E34_the_ends_of_the_numbers() public {
        _judge(MOST, MOST, 1, _seed(24, 0, 0, 24));
        _judge(MOST, 2, 1, _seed(24, 0, 0, 24)); // just beyond 256 bits
        _judge(1, 1, MOST, _seed(0, 24, 24, 0));
        _judge(MOST, MOST, MOST, _seed(0, 24, 24, 24));
        _judge(0, MOST, 1, _seed(24, 0, 0, 24));
    }

    // --------------------------------------------------------------- the rounds

    /// @dev Words around every boundary, of feed and sequencer: a price, if and only if all of them are sound.
    function testFuzz_E34_only_a_sound_round_makes_a_price(uint256 seed, uint256 word) public {
        IChainlinkQuoter.Config memory config = _config(Decimals(6, 2, 8, 8));
        (config.tokenFeed.min, config.tokenFeed.max) = (97_000_000, 103_000_000);
        (config.sequencer, config.gracePeriod) = (address(_sequencer), GRACE);
        IChainlinkQuoter quoter = _create(config);
        seed = _spread(seed);
        uint256[5] memory round = _round(seed, word);
        uint256[5] memory uptime = _uptime(seed, word);
        _priceFeed.answer(1e8);
        _tokenFeed.setRound(round);
        _sequencer.setRound(uptime);

        (bool ok, bytes memory answer) = _ask(quoter, 999);
        vm.assertTrue(ok == (_isSound(round) && _isUp(uptime)), "sound, or no price");
        if (ok) {
            uint256 exact = 999 * 1e12;
            uint256 amount = abi.decode(answer, (uint256));
            vm.assertTrue(amount * round[1] >= exact && (amount - 1) * round[1] < exact, "by this very answer");
        } else {
            vm.assertTrue(_isTyped(bytes4(answer)), "an error that says why");
        }
        (bool told,) = address(quoter).staticcall(abi.encodeCall(IChainlinkQuoter.rounds, ()));
        vm.assertTrue(told == ok, "the evidence is there where the price is");
    }

    function _isSound(uint256[5] memory round) private view returns (bool) {
        int256 answer = int256(round[1]);
        bool isComplete = round[0] < 1 << 80 && round[4] < 1 << 80 && round[4] >= round[0] && round[3] != 0;
        bool isNow = round[3] <= block.timestamp && block.timestamp - round[3] < AGE;
        return isComplete && isNow && answer >= 97_000_000 && answer <= 103_000_000;
    }

    function _isUp(uint256[5] memory uptime) private view returns (bool) {
        bool fits = uptime[0] < 1 << 80 && uptime[4] < 1 << 80;
        bool isSince = uptime[2] != 0 && uptime[2] <= block.timestamp && block.timestamp - uptime[2] >= GRACE;
        return fits && uptime[1] == 0 && isSince;
    }

    function _isTyped(bytes4 selector) private pure returns (bool) {
        return selector == IQuoter.QuoteStale.selector || selector == IChainlinkQuoter.FeedUnavailable.selector
            || selector == IChainlinkQuoter.RoundIncomplete.selector
            || selector == IChainlinkQuoter.RoundInFuture.selector
            || selector == IChainlinkQuoter.AnswerOutOfBounds.selector
            || selector == IChainlinkQuoter.SequencerDown.selector
            || selector == IChainlinkQuoter.SequencerRecovering.selector;
    }

    function _round(uint256 seed, uint256 word) private view returns (uint256[5] memory) {
        uint256[8] memory ids = [uint256(7), 7, 7, 0, (1 << 80) - 1, 1 << 80, type(uint256).max, word];
        uint256[8] memory answers =
            [uint256(1e8), 97_000_000, 103_000_000, 96_999_999, 103_000_001, 0, type(uint256).max, word];
        uint256 old = block.timestamp - AGE;
        uint256[8] memory times =
            [block.timestamp, old + 1, old, old - 1, block.timestamp + 1, 0, type(uint256).max, word];
        uint256[8] memory answered = [uint256(7), 7, 7, 6, 8, (1 << 80) - 1, 1 << 80, word];
        return [
            _oneOf(ids, seed, 0),
            _oneOf(answers, seed, 1),
            block.timestamp,
            _oneOf(times, seed, 2),
            _oneOf(answered, seed, 3)
        ];
    }

    function _uptime(uint256 seed, uint256 word) private view returns (uint256[5] memory) {
        uint256 old = block.timestamp - GRACE;
        uint256[8] memory since =
            [old, old - 1, 1, old + 1, block.timestamp, block.timestamp + 1, 0, type(uint256).max];
        uint256[8] memory answers = [uint256(0), 0, 0, 0, 0, 1, type(uint256).max, word];
        uint256[8] memory ids = [uint256(1), 1, 1, 1, 1, (1 << 80) - 1, 1 << 80, word];
        uint256 id = _oneOf(ids, seed, 4);
        return [id, _oneOf(answers, seed, 5), _oneOf(since, seed, 6), block.timestamp, id];
    }

    /// @dev The first of each is sound. In most rounds one word is not, at most; in some any may be.
    function _oneOf(uint256[8] memory words, uint256 seed, uint256 place) private pure returns (uint256) {
        uint256 varied = (seed >> 200) % 10;
        return varied == place || varied > 7 ? words[(seed >> (8 * place)) % 8] : words[0];
    }

    // --------------------------------------------------------------- refusals

    function test_E34_a_feed_that_fails_gives_no_price() public {
        IChainlinkQuoter quoter = _create(_config(Decimals(6, 2, 8, 8)));
        _priceFeed.answer(1e8);
        _tokenFeed.answer(1e8);
        for (uint256 i = 0; i < 7; ++i) {
            _tokenFeed.play(MockFeed.Trick(i));
            bool isHonest = i == 0 || MockFeed.Trick(i) == MockFeed.Trick.ReturnBomb;
            (bool ok, bytes memory answer) = _ask(quoter, 999);
            vm.assertTrue(ok == isHonest, "a price of a whole round alone");
            if (ok) vm.assertEq(abi.decode(answer, (uint256)), 9_990_000, "that price");
            else vm.assertEq(bytes32(bytes4(answer)), bytes32(IChainlinkQuoter.FeedUnavailable.selector), "typed");
        }
    }

    function test_another_token_and_too_high_a_price_are_refused() public {
        IChainlinkQuoter quoter = _create(_config(Decimals(6, 2, 8, 8)));
        bytes memory data = abi.encodeCall(IQuoter.quote, (address(this), 1));
        bytes memory failure =
            abi.encodeWithSelector(IChainlinkQuoter.AnotherToken.selector, address(this), address(_token));
        _refuses(quoter, data, failure);
        data = abi.encodeCall(IQuoter.quote, (address(_token), MOST + 1));
        _refuses(quoter, data, abi.encodeWithSelector(IChainlinkQuoter.PriceTooHigh.selector, MOST + 1, MOST));
    }

    function test_what_it_cannot_be_created_with() public {
        Decimals memory usual = Decimals(6, 2, 8, 8);
        bytes memory contradiction = abi.encodeWithSelector(IChainlinkQuoter.ConfigContradicts.selector);
        IChainlinkQuoter.Config memory config = _config(usual);
        IChainlinkQuoter.Feed memory none;
        (config.priceFeed, config.tokenFeed) = (none, none);
        _createsNot(config, contradiction);
        config = _config(usual);
        config.gracePeriod = 1;
        _createsNot(config, contradiction);
        config = _config(usual);
        config.priceFeed.maxAge = 0;
        _createsNot(config, contradiction);
        config = _config(usual);
        (config.tokenFeed.min, config.tokenFeed.max) = (2, 1);
        _createsNot(config, contradiction);
        config = _config(usual);
        config.priceFeed = none;
        config.priceFeed.min = 1;
        _createsNot(config, contradiction);

        address nobody = address(0xdead);
        bytes memory noContract = abi.encodeWithSelector(IChainlinkQuoter.NotAContract.selector, nobody);
        config = _config(usual);
        (config.sequencer, config.gracePeriod) = (nobody, 1);
        _createsNot(config, noContract);
        config = _config(usual);
        config.token = nobody;
        _createsNot(config, noContract);

        config = _config(usual);
        config.priceDecimals = 25;
        bytes4 tooMany = IChainlinkQuoter.DecimalsTooHigh.selector;
        _createsNot(config, abi.encodeWithSelector(tooMany, address(0), 25, 24));
        _build(Decimals(25, 2, 8, 8));
        _createsNot(_config(usual), abi.encodeWithSelector(tooMany, address(_token), 25, 24));
    }

    function test_it_shows_how_it_was_configured() public {
        IChainlinkQuoter.Config memory config = _config(Decimals(6, 2, 8, 8));
        (config.sequencer, config.gracePeriod) = (address(_sequencer), GRACE);
        bytes32 found = keccak256(abi.encode(_create(config).config()));
        vm.assertEq(found, keccak256(abi.encode(config)), "as it was given");
    }

    // ------------------------------------------------------------------ parts

    function _build(Decimals memory decimals) private {
        _token = new MockToken("Mock Dollar", "MUSD", uint8(decimals.token));
        _priceFeed = new MockFeed("EUR / USD", uint8(decimals.priceFeed));
        _tokenFeed = new MockFeed("USDC / USD", uint8(decimals.tokenFeed));
        _sequencer = new MockFeed("L2 Sequencer Uptime Status Feed", 0);
    }

    function _config(Decimals memory decimals) private view returns (IChainlinkQuoter.Config memory config) {
        (config.token, config.priceDecimals) = (address(_token), uint8(decimals.price));
        if (address(_priceFeed) != address(0)) {
            config.priceFeed = IChainlinkQuoter.Feed(address(_priceFeed), AGE, 1, uint96(MOST));
        }
        if (address(_tokenFeed) != address(0)) {
            config.tokenFeed = IChainlinkQuoter.Feed(address(_tokenFeed), AGE, 1, uint96(MOST));
        }
    }

    /// @dev As Ape compiled it: the code that is shipped.
    function _creationCode() internal view virtual returns (bytes memory) {
        string memory key = ".contractTypes.ChainlinkQuoter.deploymentBytecode.bytecode";
        return vm.parseJsonBytes(vm.readFile(".build/__local__.json"), key);
    }

    function _create(IChainlinkQuoter.Config memory config) private returns (IChainlinkQuoter quoter) {
        bytes memory code = bytes.concat(_code, abi.encode(config));
        address created;
        assembly ("memory-safe") {
            created := create(0, add(code, 0x20), mload(code))
        }
        vm.assertTrue(created != address(0), "created");
        return IChainlinkQuoter(created);
    }

    function _createsNot(IChainlinkQuoter.Config memory config, bytes memory failure) private {
        bytes memory code = bytes.concat(_code, abi.encode(config));
        bytes memory found;
        address created;
        assembly ("memory-safe") {
            created := create(0, add(code, 0x20), mload(code))
            found := mload(0x40)
            mstore(found, returndatasize())
            returndatacopy(add(found, 0x20), 0, returndatasize())
            mstore(0x40, add(found, and(add(returndatasize(), 0x3f), not(0x1f))))
        }
        vm.assertEq(created, address(0), "not created");
        vm.assertEq(keccak256(found), keccak256(failure), "the error and its values");
    }

    function _ask(IChainlinkQuoter quoter, uint256 price) private view returns (bool ok, bytes memory answer) {
        return address(quoter).staticcall{gas: 1_000_000}(abi.encodeCall(IQuoter.quote, (address(_token), price)));
    }

    function _refuses(IChainlinkQuoter quoter, bytes memory data, bytes memory failure) private view {
        (bool ok, bytes memory found) = address(quoter).staticcall(data);
        vm.assertTrue(!ok, "refused");
        vm.assertEq(keccak256(found), keccak256(failure), "the error and its values");
    }

    /// @dev Of any number of bits up to 96, as likely as any other.
    function _anySize(uint256 word, uint256 bits, uint256 least) private pure returns (uint256) {
        return bound((word & MOST) >> (bits & 0xff) % 96, least, MOST);
    }

    /// @dev Forge likes small numbers, whose high bits choose nothing.
    function _spread(uint256 seed) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed)));
    }

    function _seed(uint256 token, uint256 price, uint256 priceFeed, uint256 tokenFeed)
        private
        pure
        returns (uint256)
    {
        return token | price << 32 | priceFeed << 64 | tokenFeed << 96 | 5 << 252;
    }

    function _values(bytes memory failure) private pure returns (uint256 one, uint256 other) {
        assembly ("memory-safe") {
            one := mload(add(failure, 0x24))
            other := mload(add(failure, 0x44))
        }
    }
}

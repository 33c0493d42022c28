// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Vm} from "../solidity/Forge.sol";
import {Scene} from "../solidity/Scene.sol";

interface Files {
    function readFileBinary(string calldata path) external view returns (bytes memory);
}

/// @notice Lives the histories that `test_histories.py` wrote, and compares the contract with the model after each step.
contract HistoriesTest is Scene {
    uint256 private constant FILES = 20;
    uint256 private constant HISTORIES = 10_000;
    string private constant FOLDER = ".cache/histories/";

    /// @dev As in `test_histories.py`.
    enum Deed {
        Charge,
        Pause,
        Resume,
        CancelAtPeriodEnd,
        Cancel,
        ChangePlan,
        ChargeUsage
    }

    /// @dev The words of a file, read one by one.
    struct Reader {
        bytes words;
        uint256 place;
    }

    error Differs(uint256 history, uint256 step, string what, uint256 found, uint256 expected);

    uint256 private _history;
    uint256 private _step;

    function test_contract_and_model_agree_on_every_history() public {
        token.mint(payer, 2 ** 200);
        for (uint256 file = 0; file < FILES; ++file) {
            this.live(file); // a call of its own, whose memory ends with it
        }
        vm.assertEq(_history, HISTORIES, "how many histories were lived");
    }

    function live(uint256 file) external {
        Reader memory reader = Reader(_read(file), 0);
        for (uint256 left = _next(reader); left > 0; --left) {
            _live(reader);
            ++_history;
        }
        vm.assertEq(reader.place * 32, reader.words.length, "the file was read to its end");
    }

    function _live(Reader memory reader) private {
        uint256[2] memory plans = [_create(_nextTerms(reader)), _create(_nextTerms(reader))];
        vm.warp(_next(reader));
        uint256 id = _subscribe(plans[0], 0);
        _compare(id, reader);
        uint256 steps = _next(reader);
        for (_step = 1; _step <= steps; ++_step) {
            Deed deed = Deed(_next(reader));
            vm.warp(_next(reader));
            if (deed == Deed.Charge) _compareCharge(id, reader);
            else if (deed == Deed.ChangePlan) _change(id, plans[_next(reader)], 0);
            else if (deed == Deed.ChargeUsage) _compareUsage(id, reader);
            else _do(deed, id);
            _compare(id, reader);
        }
        _step = 0;
    }

    function _do(Deed deed, uint256 id) private {
        vm.prank(payer);
        if (deed == Deed.Pause) subscriptions.pause(id);
        else if (deed == Deed.Resume) subscriptions.resume(id);
        else if (deed == Deed.Cancel) subscriptions.cancel(id);
        else subscriptions.cancelAtPeriodEnd(id);
    }

    /// @dev Previewed as it is done.
    function _compareCharge(uint256 id, Reader memory reader) private {
        Preview memory found = subscriptions.preview(id);
        uint256 before = token.balanceOf(payer);
        uint256 reason = uint256(_charge(id));
        _equal("reason", reason, _next(reader));
        _equal("previewed reason", uint256(found.reason), reason);
        if (reason != 0) return;
        _equal("period's start", found.periodStart, _next(reader));
        _equal("period's end", found.periodEnd, _next(reader));
        _equal("previewed amount", found.amount, _next(reader));
        _equal("amount", before - token.balanceOf(payer), found.amount);
    }

    function _compareUsage(uint256 id, Reader memory reader) private {
        (uint256 amount, uint256 before) = (_next(reader), token.balanceOf(payer));
        uint256 number = subscriptions.subscription(id).charges + 1;
        vm.recordLogs();
        vm.prank(payee);
        subscriptions.chargeUsage(id, number, amount, amount, 0);
        Vm.Log memory charged = vm.getRecordedLogs()[1];
        (, uint256 start, uint256 end,) = abi.decode(charged.data, (uint256, uint256, uint256, uint256));
        _equal("usage's period's start", start, _next(reader));
        _equal("usage's period's end", end, _next(reader));
        _equal("usage", before - token.balanceOf(payer), amount);
    }

    function _compare(uint256 id, Reader memory reader) private view {
        Subscription memory found = subscriptions.subscription(id);
        _equal("nextDue", found.nextDue, _next(reader));
        _equal("anchorDay", found.anchorDay, _next(reader));
        _equal("charges", found.charges, _next(reader));
        _equal("status", uint256(found.status), _next(reader));
        _equal("credit", found.credit, _next(reader));
        _equal("usage left", subscriptions.usageLeft(id), _next(reader));
    }

    function _equal(string memory what, uint256 found, uint256 expected) private view {
        if (found != expected) revert Differs(_history, _step, what, found, expected);
    }

    function _read(uint256 file) private view returns (bytes memory) {
        bytes memory digits = abi.encodePacked(bytes1(uint8(48 + file / 10)), bytes1(uint8(48 + file % 10)));
        return Files(address(vm)).readFileBinary(string.concat(FOLDER, string(digits)));
    }

    function _next(Reader memory reader) private pure returns (uint256 word) {
        bytes memory words = reader.words;
        uint256 offset = 32 * ++reader.place; // behind the length
        assembly ("memory-safe") {
            word := mload(add(words, offset))
        }
    }

    function _nextTerms(Reader memory reader) private view returns (PlanTerms memory terms) {
        terms = _terms();
        terms.price = uint96(_next(reader));
        terms.every = uint32(_next(reader));
        terms.unit = Unit(_next(reader));
        terms.catchUp = uint8(_next(reader));
        terms.trial = uint32(_next(reader));
        terms.grace = uint32(_next(reader));
        terms.maxCharges = uint16(_next(reader));
        terms.family = uint16(_next(reader));
        terms.usageCap = uint96(_next(reader));
        if (terms.usageCap > 0) terms.usagePrice = 1_000_000;
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IArbitrator} from "./IArbitrator.sol";

/// @title IEvidence
/// @notice How a court's interface finds what it judges, as ERC-1497 has it (https://github.com/ethereum/EIPs/issues/1497):
/// by events, whose texts are addresses of JSON documents.
interface IEvidence {
    /// @param evidence Where the document is that says what is asked, and what each ruling means.
    event MetaEvidence(uint256 indexed metaEvidenceId, string evidence);

    /// @param evidence Where the document is that names a file and its hash.
    event Evidence(
        IArbitrator indexed arbitrator, uint256 indexed evidenceGroupId, address indexed party, string evidence
    );

    /// @notice Which question a dispute at the court puts, and which evidence belongs to it.
    event Dispute(
        IArbitrator indexed arbitrator, uint256 indexed disputeId, uint256 metaEvidenceId, uint256 evidenceGroupId
    );
}

"""Logs of `CourtArbiter` into events, as `chain.decode` does for `Subscriptions`. Two of them carry text."""

from __future__ import annotations

from typing import Final

from eth_abi.exceptions import DecodingError

from tallystick.chain.abi import CODEC
from tallystick.chain.decoder import WORD, Decoder, Shape, address_at, uint_at
from tallystick.core.court import WHOLE_BPS, Appealed, CourtEvent, EvidenceShown, Judged, MetaEvidence
from tallystick.core.money import UINT256_MAX
from tallystick.errors import NodeInvalid


def _judged(topics: bytes, data: bytes) -> CourtEvent:
    return Judged(topics, uint_at(data, 0, WHOLE_BPS), uint_at(data, 1, WHOLE_BPS))


def _appealed(topics: bytes, _data: bytes) -> CourtEvent:
    return Appealed(topics[:WORD], address_at(topics, 1), uint_at(topics, 2, UINT256_MAX))


def _meta_evidence(topics: bytes, data: bytes) -> CourtEvent:
    return MetaEvidence(uint_at(topics, 0, UINT256_MAX), data.decode(errors="replace"))


def _evidence(topics: bytes, data: bytes) -> CourtEvent:
    return EvidenceShown(topics[WORD : 2 * WORD], address_at(topics, 2), data.decode(errors="replace"))


SHAPES: Final[dict[str, Shape[CourtEvent]]] = {
    "Judged": Shape(1, 2, _judged),
    "Appealed": Shape(3, 0, _appealed),
}
TEXTS: Final[dict[str, Shape[CourtEvent]]] = {
    "MetaEvidence": Shape(1, 0, _meta_evidence),
    "Evidence": Shape(3, 0, _evidence),
}
"""Whose data is one text of any length, which is given to what builds the event. A party may have put anything there:
what is no UTF-8 is replaced."""


class _CourtDecoder(Decoder[CourtEvent]):
    def decode(self, name: str, topics: bytes, data: bytes) -> CourtEvent:
        """The event of a log. Raises NodeInvalid as every decoder."""
        shape = TEXTS.get(name)
        if shape is None:
            return super().decode(name, topics, data)
        try:
            if len(topics) != shape.topics * WORD:
                raise ValueError(f"{len(topics)} bytes of topics, the ABI says {shape.topics * WORD}")
            (text,) = CODEC.decode(["bytes"], data)
            return shape.build(topics, text)
        except (DecodingError, ValueError) as error:
            raise NodeInvalid(f"a {name} log cannot be read ({error}): ask another node") from error


COURT: Final = _CourtDecoder("CourtArbiter", SHAPES | TEXTS)

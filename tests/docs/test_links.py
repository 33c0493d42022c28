"""Links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.blocks import DOCUMENTS, ROOT, name_of, prose_of

LINK = re.compile(r"\]\(([^)\s]+)\)")
PAGES = (*DOCUMENTS, ROOT / "CHANGELOG.md")


def anchors_of(document: Path) -> set[str]:
    """What GitHub makes of the headings: lower case, blanks to hyphens, punctuation gone."""
    headings = re.findall(r"^#+ (.+)$", prose_of(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", PAGES, ids=name_of)
def test_every_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    for link in LINK.findall(prose_of(document)):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


def test_every_page_is_linked_from_the_readme_or_a_page_that_is() -> None:
    found, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        found.add(page)
        links = {(page.parent / link.partition("#")[0]).resolve() for link in LINK.findall(prose_of(page))}
        waiting += [link for link in links - found if link in DOCUMENTS]
    assert found == set(DOCUMENTS)


@pytest.mark.parametrize("document", PAGES, ids=name_of)
def test_nothing_of_this_machine_is_in_it(document: Path) -> None:
    text = document.read_text()
    assert str(ROOT) not in text
    assert not re.search(r"/(home|root|Users)/", text)

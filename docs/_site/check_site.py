"""Check a built site: every local link leads to a page and an anchor, and every public name is in the reference.

python docs/_site/check_site.py build/site
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from public_names import public_names


class Page(HTMLParser):
    """The anchors and links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep ids, and what a tag refers to."""
        for name, value in attrs:
            if value and name == "id":
                self.anchors.add(value)
            elif value and name in ("href", "src"):
                self.links.add(value)


def pages_of(site: Path) -> list[Path]:
    """Return the pages of a site, without the theme's own files."""
    return [path for path in site.rglob("*.html") if "_static" not in path.relative_to(site).parts]


def broken_links(site: Path) -> list[str]:
    """Return "page: link" for every local link without an end."""
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in pages_of(site)}
    broken = []
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            end = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            missing = anchor and end in pages and anchor not in pages[end].anchors
            if not end.exists() or missing:
                broken.append(f"{path.relative_to(site.resolve())}: {link}")
    return broken


def missing_names(site: Path) -> list[str]:
    """Return the public names that no page of the reference names."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in site.glob("reference/**/*.html"))
    anchors = Page(text).anchors
    homes = {anchor.rpartition(".")[2] for anchor in anchors if anchor.startswith("makeweight.")}
    return [name for name in public_names() if name.rpartition(".")[2] not in homes]


if __name__ == "__main__":
    site = Path(sys.argv[1])
    faults = [f"broken link: {link}" for link in broken_links(site)]
    faults += [f"not in the reference: {name}" for name in missing_names(site)]
    print(*faults, sep="\n")
    sys.exit(bool(faults))

"""An HTML parser for tests that rejects whatever could run code or cause a request."""

from __future__ import annotations

from html.parser import HTMLParser

NAMES = (
    "section div h2 h3 h4 h5 h6 p ul ol li span small b i em strong a code pre br hr blockquote table thead tbody tr th"
    " td details summary label select option svg line polyline circle text dl dt dd"
)
TAGS = frozenset(NAMES.split())
VOID = {"br", "hr"}


class CheckedHtml(HTMLParser):
    """HTML with balanced tags of `TAGS`, without event handlers and addresses other than links (`addresses`)."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.addresses: list[str] = []
        html.encode("utf-8")  # lone surrogates could not be sent
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        for name, value in attributes:
            assert not name.startswith("on") and name not in ("src", "srcset", "srcdoc", "data", "action"), name
            assert name != "style" or "url" not in (value or "")
            self.addresses += [value or ""] if name == "href" else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

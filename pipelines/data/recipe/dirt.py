"""Pages nobody wants: too short, no text, symbols, no words; and copies with small edits."""

from __future__ import annotations

import random

from recipe import sources
from recipe.sites import LIBRARY, MIRROR, PEPS, Site, page, paragraphs
from recipe.warc import Capture

_SHORT = (
    ("Log in", "Please log in to see your shelf. No account yet? Register here."),
    ("Page not found", "The page you asked for is not here. It may have moved."),
    ("Search", "No results for your query. Try fewer words."),
    ("Tag: syntax", "There are no entries with this tag yet."),
    ("Subscribe", "Enter your address to hear of new books."),
    ("Thank you", "Your message was sent. We answer within three days."),
    ("Maintenance", "We will be back soon."),
    ("Archive 2003", "January February March April May June July August September October November December"),
    ("Contact", "Write to the librarian. Letters are read on Mondays."),
    ("Cart", "Your cart is empty. Books in the public domain cost nothing anyway."),
)

_APP = (
    b'<!DOCTYPE html><html><head><title>App</title><script src="/app.js"></script></head>'
    b'<body><div id="root"></div></body></html>'
)


def captures() -> list[Capture]:
    """Return the unwanted pages."""
    found = [_capture(LIBRARY, f"misc/{number}.html", *one) for number, one in enumerate(_SHORT)]
    found += [_capture(MIRROR, f"stats/{number}.html", "Daily figures", _figures(number)) for number in range(8)]
    found += [_capture(LIBRARY, f"tags/{number}.html", "Trending", _hashes(number)) for number in range(6)]
    found += [
        Capture(f"https://{PEPS.host}/app/{number}", _APP, "2026-01-15T08:30:00Z", "utf-8") for number in range(4)
    ]
    return found


def edited(text: str, key: str) -> str:
    """Return a text as a careless mirror has it: one word in sixty changed, the last paragraph lost."""
    draw = random.Random(sources.order("edit", key))
    lines = text.rsplit("\n\n", 1)[0].split("\n")
    for number, line in enumerate(lines):
        words = line.split(" ")
        if number > 12 and not line.startswith(" ") and len(words) > 6 and draw.random() < 0.15:
            words[draw.randrange(2, len(words))] = draw.choice(["also", "now", "then", "indeed", "here"])
            lines[number] = " ".join(words)
    return "\n".join(lines)


def _figures(number: int) -> str:
    draw = random.Random(sources.order("figures", str(number)))
    rows = [" ".join(f"{draw.random() * 1000:.2f}" for _ in range(8)) for _ in range(40)]
    return "<pre>" + "\n".join(rows) + "</pre>"


def _hashes(number: int) -> str:
    draw = random.Random(sources.order("hashes", str(number)))
    tags = ["reading", "books", "shelf", "classic", "novel", "free", "new", "today", "open", "library", "story"]
    return paragraphs([" ".join(f"#{draw.choice(tags)}{draw.randrange(99)}" for _ in range(12)) for _ in range(12)])


def _capture(site: Site, path: str, title: str, content: str) -> Capture:
    body = content if content.startswith("<") else paragraphs([content])
    text = page(site, title, body, "utf-8")
    return Capture(f"https://{site.host}/{path}", text.encode(), "2026-01-15T08:30:00Z", "utf-8")

"""The web sites the pages pretend to come from: invented frames around free text."""

from __future__ import annotations

import html
from dataclasses import dataclass


@dataclass(frozen=True)
class Site:
    """What surrounds every page of one invented site."""

    host: str
    name: str
    language: str
    menu: tuple[str, ...]
    banner: str
    footer: str


PEPS = Site(
    "peps.pyarchive.example",
    "Python Proposals Archive",
    "en",
    ("Home", "Index of proposals", "By topic", "By status", "Downloads", "Community", "Donate"),
    "We use cookies to remember your theme and to count visits. Accept all cookies or manage your preferences.",
    "This document has been placed in the public domain. Hosted by volunteers. Privacy notice. Contact. Sitemap.",
)
MIRROR = Site(
    "mirror.oldpython.example",
    "oldpython mirror",
    "en",
    ("Start", "Mirrors", "About this mirror", "Status"),
    "This site stores a session cookie. By continuing to browse you agree to our cookie policy.",
    "Mirrored without changes. Last sync: daily at 04:00 UTC. Report a broken page.",
)
LIBRARY = Site(
    "library.openshelf.example",
    "Open Shelf Library",
    "en",
    ("Browse", "Authors", "Subjects", "Recently added", "Log in", "Help"),
    "Your privacy matters. We and our partners use cookies to improve your reading experience.",
    "Open Shelf is a reading room for books in the public domain. Terms of use. Imprint. Follow us.",
)
HISTORY = Site(
    "www.shiji-dushu.example",
    "史籍读书网",
    "zh-CN",
    ("首页", "史记", "三国志", "人物", "地图", "论坛", "登录", "注册"),
    "本网站使用 Cookie 以改善您的阅读体验。继续浏览即表示您同意我们的隐私政策。",
    "版权声明 关于我们 联系方式 网站地图 友情链接 手机版 返回顶部",
)
RIGHTS = Site(
    "rights.allpeople.example",
    "Rights in all languages",
    "mul",
    ("Home", "Languages", "Scripts", "Audio", "Contribute"),
    "This site uses cookies. OK",
    "Text of the Universal Declaration of Human Rights. About. Contact.",
)


def page(site: Site, title: str, content: str, charset: str | None, *, language: str | None = None) -> str:
    """Return a whole HTML page: `content` inside the site's navigation, banner, side bar and footer."""
    menu = "".join(f'<li class="menu-item"><a href="/{number}/">{one}</a></li>' for number, one in enumerate(site.menu))
    meta = f'<meta charset="{charset}">' if charset else ""
    return f"""<!DOCTYPE html>
<html lang="{language or site.language}">
<head>{meta}
<title>{html.escape(title)} | {site.name}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/static/site.css">
<script>window.dataLayer = window.dataLayer || []; function track(){{dataLayer.push(arguments);}}</script>
<style>.cookie-banner {{position: fixed; bottom: 0}} nav ul {{display: flex}}</style>
</head>
<body class="page">
<div id="cookie-banner" class="cookie-banner" role="dialog"><p>{site.banner}</p><button>OK</button></div>
<header class="site-header" role="banner"><div class="logo">{site.name}</div>
<nav class="navbar" role="navigation"><ul class="menu">{menu}</ul></nav></header>
<main id="content" role="main">
<article class="post-content">
<h1>{html.escape(title)}</h1>
{content}
</article>
</main>
<aside class="sidebar" role="complementary"><ul>{menu}</ul><form class="search"><input name="q"></form></aside>
<footer class="site-footer" role="contentinfo"><p>{site.footer}</p></footer>
<script async src="/static/app.js"></script>
</body>
</html>
"""


def paragraphs(texts: list[str]) -> str:
    """Return escaped texts as paragraphs."""
    return "\n".join(f"<p>{html.escape(text, quote=False)}</p>" for text in texts)

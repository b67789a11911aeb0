/** The page's style sheet: light and dark, wide and narrow, for screens and paper. No fonts or images from elsewhere. */
import { COLOURS } from './svg.ts';
import type { Colour } from './svg.ts';

const names = Object.keys(COLOURS) as Colour[];
const palette = (dark: 0 | 1) => names.map((name) => `--${name}:${COLOURS[name][dark]}`).join(';');
const roles = names.map((name) => `.f-${name}{fill:var(--${name})}.s-${name}{stroke:var(--${name})}`).join('');

export const STYLE = `
:root{color-scheme:light dark;${palette(0)};--page:#f6f7f9;--line:#d9dde3;--wrong:#fde9df;--good:#0a6b4f;--good-back:#e2f4ec;--bad:#a33c00;--bad-back:#fdebe1;--soft:#eef1f5;--link:#1d5fc2}
@media (prefers-color-scheme:dark){:root{${palette(1)};--page:#0e1116;--line:#2e353f;--wrong:#4a2412;--good:#5fd3ab;--good-back:#11352a;--bad:#ffa874;--bad-back:#40200f;--soft:#1f252d;--link:#7cb3ff}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
a{color:var(--link)}
:focus-visible{outline:3px solid var(--blue);outline-offset:2px;border-radius:4px}
.skip{position:absolute;left:-999px}.skip:focus{left:12px;top:12px;background:var(--surface);padding:8px 14px;z-index:9}
main,header,footer{max-width:1160px;margin:0 auto;padding:0 24px}
header{padding-top:36px}
h1{font-size:1.9rem;line-height:1.2;margin:0;letter-spacing:-.015em;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:0 0 4px;letter-spacing:-.01em}
h3{font-size:1rem;margin:0}
.over{color:var(--muted);font-size:.82rem;letter-spacing:.06em;text-transform:uppercase;margin:0 0 6px}
.title{display:flex;flex-wrap:wrap;gap:6px 14px;align-items:center}
.sub,.note{color:var(--muted);margin:6px 0 0}
.badge{display:inline-block;font-size:.78rem;font-weight:600;line-height:1.5;padding:1px 9px;border-radius:99px;background:var(--soft);color:var(--ink);white-space:nowrap}
.badge.good{background:var(--good-back);color:var(--good)}.badge.bad{background:var(--bad-back);color:var(--bad)}
.reason{border-left:4px solid var(--orange);background:var(--surface);padding:10px 14px;margin:16px 0 0;border-radius:0 8px 8px 0;overflow-wrap:anywhere}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:12px;margin:24px 0 0;padding:0}
.tile,section,.card{background:var(--surface);border:1px solid var(--line);border-radius:12px}
.tile{padding:14px 16px;margin:0}
.tile dt{color:var(--muted);font-size:.85rem}.tile dd{margin:2px 0 0;font-size:1.55rem;font-weight:650;line-height:1.25;font-variant-numeric:tabular-nums;letter-spacing:-.02em}
.tile dd small{display:block;font-size:.84rem;font-weight:400;color:var(--muted);letter-spacing:0}
nav{position:sticky;top:0;z-index:5;background:var(--page);border-bottom:1px solid var(--line);margin-top:24px}
nav ul{max-width:1160px;margin:0 auto;padding:0 24px;list-style:none;display:flex;gap:22px;overflow-x:auto}
nav a{display:block;padding:11px 0;color:var(--ink);text-decoration:none;font-size:.93rem;white-space:nowrap}nav a:hover{color:var(--link);box-shadow:inset 0 -2px var(--link)}
section{padding:22px 24px;margin:20px 0;scroll-margin-top:58px;min-width:0}
.scroll{overflow-x:auto;margin:12px -24px 0;padding:0 24px}
table{border-collapse:collapse;width:100%;font-size:.88rem;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:6px 8px;border-bottom:1px solid var(--line);white-space:nowrap}
thead th{color:var(--muted);font-weight:600;vertical-align:bottom}
thead tr:first-child th[colspan]{text-align:center;border-bottom:1px solid var(--line)}
tbody th{font-weight:600}.scroll tbody th{position:sticky;left:-24px;background:inherit}tbody tr{background:var(--surface)}tbody tr:last-child>*{border-bottom:0}tbody tr:hover{background:var(--soft)}
tr.best{background:var(--good-back)}tr.best:hover{background:var(--good-back)}
.begins{border-left:1px solid var(--line)}
table.words th,table.words td{text-align:left;white-space:normal;overflow-wrap:anywhere;vertical-align:top}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.86rem}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;margin:14px 0 0;font-size:.92rem}
dl.facts dt{color:var(--muted)}dl.facts dd{margin:0;overflow-wrap:anywhere;min-width:0}
.pair{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:20px}.pair section{margin:0}
figure{margin:0}figcaption p{margin:2px 0 0;color:var(--muted);font-size:.92rem;max-width:76ch}
.keys{list-style:none;display:flex;flex-wrap:wrap;gap:4px 18px;padding:0;margin:12px 0 4px;font-size:.9rem}
.keys li{display:flex;gap:7px;align-items:center}.keys svg{width:26px;height:12px;flex:none}
.plot svg{display:block;width:100%;height:auto;max-width:var(--w);margin:0 auto;font-family:inherit}
.plot svg text{font-family:inherit}
.plot .narrow{display:none}
.pair .plot .wide{display:none}.pair .plot .narrow{display:block}.pair .plot svg{max-width:520px}
details.data{margin-top:10px;font-size:.92rem}summary{cursor:pointer;color:var(--muted);border-radius:4px}summary:hover{color:var(--ink)}
${roles}
.group{border-top:1px solid var(--line);margin-top:18px;padding-top:14px}
.group>summary{color:var(--ink);font-size:1.02rem;list-style:none;display:flex;flex-wrap:wrap;gap:4px 12px;align-items:center}.group>summary .note{margin:0}
.group>summary::-webkit-details-marker{display:none}
.group>summary::before{content:"";width:.5em;height:.5em;border:solid var(--muted);border-width:0 2px 2px 0;transform:rotate(-45deg) translate(0,1px);flex:none;align-self:center}
.group[open]>summary::before{transform:rotate(45deg)}
.group>summary h3{display:inline}.dot{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:8px}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,290px),1fr));gap:14px;margin-top:14px;align-items:start}
.card{padding:12px 14px;min-width:0;background:var(--page)}
.card h4{margin:0;font-size:1rem;overflow-wrap:anywhere}
.card .meta span{margin-right:12px}.card .meta{color:var(--muted);font-size:.86rem;margin:2px 0 0;overflow-wrap:anywhere}.card .meta b{color:var(--ink);font-weight:600}
.badges{display:flex;flex-wrap:wrap;gap:6px;margin:8px 0}
.why{font-size:.88rem;margin:8px 0 0;overflow-wrap:anywhere}
ol.text{margin:8px 0 0;padding:6px 0;list-style:none;background:var(--surface);border:1px solid var(--line);border-radius:8px;max-height:22rem;overflow:auto}
ol.text li{display:grid;grid-template-columns:2.4em minmax(0,1fr);font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.84rem;line-height:1.5}
ol.text li>span:first-child{color:var(--muted);text-align:right;padding-right:.8em;user-select:none}
ol.text li>span:last-child{white-space:pre-wrap;overflow-wrap:anywhere;padding-right:8px}
ol.text li.wrong{background:var(--wrong);box-shadow:inset 3px 0 var(--orange)}
ol.text li em{font:600 .74rem/1.6 system-ui,sans-serif;color:var(--bad);display:block}
.card details{margin-top:8px;font-size:.88rem}
footer{color:var(--muted);font-size:.88rem;padding-bottom:48px}
@media (max-width:900px){.pair{grid-template-columns:1fr}}
@media (max-width:640px){
main,header{padding:0 14px}header{padding-top:22px}footer{padding:0 14px 32px}nav ul{padding:0 14px}
section{padding:16px 14px;margin:14px 0;border-radius:10px}.scroll{margin:12px -14px 0;padding:0 14px}
.plot .wide{display:none}.plot .narrow{display:block}h1{font-size:1.5rem}
.tiles{grid-template-columns:repeat(2,minmax(0,1fr));gap:8px}.tile:first-child{grid-column:1/-1}.tile{padding:10px 12px}.tile dd{font-size:1.25rem}
dl.facts{grid-template-columns:1fr;gap:0}dl.facts dd{margin-bottom:8px}th,td{padding:6px 7px}
}
@media print{nav,.skip{display:none}body{background:#fff}section,.card{break-inside:avoid}ol.text{max-height:none}}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
`;

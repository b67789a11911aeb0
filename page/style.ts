/** The page's style sheet: the report's, and what only the live page has. */
import { STYLE } from '../report/style.ts';

const OWN = `
main{padding-top:22px;outline:0}
nav.top{margin-top:0}nav.top ul{align-items:center;min-height:46px}
nav.top a[aria-current]{box-shadow:inset 0 -2px var(--link);font-weight:600}
nav.top .right{margin-left:auto;display:flex;gap:8px;align-items:center;white-space:nowrap}
.badge.busy{background:var(--blue);color:var(--surface)}
button,.button,input,select,textarea{font:inherit;font-size:.92rem;color:var(--ink);background:var(--surface);border:1px solid var(--slate);border-radius:8px;padding:5px 12px;min-height:36px}
button,.button{cursor:pointer;text-decoration:none;display:inline-flex;align-items:center}
button:hover,.button:hover{background:var(--soft)}button.main{background:var(--blue);color:var(--surface);border-color:var(--blue)}
button:disabled{opacity:.6;cursor:default}
nav.top button{min-height:30px;padding:2px 10px}
.bar{display:flex;flex-wrap:wrap;gap:8px;margin:14px 0 0}
[hidden]{display:none!important}
th.left,td.left,tbody th{text-align:left}h1 code{font-size:inherit}dl.facts+h3{margin-top:16px}
dialog{color:var(--ink);background:var(--surface);border:1px solid var(--line);border-radius:12px;padding:20px 24px;max-width:min(560px,92vw);width:100%}
dialog::backdrop{background:rgb(0 0 0 / .45)}
dialog label{display:block}dialog input[type=number],dialog textarea{display:block;width:100%;margin-top:4px}dialog textarea{font-family:ui-monospace,monospace}
dialog label:has([type=checkbox]){display:flex;gap:8px;align-items:center}[type=checkbox]{min-height:0}
.refused{color:var(--bad);background:var(--bad-back);padding:8px 12px;border-radius:8px;overflow-wrap:anywhere}
#told{position:fixed;left:50%;bottom:18px;transform:translateX(-50%);background:var(--ink);color:var(--page);border-radius:10px;max-width:92vw;z-index:9}
#told:not(:empty){padding:10px 18px}
.pages{position:static;background:none;border:0;margin:10px 0;display:flex;flex-wrap:wrap;gap:6px;align-items:center}
.pages a{border:1px solid var(--line);border-radius:8px;padding:4px 11px;min-width:34px;text-align:center}.pages a[aria-current]{background:var(--blue);color:var(--surface);border-color:var(--blue)}
.flow-wide{overflow-x:auto;margin-top:8px}.dataflow{display:block;max-width:none;font-family:inherit}
.dataflow text{font-size:11px;fill:var(--muted)}.dataflow .name{font-size:14px;font-weight:650;fill:var(--ink)}.dataflow .says{fill:var(--ink)}
.dataflow .box{fill:var(--page);stroke:var(--line);stroke-width:1.5}.dataflow .running .box{stroke:var(--blue);stroke-width:2.5}.dataflow .done .box{stroke:var(--teal)}
.dataflow .track{fill:var(--line)}.dataflow .bar{fill:var(--blue)}.dataflow .done .bar{fill:var(--teal)}
.dataflow .wire{fill:none;stroke:var(--stone);stroke-width:1.5}.dataflow .wire.done{stroke:var(--teal)}
ol.stages{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
svg .strong{font-weight:600}.plot svg text{font-size:13px}
form.filter{display:flex;flex-wrap:wrap;gap:10px;align-items:end;margin:14px 0}form.filter label{display:grid;gap:2px;font-size:.85rem;color:var(--muted)}form.filter .wide{flex:1 1 220px}form.filter input{width:100%}
[data-item]:focus{outline:3px solid var(--blue);outline-offset:2px}
tr[data-item]:focus-within{background:var(--soft)}
.card h2,.card h3{font-size:1rem;margin:0;overflow-wrap:anywhere}
.card.asked{border-color:var(--blue);box-shadow:0 0 0 2px var(--blue)}h1 small{font-size:.6em;font-weight:400}
.two{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:20px}.two section{margin:0}
pre.said{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--page);border:1px solid var(--line);border-radius:8px;padding:8px 12px;max-height:22rem;overflow:auto;margin:6px 0 0}
ul.chain{list-style:none;padding:0;margin:12px 0 0}ul.chain li{border-left:3px solid var(--blue);padding:2px 0 12px 14px}
@media (max-width:900px){.two{grid-template-columns:1fr}}
@media (max-width:640px){
main{padding:14px 14px 0}.flow-wide{display:none}nav.top ul{gap:14px}nav.top .badge{display:none}nav.top #live:not([hidden]){display:inline-block}
ol.stages{position:static;width:auto;height:auto;clip-path:none;white-space:normal;list-style:none;padding:0;display:grid;gap:8px}
ol.stages li{display:flex;flex-wrap:wrap;gap:0 8px;border-left:4px solid var(--line);padding-left:10px}ol.stages li.running{border-color:var(--blue)}ol.stages li.done{border-color:var(--teal)}
}
@media (prefers-reduced-motion:no-preference){.dataflow .bar{transition:width .3s}}
`;

export const pageStyle = (): string => `${STYLE}${OWN}`;

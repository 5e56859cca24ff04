/*! kalam_notebook live table. Apache-2.0. Built from js/src by `make js`; do not edit.

Holds @uwdata/flechette 2.6.0:

BSD 3-Clause License

Copyright (c) 2024, UW Interactive Data Lab

Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are met:

1. Redistributions of source code must retain the above copyright notice, this
   list of conditions and the following disclaimer.

2. Redistributions in binary form must reproduce the above copyright notice,
   this list of conditions and the following disclaimer in the documentation
   and/or other materials provided with the distribution.

3. Neither the name of the copyright holder nor the names of its
   contributors may be used to endorse or promote products derived from
   this software without specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS"
AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE
FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.

---

Portions of this software are derived from Apache Arrow JS
(https://github.com/apache/arrow/blob/main/js/).

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.

---

Portions of this software are derived from FlatBuffers
(https://github.com/google/flatbuffers).

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/
var en=new Set(["integer","float","float32","decimal"]),rn=new Set(["text","json","file","other"]),Le=e=>en.has(e.kind),ir=e=>rn.has(e.kind);function ar(e,t,r){if(e===null)return"NULL";switch(t.kind){case"boolean":return e?"true":"false";case"integer":return String(e);case"float":return dt(e);case"float32":return or(e);case"decimal":return sn(BigInt(e),t.scale);case"bytes":return on(e,r??e.length);case"uuid":return an(e);case"timestamp":return ln(e,BigInt(t.scale))+(t.zoned?"Z":"");case"date":return ur(Number(e));case"time":return dr(e,BigInt(t.scale));case"list":case"list32":return cn(e,r,t.kind==="list32"?or:dt);default:return nn(L(String(e)),r==null)}}function nn(e,t){let r=e.replace(/^[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+/,sr);return t?r.replace(/[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+$/,sr):r}function sr(e){return[...e].map(t=>t===" "?"␣":cr(t)).join("")}function cr(e){return`⟨U+${e.charCodeAt(0).toString(16).toUpperCase().padStart(4,"0")}⟩`}function L(e){return e.replaceAll(`\r
`,`
`).replace(/[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,t=>{let r=t.charCodeAt(0);return t===`
`?"↵":t==="	"?"⇥":r<32?String.fromCharCode(9216+r):r===127?"␡":cr(t)})}function dt(e){if(e===null)return"NULL";if(!Number.isFinite(e))return String(e);let t=e<0||Object.is(e,-0)?"-":"",[r="",n="0"]=Math.abs(e).toExponential().split("e"),s=Number(n),o=r.replace(".","");if(s<-4||s>=16)return`${t}${r}e${s<0?"-":"+"}${String(Math.abs(s)).padStart(2,"0")}`;if(s<0)return`${t}0.${"0".repeat(-s-1)}${o}`;let i=o.slice(0,s+1).padEnd(s+1,"0");return`${t}${i}.${o.slice(s+1)||"0"}`}function or(e){if(e===null||!Number.isFinite(e))return dt(e);let t=Math.fround(e);for(let r=6;r<9;r++){let n=Number(e.toPrecision(r));if(Math.fround(n)===t)return dt(n)}return dt(Number(e.toPrecision(9)))}function sn(e,t){let r=(e<0n?-e:e).toString().padStart(t+1,"0"),n=r.length-t,s=t>0?`.${r.slice(n)}`:"";return`${e<0n?"-":""}${r.slice(0,n)}${s}`}function on(e,t){let r=e.subarray(0,8),n=r.includes(39)&&!r.includes(34)?'"':"'",s={9:"\\t",10:"\\n",13:"\\r",92:"\\\\"},o="";for(let i of r){let c=String.fromCharCode(i);s[i]?o+=s[i]:i<32||i>126?o+=`\\x${i.toString(16).padStart(2,"0")}`:o+=c===n?`\\${c}`:c}return`b${n}${o}${t>r.length?"…":""}${n} ${F(t)} ${t===1?"byte":"bytes"}`}function an(e){let t=Array.from(e,r=>r.toString(16).padStart(2,"0")).join("");return[t.slice(0,8),t.slice(8,12),t.slice(12,16),t.slice(16,20),t.slice(20)].join("-")}function cn(e,t,r){let n=t??e.length,s=Array.from(e).slice(0,n<=6?6:2).map(r);return n>6&&s.push(`… ${F(n)}`),`[${s.join(", ")}]`}function lr(e,t){let r=(e%t+t)%t;return[(e-r)/t,r]}function ln(e,t){let[r,n]=lr(e,86400n*t);return`${ur(Number(r))}T${dr(n,t)}`}function dr(e,t){let[r,n]=lr(e,t),s=Number(r),o=l=>String(l).padStart(2,"0"),i=`${o(Math.floor(s/3600))}:${o(Math.floor(s/60)%60)}:${o(s%60)}`;if(n===0n)return i;let c=n.toString().padStart(t.toString().length-1,"0");return`${i}.${c.replace(/(000)+$/,"")}`}function ur(e){let t=e+719468,r=Math.floor(t/146097),n=t-r*146097,s=Math.floor,o=s((n-s(n/1460)+s(n/36524)-s(n/146096))/365),i=n-(365*o+s(o/4)-s(o/100)),c=s((5*i+2)/153),l=i-s((153*c+2)/5)+1;c=c<10?c+3:c-9,o+=r*400+(c<=2?1:0);let d=o<0?"-":o>9999?"+":"",m=p=>String(p).padStart(2,"0");return`${d}${String(Math.abs(o)).padStart(d?6:4,"0")}-${m(c)}-${m(l)}`}function F(e){return e.toLocaleString("en-US")}function u(e,t,r){let n=document.createElement(e);return t&&(n.className=t),r!==void 0&&(n.textContent=r),n}function W(e,t){e.textContent!==t&&(e.textContent=t)}function fr(e,t){return e?.column!==t?{column:t,descending:!1}:e.descending?void 0:{column:t,descending:!0}}function De(e,t){let r=[...e];if(!t)return r;let{column:n,descending:s}=t;return r.sort((o,i)=>{let c=o.values[n]??null,l=i.values[n]??null;return c===null||l===null?+(c===null)-+(l===null):s?Me(l,c):Me(c,l)})}function Me(e,t){if(typeof e=="object"&&typeof t=="object"){let r=Math.min(e.length,t.length);for(let n=0;n<r;n++){let s=Me(e[n]??0,t[n]??0);if(s)return s}return e.length-t.length}return e!==e||t!==t?+(e!==e)-+(t!==t):e<t?-1:e>t?1:0}var z=26,pr=12,hr=1600,fn=1e8,kt=class{constructor(t,r,n,s){this.columns=t;this.store=r;this.onSort=s;this.heads=t.map((c,l)=>this.head(c,l));let o=u("tr","");o.setAttribute("aria-rowindex","1"),o.append(...this.heads);let i=u("thead","");i.append(o);for(let c of[this.above,this.below])c.setAttribute("aria-hidden","true");this.body.append(this.above,this.below);for(let c of["animationend","animationcancel"])this.body.addEventListener(c,({target:l,animationName:d})=>{l.classList.remove(d)});this.table.append(i,this.body),this.box.append(this.table),this.box.setAttribute("role","region"),this.box.setAttribute("aria-label",n),mr(this.box),this.box.addEventListener("scroll",()=>this.scrolled(),{passive:!0}),new ResizeObserver(()=>this.scrollTo(this.top)).observe(this.box)}columns;store;onSort;box=u("div","kl-box");table=u("table","");body=u("tbody","");above=u("tr","kl-space");below=u("tr","kl-space");heads;lines=new Map;order=[];sort;widths=[];top=0;atEnd=!1;get sortedBy(){return this.sort&&this.columns[this.sort.column]}update(){let t=this.order;this.order=De(this.store.rows.values(),this.sort),this.draw(),!this.sort&&(this.atEnd?this.scrollTo(fn):this.top>0&&this.scrollTo(this.place(t)*z+this.top%z))}place(t){let{rows:r}=this.store,s=t.slice(Math.floor(this.top/z)).flatMap(({id:o})=>r.get(o)??[]).slice(0,Math.ceil(this.height/z)).map((o,i)=>this.order.indexOf(o)-i).sort((o,i)=>o-i);return s[s.length>>1]??this.order.length}scrollTo(t){this.box.scrollTop!==t&&(this.box.scrollTop=t,this.draw()),this.box.clientHeight>0?this.top=this.box.scrollTop:this.top=t}get height(){return this.box.clientHeight||20*z}scrolled(){this.box.scrollTop!==this.top&&this.stay(),this.draw()}stay(){let t=this.box.scrollHeight-this.box.clientHeight;this.top=this.box.scrollTop,this.atEnd=t>0&&this.top>=t-2}head(t,r){let n=u("th",Le(t)?"kl-n":""),s=u("button","");s.type="button",s.title=`${L(t.name)}: click to sort`;let o=u("span","kl-arrow");o.setAttribute("aria-hidden","true"),s.append(u("span","kl-name",L(t.name)),o),mr(s),s.addEventListener("click",()=>{this.sort=fr(this.sort,r),this.markSort(),this.order=De(this.store.rows.values(),this.sort),this.draw(),this.stay(),this.onSort()});let i=u("small","",L(t.sql_type));return t.key&&i.append(u("b","","PK")),n.append(s,i),n}markSort(){this.heads.forEach((t,r)=>{let n=this.sort?.column===r?this.sort:void 0;n?t.setAttribute("aria-sort",n.descending?"descending":"ascending"):t.removeAttribute("aria-sort");let s=t.querySelector(".kl-arrow");s&&(s.textContent=n?n.descending?"▼":"▲":"")})}draw(){let t=performance.now(),r=this.order.length,n=Math.ceil(this.height/z)+2*pr,s=Math.max(0,Math.min(Math.floor(this.box.scrollTop/z)-pr,r-n)),o=Math.min(r,s+n),i=new Map,c=this.above.nextSibling;for(this.order.slice(s,o).forEach((l,d)=>{let m=this.lines.get(l.id),p=m?.row===l?m:this.line(l,t);p.revision!==l.revision&&this.fill(p,t),yr(p.element,"aria-rowindex",s+d+2),i.set(l.id,p),c===p.element?c=c.nextSibling:this.body.insertBefore(p.element,c)});c&&c!==this.below;){let l=c.nextSibling;c.remove(),c=l}this.lines=i,xr(this.above,s),xr(this.below,r-o),yr(this.table,"aria-rowcount",r+1),this.keepWidths()}line(t,r){let n=u("tr","");n.append(...this.columns.map(o=>u("td",Le(o)?"kl-n":""))),r-t.born<hr&&gr(n,"kl-new",t.born-r);let s={element:n,row:t,revision:-1};return this.fill(s,r),s}fill(t,r){let{row:n}=t;this.columns.forEach((s,o)=>{let i=t.element.cells[o];if(!i)return;let c=n.changed.get(o)??-1/0;t.revision>=0&&c===Number(i.dataset.changed??-1/0)||(pn(i,n,s,o),i.dataset.changed=String(c),r-c<hr&&gr(i,"kl-changed",c-r))}),t.revision=n.revision}keepWidths(){this.heads.map(r=>r.offsetWidth).forEach((r,n)=>{if(r<=(this.widths[n]??0))return;this.widths[n]=r;let s=this.heads[n];s&&(s.style.minWidth=`${r}px`)})}};function pn(e,t,r,n){let s=t.values[n]??null,o=t.lengths[n],i=ar(s,r,o),c=ir(r)&&s!==null?[...i]:[],l=c.length&&Math.max(o??0,c.length);e.classList.toggle("kl-null",s===null||s==="");let d=l>c.length,m=d?`${i}…`:i;if(i.length>32?e.title=m:e.removeAttribute("title"),l<=80){e.textContent=i||"empty";return}let p=u("div","kl-cut"),j=u("small",d?"":"kl-mark",`${F(l)} characters`);p.append(u("span","",m)," ",j),e.replaceChildren(p)}function mr(e){e.tabIndex=0,e.dataset.lmSuppressShortcuts="true"}function yr(e,t,r){e.getAttribute(t)!==String(r)&&e.setAttribute(t,String(r))}function gr(e,t,r){let n=e.classList.contains(`${t}-a`);e.classList.remove(`${t}-a`,`${t}-b`),e.classList.add(n?`${t}-b`:`${t}-a`),e.style.animationDelay=`${Math.round(r)}ms`}function xr(e,t){e.style.height=`${t*z}px`,e.hidden=t===0}var br=`.kalam-live {
  --k-bg: #fff;
  --k-fg: #1f2328;
  --k-dim: #656d76;
  --k-line: #d8dee4;
  --k-back: var(--jp-layout-color0, var(--vscode-notebook-editorBackground, var(--k-bg)));
  --k-text: var(--jp-content-font-color1, var(--vscode-foreground, var(--k-fg)));
  --k-soft: var(--jp-content-font-color2, var(--k-dim));
  --k-rule: var(--jp-border-color1, var(--k-line));
  --k-thin: var(--jp-border-color3, var(--k-line));
  container-type: inline-size;
  color: var(--k-text);
  background: var(--k-back);
  font: 13px/1.5 var(--jp-ui-font-family, var(--vscode-font-family, system-ui, sans-serif));
  padding: 2px 0;
}
@media (prefers-color-scheme: dark) {
  .kalam-live {
    --k-bg: #0d1117;
    --k-fg: #e6edf3;
    --k-dim: #8b949e;
    --k-line: #30363d;
  }
}
.kalam-live[hidden] {
  display: none;
}
.kalam-live .kl-line {
  display: flex;
  align-items: baseline;
  gap: 8px;
  padding: 2px 8px 6px;
  white-space: nowrap;
}
.kalam-live .kl-dot {
  flex: none;
  align-self: center;
  width: 8px;
  height: 8px;
  border-radius: 50%;
  background: #8b949e;
}
.kalam-live[data-tone="live"] .kl-dot {
  background: #2da44e;
  box-shadow: 0 0 0 3px rgba(45, 164, 78, 0.18);
}
.kalam-live[data-tone="part"] .kl-dot {
  background: none;
  box-shadow: inset 0 0 0 2px #d4a72c;
}
.kalam-live[data-tone="waiting"] .kl-dot {
  background: #d4a72c;
  animation: kl-breathe 1.2s ease-in-out infinite alternate;
}
.kalam-live[data-tone="failed"] .kl-dot {
  background: #cf222e;
}
.kalam-live .kl-state {
  font-weight: 600;
  overflow: hidden;
  text-overflow: ellipsis;
}
.kalam-live .kl-facts {
  flex: 0 1 auto;
  min-width: 0;
  overflow: hidden;
  text-overflow: ellipsis;
  color: var(--k-soft);
  font-variant-numeric: tabular-nums;
}
.kalam-live .kl-sql {
  flex: 1 1 0;
  min-width: 0;
  overflow: hidden;
  text-align: right;
  text-overflow: ellipsis;
  color: var(--k-soft);
  background: none;
  padding: 0;
  font: 12px/1.5 var(--jp-code-font-family, var(--vscode-editor-font-family, ui-monospace, monospace));
}
.kalam-live .kl-note {
  background: rgba(212, 167, 44, 0.16);
  border-left: 3px solid #d4a72c;
  padding: 4px 10px;
  margin: 0 0 6px;
  white-space: pre-wrap;
}
.kalam-live .kl-part {
  font-size: 12px;
  border-left: 3px solid #d4a72c;
  padding: 1px 8px;
  margin: 0 0 4px;
}
.kalam-live .kl-box {
  width: fit-content;
  max-width: 100%;
  max-height: 480px;
  overflow: auto;
  overflow-anchor: none;
  border-bottom: 1px solid var(--k-thin);
}
.kalam-live .kl-box:focus-visible {
  outline: 2px solid var(--jp-brand-color1, #0969da);
  outline-offset: -2px;
}
.kalam-live table {
  border-collapse: separate;
  border-spacing: 0;
  margin: 0;
  font-variant-numeric: tabular-nums;
}
.kalam-live th {
  position: sticky;
  top: 0;
  z-index: 1;
  box-sizing: border-box;
  padding: 0 14px 3px 8px;
  text-align: left;
  font-weight: 600;
  white-space: nowrap;
  background: var(--k-back);
  border-bottom: 1px solid var(--k-rule);
}
.kalam-live th button {
  all: unset;
  cursor: pointer;
  display: block;
  width: 100%;
  max-width: 48em;
  overflow: hidden;
  text-overflow: ellipsis;
}
.kalam-live th button:focus-visible {
  outline: 2px solid var(--jp-brand-color1, #0969da);
}
.kalam-live th .kl-arrow {
  font-size: 9px;
  color: var(--k-soft);
}
.kalam-live th .kl-arrow:not(:empty) {
  margin-left: 4px;
}
.kalam-live small {
  font-weight: 400;
  font-size: 10.5px;
  letter-spacing: 0.03em;
  color: var(--k-soft);
}
.kalam-live th b {
  font-weight: 600;
  font-size: 9.5px;
  margin-left: 4px;
  padding: 0 3px;
  border: 1px solid var(--k-rule);
  border-radius: 3px;
}
.kalam-live td {
  box-sizing: border-box;
  height: 26px;
  max-width: 48em;
  padding: 0 14px 0 8px;
  overflow: hidden;
  text-overflow: ellipsis;
  unicode-bidi: isolate;
  white-space: nowrap;
  border-bottom: 1px solid var(--k-thin);
}
.kalam-live .kl-cut {
  display: flex;
  align-items: baseline;
  gap: 4px;
}
.kalam-live .kl-cut span {
  min-width: 0;
  overflow: hidden;
  text-overflow: ellipsis;
}
.kalam-live .kl-cut small {
  flex: none;
}
.kalam-live .kl-mark {
  user-select: none;
}
.kalam-live tr:last-child td {
  border-bottom: 0;
}
.kalam-live .kl-n {
  text-align: right;
}
.kalam-live .kl-null {
  color: var(--k-soft);
  font-size: 11.5px;
  font-style: italic;
}
.kalam-live .kl-foot {
  color: var(--k-soft);
  font-size: 12px;
  padding: 5px 8px;
}
.kalam-live :is(.kl-foot, .kl-note, .kl-part):empty {
  display: none;
}
@container (max-width: 640px) {
  .kalam-live .kl-line {
    flex-wrap: wrap;
    row-gap: 0;
  }
  .kalam-live :is(.kl-state, .kl-facts) {
    white-space: normal;
  }
  .kalam-live .kl-sql {
    flex: 1 1 100%;
    text-align: left;
  }
}
@keyframes kl-breathe {
  from {
    opacity: 0.35;
  }
}
@keyframes kl-changed-a {
  from {
    background: rgba(212, 167, 44, 0.55);
  }
}
@keyframes kl-changed-b {
  from {
    background: rgba(212, 167, 44, 0.55);
  }
}
@keyframes kl-new-a {
  from {
    background: rgba(45, 164, 78, 0.35);
  }
}
.kalam-live .kl-changed-a {
  animation: kl-changed-a 1.6s ease-out;
}
.kalam-live .kl-changed-b {
  animation: kl-changed-b 1.6s ease-out;
}
.kalam-live .kl-new-a {
  animation: kl-new-a 1.6s ease-out;
}
@media (prefers-reduced-motion: reduce) {
  .kalam-live * {
    animation: none !important;
  }
}
`;var St=class{constructor(t,r){this.about=t;this.store=r;this.root.hidden=!0,this.word.setAttribute("role","status"),this.state.append(this.word,this.countdown),this.note.setAttribute("role","note"),this.part.setAttribute("role","status");let n=u("div","kl-line"),s=u("code","kl-sql",wr(t.sql));s.title=L(t.sql),n.append(u("span","kl-dot"),this.state,this.facts,s),this.root.append(u("style","",br),n,this.note,this.part,this.place,this.foot)}about;store;root=u("div","kalam-live");state=u("span","kl-state");word=u("span","");countdown=u("span","");facts=u("span","kl-facts");note=u("div","kl-note");part=u("div","kl-part");place=u("div","");foot=u("div","kl-foot");grid;columns;ended="";scheduled=0;notebook=null;refresh(t){this.ended=t,!this.scheduled&&(this.scheduled=requestAnimationFrame(()=>{this.scheduled=0,this.draw()}))}isNotebookOpen(){return this.notebook?.isConnected??!0}dispose(){cancelAnimationFrame(this.scheduled),this.root.remove()}draw(){this.notebook??=this.root.closest(".jp-NotebookPanel");let{status:t}=this.store;if(!t||this.store.version<0)return;this.root.hidden&&(this.root.hidden=!1,this.root.append(u("style","",bn(this.about.twin))));let r=this.ended||t.text,n=vr(this.store.rows.size,t.rows);this.root.dataset.tone=mn(r,t.failed,n!=="");let[s,o]=yn(L(r));W(this.word,s),W(this.countdown,o),this.state.title=s+o;let i=gn(t,n,r==="live");W(this.facts,i);let{changed_at:c}=t;this.facts.title=c===null?i:`${i}
Last change ${new Date(c).toISOString()}`;let l=t.notice.split(`
`).filter(Boolean);W(this.note,l.map(d=>`Warning: ${L(d)}`).join(`
`)),this.columns!==this.store.columns&&(this.columns=this.store.columns,this.grid=new kt(this.columns,this.store,wr(this.about.sql),()=>this.tellSort()),this.place.replaceChildren(this.grid.box)),this.grid?.update(),this.tellSort(),W(this.foot,n)}tellSort(){let t=this.grid?.sortedBy,r=vr(this.store.rows.size,this.store.status?.rows??0);W(this.part,t&&r?`Sorted by ${L(t.name)} among the ${r}; the others are not here. ORDER BY in the query sorts all.`:"")}};function wr(e){return L(e.replace(/\s+/g," "))}function vr(e,t){return e<t?`first ${F(e)} of ${F(t)} rows`:""}function mn(e,t,r){return t?"failed":e==="live"?r?"part":"live":e.startsWith("stopped")?"stopped":"waiting"}function yn(e){let[,t,r]=/^(reconnecting)( in .*)$/.exec(e)??[];return t&&r?[t,r]:[e,""]}function gn({rows:e,changes:t,changed_at:r,form:n,verified_at:s},o,i){let c=i||s===null?"":` as of ${xn(Math.max(s,r??0))}`,l=[`${o||`${F(e)} ${e===1?"row":"rows"}`}${c}`,`${F(t)} ${t===1?"change":"changes"}`];return r!==null&&l.push(`last change ${At(r)}`),n&&l.push(n),s!==null&&l.push(`${o?"whole table ":""}verified ${At(s)}`),l.join(" · ")}function At(e){return new Date(e).toLocaleTimeString("en-GB")}function xn(e){let t=new Date(e);return t.toDateString()===new Date().toDateString()?At(e):`${t.toLocaleDateString("sv")} ${At(e)}`}function bn(e){let t=`[data-kalam-twin="${CSS.escape(e)}"]`;return`${t},.jp-OutputArea-child:has(${t}){display:none!important}`}var ut=Uint8Array.of(65,82,82,79,87,49),wn=Uint8Array.of(255,255,255,255,0,0,0,0),O={V1:0,V2:1,V3:2,V4:3,V5:4};var k={NONE:0,Schema:1,DictionaryBatch:2,RecordBatch:3,Tensor:4,SparseTensor:5},a={Dictionary:-1,NONE:0,Null:1,Int:2,Float:3,Binary:4,Utf8:5,Bool:6,Decimal:7,Date:8,Time:9,Timestamp:10,Interval:11,List:12,Struct:13,Union:14,FixedSizeBinary:15,FixedSizeList:16,Map:17,Duration:18,LargeBinary:19,LargeUtf8:20,LargeList:21,RunEndEncoded:22,BinaryView:23,Utf8View:24,ListView:25,LargeListView:26},Q={HALF:0,SINGLE:1,DOUBLE:2},U={DAY:0,MILLISECOND:1},y={SECOND:0,MILLISECOND:1,MICROSECOND:2,NANOSECOND:3},T={YEAR_MONTH:0,DAY_TIME:1,MONTH_DAY_NANO:2},V={Sparse:0,Dense:1},tt={LZ4_FRAME:0,ZSTD:1},et={BUFFER:0};var rt=Uint8Array,Et=Uint16Array,Ot=Uint32Array,Tt=BigUint64Array,ft=Int8Array,Ir=Int16Array,I=Int32Array,S=BigInt64Array,Ce=Float32Array,H=Float64Array;function Be(e){return Object.prototype.toString.call(e)}function kr(e){return Be(e)==="[object ArrayBuffer]"||Be(e)==="[object SharedArrayBuffer]"}function Ne(e){return Be(e)==="[object Uint8Array]"}function Sr(e,t){let r=Math.log2(e)-3;return(t?[ft,Ir,I,S]:[rt,Et,Ot,Tt])[r]}function nt(e,t){let r=0,n=e.length;if(n<=2147483648)do{let s=r+n>>>1;e[s]<=t?r=s+1:n=s}while(r<n);else do{let s=Math.trunc((r+n)/2);e[s]<=t?r=s+1:n=s}while(r<n);return r}function Lt(e,t,r){if(t(e))return e;throw new Error(r(e))}function A(e,t,r){return t=Array.isArray(t)?t:Object.values(t),Lt(e,n=>t.includes(n),r??(()=>`${e} must be one of ${t}`))}function st(e,t){for(let[r,n]of Object.entries(e))if(n===t)return r;return"<Unknown>"}var R=e=>`Unsupported data type: "${st(a,e)}" (id ${e})`,pt=(e,t,r=!0,n=null)=>({name:e,type:t,nullable:r,metadata:n});function Ar(e){return Object.hasOwn(e,"name")&&Er(e.type)}function Er(e){return typeof e?.typeId=="number"}function P(e,t="",r=!0){return Ar(e)?e:pt(t,Lt(e,Er,()=>"Data type expected."),r)}var Mt=(e,t,r=!1,n=-1)=>({typeId:a.Dictionary,id:n,dictionary:e,indices:t||ot(),ordered:r});var Dt=(e=32,t=!0)=>({typeId:a.Int,bitWidth:A(e,[8,16,32,64]),signed:t,values:Sr(e,t)});var ot=()=>Dt(32);var Fe=(e=2)=>({typeId:a.Float,precision:A(e,Q),values:[Et,Ce,H][e]});var Ue=()=>({typeId:a.Binary,offsets:I}),Bt=()=>({typeId:a.Utf8,offsets:I});var Ve=(e,t,r=128)=>({typeId:a.Decimal,precision:e,scale:t,bitWidth:A(r,[32,64,128,256]),values:r===32?I:Tt});var Re=e=>({typeId:a.Date,unit:A(e,U),values:e===U.DAY?I:S});var $e=(e=y.MILLISECOND)=>{e=A(e,y);let t=e===y.SECOND||e===y.MILLISECOND?32:64;return{typeId:a.Time,unit:e,bitWidth:t,values:t===32?I:S}};var Ct=(e=y.MILLISECOND,t=null)=>({typeId:a.Timestamp,unit:A(e,y),timezone:t,values:S}),je=(e=T.MONTH_DAY_NANO)=>({typeId:a.Interval,unit:A(e,T),values:e===T.MONTH_DAY_NANO?void 0:I}),Nt=e=>({typeId:a.List,children:[P(e)],offsets:I}),Ft=e=>({typeId:a.Struct,children:Array.isArray(e)&&e.length>0&&Ar(e[0])?e:Object.entries(e).map(([t,r])=>pt(t,r))}),_e=(e,t,r,n)=>(r??=t.map((s,o)=>o),{typeId:a.Union,mode:A(e,V),typeIds:r,typeMap:r.reduce((s,o,i)=>(s[o]=i,s),{}),children:t.map((s,o)=>P(s,`_${o}`)),typeIdForValue:n,offsets:I}),ze=e=>({typeId:a.FixedSizeBinary,stride:e}),Ut=(e,t)=>({typeId:a.FixedSizeList,stride:t,children:[P(e)]}),Or=(e,t)=>({typeId:a.Map,keysSorted:e,children:[t],offsets:I});var He=(e=y.MILLISECOND)=>({typeId:a.Duration,unit:A(e,y),values:S}),Pe=()=>({typeId:a.LargeBinary,offsets:S}),Ye=()=>({typeId:a.LargeUtf8,offsets:S}),We=e=>({typeId:a.LargeList,children:[P(e)],offsets:S}),Ge=(e,t)=>({typeId:a.RunEndEncoded,children:[Lt(P(e,"run_ends"),r=>r.type.typeId===a.Int,()=>"Run-ends must have an integer type."),P(t,"values")]});var qe=e=>({typeId:a.ListView,children:[P(e,"value")],offsets:I}),Ke=e=>({typeId:a.LargeListView,children:[P(e,"value")],offsets:S});var vn=new H(2),Vt=vn.buffer,Ys=new S(Vt),Ws=new Ot(Vt),Gs=new I(Vt),qs=new rt(Vt);function D(e){if(e>Number.MAX_SAFE_INTEGER||e<Number.MIN_SAFE_INTEGER)throw Error(`BigInt exceeds integer number representation: ${e}`);return Number(e)}function Rt(e,t){return Number(e/t)+Number(e%t)/Number(t)}var it=e=>BigInt.asUintN(64,e);function Lr(e,t){return BigInt.asIntN(64,e[t])}function Mr(e,t){let r=t<<1,n;return BigInt.asIntN(64,e[r+1])<0?(n=it(~e[r])|it(~e[r+1])<<64n,n=-(n+1n)):n=e[r]|e[r+1]<<64n,n}function Dr(e,t){let r=t<<2,n;return BigInt.asIntN(64,e[r+3])<0?(n=it(~e[r])|it(~e[r+1])<<64n|it(~e[r+2])<<128n|it(~e[r+3])<<192n,n=-(n+1n)):n=e[r]|e[r+1]<<64n|e[r+2]<<128n|e[r+3]<<192n,n}var kn=new TextDecoder("utf-8"),Qs=new TextEncoder;function at(e){return kn.decode(e)}var G=4;function Ze(e,t){return(e[t>>3]&1<<t%8)!==0}function b(e,t){let r=t+f(e,t),n=r-f(e,r),s=v(e,n);return(o,i,c=null)=>{if(o<s){let l=v(e,n+o);if(l)return i(e,r+l)}return c}}function B(e,t){return t}function Y(e,t){return!!$t(e,t)}function $t(e,t){return ht(e,t)<<24>>24}function ht(e,t){return e[t]}function v(e,t){return Sn(e,t)<<16>>16}function Sn(e,t){return e[t]|e[t+1]<<8}function f(e,t){return e[t]|e[t+1]<<8|e[t+2]<<16|e[t+3]<<24}function Br(e,t){return f(e,t)>>>0}function g(e,t){return D(BigInt.asIntN(64,BigInt(Br(e,t))+(BigInt(Br(e,t+G))<<32n)))}function q(e,t){let r=t+f(e,t),n=f(e,r);return r+=G,at(e.subarray(r,r+n))}function E(e,t,r,n){if(!t)return[];let s=t+f(e,t);return Array.from({length:f(e,s)},(o,i)=>n(e,s+G+i*r))}var jt=Symbol("rowIndex");function mt(e,t){class r{constructor(o){this[jt]=o}toJSON(){return Cr(e,t,this[jt])}}let n=r.prototype;for(let s=0;s<e.length;++s){if(Object.hasOwn(n,e[s]))continue;let o=t[s];Object.defineProperty(n,e[s],{get(){return o.at(this[jt])},enumerable:!0})}return s=>new r(s)}function _t(e,t){return r=>Cr(e,t,r)}function Cr(e,t,r){let n={};for(let s=0;s<e.length;++s)n[e[s]]=t[s].at(r);return n}function Nr(e){return e instanceof C}var K=class{static ArrayType=null;constructor({length:t,nullCount:r,type:n,validity:s,values:o,offsets:i,sizes:c,children:l}){this.length=t,this.nullCount=r,this.type=n,this.validity=s,this.values=o,this.offsets=i,this.sizes=c,this.children=l,(!r||!this.validity)&&(this.at=d=>this.value(d))}get[Symbol.toStringTag](){return"Batch"}at(t){return this.isValid(t)?this.value(t):null}isValid(t){return Ze(this.validity,t)}value(t){return this.values[t]}slice(t,r){let n=r-t,s=Array(n);for(let o=0;o<n;++o)s[o]=this.at(t+o);return s}*[Symbol.iterator](){for(let t=0;t<this.length;++t)yield this.at(t)}},C=class extends K{constructor(t){super(t);let{length:r,values:n}=this;this.values=n.subarray(0,r)}slice(t,r){return this.nullCount?super.slice(t,r):this.values.subarray(t,r)}[Symbol.iterator](){return this.nullCount?super[Symbol.iterator]():this.values[Symbol.iterator]()}},ct=class extends K{static ArrayType=H},h=class extends K{static ArrayType=Array},yt=class extends h{value(t){return null}},N=class extends ct{value(t){return D(this.values[t])}},zt=class extends ct{value(t){let r=this.values[t],n=(r&31744)>>10,s=(r&1023)/1024,o=(-1)**((r&32768)>>15);switch(n){case 31:return o*(s?Number.NaN:1/0);case 0:return o*(s?6103515625e-14*s:0)}return o*2**(n-15)*(1+s)}},Ht=class extends h{value(t){return Ze(this.values,t)}},Pt=class extends ct{constructor(t){super(t);let{scale:r}=this.type;this.scale=10**r}value(t){return this.values[t]/this.scale}},Yt=class extends K{constructor(t){super(t);let{bitWidth:r,scale:n}=this.type;this.decimal=r===64?Lr:r===128?Mr:Dr,this.scale=10n**BigInt(n)}},Wt=class extends Yt{static ArrayType=H;value(t){return Rt(this.decimal(this.values,t),this.scale)}},Gt=class extends Yt{static ArrayType=Array;value(t){return this.decimal(this.values,t)}},gt=class extends h{constructor(t){super(t),this.source=t}value(t){return new Date(this.source.value(t))}},qt=class extends ct{value(t){return 864e5*this.values[t]}},Fr=N,Kt=class extends N{value(t){return super.value(t)*1e3}},Ur=N,Zt=class extends N{value(t){return Rt(this.values[t],1000n)}},Jt=class extends N{value(t){return Rt(this.values[t],1000000n)}},Xt=class extends h{value(t){return this.values.subarray(t<<1,t+1<<1)}},Qt=class extends h{value(t){let r=this.values,n=t<<4;return Float64Array.of(f(r,n),f(r,n+4),g(r,n+8))}},Vr=({values:e,offsets:t},r)=>e.subarray(t[r],t[r+1]),Rr=({values:e,offsets:t},r)=>e.subarray(D(t[r]),D(t[r+1])),te=class extends h{value(t){return Vr(this,t)}},ee=class extends h{value(t){return Rr(this,t)}},re=class extends h{value(t){return at(Vr(this,t))}},ne=class extends h{value(t){return at(Rr(this,t))}},se=class extends h{value(t){let r=this.offsets;return this.children[0].slice(r[t],r[t+1])}},oe=class extends h{value(t){let r=this.offsets;return this.children[0].slice(D(r[t]),D(r[t+1]))}},ie=class extends h{value(t){let r=this.offsets[t],n=r+this.sizes[t];return this.children[0].slice(r,n)}},ae=class extends h{value(t){let r=this.offsets[t],n=r+this.sizes[t];return this.children[0].slice(D(r),D(n))}},ce=class extends h{constructor(t){super(t),this.stride=this.type.stride}},le=class extends ce{value(t){let{stride:r,values:n}=this;return n.subarray(t*r,(t+1)*r)}},de=class extends ce{value(t){let{children:r,stride:n}=this;return r[0].slice(t*n,(t+1)*n)}};function $r({children:e,offsets:t},r){let[n,s]=e[0].children,o=t[r],i=t[r+1],c=[];for(let l=o;l<i;++l)c.push([n.at(l),s.at(l)]);return c}var ue=class extends h{value(t){return $r(this,t)}},fe=class extends h{value(t){return new Map($r(this,t))}},xt=class extends h{constructor({typeIds:t,...r}){super(r),this.typeIds=t,this.typeMap=this.type.typeMap}value(t,r=t){let{typeIds:n,children:s,typeMap:o}=this;return s[o[n[t]]].at(r)}},pe=class extends xt{value(t){return super.value(t,this.offsets[t])}},bt=class extends h{constructor(t,r=_t){super(t),this.names=this.type.children.map(n=>n.name),this.factory=r(this.names,this.children)}value(t){return this.factory(t)}},he=class extends bt{constructor(t){super(t,mt)}},me=class extends h{value(t){let[{values:r},n]=this.children;return n.at(nt(r,t))}},ye=class extends h{setDictionary(t){return this.dictionary=t,this.cache=t.cache(),this}value(t){return this.cache[this.key(t)]}key(t){return this.values[t]}},ge=class extends h{constructor({data:t,...r}){super(r),this.data=t}view(t){let{values:r,data:n}=this,s=t<<4,o=s+4,i=r,c=f(i,s);return c>12&&(o=f(i,s+12),i=n[f(i,s+8)]),i.subarray(o,o+c)}},xe=class extends ge{value(t){return this.view(t)}},be=class extends ge{value(t){return at(this.view(t))}};function jr(e){let t=[];return{add(r){return t.push(r),this},clear:()=>t=[],done:()=>new M(t,e)}}var M=class{constructor(t,r=t[0]?.type){this.type=r,this.length=t.reduce((o,i)=>o+i.length,0),this.nullCount=t.reduce((o,i)=>o+i.nullCount,0),this.data=t;let n=t.length,s=new Int32Array(n+1);if(n===1){let[o]=t;s[1]=o.length,this.at=i=>o.at(i)}else for(let o=0,i=0;o<n;++o)s[o+1]=i+=t[o].length;this.offsets=s}get[Symbol.toStringTag](){return"Column"}[Symbol.iterator](){let t=this.data;return t.length===1?t[0][Symbol.iterator]():An(t)}at(t){let{data:r,offsets:n}=this,s=nt(n,t)-1;return r[s]?.at(t-n[s])}get(t){return this.at(t)}toArray(){let{length:t,nullCount:r,data:n}=this,s=!r&&Nr(n[0]),o=n.length;if(s&&o===1)return n[0].values;let i=!o||r>0?Array:n[0].constructor.ArrayType??n[0].values.constructor,c=new i(t);return s?En(c,n):On(c,n)}cache(){return this._cache??(this._cache=this.toArray())}};function*An(e){for(let t=0;t<e.length;++t){let r=e[t][Symbol.iterator]();for(let n=r.next();!n.done;n=r.next())yield n.value}}function En(e,t){for(let r=0,n=0;r<t.length;++r){let{values:s}=t[r];e.set(s,n),n+=s.length}return e}function On(e,t){let r=-1;for(let n=0;n<t.length;++n){let s=t[n];for(let o=0;o<s.length;++o)e[++r]=s.at(o)}return e}var lt=class e{constructor(t,r,n=!1){let s=t.fields.map(i=>i.name);this.schema=t,this.names=s,this.children=r,this.factory=n?mt:_t;let o=[];this.getFactory=i=>o[i]??(o[i]=this.factory(s,r.map(c=>c.data[i])))}get[Symbol.toStringTag](){return"Table"}get numCols(){return this.names.length}get numRows(){return this.children[0]?.length??0}getChildAt(t){return this.children[t]}getChild(t){let r=this.names.findIndex(n=>n===t);return r>-1?this.children[r]:void 0}selectAt(t,r=[]){let{children:n,factory:s,schema:o}=this,{fields:i}=o;return new e({...o,fields:t.map((c,l)=>Tn(i[c],r[l]))},t.map(c=>n[c]),s===mt)}select(t,r){let n=this.names,s=t.map(o=>n.indexOf(o));return this.selectAt(s,r)}toColumns(){let{children:t,names:r}=this,n={};return r.forEach((s,o)=>n[s]=t[o]?.toArray()??[]),n}toArray(){let{children:t,getFactory:r,numRows:n}=this,s=t[0]?.data??[],o=Array(n);for(let i=0,c=-1;i<s.length;++i){let l=r(i);for(let d=0;d<s[i].length;++d)o[++c]=l(d)}return o}*[Symbol.iterator](){let{children:t,getFactory:r}=this,n=t[0]?.data??[];for(let s=0;s<n.length;++s){let o=r(s);for(let i=0;i<n[s].length;++i)yield o(i)}}at(t){let{children:r,getFactory:n,numRows:s}=this;if(t<0||t>=s)return null;let[{offsets:o}]=r,i=nt(o,t)-1;return n(i)(t-o[i])}get(t){return this.at(t)}};function Tn(e,t){return t!=null&&t!==e.name?{...e,name:t}:e}function wt(e,t={}){let{typeId:r,bitWidth:n,mode:s,precision:o,unit:i}=e,{useBigInt:c,useBigIntTimestamp:l,useDate:d,useDecimalInt:m,useMap:p,useProxy:j}=t;switch(r){case a.Null:return yt;case a.Bool:return Ht;case a.Int:case a.Time:case a.Duration:return c||n<64?C:N;case a.Float:return o?C:zt;case a.Date:return _r(i===U.DAY?qt:Fr,d&&gt);case a.Timestamp:return l?C:_r(i===y.SECOND?Kt:i===y.MILLISECOND?Ur:i===y.MICROSECOND?Zt:Jt,d&&gt);case a.Decimal:return n===32?m?C:Pt:m?Gt:Wt;case a.Interval:return i===T.DAY_TIME?Xt:i===T.YEAR_MONTH?C:Qt;case a.FixedSizeBinary:return le;case a.Utf8:return re;case a.LargeUtf8:return ne;case a.Binary:return te;case a.LargeBinary:return ee;case a.BinaryView:return xe;case a.Utf8View:return be;case a.List:return se;case a.LargeList:return oe;case a.Map:return p?fe:ue;case a.ListView:return ie;case a.LargeListView:return ae;case a.FixedSizeList:return de;case a.Struct:return j?he:bt;case a.RunEndEncoded:return me;case a.Dictionary:return ye;case a.Union:return s?pe:xt}throw new Error(R(r))}function _r(e,t){return t?class extends t{constructor(n){super(new e(n))}}:e}var Dn=-1,Bn=8;function Je(e){return`Missing compression codec "${st(tt,e)}" (id ${e})`}var Cn=new Map;function we(e){return e!=null&&Cn.get(e)||null}function zr(e,{offset:t,length:r},n){if(r===0)return{bytes:new Uint8Array(0),offset:0,length:0};let s=g(e,t),o=e.subarray(t+Bn,t+r),i=s===Dn?o:n.decode(o,s);return{bytes:i,offset:0,length:i.length}}function Nn(e,t){return{offset:g(e,t),metadataLength:f(e,t+8),bodyLength:g(e,t+16)}}function Xe(e,t){return E(e,t,24,Nn)}function Hr(e,t){let r=b(e,t);return{codec:r(4,$t,tt.LZ4_FRAME),method:r(6,$t,et.BUFFER)}}function ve(e,t,r){let n=b(e,t),s=r<O.V4?8:0;return{length:n(4,g,0),nodes:E(e,n(6,B),16,(o,i)=>({length:g(o,i),nullCount:g(o,i+8)})),regions:E(e,n(8,B),16+s,(o,i)=>({offset:g(o,i+s),length:g(o,i+s+8)})),compression:n(10,Hr),variadic:E(e,n(12,B),8,g)}}function Pr(e,t,r){let n=b(e,t);return{id:n(4,g,0),data:n(6,(s,o)=>ve(s,o,r)),isDelta:n(8,Y,!1)}}function Qe(e,t,r,n){A(r,a,R);let s=b(e,t);switch(r){case a.Binary:return Ue();case a.Utf8:return Bt();case a.LargeBinary:return Pe();case a.LargeUtf8:return Ye();case a.List:return Nt(n[0]);case a.ListView:return qe(n[0]);case a.LargeList:return We(n[0]);case a.LargeListView:return Ke(n[0]);case a.Struct:return Ft(n);case a.RunEndEncoded:return Ge(n[0],n[1]);case a.Int:return Dt(s(4,f,0),s(6,Y,!1));case a.Float:return Fe(s(4,v,Q.HALF));case a.Decimal:return Ve(s(4,f,0),s(6,f,0),s(8,f,128));case a.Date:return Re(s(4,v,U.MILLISECOND));case a.Time:return $e(s(4,v,y.MILLISECOND));case a.Timestamp:return Ct(s(4,v,y.SECOND),s(6,q));case a.Interval:return je(s(4,v,T.YEAR_MONTH));case a.Duration:return He(s(4,v,y.MILLISECOND));case a.FixedSizeBinary:return ze(s(4,f,0));case a.FixedSizeList:return Ut(n[0],s(4,f,0));case a.Map:return Or(s(4,Y,!1),n[0]);case a.Union:return _e(s(4,v,V.Sparse),n,E(e,s(6,B),4,f))}return{typeId:r}}function vt(e,t){let r=E(e,t,4,(n,s)=>{let o=b(n,s);return[o(4,q),o(6,q)]});return r.length?new Map(r):null}function Ie(e,t,r){let n=b(e,t);return{version:r,endianness:n(4,v,0),fields:n(6,Fn,[]),metadata:n(8,vt)}}function Fn(e,t){return E(e,t,4,Yr)}function Yr(e,t){let r=b(e,t),n=r(8,ht,a.NONE),s=r(10,B,0),o=r(12,Vn),i=r(14,Un,[]),c=Qe(e,s,n,i);return o&&(o.dictionary=c,c=o),{name:r(4,q),type:c,nullable:r(6,Y,!1),metadata:r(16,vt)}}function Un(e,t){return E(e,t,4,Yr)}function Vn(e,t){if(!t)return null;let r=b(e,t);return Mt(null,r(6,Rn,ot()),r(8,Y,!1),r(4,g,0))}function Rn(e,t){return Qe(e,t,a.Int)}var $n=(e,t)=>`Expected to read ${e} metadata bytes, but only read ${t}.`,jn=(e,t)=>`Expected to read ${e} bytes for message body, but only read ${t}.`,_n=e=>`Unsupported message type: ${e} (${st(k,e)})`;function ke(e,t){let r=f(e,t)||0;if(t+=G,r===-1&&(r=f(e,t)||0,t+=G),r===0)return null;let n=e.subarray(t,t+=r);if(n.byteLength<r)throw new Error($n(r,n.byteLength));let s=b(n,0),o=s(4,v,O.V1),i=s(6,ht,k.NONE),c=s(8,B,0),l=s(10,g,0),d;if(c){let m=i===k.Schema?Ie:i===k.DictionaryBatch?Pr:i===k.RecordBatch?ve:null;if(!m)throw new Error(_n(i));if(d=m(n,c,o),l>0){let p=e.subarray(t,t+=l);if(p.byteLength<l)throw new Error(jn(l,p.byteLength));d.body=p}else i!==k.Schema&&(d.body=new Uint8Array(0))}return{version:o,type:i,index:t,content:d}}function Wr(e){let t=kr(e)?new Uint8Array(e):e;return Ne(t)&&zn(t)?Pn(t):Hn(t)}function zn(e){if(!e||e.length<4)return!1;for(let t=0;t<6;++t)if(ut[t]!==e[t])return!1;return!0}function Hn(e){let t=[e].flat(),r,n=[],s=[],o=[];for(let i of t){if(!Ne(i))throw new Error("IPC data batch was not a Uint8Array.");let c=0;for(;;){let l=ke(i,c);if(l===null)break;if(c=l.index,!!l.content)switch(l.type){case k.Schema:r||(r=l.content);break;case k.RecordBatch:n.push(l.content),o.push(s.length);break;case k.DictionaryBatch:s.push(l.content);break}}}return{schema:r,dictionaries:s,records:n,dictsBeforeRecord:o,metadata:null}}function Pn(e){let t=e.byteLength-(ut.length+4),r=f(e,t),n=b(e,t-r),s=n(4,v,O.V1),o=n(8,Xe,[]),i=n(10,Xe,[]),c=i.map(l=>o.filter(d=>d.offset<l.offset).length);return{schema:n(6,(l,d)=>Ie(l,d,s)),dictionaries:o.map(({offset:l})=>ke(e,l).content),records:i.map(({offset:l})=>ke(e,l).content),dictsBeforeRecord:c,metadata:n(12,vt)}}function er(e,t){return Yn(Wr(e),t)}function Yn(e,t={}){let{schema:r={fields:[]},dictionaries:n,records:s,dictsBeforeRecord:o}=e,{version:i,fields:c}=r,l=new Map,d=Gn(t,i,l),m=new Map;Wn(r,x=>{let w=x.type;w.typeId===a.Dictionary&&m.set(w.id,w.dictionary)});let p=x=>{let{id:w,data:X,isDelta:_,body:Oe}=x,It=m.get(w),Te=tr(It,d({...X,body:Oe})),nr=l.get(w);if(nr)_?l.set(w,new M([...nr.data,Te],It)):l.set(w,new M([Te],It));else{if(_)throw new Error("Delta update can not be first dictionary batch.");l.set(w,new M([Te],It))}},j=c.map(x=>jr(x.type)),J=0;for(let x=0;x<s.length;x++){let w=o?o[x]:n.length;for(;J<w;)p(n[J++]);let X=d(s[x]);c.forEach((_,Oe)=>j[Oe].add(tr(_.type,X)))}for(;J<n.length;)p(n[J++]);return new lt(r,j.map(x=>x.done()),t.useProxy)}function Wn(e,t){e.fields.forEach(function r(n){t(n),n.type.dictionary?.children?.forEach(r),n.type.children?.forEach(r)})}function Gn(e,t,r){let n={version:t,options:e,dictionary:s=>r.get(s)};return s=>{let{length:o,nodes:i,regions:c,compression:l,variadic:d,body:m}=s,p=-1,j=-1,J=-1;return{...n,length:o,node:()=>i[++p],buffer:x=>{let{bytes:w,length:X,offset:_}=qn(m,c[++j],l);return x?new x(w.buffer,w.byteOffset+_,X/x.BYTES_PER_ELEMENT):w.subarray(_,_+X)},variadic:()=>d[++J],visit(x){return x.map(w=>tr(w.type,this))}}}}function qn(e,t,r){if(r){if(r.method!==et.BUFFER)throw new Error(`Unknown compression method (${r.method})`);{let n=r.codec,s=we(n);if(!s)throw new Error(Je(n));return zr(e,t,s)}}else return{bytes:e,...t}}function tr(e,t){let{typeId:r}=e,{options:n,node:s,buffer:o,variadic:i,version:c}=t,l=wt(e,n),d={...s(),type:e};if(r===a.Null)return new l({...d,nullCount:d.length});switch(r){case a.Bool:case a.Int:case a.Time:case a.Duration:case a.Float:case a.Decimal:case a.Date:case a.Timestamp:case a.Interval:case a.FixedSizeBinary:return new l({...d,validity:o(),values:o(e.values)});case a.Utf8:case a.LargeUtf8:case a.Binary:case a.LargeBinary:return new l({...d,validity:o(),offsets:o(e.offsets),values:o()});case a.BinaryView:case a.Utf8View:return new l({...d,validity:o(),values:o(),data:Array.from({length:i()},()=>o())});case a.List:case a.LargeList:case a.Map:return new l({...d,validity:o(),offsets:o(e.offsets),children:t.visit(e.children)});case a.ListView:case a.LargeListView:return new l({...d,validity:o(),offsets:o(e.offsets),sizes:o(e.offsets),children:t.visit(e.children)});case a.FixedSizeList:case a.Struct:return new l({...d,validity:o(),children:t.visit(e.children)});case a.RunEndEncoded:return new l({...d,children:t.visit(e.children)});case a.Dictionary:{let{id:m,indices:p}=e;return new l({...d,validity:o(),values:o(p.values)}).setDictionary(t.dictionary(m))}case a.Union:return c<O.V5&&o(),new l({...d,typeIds:o(ft),offsets:e.mode===V.Sparse?null:o(e.offsets),children:t.visit(e.children)});default:throw new Error(R(r))}}var zi=new Uint16Array(new Uint8Array([1,0]).buffer)[0]===1;var Se=class{rows=[];removed=[];frame=-1;add(t,r){if(t.part===0)this.frame=t.frame,this.rows=[],this.removed=[];else if(t.frame!==this.frame||t.part!==this.rows.length)return;let[n,s]=r;if(!(!n||!s)&&(this.rows.push(ms(n)),this.removed.push(...hs(s)),!(t.part+1<t.parts)))return{...t,rows:this.rows,removed:this.removed}}};function Qr(e){return new Uint8Array(e.buffer,e.byteOffset,e.byteLength).slice()}function hs(e){return Array.from(new BigInt64Array(Qr(e).buffer))}function ms(e){let t=er(Qr(e),{useBigInt:!0,useDecimalInt:!0}),r=[],n=[],s=[];return t.schema.fields.forEach((o,i)=>{let c=Array.from(t.getChildAt(i).toArray()),[l,d]=o.name.split(".");o.name==="id"?s=c:d?n[Number(l)]=c:r[Number(l)]=c}),{ids:s,values:r,lengths:n}}var Ae=class{rows=new Map;version=-1;status;columns=[];apply(t,r){let n=t.base<0;if(!n&&t.base!==this.version)return!1;if(this.status=t.status,n&&t.version===this.version)return!0;t.columns&&JSON.stringify(t.columns)!==JSON.stringify(this.columns)&&(this.columns=t.columns);let s=this.version<0,o=this.rows;n&&(this.rows=new Map);for(let i of t.removed)this.rows.delete(i);for(let i of t.rows)i.ids.forEach((c,l)=>{this.rows.set(c,ys(o.get(c),c,i,l,s?-1/0:r))});return this.version=t.version,!0}};function ys(e,t,r,n,s){let o=r.values.map(c=>c[n]??null),i=r.lengths.map(c=>c?.[n]);return e?(o.forEach((c,l)=>{(!gs(c,e.values[l]??null)||i[l]!=e.lengths[l])&&(e.changed.set(l,s),e.revision++)}),e.values=o,e.lengths=i,e):{id:t,values:o,lengths:i,revision:0,born:s,changed:new Map}}function gs(e,t){return Object.is(e,t)?!0:typeof e!="object"||typeof t!="object"||e===null||t===null?!1:e.length===t.length&&Array.from(e).every((r,n)=>Object.is(r,t[n]))}var tn="stopped: the kernel has gone",xs=500,bs=1e3,ws=3e4,Ee=class{constructor(t,r){this.page=t;this.send=r}page;send;store=new Ae;views=new Set;assembler=new Se;ended="";asked=!1;acknowledged=-1;newest=-1;timer;watch;saidUnseen=!1;hello(){this.asked||(this.asked=!0,this.say({kind:"hello",page:this.page}))}take(t,r){this.ended="";let n=this.assembler.add(t,r);n&&(n.base<0&&(this.asked=!1),this.newest=n.frame,this.store.apply(n,performance.now())||this.hello(),this.refresh(),this.views.size>0&&this.acknowledgeSoon())}end(t){this.ended=t,this.refresh()}connectionChanged(){this.ended||=tn,this.asked=!1,this.hello(),this.refresh()}attach(t){return this.views.add(t),t.refresh(this.ended),clearTimeout(this.watch),(this.newest>this.acknowledged||this.saidUnseen)&&this.acknowledgeSoon(),()=>{this.views.delete(t),this.views.size===0&&this.watchFor(t,bs)}}dispose(){clearTimeout(this.timer),clearTimeout(this.watch),this.views.clear()}refresh(){for(let t of this.views)t.refresh(this.ended)}acknowledgeSoon(){this.timer??=setTimeout(()=>{this.timer=void 0,this.views.size!==0&&(this.acknowledged=this.newest,this.saidUnseen=!1,this.say({kind:"ack",frame:this.newest}))},xs)}watchFor(t,r){clearTimeout(this.watch),this.watch=setTimeout(()=>{this.views.size>0||!t.isNotebookOpen()||(this.saidUnseen=!0,this.say({kind:"unseen",page:this.page}),this.ended||this.watchFor(t,ws))},r)}say(t){try{this.send(t)}catch{this.ended||=tn}}};var rr=new Map;function vs({model:e}){let t=e.get("twin"),r=new Ee(Math.random().toString(36).slice(2),n=>e.send(n));return rr.set(t,r),e.on("msg:custom",(n,s)=>{n.kind==="frame"?r.take(n,s):n.kind==="end"&&r.end(n.text)}),e.on("comm_live_update",()=>r.connectionChanged()),r.hello(),()=>{r.dispose(),rr.delete(t)}}function Is({model:e,el:t}){let r=e.get("twin"),n=rr.get(r);if(!n)return;let s=new St({sql:e.get("sql"),twin:r},n.store);t.append(s.root);let o=n.attach(s);return()=>{o(),s.dispose()}}var Ld={initialize:vs,render:Is};export{Ld as default};

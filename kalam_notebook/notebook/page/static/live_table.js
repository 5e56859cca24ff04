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
var nn=new Set(["integer","float","float32","decimal"]),sn=new Set(["text","json","file","other"]),Be=e=>nn.has(e.kind),ar=e=>sn.has(e.kind);function cr(e,t,r){if(e===null)return"NULL";switch(t.kind){case"boolean":return e?"true":"false";case"integer":return String(e);case"float":return lt(e);case"float32":return ir(e);case"decimal":return an(BigInt(e),t.scale);case"bytes":return cn(e,r??e.length);case"uuid":return dn(e);case"timestamp":return un(BigInt(e),BigInt(t.scale))+(t.zoned?"Z":"");case"date":return fr(Number(e));case"time":return ur(BigInt(e),BigInt(t.scale));case"list":case"list32":return ln(e,r,t.kind==="list32"?ir:lt);default:return on(B(String(e)),r==null)}}function on(e,t){let r=e.replace(/^[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+/,or);return t?r.replace(/[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+$/,or):r}function or(e){return[...e].map(t=>t===" "?"␣":dr(t)).join("")}function dr(e){return`⟨U+${e.charCodeAt(0).toString(16).toUpperCase().padStart(4,"0")}⟩`}function B(e){return e.replaceAll(`\r
`,`
`).replace(/[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,t=>{let r=t.charCodeAt(0);return t===`
`?"↵":t==="	"?"⇥":r<32?String.fromCharCode(9216+r):r===127?"␡":dr(t)})}function lt(e){if(e===null)return"NULL";if(!Number.isFinite(e))return String(e);let t=e<0||Object.is(e,-0)?"-":"",[r="",n="0"]=Math.abs(e).toExponential().split("e"),s=Number(n),o=r.replace(".","");if(s<-4||s>=16)return`${t}${r}e${s<0?"-":"+"}${String(Math.abs(s)).padStart(2,"0")}`;if(s<0)return`${t}0.${"0".repeat(-s-1)}${o}`;let i=o.slice(0,s+1).padEnd(s+1,"0");return`${t}${i}.${o.slice(s+1)||"0"}`}function ir(e){if(e===null||!Number.isFinite(e))return lt(e);let t=Math.fround(e);for(let r=6;r<9;r++){let n=Number(e.toPrecision(r));if(Math.fround(n)===t)return lt(n)}return lt(Number(e.toPrecision(9)))}function an(e,t){let r=(e<0n?-e:e).toString().padStart(t+1,"0"),n=r.length-t,s=t>0?`.${r.slice(n)}`:"";return`${e<0n?"-":""}${r.slice(0,n)}${s}`}function cn(e,t){let r=e.subarray(0,8),n=r.includes(39)&&!r.includes(34)?'"':"'",s={9:"\\t",10:"\\n",13:"\\r",92:"\\\\"},o="";for(let i of r){let c=String.fromCharCode(i);s[i]?o+=s[i]:i<32||i>126?o+=`\\x${i.toString(16).padStart(2,"0")}`:o+=c===n?`\\${c}`:c}return`b${n}${o}${t>r.length?"…":""}${n} ${U(t)} ${t===1?"byte":"bytes"}`}function dn(e){let t=Array.from(e,r=>r.toString(16).padStart(2,"0")).join("");return[t.slice(0,8),t.slice(8,12),t.slice(12,16),t.slice(16,20),t.slice(20)].join("-")}function ln(e,t,r){let n=t??e.length,s=Array.from(e).slice(0,n<=6?6:2).map(r);return n>6&&s.push(`… ${U(n)}`),`[${s.join(", ")}]`}function lr(e,t){let r=(e%t+t)%t;return[(e-r)/t,r]}function un(e,t){let[r,n]=lr(e,86400n*t);return`${fr(Number(r))}T${ur(n,t)}`}function ur(e,t){let[r,n]=lr(e,t),s=Number(r),o=d=>String(d).padStart(2,"0"),i=`${o(Math.floor(s/3600))}:${o(Math.floor(s/60)%60)}:${o(s%60)}`;if(n===0n)return i;let c=n.toString().padStart(t.toString().length-1,"0");return`${i}.${c.replace(/(000)+$/,"")}`}function fr(e){let t=e+719468,r=Math.floor(t/146097),n=t-r*146097,s=Math.floor,o=s((n-s(n/1460)+s(n/36524)-s(n/146096))/365),i=n-(365*o+s(o/4)-s(o/100)),c=s((5*i+2)/153),d=i-s((153*c+2)/5)+1;c=c<10?c+3:c-9,o+=r*400+(c<=2?1:0);let l=o<0?"-":o>9999?"+":"",u=h=>String(h).padStart(2,"0");return`${l}${String(Math.abs(o)).padStart(l?6:4,"0")}-${u(c)}-${u(d)}`}function U(e){return e.toLocaleString("en-US")}function f(e,t,r){let n=document.createElement(e);return t&&(n.className=t),r!==void 0&&(n.textContent=r),n}function Y(e,t){e.textContent!==t&&(e.textContent=t)}var kt=class{constructor(t){this.box=t}box;ends=new Map;timer;add(t,r){let n=performance.now()+1e3;for(let s of t)this.ends.delete(s),this.ends.set(s,n),s.classList.add(r);this.box.classList.toggle("kl-calm",this.ends.size<=24),this.ends.size>0&&(this.timer??=setTimeout(()=>this.sweep(),250))}drop(t){this.ends.delete(t)&&hr(t)}dispose(){clearTimeout(this.timer)}sweep(){this.timer=void 0;let t=performance.now();for(let[r,n]of this.ends){if(n>t)break;this.ends.delete(r),hr(r)}this.add([],"")}};function hr(e){e.classList.remove("kl-changed","kl-new")}function pr(e,t){return e?.column!==t?{column:t,descending:!1}:e.descending?void 0:{column:t,descending:!0}}var St=class{constructor(t){this.store=t}store;slots=[];ids=[];sort;filter;epoch=-1;tick=-1;get sortedBy(){return this.sort}sortBy(t){this.sort=t,this.epoch=-1}showOnly(t){this.filter=t,this.epoch=-1}update(){let{store:t}=this;if(this.epoch!==t.epoch)this.make();else if(this.tick===t.tick||!this.amend())return this.tick=t.tick,!1;return this.ids=t.ids,this.epoch=t.epoch,this.tick=t.tick,!0}make(){let t=[];this.store.ids.forEach((r,n)=>{this.isShown(r,n)&&t.push(n)}),this.sort&&t.sort(this.comparison()),this.slots=t}amend(){let{ids:t,touched:r}=this.store,n=this.slots.at(-1)??-1,s=[],o=this.sort===void 0&&this.filter===void 0;if(r.forEach((c,d)=>{c<=this.tick||(o&&=t[d]!==-1&&d<=n,this.isShown(t[d]??-1,d)&&s.push(d))}),o)return!1;let i=this.slots.filter(c=>(r[c]??0)<=this.tick);return this.slots=fn(i,s,this.sort?this.comparison():(c,d)=>c-d),!0}isShown(t,r){return t!==-1&&(this.filter===void 0||this.filter(r))}comparison(){let{column:t,descending:r}=this.sort??{column:0,descending:!1},n=this.store.column(t),s=r?-1:1;return(o,i)=>{let c=n[o]??null,d=n[i]??null;return c===null||d===null?+(c===null)-+(d===null)||o-i:s*mr(c,d)||o-i}}};function fn(e,t,r){t.sort(r);let n=[],s=0;for(let o of t){let i=s,c=e.length;for(;i<c;){let d=i+c>>1;r(e[d]??0,o)<0?i=d+1:c=d}for(;s<i;s++)n.push(e[s]??0);n.push(o)}for(;s<e.length;s++)n.push(e[s]??0);return n}function mr(e,t){if(typeof e=="object"&&typeof t=="object"){let r=Math.min(e.length,t.length);for(let n=0;n<r;n++){let s=mr(e[n]??0,t[n]??0);if(s)return s}return e.length-t.length}return e!==e||t!==t?+(e!==e)-+(t!==t):e<t?-1:e>t?1:0}var H=26,gr=4,pn=1e8,mn=8,Et=class{constructor(t,r,n,s){this.columns=t;this.store=r;this.onSort=s;this.order=new St(r),this.seen=r.tick,this.heads=t.map((c,d)=>this.head(c,d));let o=f("tr","");o.setAttribute("aria-rowindex","1"),o.append(...this.heads);let i=f("thead","");i.append(o);for(let c of[this.above,this.below])c.setAttribute("aria-hidden","true");this.body.append(this.above,this.below),this.table.append(i,this.body),this.box.append(this.table),this.box.setAttribute("role","region"),this.box.setAttribute("aria-label",n),xr(this.box),this.box.addEventListener("scroll",()=>this.scrolled(),{passive:!0}),this.sizes=new ResizeObserver(c=>this.resized(c));for(let c of[this.box,...this.heads])this.sizes.observe(c)}columns;store;onSort;box=f("div","kl-box");order;table=f("table","");body=f("tbody","");above=f("tr","kl-space");below=f("tr","kl-space");heads;flashes=new kt(this.box);motion=matchMedia("(prefers-reduced-motion: reduce)");sizes;lines=new Map;widths=new Map;top=0;height=20*H;atEnd=!1;seen;get sortedBy(){let t=this.order.sortedBy;return t&&this.columns[t.column]}update(){let t=this.order.slots,{ids:r}=this.order,n=this.order.update();this.draw(),!(!n||this.order.sortedBy)&&(this.atEnd?this.scrollTo(pn):this.top>0&&this.scrollTo(this.place(t,r)*H+this.top%H))}dispose(){this.sizes.disconnect(),this.flashes.dispose()}place(t,r){let n=new Map,s=Math.ceil(this.height/H);for(let i=Math.floor(this.top/H);i<t.length&&n.size<s;i++){let c=this.store.slot(r[t[i]??-1]??-1);c!==void 0&&n.set(c,n.size)}let o=[];return this.order.slots.forEach((i,c)=>{let d=n.get(i);d!==void 0&&o.push(c-d)}),o.sort((i,c)=>i-c),o[o.length>>1]??this.order.slots.length}scrollTo(t){this.box.scrollTop=t,this.box.clientHeight>0?this.top=this.box.scrollTop:this.top=t,this.draw()}resized(t){for(let{target:r,borderBoxSize:n,contentRect:s}of t)r===this.box?(this.height=s.height||this.height,this.scrollTo(this.top)):this.keepWidth(r,n[0]?.inlineSize??0)}keepWidth(t,r){r<=(this.widths.get(t)??0)||(this.widths.set(t,r),t.style.minWidth=`${r}px`)}scrolled(){this.box.scrollTop!==this.top&&this.stay(),this.draw()}stay(){let t=this.box.scrollHeight-this.box.clientHeight;this.top=this.box.scrollTop,this.atEnd=t>0&&this.top>=t-2}head(t,r){let n=f("th",Be(t)?"kl-n":""),s=f("button","");s.type="button",s.title=`${B(t.name)}: click to sort`;let o=f("span","kl-arrow");o.setAttribute("aria-hidden","true"),s.append(f("span","kl-name",B(t.name)),o),xr(s),s.addEventListener("click",()=>{this.order.sortBy(pr(this.order.sortedBy,r)),this.markSort(),this.order.update(),this.draw(),this.stay(),this.onSort()});let i=f("small","",B(t.sql_type));return t.key&&i.append(f("b","","PK")),n.append(s,i),n}markSort(){this.heads.forEach((t,r)=>{let n=this.order.sortedBy?.column===r?this.order.sortedBy:void 0;n?t.setAttribute("aria-sort",n.descending?"descending":"ascending"):t.removeAttribute("aria-sort");let s=t.querySelector(".kl-arrow");s&&(s.textContent=n?n.descending?"▼":"▲":"")})}draw(){let{slots:t}=this.order,r=Math.ceil(this.height/H)+2*gr,n=Math.max(0,Math.min(Math.floor(this.top/H)-gr,t.length-r)),s=Math.min(t.length,n+r),o=t.slice(n,s),i=new Map;for(let u of o){let h=this.lines.get(this.store.ids[u]??-1);h&&i.set(h.id,h)}let c=[...this.lines.values()].filter(({id:u})=>!i.has(u)),d=new De,l=this.above.nextSibling;o.forEach((u,h)=>{let S=this.store.ids[u]??-1,I=i.get(S)??this.emptied(c.pop()??this.line());i.set(S,I),this.fill(I,u,S,d),br(I.element,"aria-rowindex",n+h+2),l===I.element?l=l.nextSibling:this.body.insertBefore(I.element,l)});for(let{element:u}of c)u.remove();this.lines=i,vr(this.above,n),vr(this.below,t.length-s),br(this.table,"aria-rowcount",t.length+1),this.mark(d,s-n),this.seen=this.store.tick}mark({rows:t,cells:r,changed:n},s){this.motion.matches||t.length+n>Math.max(mn,s/2)||(this.flashes.add(t,"kl-new"),this.flashes.add(r,"kl-changed"))}line(){let t=f("tr",""),r=this.columns.map(n=>f("td",Be(n)?"kl-n":""));return t.append(...r),{element:t,cells:r,texts:[],id:-1,epoch:-1,tick:-1}}emptied(t){t.id=-1,this.flashes.drop(t.element);for(let r of t.cells)this.flashes.drop(r);return t}fill(t,r,n,s){let{store:o}=this,i=t.id===n,c=o.touched[r]??0;if(i&&t.epoch===o.epoch&&t.tick>=c)return;let d=s.cells.length;this.columns.forEach((l,u)=>{let h=t.cells[u],S=o.value(r,u),I=o.length(r,u),y=cr(S,l,I),g=`${S===null?"n":"v"}${I??""} ${y}`;!h||t.texts[u]===g||(yn(h,y,S,I,l),i&&s.cells.push(h),t.texts[u]=g)}),s.cells.length>d&&s.changed++,!i&&(o.born[r]??0)>this.seen&&s.rows.push(t.element),t.id=n,t.epoch=o.epoch,t.tick=c}},De=class{rows=[];cells=[];changed=0};function yn(e,t,r,n,s){let i=t.length<=80&&n===void 0||!ar(s)||r===null?0:[...t].length,c=i&&Math.max(n??0,i),d=c>i;e.classList.toggle("kl-null",r===null||r==="");let l=d?`${t}…`:t;if(t.length>32?e.title=l:e.removeAttribute("title"),c<=80){gn(e,t||"empty");return}let u=f("div","kl-cut"),h=f("small",d?"":"kl-mark",`${U(c)} characters`);u.append(f("span","",l)," ",h),e.replaceChildren(u)}function gn(e,t){let r=e.firstChild;r instanceof Text&&!r.nextSibling?r.data=t:e.textContent=t}function xr(e){e.tabIndex=0,e.dataset.lmSuppressShortcuts="true"}function br(e,t,r){e.getAttribute(t)!==String(r)&&e.setAttribute(t,String(r))}function vr(e,t){e.style.height=`${t*H}px`,e.hidden=t===0}var wr=`.kalam-live {
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
.kalam-live .kl-calm :is(td, tr) {
  transition: background-color 0.4s;
}
.kalam-live .kl-changed {
  background-color: rgba(212, 167, 44, 0.38);
  transition: none !important;
}
.kalam-live .kl-new {
  background-color: rgba(45, 164, 78, 0.26);
  transition: none !important;
}
@media (prefers-reduced-motion: reduce) {
  .kalam-live * {
    animation: none !important;
  }
}
`;var Tt=class{constructor(t,r){this.about=t;this.store=r;this.root.hidden=!0,this.word.setAttribute("role","status"),this.state.append(this.word,this.countdown),this.note.setAttribute("role","note"),this.part.setAttribute("role","status");let n=f("div","kl-line"),s=f("code","kl-sql",Ir(t.sql));s.title=B(t.sql),n.append(f("span","kl-dot"),this.state,this.facts,s),this.root.append(f("style","",wr),n,this.note,this.part,this.place,this.foot)}about;store;root=f("div","kalam-live");state=f("span","kl-state");word=f("span","");countdown=f("span","");facts=f("span","kl-facts");note=f("div","kl-note");part=f("div","kl-part");place=f("div","");foot=f("div","kl-foot");grid;columns;ended="";scheduled=0;notebook=null;refresh(t){this.ended=t,!this.scheduled&&(this.scheduled=requestAnimationFrame(()=>{this.scheduled=0,this.draw()}))}isNotebookOpen(){return this.notebook?.isConnected??!0}dispose(){cancelAnimationFrame(this.scheduled),this.grid?.dispose(),this.root.remove()}draw(){this.notebook??=this.root.closest(".jp-NotebookPanel");let{status:t}=this.store;if(!t)return;this.root.hidden&&(this.root.hidden=!1,this.root.append(f("style","",kn(this.about.twin))));let r=this.ended||t.text,n=kr(this.store.size,t.rows);this.root.dataset.tone=bn(r,t.failed,n!=="");let[s,o]=vn(B(r));Y(this.word,s),Y(this.countdown,o),this.state.title=s+o;let i=wn(t,n,r==="live");Y(this.facts,i);let{changed_at:c}=t;this.facts.title=c===null?i:`${i}
Last change ${new Date(c).toISOString()}`;let d=t.notice.split(`
`).filter(Boolean);Y(this.note,d.map(l=>`Warning: ${B(l)}`).join(`
`)),this.columns!==this.store.columns&&(this.columns=this.store.columns,this.grid?.dispose(),this.grid=new Et(this.columns,this.store,Ir(this.about.sql),()=>this.tellSort()),this.place.replaceChildren(this.grid.box)),this.grid?.update(),this.tellSort(),Y(this.foot,n)}tellSort(){let t=this.grid?.sortedBy,r=kr(this.store.size,this.store.status?.rows??0);Y(this.part,t&&r?`Sorted by ${B(t.name)} among the ${r}; the others are not here. ORDER BY in the query sorts all.`:"")}};function Ir(e){return B(e.replace(/\s+/g," "))}function kr(e,t){return e<t?`first ${U(e)} of ${U(t)} rows`:""}function bn(e,t,r){return t?"failed":e==="live"?r?"part":"live":e.startsWith("stopped")?"stopped":"waiting"}function vn(e){let[,t,r]=/^(reconnecting)( in .*)$/.exec(e)??[];return t&&r?[t,r]:[e,""]}function wn({rows:e,changes:t,changed_at:r,form:n,verified_at:s},o,i){let c=i||s===null?"":` as of ${In(Math.max(s,r??0))}`,d=[`${o||`${U(e)} ${e===1?"row":"rows"}`}${c}`,`${U(t)} ${t===1?"change":"changes"}`];return r!==null&&d.push(`last change ${At(r)}`),n&&d.push(n),s!==null&&d.push(`${o?"whole table ":""}verified ${At(s)}`),d.join(" · ")}function At(e){return new Date(e).toLocaleTimeString("en-GB")}function In(e){let t=new Date(e);return t.toDateString()===new Date().toDateString()?At(e):`${t.toLocaleDateString("sv")} ${At(e)}`}function kn(e){let t=`[data-kalam-twin="${CSS.escape(e)}"]`;return`${t},.jp-OutputArea-child:has(${t}){display:none!important}`}var ut=Uint8Array.of(65,82,82,79,87,49),Sn=Uint8Array.of(255,255,255,255,0,0,0,0),L={V1:0,V2:1,V3:2,V4:3,V5:4};var E={NONE:0,Schema:1,DictionaryBatch:2,RecordBatch:3,Tensor:4,SparseTensor:5},a={Dictionary:-1,NONE:0,Null:1,Int:2,Float:3,Binary:4,Utf8:5,Bool:6,Decimal:7,Date:8,Time:9,Timestamp:10,Interval:11,List:12,Struct:13,Union:14,FixedSizeBinary:15,FixedSizeList:16,Map:17,Duration:18,LargeBinary:19,LargeUtf8:20,LargeList:21,RunEndEncoded:22,BinaryView:23,Utf8View:24,ListView:25,LargeListView:26},Q={HALF:0,SINGLE:1,DOUBLE:2},R={DAY:0,MILLISECOND:1},x={SECOND:0,MILLISECOND:1,MICROSECOND:2,NANOSECOND:3},M={YEAR_MONTH:0,DAY_TIME:1,MONTH_DAY_NANO:2},$={Sparse:0,Dense:1},tt={LZ4_FRAME:0,ZSTD:1},et={BUFFER:0};var rt=Uint8Array,Ot=Uint16Array,Lt=Uint32Array,Mt=BigUint64Array,ft=Int8Array,Sr=Int16Array,k=Int32Array,T=BigInt64Array,Ne=Float32Array,P=Float64Array;function Ce(e){return Object.prototype.toString.call(e)}function Er(e){return Ce(e)==="[object ArrayBuffer]"||Ce(e)==="[object SharedArrayBuffer]"}function Fe(e){return Ce(e)==="[object Uint8Array]"}function Tr(e,t){let r=Math.log2(e)-3;return(t?[ft,Sr,k,T]:[rt,Ot,Lt,Mt])[r]}function nt(e,t){let r=0,n=e.length;if(n<=2147483648)do{let s=r+n>>>1;e[s]<=t?r=s+1:n=s}while(r<n);else do{let s=Math.trunc((r+n)/2);e[s]<=t?r=s+1:n=s}while(r<n);return r}function Bt(e,t,r){if(t(e))return e;throw new Error(r(e))}function A(e,t,r){return t=Array.isArray(t)?t:Object.values(t),Bt(e,n=>t.includes(n),r??(()=>`${e} must be one of ${t}`))}function st(e,t){for(let[r,n]of Object.entries(e))if(n===t)return r;return"<Unknown>"}var j=e=>`Unsupported data type: "${st(a,e)}" (id ${e})`,ht=(e,t,r=!0,n=null)=>({name:e,type:t,nullable:r,metadata:n});function Ar(e){return Object.hasOwn(e,"name")&&Or(e.type)}function Or(e){return typeof e?.typeId=="number"}function G(e,t="",r=!0){return Ar(e)?e:ht(t,Bt(e,Or,()=>"Data type expected."),r)}var Dt=(e,t,r=!1,n=-1)=>({typeId:a.Dictionary,id:n,dictionary:e,indices:t||ot(),ordered:r});var Ct=(e=32,t=!0)=>({typeId:a.Int,bitWidth:A(e,[8,16,32,64]),signed:t,values:Tr(e,t)});var ot=()=>Ct(32);var Ve=(e=2)=>({typeId:a.Float,precision:A(e,Q),values:[Ot,Ne,P][e]});var Ue=()=>({typeId:a.Binary,offsets:k}),Nt=()=>({typeId:a.Utf8,offsets:k});var Re=(e,t,r=128)=>({typeId:a.Decimal,precision:e,scale:t,bitWidth:A(r,[32,64,128,256]),values:r===32?k:Mt});var $e=e=>({typeId:a.Date,unit:A(e,R),values:e===R.DAY?k:T});var je=(e=x.MILLISECOND)=>{e=A(e,x);let t=e===x.SECOND||e===x.MILLISECOND?32:64;return{typeId:a.Time,unit:e,bitWidth:t,values:t===32?k:T}};var Ft=(e=x.MILLISECOND,t=null)=>({typeId:a.Timestamp,unit:A(e,x),timezone:t,values:T}),ze=(e=M.MONTH_DAY_NANO)=>({typeId:a.Interval,unit:A(e,M),values:e===M.MONTH_DAY_NANO?void 0:k}),Vt=e=>({typeId:a.List,children:[G(e)],offsets:k}),Ut=e=>({typeId:a.Struct,children:Array.isArray(e)&&e.length>0&&Ar(e[0])?e:Object.entries(e).map(([t,r])=>ht(t,r))}),_e=(e,t,r,n)=>(r??=t.map((s,o)=>o),{typeId:a.Union,mode:A(e,$),typeIds:r,typeMap:r.reduce((s,o,i)=>(s[o]=i,s),{}),children:t.map((s,o)=>G(s,`_${o}`)),typeIdForValue:n,offsets:k}),He=e=>({typeId:a.FixedSizeBinary,stride:e}),Rt=(e,t)=>({typeId:a.FixedSizeList,stride:t,children:[G(e)]}),Lr=(e,t)=>({typeId:a.Map,keysSorted:e,children:[t],offsets:k});var Pe=(e=x.MILLISECOND)=>({typeId:a.Duration,unit:A(e,x),values:T}),Ge=()=>({typeId:a.LargeBinary,offsets:T}),We=()=>({typeId:a.LargeUtf8,offsets:T}),Ye=e=>({typeId:a.LargeList,children:[G(e)],offsets:T}),qe=(e,t)=>({typeId:a.RunEndEncoded,children:[Bt(G(e,"run_ends"),r=>r.type.typeId===a.Int,()=>"Run-ends must have an integer type."),G(t,"values")]});var Ke=e=>({typeId:a.ListView,children:[G(e,"value")],offsets:k}),Ze=e=>({typeId:a.LargeListView,children:[G(e,"value")],offsets:T});var En=new P(2),$t=En.buffer,Zs=new T($t),Js=new Lt($t),Xs=new k($t),Qs=new rt($t);function C(e){if(e>Number.MAX_SAFE_INTEGER||e<Number.MIN_SAFE_INTEGER)throw Error(`BigInt exceeds integer number representation: ${e}`);return Number(e)}function jt(e,t){return Number(e/t)+Number(e%t)/Number(t)}var it=e=>BigInt.asUintN(64,e);function Br(e,t){return BigInt.asIntN(64,e[t])}function Dr(e,t){let r=t<<1,n;return BigInt.asIntN(64,e[r+1])<0?(n=it(~e[r])|it(~e[r+1])<<64n,n=-(n+1n)):n=e[r]|e[r+1]<<64n,n}function Cr(e,t){let r=t<<2,n;return BigInt.asIntN(64,e[r+3])<0?(n=it(~e[r])|it(~e[r+1])<<64n|it(~e[r+2])<<128n|it(~e[r+3])<<192n,n=-(n+1n)):n=e[r]|e[r+1]<<64n|e[r+2]<<128n|e[r+3]<<192n,n}var An=new TextDecoder("utf-8"),so=new TextEncoder;function at(e){return An.decode(e)}var q=4;function Je(e,t){return(e[t>>3]&1<<t%8)!==0}function v(e,t){let r=t+p(e,t),n=r-p(e,r),s=w(e,n);return(o,i,c=null)=>{if(o<s){let d=w(e,n+o);if(d)return i(e,r+d)}return c}}function N(e,t){return t}function W(e,t){return!!zt(e,t)}function zt(e,t){return pt(e,t)<<24>>24}function pt(e,t){return e[t]}function w(e,t){return On(e,t)<<16>>16}function On(e,t){return e[t]|e[t+1]<<8}function p(e,t){return e[t]|e[t+1]<<8|e[t+2]<<16|e[t+3]<<24}function Nr(e,t){return p(e,t)>>>0}function b(e,t){return C(BigInt.asIntN(64,BigInt(Nr(e,t))+(BigInt(Nr(e,t+q))<<32n)))}function K(e,t){let r=t+p(e,t),n=p(e,r);return r+=q,at(e.subarray(r,r+n))}function O(e,t,r,n){if(!t)return[];let s=t+p(e,t);return Array.from({length:p(e,s)},(o,i)=>n(e,s+q+i*r))}var _t=Symbol("rowIndex");function mt(e,t){class r{constructor(o){this[_t]=o}toJSON(){return Fr(e,t,this[_t])}}let n=r.prototype;for(let s=0;s<e.length;++s){if(Object.hasOwn(n,e[s]))continue;let o=t[s];Object.defineProperty(n,e[s],{get(){return o.at(this[_t])},enumerable:!0})}return s=>new r(s)}function Ht(e,t){return r=>Fr(e,t,r)}function Fr(e,t,r){let n={};for(let s=0;s<e.length;++s)n[e[s]]=t[s].at(r);return n}function Vr(e){return e instanceof F}var Z=class{static ArrayType=null;constructor({length:t,nullCount:r,type:n,validity:s,values:o,offsets:i,sizes:c,children:d}){this.length=t,this.nullCount=r,this.type=n,this.validity=s,this.values=o,this.offsets=i,this.sizes=c,this.children=d,(!r||!this.validity)&&(this.at=l=>this.value(l))}get[Symbol.toStringTag](){return"Batch"}at(t){return this.isValid(t)?this.value(t):null}isValid(t){return Je(this.validity,t)}value(t){return this.values[t]}slice(t,r){let n=r-t,s=Array(n);for(let o=0;o<n;++o)s[o]=this.at(t+o);return s}*[Symbol.iterator](){for(let t=0;t<this.length;++t)yield this.at(t)}},F=class extends Z{constructor(t){super(t);let{length:r,values:n}=this;this.values=n.subarray(0,r)}slice(t,r){return this.nullCount?super.slice(t,r):this.values.subarray(t,r)}[Symbol.iterator](){return this.nullCount?super[Symbol.iterator]():this.values[Symbol.iterator]()}},ct=class extends Z{static ArrayType=P},m=class extends Z{static ArrayType=Array},yt=class extends m{value(t){return null}},V=class extends ct{value(t){return C(this.values[t])}},Pt=class extends ct{value(t){let r=this.values[t],n=(r&31744)>>10,s=(r&1023)/1024,o=(-1)**((r&32768)>>15);switch(n){case 31:return o*(s?Number.NaN:1/0);case 0:return o*(s?6103515625e-14*s:0)}return o*2**(n-15)*(1+s)}},Gt=class extends m{value(t){return Je(this.values,t)}},Wt=class extends ct{constructor(t){super(t);let{scale:r}=this.type;this.scale=10**r}value(t){return this.values[t]/this.scale}},Yt=class extends Z{constructor(t){super(t);let{bitWidth:r,scale:n}=this.type;this.decimal=r===64?Br:r===128?Dr:Cr,this.scale=10n**BigInt(n)}},qt=class extends Yt{static ArrayType=P;value(t){return jt(this.decimal(this.values,t),this.scale)}},Kt=class extends Yt{static ArrayType=Array;value(t){return this.decimal(this.values,t)}},gt=class extends m{constructor(t){super(t),this.source=t}value(t){return new Date(this.source.value(t))}},Zt=class extends ct{value(t){return 864e5*this.values[t]}},Ur=V,Jt=class extends V{value(t){return super.value(t)*1e3}},Rr=V,Xt=class extends V{value(t){return jt(this.values[t],1000n)}},Qt=class extends V{value(t){return jt(this.values[t],1000000n)}},te=class extends m{value(t){return this.values.subarray(t<<1,t+1<<1)}},ee=class extends m{value(t){let r=this.values,n=t<<4;return Float64Array.of(p(r,n),p(r,n+4),b(r,n+8))}},$r=({values:e,offsets:t},r)=>e.subarray(t[r],t[r+1]),jr=({values:e,offsets:t},r)=>e.subarray(C(t[r]),C(t[r+1])),re=class extends m{value(t){return $r(this,t)}},ne=class extends m{value(t){return jr(this,t)}},se=class extends m{value(t){return at($r(this,t))}},oe=class extends m{value(t){return at(jr(this,t))}},ie=class extends m{value(t){let r=this.offsets;return this.children[0].slice(r[t],r[t+1])}},ae=class extends m{value(t){let r=this.offsets;return this.children[0].slice(C(r[t]),C(r[t+1]))}},ce=class extends m{value(t){let r=this.offsets[t],n=r+this.sizes[t];return this.children[0].slice(r,n)}},de=class extends m{value(t){let r=this.offsets[t],n=r+this.sizes[t];return this.children[0].slice(C(r),C(n))}},le=class extends m{constructor(t){super(t),this.stride=this.type.stride}},ue=class extends le{value(t){let{stride:r,values:n}=this;return n.subarray(t*r,(t+1)*r)}},fe=class extends le{value(t){let{children:r,stride:n}=this;return r[0].slice(t*n,(t+1)*n)}};function zr({children:e,offsets:t},r){let[n,s]=e[0].children,o=t[r],i=t[r+1],c=[];for(let d=o;d<i;++d)c.push([n.at(d),s.at(d)]);return c}var he=class extends m{value(t){return zr(this,t)}},pe=class extends m{value(t){return new Map(zr(this,t))}},xt=class extends m{constructor({typeIds:t,...r}){super(r),this.typeIds=t,this.typeMap=this.type.typeMap}value(t,r=t){let{typeIds:n,children:s,typeMap:o}=this;return s[o[n[t]]].at(r)}},me=class extends xt{value(t){return super.value(t,this.offsets[t])}},bt=class extends m{constructor(t,r=Ht){super(t),this.names=this.type.children.map(n=>n.name),this.factory=r(this.names,this.children)}value(t){return this.factory(t)}},ye=class extends bt{constructor(t){super(t,mt)}},ge=class extends m{value(t){let[{values:r},n]=this.children;return n.at(nt(r,t))}},xe=class extends m{setDictionary(t){return this.dictionary=t,this.cache=t.cache(),this}value(t){return this.cache[this.key(t)]}key(t){return this.values[t]}},be=class extends m{constructor({data:t,...r}){super(r),this.data=t}view(t){let{values:r,data:n}=this,s=t<<4,o=s+4,i=r,c=p(i,s);return c>12&&(o=p(i,s+12),i=n[p(i,s+8)]),i.subarray(o,o+c)}},ve=class extends be{value(t){return this.view(t)}},we=class extends be{value(t){return at(this.view(t))}};function _r(e){let t=[];return{add(r){return t.push(r),this},clear:()=>t=[],done:()=>new D(t,e)}}var D=class{constructor(t,r=t[0]?.type){this.type=r,this.length=t.reduce((o,i)=>o+i.length,0),this.nullCount=t.reduce((o,i)=>o+i.nullCount,0),this.data=t;let n=t.length,s=new Int32Array(n+1);if(n===1){let[o]=t;s[1]=o.length,this.at=i=>o.at(i)}else for(let o=0,i=0;o<n;++o)s[o+1]=i+=t[o].length;this.offsets=s}get[Symbol.toStringTag](){return"Column"}[Symbol.iterator](){let t=this.data;return t.length===1?t[0][Symbol.iterator]():Ln(t)}at(t){let{data:r,offsets:n}=this,s=nt(n,t)-1;return r[s]?.at(t-n[s])}get(t){return this.at(t)}toArray(){let{length:t,nullCount:r,data:n}=this,s=!r&&Vr(n[0]),o=n.length;if(s&&o===1)return n[0].values;let i=!o||r>0?Array:n[0].constructor.ArrayType??n[0].values.constructor,c=new i(t);return s?Mn(c,n):Bn(c,n)}cache(){return this._cache??(this._cache=this.toArray())}};function*Ln(e){for(let t=0;t<e.length;++t){let r=e[t][Symbol.iterator]();for(let n=r.next();!n.done;n=r.next())yield n.value}}function Mn(e,t){for(let r=0,n=0;r<t.length;++r){let{values:s}=t[r];e.set(s,n),n+=s.length}return e}function Bn(e,t){let r=-1;for(let n=0;n<t.length;++n){let s=t[n];for(let o=0;o<s.length;++o)e[++r]=s.at(o)}return e}var dt=class e{constructor(t,r,n=!1){let s=t.fields.map(i=>i.name);this.schema=t,this.names=s,this.children=r,this.factory=n?mt:Ht;let o=[];this.getFactory=i=>o[i]??(o[i]=this.factory(s,r.map(c=>c.data[i])))}get[Symbol.toStringTag](){return"Table"}get numCols(){return this.names.length}get numRows(){return this.children[0]?.length??0}getChildAt(t){return this.children[t]}getChild(t){let r=this.names.findIndex(n=>n===t);return r>-1?this.children[r]:void 0}selectAt(t,r=[]){let{children:n,factory:s,schema:o}=this,{fields:i}=o;return new e({...o,fields:t.map((c,d)=>Dn(i[c],r[d]))},t.map(c=>n[c]),s===mt)}select(t,r){let n=this.names,s=t.map(o=>n.indexOf(o));return this.selectAt(s,r)}toColumns(){let{children:t,names:r}=this,n={};return r.forEach((s,o)=>n[s]=t[o]?.toArray()??[]),n}toArray(){let{children:t,getFactory:r,numRows:n}=this,s=t[0]?.data??[],o=Array(n);for(let i=0,c=-1;i<s.length;++i){let d=r(i);for(let l=0;l<s[i].length;++l)o[++c]=d(l)}return o}*[Symbol.iterator](){let{children:t,getFactory:r}=this,n=t[0]?.data??[];for(let s=0;s<n.length;++s){let o=r(s);for(let i=0;i<n[s].length;++i)yield o(i)}}at(t){let{children:r,getFactory:n,numRows:s}=this;if(t<0||t>=s)return null;let[{offsets:o}]=r,i=nt(o,t)-1;return n(i)(t-o[i])}get(t){return this.at(t)}};function Dn(e,t){return t!=null&&t!==e.name?{...e,name:t}:e}function vt(e,t={}){let{typeId:r,bitWidth:n,mode:s,precision:o,unit:i}=e,{useBigInt:c,useBigIntTimestamp:d,useDate:l,useDecimalInt:u,useMap:h,useProxy:S}=t;switch(r){case a.Null:return yt;case a.Bool:return Gt;case a.Int:case a.Time:case a.Duration:return c||n<64?F:V;case a.Float:return o?F:Pt;case a.Date:return Hr(i===R.DAY?Zt:Ur,l&&gt);case a.Timestamp:return d?F:Hr(i===x.SECOND?Jt:i===x.MILLISECOND?Rr:i===x.MICROSECOND?Xt:Qt,l&&gt);case a.Decimal:return n===32?u?F:Wt:u?Kt:qt;case a.Interval:return i===M.DAY_TIME?te:i===M.YEAR_MONTH?F:ee;case a.FixedSizeBinary:return ue;case a.Utf8:return se;case a.LargeUtf8:return oe;case a.Binary:return re;case a.LargeBinary:return ne;case a.BinaryView:return ve;case a.Utf8View:return we;case a.List:return ie;case a.LargeList:return ae;case a.Map:return h?pe:he;case a.ListView:return ce;case a.LargeListView:return de;case a.FixedSizeList:return fe;case a.Struct:return S?ye:bt;case a.RunEndEncoded:return ge;case a.Dictionary:return xe;case a.Union:return s?me:xt}throw new Error(j(r))}function Hr(e,t){return t?class extends t{constructor(n){super(new e(n))}}:e}var Fn=-1,Vn=8;function Xe(e){return`Missing compression codec "${st(tt,e)}" (id ${e})`}var Un=new Map;function Ie(e){return e!=null&&Un.get(e)||null}function Pr(e,{offset:t,length:r},n){if(r===0)return{bytes:new Uint8Array(0),offset:0,length:0};let s=b(e,t),o=e.subarray(t+Vn,t+r),i=s===Fn?o:n.decode(o,s);return{bytes:i,offset:0,length:i.length}}function Rn(e,t){return{offset:b(e,t),metadataLength:p(e,t+8),bodyLength:b(e,t+16)}}function Qe(e,t){return O(e,t,24,Rn)}function Gr(e,t){let r=v(e,t);return{codec:r(4,zt,tt.LZ4_FRAME),method:r(6,zt,et.BUFFER)}}function ke(e,t,r){let n=v(e,t),s=r<L.V4?8:0;return{length:n(4,b,0),nodes:O(e,n(6,N),16,(o,i)=>({length:b(o,i),nullCount:b(o,i+8)})),regions:O(e,n(8,N),16+s,(o,i)=>({offset:b(o,i+s),length:b(o,i+s+8)})),compression:n(10,Gr),variadic:O(e,n(12,N),8,b)}}function Wr(e,t,r){let n=v(e,t);return{id:n(4,b,0),data:n(6,(s,o)=>ke(s,o,r)),isDelta:n(8,W,!1)}}function tr(e,t,r,n){A(r,a,j);let s=v(e,t);switch(r){case a.Binary:return Ue();case a.Utf8:return Nt();case a.LargeBinary:return Ge();case a.LargeUtf8:return We();case a.List:return Vt(n[0]);case a.ListView:return Ke(n[0]);case a.LargeList:return Ye(n[0]);case a.LargeListView:return Ze(n[0]);case a.Struct:return Ut(n);case a.RunEndEncoded:return qe(n[0],n[1]);case a.Int:return Ct(s(4,p,0),s(6,W,!1));case a.Float:return Ve(s(4,w,Q.HALF));case a.Decimal:return Re(s(4,p,0),s(6,p,0),s(8,p,128));case a.Date:return $e(s(4,w,R.MILLISECOND));case a.Time:return je(s(4,w,x.MILLISECOND));case a.Timestamp:return Ft(s(4,w,x.SECOND),s(6,K));case a.Interval:return ze(s(4,w,M.YEAR_MONTH));case a.Duration:return Pe(s(4,w,x.MILLISECOND));case a.FixedSizeBinary:return He(s(4,p,0));case a.FixedSizeList:return Rt(n[0],s(4,p,0));case a.Map:return Lr(s(4,W,!1),n[0]);case a.Union:return _e(s(4,w,$.Sparse),n,O(e,s(6,N),4,p))}return{typeId:r}}function wt(e,t){let r=O(e,t,4,(n,s)=>{let o=v(n,s);return[o(4,K),o(6,K)]});return r.length?new Map(r):null}function Se(e,t,r){let n=v(e,t);return{version:r,endianness:n(4,w,0),fields:n(6,$n,[]),metadata:n(8,wt)}}function $n(e,t){return O(e,t,4,Yr)}function Yr(e,t){let r=v(e,t),n=r(8,pt,a.NONE),s=r(10,N,0),o=r(12,zn),i=r(14,jn,[]),c=tr(e,s,n,i);return o&&(o.dictionary=c,c=o),{name:r(4,K),type:c,nullable:r(6,W,!1),metadata:r(16,wt)}}function jn(e,t){return O(e,t,4,Yr)}function zn(e,t){if(!t)return null;let r=v(e,t);return Dt(null,r(6,_n,ot()),r(8,W,!1),r(4,b,0))}function _n(e,t){return tr(e,t,a.Int)}var Hn=(e,t)=>`Expected to read ${e} metadata bytes, but only read ${t}.`,Pn=(e,t)=>`Expected to read ${e} bytes for message body, but only read ${t}.`,Gn=e=>`Unsupported message type: ${e} (${st(E,e)})`;function Ee(e,t){let r=p(e,t)||0;if(t+=q,r===-1&&(r=p(e,t)||0,t+=q),r===0)return null;let n=e.subarray(t,t+=r);if(n.byteLength<r)throw new Error(Hn(r,n.byteLength));let s=v(n,0),o=s(4,w,L.V1),i=s(6,pt,E.NONE),c=s(8,N,0),d=s(10,b,0),l;if(c){let u=i===E.Schema?Se:i===E.DictionaryBatch?Wr:i===E.RecordBatch?ke:null;if(!u)throw new Error(Gn(i));if(l=u(n,c,o),d>0){let h=e.subarray(t,t+=d);if(h.byteLength<d)throw new Error(Pn(d,h.byteLength));l.body=h}else i!==E.Schema&&(l.body=new Uint8Array(0))}return{version:o,type:i,index:t,content:l}}function qr(e){let t=Er(e)?new Uint8Array(e):e;return Fe(t)&&Wn(t)?qn(t):Yn(t)}function Wn(e){if(!e||e.length<4)return!1;for(let t=0;t<6;++t)if(ut[t]!==e[t])return!1;return!0}function Yn(e){let t=[e].flat(),r,n=[],s=[],o=[];for(let i of t){if(!Fe(i))throw new Error("IPC data batch was not a Uint8Array.");let c=0;for(;;){let d=Ee(i,c);if(d===null)break;if(c=d.index,!!d.content)switch(d.type){case E.Schema:r||(r=d.content);break;case E.RecordBatch:n.push(d.content),o.push(s.length);break;case E.DictionaryBatch:s.push(d.content);break}}}return{schema:r,dictionaries:s,records:n,dictsBeforeRecord:o,metadata:null}}function qn(e){let t=e.byteLength-(ut.length+4),r=p(e,t),n=v(e,t-r),s=n(4,w,L.V1),o=n(8,Qe,[]),i=n(10,Qe,[]),c=i.map(d=>o.filter(l=>l.offset<d.offset).length);return{schema:n(6,(d,l)=>Se(d,l,s)),dictionaries:o.map(({offset:d})=>Ee(e,d).content),records:i.map(({offset:d})=>Ee(e,d).content),dictsBeforeRecord:c,metadata:n(12,wt)}}function rr(e,t){return Kn(qr(e),t)}function Kn(e,t={}){let{schema:r={fields:[]},dictionaries:n,records:s,dictsBeforeRecord:o}=e,{version:i,fields:c}=r,d=new Map,l=Jn(t,i,d),u=new Map;Zn(r,y=>{let g=y.type;g.typeId===a.Dictionary&&u.set(g.id,g.dictionary)});let h=y=>{let{id:g,data:X,isDelta:_,body:Le}=y,It=u.get(g),Me=er(It,l({...X,body:Le})),sr=d.get(g);if(sr)_?d.set(g,new D([...sr.data,Me],It)):d.set(g,new D([Me],It));else{if(_)throw new Error("Delta update can not be first dictionary batch.");d.set(g,new D([Me],It))}},S=c.map(y=>_r(y.type)),I=0;for(let y=0;y<s.length;y++){let g=o?o[y]:n.length;for(;I<g;)h(n[I++]);let X=l(s[y]);c.forEach((_,Le)=>S[Le].add(er(_.type,X)))}for(;I<n.length;)h(n[I++]);return new dt(r,S.map(y=>y.done()),t.useProxy)}function Zn(e,t){e.fields.forEach(function r(n){t(n),n.type.dictionary?.children?.forEach(r),n.type.children?.forEach(r)})}function Jn(e,t,r){let n={version:t,options:e,dictionary:s=>r.get(s)};return s=>{let{length:o,nodes:i,regions:c,compression:d,variadic:l,body:u}=s,h=-1,S=-1,I=-1;return{...n,length:o,node:()=>i[++h],buffer:y=>{let{bytes:g,length:X,offset:_}=Xn(u,c[++S],d);return y?new y(g.buffer,g.byteOffset+_,X/y.BYTES_PER_ELEMENT):g.subarray(_,_+X)},variadic:()=>l[++I],visit(y){return y.map(g=>er(g.type,this))}}}}function Xn(e,t,r){if(r){if(r.method!==et.BUFFER)throw new Error(`Unknown compression method (${r.method})`);{let n=r.codec,s=Ie(n);if(!s)throw new Error(Xe(n));return Pr(e,t,s)}}else return{bytes:e,...t}}function er(e,t){let{typeId:r}=e,{options:n,node:s,buffer:o,variadic:i,version:c}=t,d=vt(e,n),l={...s(),type:e};if(r===a.Null)return new d({...l,nullCount:l.length});switch(r){case a.Bool:case a.Int:case a.Time:case a.Duration:case a.Float:case a.Decimal:case a.Date:case a.Timestamp:case a.Interval:case a.FixedSizeBinary:return new d({...l,validity:o(),values:o(e.values)});case a.Utf8:case a.LargeUtf8:case a.Binary:case a.LargeBinary:return new d({...l,validity:o(),offsets:o(e.offsets),values:o()});case a.BinaryView:case a.Utf8View:return new d({...l,validity:o(),values:o(),data:Array.from({length:i()},()=>o())});case a.List:case a.LargeList:case a.Map:return new d({...l,validity:o(),offsets:o(e.offsets),children:t.visit(e.children)});case a.ListView:case a.LargeListView:return new d({...l,validity:o(),offsets:o(e.offsets),sizes:o(e.offsets),children:t.visit(e.children)});case a.FixedSizeList:case a.Struct:return new d({...l,validity:o(),children:t.visit(e.children)});case a.RunEndEncoded:return new d({...l,children:t.visit(e.children)});case a.Dictionary:{let{id:u,indices:h}=e;return new d({...l,validity:o(),values:o(h.values)}).setDictionary(t.dictionary(u))}case a.Union:return c<L.V5&&o(),new d({...l,typeIds:o(ft),offsets:e.mode===$.Sparse?null:o(e.offsets),children:t.visit(e.children)});default:throw new Error(j(r))}}var Yi=new Uint16Array(new Uint8Array([1,0]).buffer)[0]===1;var Te=class{rows=[];removed=[];frame=-1;next=0;add(t,r,n){let{part:s,parts:o}=t;if(s===0&&(this.frame=t.frame,this.next=0,this.rows=[],this.removed=[]),t.frame!==this.frame||s!==this.next)return;let[i,c]=r;if(!i||!c)return;this.next++,this.rows.push(bs(i)),this.removed.push(...xs(c));let d=s+1===o;if(!d&&!n)return;let l={...t,rows:this.rows,removed:this.removed,begins:s+1===this.rows.length,ends:d};return this.rows=[],this.removed=[],l}};function en(e){return new Uint8Array(e.buffer,e.byteOffset,e.byteLength).slice()}function xs(e){return Array.from(new BigInt64Array(en(e).buffer),Number)}function bs(e){let t=rr(en(e),{useBigInt:!0,useDecimalInt:!0}),r=[],n=[],s=[];return t.schema.fields.forEach((o,i)=>{let c=Array.from(t.getChildAt(i).toArray(),vs),[d,l]=o.name.split(".");o.name==="id"?s=c:l?n[Number(d)]=c:r[Number(d)]=c}),{ids:s,values:r,lengths:n}}function vs(e){return typeof e!="bigint"?e:e>=Number.MIN_SAFE_INTEGER&&e<=Number.MAX_SAFE_INTEGER?Number(e):e}var Ae=class{version=-1;status;columns=[];size=0;ids=[];epoch=0;tick=0;touched=[];born=[];values=[];lengths=[];slots=new Map;column(t){return this.values[t]??[]}value(t,r){return this.values[r]?.[t]??null}length(t,r){return this.lengths[r]?.get(t)}slot(t){return this.slots.get(t)}apply(t){let r=t.base<0;if(t.begins){if(!r&&t.base!==this.version)return!1;if(this.status=t.status,r&&t.version===this.version)return!0;t.columns&&JSON.stringify(t.columns)!==JSON.stringify(this.columns)&&(this.columns=t.columns)}this.tick++;let n=this.version<0?0:this.tick;if(r&&t.begins)this.startAnew(t.rows,n);else{for(let s of t.removed)this.remove(s);for(let s of t.rows)this.put(s,n);this.gather()}return t.ends&&(this.version=t.version),!0}startAnew(t,r){let n=this.slots,s=this.born;this.clear();for(let o of t)this.put(o,r);for(let[o,i]of this.slots){let c=n.get(o);c!==void 0&&(this.born[i]=s[c]??r)}}clear(){this.epoch++,this.size=0,this.ids=[],this.touched=[],this.born=[],this.values=this.columns.map(()=>[]),this.lengths=this.columns.map(()=>new Map),this.slots=new Map}put(t,r){let n=t.ids.map(s=>this.slots.get(s)??this.add(s,r));t.values.forEach((s,o)=>{let i=this.values[o]??=[],c=t.lengths[o],d=this.lengths[o]??=new Map;n.forEach((l,u)=>{i[l]=s[u]??null;let h=c?.[u];h!=null?d.set(l,h):d.size>0&&d.delete(l)})});for(let s of n)this.touched[s]=this.tick}add(t,r){let n=this.ids.push(t)-1;return this.slots.set(t,n),this.born[n]=r,this.size++,n}remove(t){let r=this.slots.get(t);if(r!==void 0){this.slots.delete(t),this.ids[r]=-1,this.touched[r]=this.tick;for(let n of this.values)n[r]=null;for(let n of this.lengths)n.delete(r);this.size--}}gather(){if(this.ids.length<=2*this.size+1e3)return;let t=[...this.ids.keys()].filter(n=>this.ids[n]!==-1),r=n=>t.map(s=>n[s]);this.epoch++,this.values=this.values.map(r),this.lengths=this.lengths.map(n=>new Map(t.flatMap((s,o)=>n.has(s)?[[o,n.get(s)??0]]:[]))),this.touched=r(this.touched),this.born=r(this.born),this.ids=r(this.ids),this.slots=new Map(this.ids.map((n,s)=>[n,s]))}};var rn="stopped: the kernel has gone",ws=100,Is=1e3,ks=3e4,Oe=class{constructor(t,r,n=()=>!1){this.page=t;this.send=r;this.isHidden=n}page;send;isHidden;store=new Ae;views=new Set;assembler=new Te;ended="";asked=!1;acknowledged=-1;newest=-1;timer;watch;saidUnseen=!1;hello(){this.asked||(this.asked=!0,this.say({kind:"hello",page:this.page}))}take(t,r){this.ended="",t.base<0&&t.part===0&&(this.asked=!1);let n=this.assembler.add(t,r,this.store.version<0&&t.base<0);n&&(this.store.apply(n)||this.hello(),this.refresh(),n.ends&&(this.newest=n.frame,this.views.size>0&&this.acknowledgeSoon()))}end(t){this.ended=t,this.refresh()}connectionChanged(){this.ended||=rn,this.asked=!1,this.hello(),this.refresh()}attach(t){return this.views.add(t),t.refresh(this.ended),clearTimeout(this.watch),(this.newest>this.acknowledged||this.saidUnseen)&&this.acknowledgeSoon(),()=>{this.views.delete(t),this.views.size===0&&this.watchFor(t,Is)}}dispose(){clearTimeout(this.timer),clearTimeout(this.watch),this.views.clear()}refresh(){for(let t of this.views)t.refresh(this.ended)}comeBack(){this.newest>this.acknowledged&&this.acknowledgeSoon()}acknowledgeSoon(){this.timer??=setTimeout(()=>{this.timer=void 0,!(this.views.size===0||this.isHidden())&&(this.acknowledged=this.newest,this.saidUnseen=!1,this.say({kind:"ack",frame:this.newest}))},ws)}watchFor(t,r){clearTimeout(this.watch),this.watch=setTimeout(()=>{this.views.size>0||!t.isNotebookOpen()||(this.saidUnseen=!0,this.say({kind:"unseen",page:this.page}),this.ended||this.watchFor(t,ks))},r)}say(t){try{this.send(t)}catch{this.ended||=rn}}};var nr=new Map;function Ss({model:e}){let t=e.get("twin"),r=Math.random().toString(36).slice(2),n=new Oe(r,o=>e.send(o),()=>document.hidden);nr.set(t,n),e.on("msg:custom",(o,i)=>{o.kind==="frame"?n.take(o,i):o.kind==="end"&&n.end(o.text)}),e.on("comm_live_update",()=>n.connectionChanged());let s=()=>n.comeBack();return document.addEventListener("visibilitychange",s),n.hello(),()=>{document.removeEventListener("visibilitychange",s),n.dispose(),nr.delete(t)}}function Es({model:e,el:t}){let r=e.get("twin"),n=nr.get(r);if(!n)return;let s=new Tt({sql:e.get("sql"),twin:r},n.store);t.append(s.root);let o=n.attach(s);return()=>{o(),s.dispose()}}var Nl={initialize:Ss,render:Es};export{Nl as default};

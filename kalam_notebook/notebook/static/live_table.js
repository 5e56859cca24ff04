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
var Zr=new Set(["integer","float","float32","decimal"]),Jr=new Set(["text","json","file","other"]),Le=e=>Zr.has(e.kind),nr=e=>Jr.has(e.kind);function sr(e,t,r){if(e===null)return"NULL";switch(t.kind){case"boolean":return e?"true":"false";case"integer":return String(e);case"float":return ct(e);case"float32":return rr(e);case"decimal":return Xr(BigInt(e),t.scale);case"bytes":return Qr(e,r??e.length);case"uuid":return tn(e);case"timestamp":return rn(e,BigInt(t.scale))+(t.zoned?"Z":"");case"date":return ar(Number(e));case"time":return ir(e,BigInt(t.scale));case"list":case"list32":return en(e,r,t.kind==="list32"?rr:ct);default:return M(String(e))}}function M(e){return e.replaceAll(`\r
`,`
`).replace(/[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,t=>{let r=t.charCodeAt(0);return t===`
`?"↵":t==="	"?"⇥":r<32?String.fromCharCode(9216+r):r===127?"␡":`⟨U+${r.toString(16).toUpperCase().padStart(4,"0")}⟩`})}function ct(e){if(e===null)return"NULL";if(!Number.isFinite(e))return String(e);let t=e<0||Object.is(e,-0)?"-":"",[r="",n="0"]=Math.abs(e).toExponential().split("e"),s=Number(n),o=r.replace(".","");if(s<-4||s>=16)return`${t}${r}e${s<0?"-":"+"}${String(Math.abs(s)).padStart(2,"0")}`;if(s<0)return`${t}0.${"0".repeat(-s-1)}${o}`;let i=o.slice(0,s+1).padEnd(s+1,"0");return`${t}${i}.${o.slice(s+1)||"0"}`}function rr(e){if(e===null||!Number.isFinite(e))return ct(e);let t=Math.fround(e);for(let r=6;r<9;r++){let n=Number(e.toPrecision(r));if(Math.fround(n)===t)return ct(n)}return ct(Number(e.toPrecision(9)))}function Xr(e,t){let r=(e<0n?-e:e).toString().padStart(t+1,"0"),n=r.length-t,s=t>0?`.${r.slice(n)}`:"";return`${e<0n?"-":""}${r.slice(0,n)}${s}`}function Qr(e,t){let r=e.subarray(0,8),n=r.includes(39)&&!r.includes(34)?'"':"'",s={9:"\\t",10:"\\n",13:"\\r",92:"\\\\"},o="";for(let i of r){let c=String.fromCharCode(i);s[i]?o+=s[i]:i<32||i>126?o+=`\\x${i.toString(16).padStart(2,"0")}`:o+=c===n?`\\${c}`:c}return`b${n}${o}${t>r.length?"…":""}${n} ${N(t)} ${t===1?"byte":"bytes"}`}function tn(e){let t=Array.from(e,r=>r.toString(16).padStart(2,"0")).join("");return[t.slice(0,8),t.slice(8,12),t.slice(12,16),t.slice(16,20),t.slice(20)].join("-")}function en(e,t,r){let n=t??e.length,s=Array.from(e).slice(0,n<=6?6:2).map(r);return n>6&&s.push(`… ${N(n)}`),`[${s.join(", ")}]`}function or(e,t){let r=(e%t+t)%t;return[(e-r)/t,r]}function rn(e,t){let[r,n]=or(e,86400n*t);return`${ar(Number(r))}T${ir(n,t)}`}function ir(e,t){let[r,n]=or(e,t),s=Number(r),o=d=>String(d).padStart(2,"0"),i=`${o(Math.floor(s/3600))}:${o(Math.floor(s/60)%60)}:${o(s%60)}`;if(n===0n)return i;let c=n.toString().padStart(t.toString().length-1,"0");return`${i}.${c.replace(/(000)+$/,"")}`}function ar(e){let t=e+719468,r=Math.floor(t/146097),n=t-r*146097,s=Math.floor,o=s((n-s(n/1460)+s(n/36524)-s(n/146096))/365),i=n-(365*o+s(o/4)-s(o/100)),c=s((5*i+2)/153),d=i-s((153*c+2)/5)+1;c=c<10?c+3:c-9,o+=r*400+(c<=2?1:0);let l=o<0?"-":o>9999?"+":"",g=h=>String(h).padStart(2,"0");return`${l}${String(Math.abs(o)).padStart(l?6:4,"0")}-${g(c)}-${g(d)}`}function N(e){return e.toLocaleString("en-US")}function f(e,t,r){let n=document.createElement(e);return t&&(n.className=t),r!==void 0&&(n.textContent=r),n}function dt(e,t){e.textContent!==t&&(e.textContent=t)}function cr(e,t){return e?.column!==t?{column:t,descending:!1}:e.descending?void 0:{column:t,descending:!0}}function dr(e,t){let r=[...e];if(!t)return r;let{column:n,descending:s}=t;return r.sort((o,i)=>{let c=o.values[n]??null,d=i.values[n]??null;return c===null||d===null?+(c===null)-+(d===null):s?Te(d,c):Te(c,d)})}function Te(e,t){if(typeof e=="object"&&typeof t=="object"){let r=Math.min(e.length,t.length);for(let n=0;n<r;n++){let s=Te(e[n]??0,t[n]??0);if(s)return s}return e.length-t.length}return e!==e||t!==t?+(e!==e)-+(t!==t):e<t?-1:e>t?1:0}var It=26,fr=12,ur=1600,kt=class{constructor(t,r){this.columns=t;this.store=r;this.heads=t.map((i,c)=>this.head(i,c));let n=f("table",""),s=f("tr","");s.append(...this.heads);let o=f("thead","");o.append(s),this.body.append(this.above,this.below),n.append(o,this.body),this.box.append(n),this.box.tabIndex=0,this.box.addEventListener("scroll",()=>this.draw(),{passive:!0})}columns;store;box=f("div","kl-box");body=f("tbody","");above=f("tr","kl-space");below=f("tr","kl-space");heads;lines=new Map;order=[];sort;widths=[];update(){let t=this.box.scrollHeight-this.box.clientHeight,r=t>0&&this.box.scrollTop>=t-2;this.order=dr(this.store.rows.values(),this.sort),this.draw(),r&&!this.sort&&(this.box.scrollTop=this.box.scrollHeight,this.draw())}head(t,r){let n=f("th",Le(t)?"kl-n":""),s=f("button","");s.type="button",s.title=`${M(t.name)}: click to sort`,s.append(f("span","kl-name",M(t.name)),f("span","kl-arrow")),s.addEventListener("click",()=>{this.sort=cr(this.sort,r),this.markSort(),this.update()});let o=f("small","",M(t.sql_type));return t.key&&o.append(f("b","","PK")),n.append(s,o),n}markSort(){this.heads.forEach((t,r)=>{let n=this.sort?.column===r?this.sort:void 0;n?t.setAttribute("aria-sort",n.descending?"descending":"ascending"):t.removeAttribute("aria-sort");let s=t.querySelector(".kl-arrow");s&&(s.textContent=n?n.descending?"▼":"▲":"")})}draw(){let t=performance.now(),r=this.order.length,n=this.box.clientHeight||20*It,s=Math.ceil(n/It)+2*fr,o=Math.max(0,Math.min(Math.floor(this.box.scrollTop/It)-fr,r-s)),i=Math.min(r,o+s),c=new Map,d=this.above.nextSibling;for(let l of this.order.slice(o,i)){let g=this.lines.get(l.id),h=g?.row===l?g:this.line(l,t);h.revision!==l.revision&&this.fill(h,t),c.set(l.id,h),d===h.element?d=d.nextSibling:this.body.insertBefore(h.element,d)}for(;d&&d!==this.below;){let l=d.nextSibling;d.remove(),d=l}this.lines=c,hr(this.above,o),hr(this.below,r-i),this.keepWidths()}line(t,r){let n=f("tr","");n.append(...this.columns.map(o=>f("td",Le(o)?"kl-n":""))),r-t.born<ur&&pr(n,"kl-new",t.born-r);let s={element:n,row:t,revision:-1};return this.fill(s,r),s}fill(t,r){let{row:n}=t;this.columns.forEach((s,o)=>{let i=t.element.cells[o];if(!i)return;let c=n.changed.get(o)??-1/0;t.revision>=0&&c===Number(i.dataset.changed??-1/0)||(nn(i,n,s,o),i.dataset.changed=String(c),r-c<ur&&pr(i,"kl-changed",c-r))}),t.revision=n.revision}keepWidths(){this.heads.map(r=>r.offsetWidth).forEach((r,n)=>{if(r<=(this.widths[n]??0))return;this.widths[n]=r;let s=this.heads[n];s&&(s.style.minWidth=`${r}px`)})}};function nn(e,t,r,n){let s=t.values[n]??null,o=t.lengths[n];e.classList.toggle("kl-null",s===null),e.removeAttribute("title");let i=sr(s,r,o),c=nr(r)&&s!==null?[...i]:[],d=Math.max(o??0,c.length);if(d<=80){e.textContent=i;return}e.textContent=`${c.slice(0,80).join("")}… `,e.append(f("small","",`${N(d)} characters`)),e.title=d>c.length?`${i}…`:i}function pr(e,t,r){let n=e.classList.contains(`${t}-a`);e.classList.remove(`${t}-a`,`${t}-b`),e.classList.add(n?`${t}-b`:`${t}-a`),e.style.animationDelay=`${Math.round(r)}ms`}function hr(e,t){e.style.height=`${t*It}px`,e.hidden=t===0}var mr=`.kalam-live {
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
.kalam-live .kl-box {
  width: fit-content;
  max-width: 100%;
  max-height: 480px;
  overflow: auto;
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
.kalam-live :is(.kl-foot, .kl-note):empty {
  display: none;
}
@container (max-width: 640px) {
  .kalam-live .kl-line {
    flex-wrap: wrap;
    row-gap: 0;
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
`;var St=class{constructor(t,r){this.about=t;this.store=r;this.root.hidden=!0,this.state.setAttribute("role","status"),this.note.setAttribute("role","note");let n=f("div","kl-line"),s=f("code","kl-sql",M(t.sql.replace(/\s+/g," ")));s.title=M(t.sql),n.append(f("span","kl-dot"),this.state,this.facts,s),this.root.append(f("style","",mr),n,this.note,this.place,this.foot)}about;store;root=f("div","kalam-live");state=f("span","kl-state");facts=f("span","kl-facts");note=f("div","kl-note");place=f("div","");foot=f("div","kl-foot");grid;columns;ended="";scheduled=0;refresh(t){this.ended=t,!this.scheduled&&(this.scheduled=requestAnimationFrame(()=>{this.scheduled=0,this.draw()}))}dispose(){cancelAnimationFrame(this.scheduled),this.root.remove()}draw(){let{status:t}=this.store;if(!t||this.store.version<0)return;this.root.hidden&&(this.root.hidden=!1,this.root.append(f("style","",cn(this.about.twin))));let r=this.ended||t.text;this.root.dataset.tone=on(r,t.failed),dt(this.state,M(r)),dt(this.facts,an(t)),this.facts.title=t.changed_at===null?"":new Date(t.changed_at).toISOString();let n=t.notice.split(`
`).filter(Boolean);dt(this.note,n.map(o=>`Warning: ${M(o)}`).join(`
`)),this.columns!==this.store.columns&&(this.columns=this.store.columns,this.grid=new kt(this.columns,this.store),this.place.replaceChildren(this.grid.box)),this.grid?.update();let s=this.store.rows.size;dt(this.foot,s<t.rows?`first ${N(s)} of ${N(t.rows)} rows`:"")}};function on(e,t){return t?"failed":e==="live"?"live":e.startsWith("stopped")?"stopped":"waiting"}function an({rows:e,changes:t,changed_at:r,form:n,verified_at:s}){let o=[`${N(e)} ${e===1?"row":"rows"}`,`${N(t)} ${t===1?"change":"changes"}`];return r!==null&&o.push(`last change ${yr(r)}`),n&&o.push(n),s!==null&&o.push(`verified ${yr(s)}`),o.join(" · ")}function yr(e){return new Date(e).toLocaleTimeString("en-GB")}function cn(e){let t=`[data-kalam-twin="${CSS.escape(e)}"]`;return`${t},.jp-OutputArea-child:has(${t}){display:none!important}`}var lt=Uint8Array.of(65,82,82,79,87,49),dn=Uint8Array.of(255,255,255,255,0,0,0,0),E={V1:0,V2:1,V3:2,V4:3,V5:4};var k={NONE:0,Schema:1,DictionaryBatch:2,RecordBatch:3,Tensor:4,SparseTensor:5},a={Dictionary:-1,NONE:0,Null:1,Int:2,Float:3,Binary:4,Utf8:5,Bool:6,Decimal:7,Date:8,Time:9,Timestamp:10,Interval:11,List:12,Struct:13,Union:14,FixedSizeBinary:15,FixedSizeList:16,Map:17,Duration:18,LargeBinary:19,LargeUtf8:20,LargeList:21,RunEndEncoded:22,BinaryView:23,Utf8View:24,ListView:25,LargeListView:26},J={HALF:0,SINGLE:1,DOUBLE:2},V={DAY:0,MILLISECOND:1},m={SECOND:0,MILLISECOND:1,MICROSECOND:2,NANOSECOND:3},L={YEAR_MONTH:0,DAY_TIME:1,MONTH_DAY_NANO:2},U={Sparse:0,Dense:1},X={LZ4_FRAME:0,ZSTD:1},Q={BUFFER:0};var tt=Uint8Array,At=Uint16Array,Ot=Uint32Array,Et=BigUint64Array,ft=Int8Array,gr=Int16Array,I=Int32Array,S=BigInt64Array,De=Float32Array,_=Float64Array;function Me(e){return Object.prototype.toString.call(e)}function xr(e){return Me(e)==="[object ArrayBuffer]"||Me(e)==="[object SharedArrayBuffer]"}function Be(e){return Me(e)==="[object Uint8Array]"}function br(e,t){let r=Math.log2(e)-3;return(t?[ft,gr,I,S]:[tt,At,Ot,Et])[r]}function et(e,t){let r=0,n=e.length;if(n<=2147483648)do{let s=r+n>>>1;e[s]<=t?r=s+1:n=s}while(r<n);else do{let s=Math.trunc((r+n)/2);e[s]<=t?r=s+1:n=s}while(r<n);return r}function Lt(e,t,r){if(t(e))return e;throw new Error(r(e))}function A(e,t,r){return t=Array.isArray(t)?t:Object.values(t),Lt(e,n=>t.includes(n),r??(()=>`${e} must be one of ${t}`))}function rt(e,t){for(let[r,n]of Object.entries(e))if(n===t)return r;return"<Unknown>"}var R=e=>`Unsupported data type: "${rt(a,e)}" (id ${e})`,ut=(e,t,r=!0,n=null)=>({name:e,type:t,nullable:r,metadata:n});function wr(e){return Object.hasOwn(e,"name")&&vr(e.type)}function vr(e){return typeof e?.typeId=="number"}function z(e,t="",r=!0){return wr(e)?e:ut(t,Lt(e,vr,()=>"Data type expected."),r)}var Tt=(e,t,r=!1,n=-1)=>({typeId:a.Dictionary,id:n,dictionary:e,indices:t||nt(),ordered:r});var Mt=(e=32,t=!0)=>({typeId:a.Int,bitWidth:A(e,[8,16,32,64]),signed:t,values:br(e,t)});var nt=()=>Mt(32);var Ce=(e=2)=>({typeId:a.Float,precision:A(e,J),values:[At,De,_][e]});var Fe=()=>({typeId:a.Binary,offsets:I}),Dt=()=>({typeId:a.Utf8,offsets:I});var Ne=(e,t,r=128)=>({typeId:a.Decimal,precision:e,scale:t,bitWidth:A(r,[32,64,128,256]),values:r===32?I:Et});var Ve=e=>({typeId:a.Date,unit:A(e,V),values:e===V.DAY?I:S});var Ue=(e=m.MILLISECOND)=>{e=A(e,m);let t=e===m.SECOND||e===m.MILLISECOND?32:64;return{typeId:a.Time,unit:e,bitWidth:t,values:t===32?I:S}};var Bt=(e=m.MILLISECOND,t=null)=>({typeId:a.Timestamp,unit:A(e,m),timezone:t,values:S}),Re=(e=L.MONTH_DAY_NANO)=>({typeId:a.Interval,unit:A(e,L),values:e===L.MONTH_DAY_NANO?void 0:I}),Ct=e=>({typeId:a.List,children:[z(e)],offsets:I}),Ft=e=>({typeId:a.Struct,children:Array.isArray(e)&&e.length>0&&wr(e[0])?e:Object.entries(e).map(([t,r])=>ut(t,r))}),$e=(e,t,r,n)=>(r??=t.map((s,o)=>o),{typeId:a.Union,mode:A(e,U),typeIds:r,typeMap:r.reduce((s,o,i)=>(s[o]=i,s),{}),children:t.map((s,o)=>z(s,`_${o}`)),typeIdForValue:n,offsets:I}),je=e=>({typeId:a.FixedSizeBinary,stride:e}),Nt=(e,t)=>({typeId:a.FixedSizeList,stride:t,children:[z(e)]}),Ir=(e,t)=>({typeId:a.Map,keysSorted:e,children:[t],offsets:I});var _e=(e=m.MILLISECOND)=>({typeId:a.Duration,unit:A(e,m),values:S}),ze=()=>({typeId:a.LargeBinary,offsets:S}),He=()=>({typeId:a.LargeUtf8,offsets:S}),Pe=e=>({typeId:a.LargeList,children:[z(e)],offsets:S}),Ye=(e,t)=>({typeId:a.RunEndEncoded,children:[Lt(z(e,"run_ends"),r=>r.type.typeId===a.Int,()=>"Run-ends must have an integer type."),z(t,"values")]});var We=e=>({typeId:a.ListView,children:[z(e,"value")],offsets:I}),Ge=e=>({typeId:a.LargeListView,children:[z(e,"value")],offsets:S});var ln=new _(2),Vt=ln.buffer,Bs=new S(Vt),Cs=new Ot(Vt),Fs=new I(Vt),Ns=new tt(Vt);function D(e){if(e>Number.MAX_SAFE_INTEGER||e<Number.MIN_SAFE_INTEGER)throw Error(`BigInt exceeds integer number representation: ${e}`);return Number(e)}function Ut(e,t){return Number(e/t)+Number(e%t)/Number(t)}var st=e=>BigInt.asUintN(64,e);function Sr(e,t){return BigInt.asIntN(64,e[t])}function Ar(e,t){let r=t<<1,n;return BigInt.asIntN(64,e[r+1])<0?(n=st(~e[r])|st(~e[r+1])<<64n,n=-(n+1n)):n=e[r]|e[r+1]<<64n,n}function Or(e,t){let r=t<<2,n;return BigInt.asIntN(64,e[r+3])<0?(n=st(~e[r])|st(~e[r+1])<<64n|st(~e[r+2])<<128n|st(~e[r+3])<<192n,n=-(n+1n)):n=e[r]|e[r+1]<<64n|e[r+2]<<128n|e[r+3]<<192n,n}var un=new TextDecoder("utf-8"),js=new TextEncoder;function ot(e){return un.decode(e)}var P=4;function qe(e,t){return(e[t>>3]&1<<t%8)!==0}function b(e,t){let r=t+u(e,t),n=r-u(e,r),s=v(e,n);return(o,i,c=null)=>{if(o<s){let d=v(e,n+o);if(d)return i(e,r+d)}return c}}function B(e,t){return t}function H(e,t){return!!Rt(e,t)}function Rt(e,t){return pt(e,t)<<24>>24}function pt(e,t){return e[t]}function v(e,t){return pn(e,t)<<16>>16}function pn(e,t){return e[t]|e[t+1]<<8}function u(e,t){return e[t]|e[t+1]<<8|e[t+2]<<16|e[t+3]<<24}function Er(e,t){return u(e,t)>>>0}function y(e,t){return D(BigInt.asIntN(64,BigInt(Er(e,t))+(BigInt(Er(e,t+P))<<32n)))}function Y(e,t){let r=t+u(e,t),n=u(e,r);return r+=P,ot(e.subarray(r,r+n))}function O(e,t,r,n){if(!t)return[];let s=t+u(e,t);return Array.from({length:u(e,s)},(o,i)=>n(e,s+P+i*r))}var $t=Symbol("rowIndex");function ht(e,t){class r{constructor(o){this[$t]=o}toJSON(){return Lr(e,t,this[$t])}}let n=r.prototype;for(let s=0;s<e.length;++s){if(Object.hasOwn(n,e[s]))continue;let o=t[s];Object.defineProperty(n,e[s],{get(){return o.at(this[$t])},enumerable:!0})}return s=>new r(s)}function jt(e,t){return r=>Lr(e,t,r)}function Lr(e,t,r){let n={};for(let s=0;s<e.length;++s)n[e[s]]=t[s].at(r);return n}function Tr(e){return e instanceof C}var W=class{static ArrayType=null;constructor({length:t,nullCount:r,type:n,validity:s,values:o,offsets:i,sizes:c,children:d}){this.length=t,this.nullCount=r,this.type=n,this.validity=s,this.values=o,this.offsets=i,this.sizes=c,this.children=d,(!r||!this.validity)&&(this.at=l=>this.value(l))}get[Symbol.toStringTag](){return"Batch"}at(t){return this.isValid(t)?this.value(t):null}isValid(t){return qe(this.validity,t)}value(t){return this.values[t]}slice(t,r){let n=r-t,s=Array(n);for(let o=0;o<n;++o)s[o]=this.at(t+o);return s}*[Symbol.iterator](){for(let t=0;t<this.length;++t)yield this.at(t)}},C=class extends W{constructor(t){super(t);let{length:r,values:n}=this;this.values=n.subarray(0,r)}slice(t,r){return this.nullCount?super.slice(t,r):this.values.subarray(t,r)}[Symbol.iterator](){return this.nullCount?super[Symbol.iterator]():this.values[Symbol.iterator]()}},it=class extends W{static ArrayType=_},p=class extends W{static ArrayType=Array},mt=class extends p{value(t){return null}},F=class extends it{value(t){return D(this.values[t])}},_t=class extends it{value(t){let r=this.values[t],n=(r&31744)>>10,s=(r&1023)/1024,o=(-1)**((r&32768)>>15);switch(n){case 31:return o*(s?Number.NaN:1/0);case 0:return o*(s?6103515625e-14*s:0)}return o*2**(n-15)*(1+s)}},zt=class extends p{value(t){return qe(this.values,t)}},Ht=class extends it{constructor(t){super(t);let{scale:r}=this.type;this.scale=10**r}value(t){return this.values[t]/this.scale}},Pt=class extends W{constructor(t){super(t);let{bitWidth:r,scale:n}=this.type;this.decimal=r===64?Sr:r===128?Ar:Or,this.scale=10n**BigInt(n)}},Yt=class extends Pt{static ArrayType=_;value(t){return Ut(this.decimal(this.values,t),this.scale)}},Wt=class extends Pt{static ArrayType=Array;value(t){return this.decimal(this.values,t)}},yt=class extends p{constructor(t){super(t),this.source=t}value(t){return new Date(this.source.value(t))}},Gt=class extends it{value(t){return 864e5*this.values[t]}},Mr=F,qt=class extends F{value(t){return super.value(t)*1e3}},Dr=F,Kt=class extends F{value(t){return Ut(this.values[t],1000n)}},Zt=class extends F{value(t){return Ut(this.values[t],1000000n)}},Jt=class extends p{value(t){return this.values.subarray(t<<1,t+1<<1)}},Xt=class extends p{value(t){let r=this.values,n=t<<4;return Float64Array.of(u(r,n),u(r,n+4),y(r,n+8))}},Br=({values:e,offsets:t},r)=>e.subarray(t[r],t[r+1]),Cr=({values:e,offsets:t},r)=>e.subarray(D(t[r]),D(t[r+1])),Qt=class extends p{value(t){return Br(this,t)}},te=class extends p{value(t){return Cr(this,t)}},ee=class extends p{value(t){return ot(Br(this,t))}},re=class extends p{value(t){return ot(Cr(this,t))}},ne=class extends p{value(t){let r=this.offsets;return this.children[0].slice(r[t],r[t+1])}},se=class extends p{value(t){let r=this.offsets;return this.children[0].slice(D(r[t]),D(r[t+1]))}},oe=class extends p{value(t){let r=this.offsets[t],n=r+this.sizes[t];return this.children[0].slice(r,n)}},ie=class extends p{value(t){let r=this.offsets[t],n=r+this.sizes[t];return this.children[0].slice(D(r),D(n))}},ae=class extends p{constructor(t){super(t),this.stride=this.type.stride}},ce=class extends ae{value(t){let{stride:r,values:n}=this;return n.subarray(t*r,(t+1)*r)}},de=class extends ae{value(t){let{children:r,stride:n}=this;return r[0].slice(t*n,(t+1)*n)}};function Fr({children:e,offsets:t},r){let[n,s]=e[0].children,o=t[r],i=t[r+1],c=[];for(let d=o;d<i;++d)c.push([n.at(d),s.at(d)]);return c}var le=class extends p{value(t){return Fr(this,t)}},fe=class extends p{value(t){return new Map(Fr(this,t))}},gt=class extends p{constructor({typeIds:t,...r}){super(r),this.typeIds=t,this.typeMap=this.type.typeMap}value(t,r=t){let{typeIds:n,children:s,typeMap:o}=this;return s[o[n[t]]].at(r)}},ue=class extends gt{value(t){return super.value(t,this.offsets[t])}},xt=class extends p{constructor(t,r=jt){super(t),this.names=this.type.children.map(n=>n.name),this.factory=r(this.names,this.children)}value(t){return this.factory(t)}},pe=class extends xt{constructor(t){super(t,ht)}},he=class extends p{value(t){let[{values:r},n]=this.children;return n.at(et(r,t))}},me=class extends p{setDictionary(t){return this.dictionary=t,this.cache=t.cache(),this}value(t){return this.cache[this.key(t)]}key(t){return this.values[t]}},ye=class extends p{constructor({data:t,...r}){super(r),this.data=t}view(t){let{values:r,data:n}=this,s=t<<4,o=s+4,i=r,c=u(i,s);return c>12&&(o=u(i,s+12),i=n[u(i,s+8)]),i.subarray(o,o+c)}},ge=class extends ye{value(t){return this.view(t)}},xe=class extends ye{value(t){return ot(this.view(t))}};function Nr(e){let t=[];return{add(r){return t.push(r),this},clear:()=>t=[],done:()=>new T(t,e)}}var T=class{constructor(t,r=t[0]?.type){this.type=r,this.length=t.reduce((o,i)=>o+i.length,0),this.nullCount=t.reduce((o,i)=>o+i.nullCount,0),this.data=t;let n=t.length,s=new Int32Array(n+1);if(n===1){let[o]=t;s[1]=o.length,this.at=i=>o.at(i)}else for(let o=0,i=0;o<n;++o)s[o+1]=i+=t[o].length;this.offsets=s}get[Symbol.toStringTag](){return"Column"}[Symbol.iterator](){let t=this.data;return t.length===1?t[0][Symbol.iterator]():hn(t)}at(t){let{data:r,offsets:n}=this,s=et(n,t)-1;return r[s]?.at(t-n[s])}get(t){return this.at(t)}toArray(){let{length:t,nullCount:r,data:n}=this,s=!r&&Tr(n[0]),o=n.length;if(s&&o===1)return n[0].values;let i=!o||r>0?Array:n[0].constructor.ArrayType??n[0].values.constructor,c=new i(t);return s?mn(c,n):yn(c,n)}cache(){return this._cache??(this._cache=this.toArray())}};function*hn(e){for(let t=0;t<e.length;++t){let r=e[t][Symbol.iterator]();for(let n=r.next();!n.done;n=r.next())yield n.value}}function mn(e,t){for(let r=0,n=0;r<t.length;++r){let{values:s}=t[r];e.set(s,n),n+=s.length}return e}function yn(e,t){let r=-1;for(let n=0;n<t.length;++n){let s=t[n];for(let o=0;o<s.length;++o)e[++r]=s.at(o)}return e}var at=class e{constructor(t,r,n=!1){let s=t.fields.map(i=>i.name);this.schema=t,this.names=s,this.children=r,this.factory=n?ht:jt;let o=[];this.getFactory=i=>o[i]??(o[i]=this.factory(s,r.map(c=>c.data[i])))}get[Symbol.toStringTag](){return"Table"}get numCols(){return this.names.length}get numRows(){return this.children[0]?.length??0}getChildAt(t){return this.children[t]}getChild(t){let r=this.names.findIndex(n=>n===t);return r>-1?this.children[r]:void 0}selectAt(t,r=[]){let{children:n,factory:s,schema:o}=this,{fields:i}=o;return new e({...o,fields:t.map((c,d)=>gn(i[c],r[d]))},t.map(c=>n[c]),s===ht)}select(t,r){let n=this.names,s=t.map(o=>n.indexOf(o));return this.selectAt(s,r)}toColumns(){let{children:t,names:r}=this,n={};return r.forEach((s,o)=>n[s]=t[o]?.toArray()??[]),n}toArray(){let{children:t,getFactory:r,numRows:n}=this,s=t[0]?.data??[],o=Array(n);for(let i=0,c=-1;i<s.length;++i){let d=r(i);for(let l=0;l<s[i].length;++l)o[++c]=d(l)}return o}*[Symbol.iterator](){let{children:t,getFactory:r}=this,n=t[0]?.data??[];for(let s=0;s<n.length;++s){let o=r(s);for(let i=0;i<n[s].length;++i)yield o(i)}}at(t){let{children:r,getFactory:n,numRows:s}=this;if(t<0||t>=s)return null;let[{offsets:o}]=r,i=et(o,t)-1;return n(i)(t-o[i])}get(t){return this.at(t)}};function gn(e,t){return t!=null&&t!==e.name?{...e,name:t}:e}function bt(e,t={}){let{typeId:r,bitWidth:n,mode:s,precision:o,unit:i}=e,{useBigInt:c,useBigIntTimestamp:d,useDate:l,useDecimalInt:g,useMap:h,useProxy:q}=t;switch(r){case a.Null:return mt;case a.Bool:return zt;case a.Int:case a.Time:case a.Duration:return c||n<64?C:F;case a.Float:return o?C:_t;case a.Date:return Vr(i===V.DAY?Gt:Mr,l&&yt);case a.Timestamp:return d?C:Vr(i===m.SECOND?qt:i===m.MILLISECOND?Dr:i===m.MICROSECOND?Kt:Zt,l&&yt);case a.Decimal:return n===32?g?C:Ht:g?Wt:Yt;case a.Interval:return i===L.DAY_TIME?Jt:i===L.YEAR_MONTH?C:Xt;case a.FixedSizeBinary:return ce;case a.Utf8:return ee;case a.LargeUtf8:return re;case a.Binary:return Qt;case a.LargeBinary:return te;case a.BinaryView:return ge;case a.Utf8View:return xe;case a.List:return ne;case a.LargeList:return se;case a.Map:return h?fe:le;case a.ListView:return oe;case a.LargeListView:return ie;case a.FixedSizeList:return de;case a.Struct:return q?pe:xt;case a.RunEndEncoded:return he;case a.Dictionary:return me;case a.Union:return s?ue:gt}throw new Error(R(r))}function Vr(e,t){return t?class extends t{constructor(n){super(new e(n))}}:e}var wn=-1,vn=8;function Ke(e){return`Missing compression codec "${rt(X,e)}" (id ${e})`}var In=new Map;function be(e){return e!=null&&In.get(e)||null}function Ur(e,{offset:t,length:r},n){if(r===0)return{bytes:new Uint8Array(0),offset:0,length:0};let s=y(e,t),o=e.subarray(t+vn,t+r),i=s===wn?o:n.decode(o,s);return{bytes:i,offset:0,length:i.length}}function kn(e,t){return{offset:y(e,t),metadataLength:u(e,t+8),bodyLength:y(e,t+16)}}function Ze(e,t){return O(e,t,24,kn)}function Rr(e,t){let r=b(e,t);return{codec:r(4,Rt,X.LZ4_FRAME),method:r(6,Rt,Q.BUFFER)}}function we(e,t,r){let n=b(e,t),s=r<E.V4?8:0;return{length:n(4,y,0),nodes:O(e,n(6,B),16,(o,i)=>({length:y(o,i),nullCount:y(o,i+8)})),regions:O(e,n(8,B),16+s,(o,i)=>({offset:y(o,i+s),length:y(o,i+s+8)})),compression:n(10,Rr),variadic:O(e,n(12,B),8,y)}}function $r(e,t,r){let n=b(e,t);return{id:n(4,y,0),data:n(6,(s,o)=>we(s,o,r)),isDelta:n(8,H,!1)}}function Je(e,t,r,n){A(r,a,R);let s=b(e,t);switch(r){case a.Binary:return Fe();case a.Utf8:return Dt();case a.LargeBinary:return ze();case a.LargeUtf8:return He();case a.List:return Ct(n[0]);case a.ListView:return We(n[0]);case a.LargeList:return Pe(n[0]);case a.LargeListView:return Ge(n[0]);case a.Struct:return Ft(n);case a.RunEndEncoded:return Ye(n[0],n[1]);case a.Int:return Mt(s(4,u,0),s(6,H,!1));case a.Float:return Ce(s(4,v,J.HALF));case a.Decimal:return Ne(s(4,u,0),s(6,u,0),s(8,u,128));case a.Date:return Ve(s(4,v,V.MILLISECOND));case a.Time:return Ue(s(4,v,m.MILLISECOND));case a.Timestamp:return Bt(s(4,v,m.SECOND),s(6,Y));case a.Interval:return Re(s(4,v,L.YEAR_MONTH));case a.Duration:return _e(s(4,v,m.MILLISECOND));case a.FixedSizeBinary:return je(s(4,u,0));case a.FixedSizeList:return Nt(n[0],s(4,u,0));case a.Map:return Ir(s(4,H,!1),n[0]);case a.Union:return $e(s(4,v,U.Sparse),n,O(e,s(6,B),4,u))}return{typeId:r}}function wt(e,t){let r=O(e,t,4,(n,s)=>{let o=b(n,s);return[o(4,Y),o(6,Y)]});return r.length?new Map(r):null}function ve(e,t,r){let n=b(e,t);return{version:r,endianness:n(4,v,0),fields:n(6,Sn,[]),metadata:n(8,wt)}}function Sn(e,t){return O(e,t,4,jr)}function jr(e,t){let r=b(e,t),n=r(8,pt,a.NONE),s=r(10,B,0),o=r(12,On),i=r(14,An,[]),c=Je(e,s,n,i);return o&&(o.dictionary=c,c=o),{name:r(4,Y),type:c,nullable:r(6,H,!1),metadata:r(16,wt)}}function An(e,t){return O(e,t,4,jr)}function On(e,t){if(!t)return null;let r=b(e,t);return Tt(null,r(6,En,nt()),r(8,H,!1),r(4,y,0))}function En(e,t){return Je(e,t,a.Int)}var Ln=(e,t)=>`Expected to read ${e} metadata bytes, but only read ${t}.`,Tn=(e,t)=>`Expected to read ${e} bytes for message body, but only read ${t}.`,Mn=e=>`Unsupported message type: ${e} (${rt(k,e)})`;function Ie(e,t){let r=u(e,t)||0;if(t+=P,r===-1&&(r=u(e,t)||0,t+=P),r===0)return null;let n=e.subarray(t,t+=r);if(n.byteLength<r)throw new Error(Ln(r,n.byteLength));let s=b(n,0),o=s(4,v,E.V1),i=s(6,pt,k.NONE),c=s(8,B,0),d=s(10,y,0),l;if(c){let g=i===k.Schema?ve:i===k.DictionaryBatch?$r:i===k.RecordBatch?we:null;if(!g)throw new Error(Mn(i));if(l=g(n,c,o),d>0){let h=e.subarray(t,t+=d);if(h.byteLength<d)throw new Error(Tn(d,h.byteLength));l.body=h}else i!==k.Schema&&(l.body=new Uint8Array(0))}return{version:o,type:i,index:t,content:l}}function _r(e){let t=xr(e)?new Uint8Array(e):e;return Be(t)&&Dn(t)?Cn(t):Bn(t)}function Dn(e){if(!e||e.length<4)return!1;for(let t=0;t<6;++t)if(lt[t]!==e[t])return!1;return!0}function Bn(e){let t=[e].flat(),r,n=[],s=[],o=[];for(let i of t){if(!Be(i))throw new Error("IPC data batch was not a Uint8Array.");let c=0;for(;;){let d=Ie(i,c);if(d===null)break;if(c=d.index,!!d.content)switch(d.type){case k.Schema:r||(r=d.content);break;case k.RecordBatch:n.push(d.content),o.push(s.length);break;case k.DictionaryBatch:s.push(d.content);break}}}return{schema:r,dictionaries:s,records:n,dictsBeforeRecord:o,metadata:null}}function Cn(e){let t=e.byteLength-(lt.length+4),r=u(e,t),n=b(e,t-r),s=n(4,v,E.V1),o=n(8,Ze,[]),i=n(10,Ze,[]),c=i.map(d=>o.filter(l=>l.offset<d.offset).length);return{schema:n(6,(d,l)=>ve(d,l,s)),dictionaries:o.map(({offset:d})=>Ie(e,d).content),records:i.map(({offset:d})=>Ie(e,d).content),dictsBeforeRecord:c,metadata:n(12,wt)}}function Qe(e,t){return Fn(_r(e),t)}function Fn(e,t={}){let{schema:r={fields:[]},dictionaries:n,records:s,dictsBeforeRecord:o}=e,{version:i,fields:c}=r,d=new Map,l=Vn(t,i,d),g=new Map;Nn(r,x=>{let w=x.type;w.typeId===a.Dictionary&&g.set(w.id,w.dictionary)});let h=x=>{let{id:w,data:Z,isDelta:j,body:Oe}=x,vt=g.get(w),Ee=Xe(vt,l({...Z,body:Oe})),er=d.get(w);if(er)j?d.set(w,new T([...er.data,Ee],vt)):d.set(w,new T([Ee],vt));else{if(j)throw new Error("Delta update can not be first dictionary batch.");d.set(w,new T([Ee],vt))}},q=c.map(x=>Nr(x.type)),K=0;for(let x=0;x<s.length;x++){let w=o?o[x]:n.length;for(;K<w;)h(n[K++]);let Z=l(s[x]);c.forEach((j,Oe)=>q[Oe].add(Xe(j.type,Z)))}for(;K<n.length;)h(n[K++]);return new at(r,q.map(x=>x.done()),t.useProxy)}function Nn(e,t){e.fields.forEach(function r(n){t(n),n.type.dictionary?.children?.forEach(r),n.type.children?.forEach(r)})}function Vn(e,t,r){let n={version:t,options:e,dictionary:s=>r.get(s)};return s=>{let{length:o,nodes:i,regions:c,compression:d,variadic:l,body:g}=s,h=-1,q=-1,K=-1;return{...n,length:o,node:()=>i[++h],buffer:x=>{let{bytes:w,length:Z,offset:j}=Un(g,c[++q],d);return x?new x(w.buffer,w.byteOffset+j,Z/x.BYTES_PER_ELEMENT):w.subarray(j,j+Z)},variadic:()=>l[++K],visit(x){return x.map(w=>Xe(w.type,this))}}}}function Un(e,t,r){if(r){if(r.method!==Q.BUFFER)throw new Error(`Unknown compression method (${r.method})`);{let n=r.codec,s=be(n);if(!s)throw new Error(Ke(n));return Ur(e,t,s)}}else return{bytes:e,...t}}function Xe(e,t){let{typeId:r}=e,{options:n,node:s,buffer:o,variadic:i,version:c}=t,d=bt(e,n),l={...s(),type:e};if(r===a.Null)return new d({...l,nullCount:l.length});switch(r){case a.Bool:case a.Int:case a.Time:case a.Duration:case a.Float:case a.Decimal:case a.Date:case a.Timestamp:case a.Interval:case a.FixedSizeBinary:return new d({...l,validity:o(),values:o(e.values)});case a.Utf8:case a.LargeUtf8:case a.Binary:case a.LargeBinary:return new d({...l,validity:o(),offsets:o(e.offsets),values:o()});case a.BinaryView:case a.Utf8View:return new d({...l,validity:o(),values:o(),data:Array.from({length:i()},()=>o())});case a.List:case a.LargeList:case a.Map:return new d({...l,validity:o(),offsets:o(e.offsets),children:t.visit(e.children)});case a.ListView:case a.LargeListView:return new d({...l,validity:o(),offsets:o(e.offsets),sizes:o(e.offsets),children:t.visit(e.children)});case a.FixedSizeList:case a.Struct:return new d({...l,validity:o(),children:t.visit(e.children)});case a.RunEndEncoded:return new d({...l,children:t.visit(e.children)});case a.Dictionary:{let{id:g,indices:h}=e;return new d({...l,validity:o(),values:o(h.values)}).setDictionary(t.dictionary(g))}case a.Union:return c<E.V5&&o(),new d({...l,typeIds:o(ft),offsets:e.mode===U.Sparse?null:o(e.offsets),children:t.visit(e.children)});default:throw new Error(R(r))}}var Ti=new Uint16Array(new Uint8Array([1,0]).buffer)[0]===1;var ke=class{rows=[];removed=[];frame=-1;add(t,r){if(t.part===0)this.frame=t.frame,this.rows=[],this.removed=[];else if(t.frame!==this.frame||t.part!==this.rows.length)return;let[n,s]=r;if(!(!n||!s)&&(this.rows.push(ss(n)),this.removed.push(...ns(s)),!(t.part+1<t.parts)))return{...t,rows:this.rows,removed:this.removed}}};function qr(e){return new Uint8Array(e.buffer,e.byteOffset,e.byteLength).slice()}function ns(e){return Array.from(new BigInt64Array(qr(e).buffer))}function ss(e){let t=Qe(qr(e),{useBigInt:!0,useDecimalInt:!0}),r=[],n=[],s=[];return t.schema.fields.forEach((o,i)=>{let c=Array.from(t.getChildAt(i).toArray()),[d,l]=o.name.split(".");o.name==="id"?s=c:l?n[Number(d)]=c:r[Number(d)]=c}),{ids:s,values:r,lengths:n}}var Se=class{rows=new Map;version=-1;status;columns=[];apply(t,r){let n=t.base<0;if(!n&&t.base!==this.version)return!1;if(this.status=t.status,n&&t.version===this.version)return!0;t.columns&&JSON.stringify(t.columns)!==JSON.stringify(this.columns)&&(this.columns=t.columns);let s=this.version<0,o=this.rows;n&&(this.rows=new Map);for(let i of t.removed)this.rows.delete(i);for(let i of t.rows)i.ids.forEach((c,d)=>{this.rows.set(c,os(o.get(c),c,i,d,s?-1/0:r))});return this.version=t.version,!0}};function os(e,t,r,n,s){let o=r.values.map(c=>c[n]??null),i=r.lengths.map(c=>c?.[n]);return e?(o.forEach((c,d)=>{(!is(c,e.values[d]??null)||i[d]!=e.lengths[d])&&(e.changed.set(d,s),e.revision++)}),e.values=o,e.lengths=i,e):{id:t,values:o,lengths:i,revision:0,born:s,changed:new Map}}function is(e,t){return Object.is(e,t)?!0:typeof e!="object"||typeof t!="object"||e===null||t===null?!1:e.length===t.length&&Array.from(e).every((r,n)=>Object.is(r,t[n]))}var Kr="stopped: the kernel has gone",as=500,Ae=class{constructor(t){this.send=t}send;store=new Se;views=new Set;assembler=new ke;ended="";asked=!1;acknowledged=-1;newest=-1;timer;hello(){this.asked||(this.asked=!0,this.say({kind:"hello"}))}take(t,r){this.ended="";let n=this.assembler.add(t,r);n&&(n.base<0&&(this.asked=!1),this.newest=n.frame,this.store.apply(n,performance.now())||this.hello(),this.refresh(),this.views.size>0&&this.acknowledgeSoon())}end(t){this.ended=t,this.refresh()}connectionChanged(){this.ended||=Kr,this.asked=!1,this.hello(),this.refresh()}attach(t){return this.views.add(t),t.refresh(this.ended),this.newest>this.acknowledged&&this.acknowledgeSoon(),()=>this.views.delete(t)}dispose(){clearTimeout(this.timer),this.views.clear()}refresh(){for(let t of this.views)t.refresh(this.ended)}acknowledgeSoon(){this.timer??=setTimeout(()=>{this.timer=void 0,this.views.size!==0&&(this.acknowledged=this.newest,this.say({kind:"ack",frame:this.newest}))},as)}say(t){try{this.send(t)}catch{this.ended||=Kr}}};var tr=new Map;function cs({model:e}){let t=e.get("twin"),r=new Ae(n=>e.send(n));return tr.set(t,r),e.on("msg:custom",(n,s)=>{n.kind==="frame"?r.take(n,s):n.kind==="end"&&r.end(n.text)}),e.on("comm_live_update",()=>r.connectionChanged()),r.hello(),()=>{r.dispose(),tr.delete(t)}}function ds({model:e,el:t}){let r=e.get("twin"),n=tr.get(r);if(!n)return;let s=new St({sql:e.get("sql"),twin:r},n.store);t.append(s.root);let o=n.attach(s);return()=>{o(),s.dispose()}}var yl={initialize:cs,render:ds};export{yl as default};

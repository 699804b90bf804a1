"""How the page looks: on paper, on phones, and in the light or the dark that the reader's system has."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ground: #f6f6f4; --card: #fff; --text: #1c1d20; --quiet: #5c5f66; --rule: #dfe0e2;
  --accent: #0b6bcb; --before: #8a8f98; --band: #cfd6de; --band-odd: #aab6c3; --gap: rgb(255 255 255 / .65);
  --red: #c62f2f; --green: #20803a; --blue: #2f5fd0; --warm: #b4691f; --violet: #7b4fc4; --teal: #12808a; }
@media (prefers-color-scheme: dark) { :root { --ground: #15171a; --card: #1e2125; --text: #e9eaec; --quiet: #a2a7b0;
  --rule: #33373d; --accent: #6cb2ff; --before: #8f959f; --band: #3d4652; --band-odd: #566475; --gap: rgb(0 0 0 / .6);
  --red: #ff7b72; --green: #58c878; --blue: #7da6ff; --warm: #e6a25c; --violet: #b795f5; --teal: #4fc3cc; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); overflow-wrap: anywhere;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
header, main, footer { max-width: 72rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0; letter-spacing: -.01em; }
h2 { font-size: 1.2rem; margin: 0 0 .25rem; }
h3 { font-size: 1rem; margin: 0; display: flex; align-items: center; gap: .5rem; }
.names { margin: .25rem 0 1.25rem; color: var(--quiet); }
.hint, footer, figcaption { color: var(--quiet); font-size: .875rem; }
.hint { margin: 0 0 .9rem; max-width: 60rem; }
footer { padding-bottom: 2rem; }
main > section { background: var(--card); border: 1px solid var(--rule); border-radius: .75rem; padding: 1.1rem 1.25rem;
  margin-bottom: 1rem; }
main > .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 1px; padding: 0;
  background: var(--rule); overflow: hidden; }
.tiles div { background: var(--card); padding: .9rem 1.1rem; }
.tiles b { display: block; font-size: 1.35rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--quiet); font-size: .875rem; }
.notes ul { margin: 0; padding-left: 1.2rem; }
figure { margin: 0; }
img { display: block; width: 100%; }
.stills { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1rem; }
.stills figure { max-width: 45rem; }
.slide { --at: 50%; position: relative; border-radius: .4rem; overflow: hidden; }
.slide .before { position: absolute; inset: 0; height: 100%; clip-path: inset(0 calc(100% - var(--at)) 0 0); }
.slide::after { content: ""; position: absolute; top: 0; bottom: 0; left: var(--at); width: 2px; margin-left: -1px;
  background: #fff; box-shadow: 0 0 0 1px rgb(0 0 0 / .35); pointer-events: none; }
.slide input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: ew-resize; }
.slide:focus-within { outline: 3px solid var(--accent); outline-offset: 2px; }
.tag { position: absolute; bottom: .5rem; padding: .05rem .5rem; border-radius: 1rem; background: rgb(0 0 0 / .65);
  color: #fff; font-size: .75rem; }
.left { left: .5rem; } .right { right: .5rem; }
figcaption { margin-top: .25rem; }
.band { display: grid; grid-template-columns: 5.5rem 1fr; align-items: center; margin-bottom: .4rem; }
.name { font-size: .875rem; color: var(--quiet); }
svg { display: block; width: 100%; overflow: visible; }
.even { fill: var(--band); } .odd { fill: var(--band-odd); } .gap { fill: var(--gap); }
.axis { display: flex; justify-content: space-between; color: var(--quiet); font-size: .75rem;
  font-variant-numeric: tabular-nums; }
.timeline .axis { margin-left: 5.5rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 16.5rem), 1fr)); gap: 1rem; }
article { border: 1px solid var(--rule); border-radius: .6rem; padding: .9rem; }
article .hint { margin-bottom: .6rem; }
.dot { width: .8rem; height: .8rem; border-radius: 50%; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .5rem; }
.pair img { border-radius: .4rem; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .15rem 1rem; margin: .6rem 0; font-size: .9rem; }
dt { color: var(--quiet); }
dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; }
.meter { display: block; height: .3rem; margin-top: .2rem; border-radius: 1rem; background: var(--rule);
  overflow: hidden; }
.meter i { display: block; height: 100%; background: var(--accent); min-width: 2px; }
.spark svg { height: 3.2rem; }
.plot { display: grid; grid-template-columns: auto 1fr; gap: .6rem; margin-top: .5rem; }
.plot svg { height: 9rem; background: linear-gradient(var(--rule), var(--rule)) 0 100% / 100% 1px no-repeat; }
.plot + .axis { margin-left: 3.6rem; }
.scale { width: 3rem; display: flex; flex-direction: column; justify-content: space-between; text-align: right;
  color: var(--quiet); font-size: .75rem; font-variant-numeric: tabular-nums; }
.keys { display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; margin: 0; font-size: .8rem; }
.key { color: var(--quiet); }
.key::before { content: ""; display: inline-block; width: .8rem; height: .25rem; border-radius: 1rem;
  margin-right: .4rem; vertical-align: middle; background: var(--mark); }
polyline, .zero, .dots { fill: none; stroke: var(--mark); stroke-width: 2; vector-effect: non-scaling-stroke;
  stroke-linejoin: round; stroke-linecap: round; }
.dots { stroke-width: 6; }
.zero { stroke: var(--rule); stroke-width: 1; }
.line-before { --mark: var(--before); } .line-after { --mark: var(--accent); }
.line-red { --mark: var(--red); } .line-green { --mark: var(--green); } .line-blue { --mark: var(--blue); }
.stages { display: flex; gap: 2px; height: 1.1rem; border-radius: .4rem; overflow: hidden; margin-bottom: .8rem; }
.stages i { background: var(--mark); min-width: 1px; }
.stage-find_faces { --mark: var(--violet); } .stage-decode { --mark: var(--teal); }
.stage-restore { --mark: var(--accent); } .stage-encode { --mark: var(--green); }
.stage-measure { --mark: var(--warm); } .stage-other { --mark: var(--before); }
table { width: 100%; max-width: 40rem; border-collapse: collapse; font-size: .9rem;
  font-variant-numeric: tabular-nums; }
th, td { text-align: left; font-weight: 400; padding: .3rem .5rem .3rem 0; border-bottom: 1px solid var(--rule); }
thead th { color: var(--quiet); font-size: .8rem; }
td + td, th + td { text-align: right; } thead th + th { text-align: right; }
tbody tr:last-child > * { border-bottom: 0; }
.options { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .6rem 1.25rem; margin: 0; }
.options dd { text-align: left; }
.bar { fill: var(--mark); }
.wide { overflow-x: auto; } .wide table { max-width: none; }
.wide tbody th { min-width: 9rem; }
.wide td, .wide th + th { white-space: nowrap; padding-left: .8rem; }
@media print { body { background: none; } main > section, article { break-inside: avoid; } }
"""

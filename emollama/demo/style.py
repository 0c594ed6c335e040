"""Styles of the page and the case sheet. Nothing is loaded from other servers."""

from __future__ import annotations

PIECES = """
.bars { display: grid; gap: .3rem; margin: .4rem 0; }
.bars > div { display: grid; grid-template-columns: 6.5rem 1fr 6rem; gap: .6rem;
  align-items: center; }
.bars .name, h1, .title { overflow-wrap: anywhere; }
@media (max-width: 30rem) { .bars > div { grid-template-columns: 5rem 1fr 6rem; gap: .4rem; } }
.bars .track { position: relative; display: block; height: .85rem; border-radius: 3px;
  background: rgba(128, 128, 128, .18); overflow: hidden; }
.bars .track i { position: absolute; top: 0; bottom: 0; left: 0; display: block; }
.bars .track b { position: absolute; top: 0; bottom: 0; left: 50%; width: 1px;
  background: currentColor; opacity: .6; }
.bars .number { text-align: right; font-variant-numeric: tabular-nums; }
.headline { font-size: 1.35rem; font-weight: 650; margin: .2rem 0 0; }
.warning { border-left: 4px solid #D55E00; padding: .2rem .7rem; margin: .3rem 0;
  font-weight: 600; }
.small { font-size: .9rem; opacity: .9; margin: .3rem 0; }
.lane { margin: 0 0 .5rem; }
.lane p, .legend, .axis { margin: 0 0 .15rem; font-size: .9rem; }
.lane svg { display: block; width: 100%; height: 4.5rem; border-radius: 3px;
  background: rgba(128, 128, 128, .12); }
.legend { display: flex; flex-wrap: wrap; gap: .1rem .8rem; margin-bottom: .6rem; }
.legend i { display: inline-block; width: .8em; height: .8em; border-radius: 2px;
  margin-right: .3em; }
.axis { display: flex; justify-content: space-between; }
figure { margin: 0; } figure img { max-width: 100%; max-height: 20rem; border-radius: 4px; }
figcaption { font-size: .9rem; margin-top: .2rem; }
details summary { cursor: pointer; margin: .4rem 0; }
.lanes ~ details table, .sheet table { border-collapse: collapse; font-size: .88rem; }
.lanes ~ details td, .lanes ~ details th, .sheet td, .sheet th { text-align: left;
  padding: .15rem .8rem .15rem 0; border-bottom: 1px solid rgba(128, 128, 128, .3); }
"""
"""Styles shared by both."""

PAGE = (
    PIECES
    + """
.gradio-container { max-width: 76rem !important; margin: 0 auto; }
.piece, .piece .html-container { padding: 0 !important; min-height: 0 !important; }
.piece h1 { margin: 0 0 .3rem; } .piece h2 { margin: .4rem 0 -.4rem; font-size: 1.15rem; }
.piece video { width: 100%; max-height: 24rem; background: #000; border-radius: 4px; }
#player img, #reading img { max-width: 100%; max-height: 24rem; border-radius: 4px; }
.piece .title { font-weight: 600; margin: .2rem 0; }
.piece ul { margin: .2rem 0; padding-left: 1.2rem; }
html:not([data-reworded]) #reworded, .state:not(:has(p)) { display: none; }
.state p { margin: 0; }
.busy::before { content: ""; display: inline-block; width: .8em; height: .8em; margin-right: .5em;
  border: 2px solid currentColor; border-right-color: transparent; border-radius: 50%;
  animation: turn 1s linear infinite; }
@keyframes turn { to { transform: rotate(1turn); } }
@media (prefers-reduced-motion: reduce) { .busy::before { animation: none; } }
/* What holds no longer, while its successor is computed. */
:is(html[data-reworded], html:has([data-stale])) :is(#answer, #carried, #notes, #peak, #timeline) {
  opacity: .4; filter: grayscale(1); }
.gradio-container:has(#reading .title) #clip { display: none; }
#reading:not(:has(p)) { display: none; }
:is(a, button, input, textarea, select, summary, video, label, [tabindex]):focus-visible,
label:has(input:is([type=checkbox], [type=radio]):focus-visible) {
  outline: 3px solid #D55E00 !important; outline-offset: 2px; }
label input:is([type=checkbox], [type=radio]):focus-visible { outline: none !important; }
[role=tab]:focus-visible { outline-offset: -3px !important; }  /* their row cuts what is outside */
.block:has(:is(textarea, input, button, .wrap):focus-visible) { overflow: visible !important; }
.option-list .active { background: #0072B2 !important; color: #fff !important; }
.beside { align-self: flex-end !important; height: 2.5rem; margin-bottom: .75rem !important; }
.lanes ~ details :is(td, th) { border: 0 !important; padding: .15rem .8rem .15rem 0 !important;
  border-bottom: 1px solid rgba(128, 128, 128, .3) !important; }
/* Gradio's arrow of a dropdown lies over what is chosen. */
input[role="combobox"] { padding-right: 2rem !important; text-overflow: ellipsis; }
/* Missing from the clip is not the same as switched off. */
.block[id^="use-"]:has(input:disabled) { border-style: dashed; opacity: .75; }
.block[id^="use-"] input:disabled { visibility: hidden; width: 0; }
.block[id^="use-"]:has(input:disabled) label { font-style: italic; cursor: default; }
#examples { display: grid !important; grid-template-columns: repeat(3, 1fr); gap: .5rem; }
#examples button { flex-direction: column; height: 100%; min-width: 0 !important;
  white-space: normal; overflow-wrap: anywhere; padding: .3rem; gap: .3rem;
  justify-content: flex-start; }
#examples button img { width: 100%; height: auto; max-height: 7rem; object-fit: cover; margin: 0;
  border-radius: 3px; }
#server-gone { position: sticky; top: 0; z-index: 50; margin: 0; padding: .6rem 1rem;
  background: #7a1c16; color: #fff; font-weight: 600; }
.error { color: #b3261e; font-weight: 600; }
.dark .error { color: #ffb4ab; }
.intended { border-left: 3px solid #E69F00; padding: .1rem .7rem; font-size: .92rem; }
/* Gradio's arrow is a button without a name inside a button that has one. */
#chat .title .arrow button { display: none; }
#chat .title .arrow::before { content: "▾"; padding: 0 .3rem; }
footer, #saved { display: none !important; }
"""
)

SHEET = (
    PIECES
    + """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c1c1c; background: #fff; max-width: 54rem;
  margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 1.8rem; }
blockquote { margin: .3rem 0; padding-left: .8rem; border-left: 3px solid #0072B2;
  white-space: pre-wrap; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem; background: #f4f4f4;
  padding: .6rem; }
"""
)

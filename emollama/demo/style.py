"""Styles of the page and the case sheet. Nothing is loaded from other servers."""

from __future__ import annotations

PIECES = """
.bars { display: grid; gap: .3rem; margin: .4rem 0; }
.bars > div { display: grid; grid-template-columns: 6.5rem 1fr 6rem; gap: .6rem;
  align-items: center; }
.bars .name { overflow-wrap: anywhere; }
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
.piece ul { margin: .2rem 0; padding-left: 1.2rem; }
.state { min-height: 1.8rem !important; position: sticky; top: 0; z-index: 20;
  background: var(--body-background-fill); }
.state p { margin: 0; }
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
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 1.8rem; }
blockquote { margin: .3rem 0; padding-left: .8rem; border-left: 3px solid #0072B2;
  white-space: pre-wrap; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem; background: #f4f4f4;
  padding: .6rem; }
"""
)

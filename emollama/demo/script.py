"""The page's own script: words that were changed but not used yet, lists that are left by the
keyboard, and a server that is gone.

The page asks its server every few seconds for a small answer; any answer will do.
"""

from __future__ import annotations

import json

GONE = (
    "The server of this page does not answer: it was stopped, or the connection is lost. Start it "
    "again (emollama demo), then reload this page."
)
BACK = "The server answers again. It no longer knows this visit: reload the page to go on."

HEAD = f"""<script>
(() => {{
  const page = document.documentElement;
  document.addEventListener("input", event => {{
    const goes = document.getElementById("reworded");  // absent where the answer is not of words
    if (goes && event.target.closest("#words")) page.dataset.reworded = "";
  }});
  // Gradio takes Tab for a letter, which opens the list that is being left, and the list is a stop.
  document.addEventListener("keydown", event => {{
    if (event.key !== "Tab" || !event.target.matches?.("[role=combobox]")) return;
    event.stopImmediatePropagation();
    for (const list of document.querySelectorAll(".option-list")) list.tabIndex = -1;
  }}, true);
  // A new answer is about the words that stand there then.
  const watch = new MutationObserver(changes => {{
    if (changes.some(({{ target }}) => target.closest?.("#answer"))) delete page.dataset.reworded;
  }});
  watch.observe(page, {{ childList: true, subtree: true }});

  let missed = 0;
  const tell = words => {{
    let line = document.getElementById("server-gone");
    if (!line) {{
      line = document.createElement("p");
      line.id = "server-gone";
      line.setAttribute("role", "alert");
      document.body.prepend(line);
    }}
    line.textContent = words;
  }};
  const ask = async () => {{
    try {{
      await fetch("gradio_api/app_id", {{ cache: "no-store" }});
      if (missed > 1) tell({json.dumps(BACK)});
      missed = 0;
    }} catch {{
      missed += 1;
      if (missed > 1) tell({json.dumps(GONE)});
    }}
  }};
  const again = async () => {{ await ask(); setTimeout(again, 3000); }};
  again();
}})();
</script>"""

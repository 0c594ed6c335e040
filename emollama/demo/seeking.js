"use strict";
// Times seek the clip's player, or the report of the recording in whose area they stand.
(() => {
  const root = document.documentElement;
  const clip = () => document.querySelector("#player video");
  const lanes = () => document.querySelector(".lanes.seek");

  const seek = (from, time) => {
    const report = from.closest(".recording")?.querySelector("iframe");
    if (report) {
      const place = report.contentDocument.getElementById("place");
      place.value = time;
      place.dispatchEvent(new Event("input"));
      return report;
    }
    const player = clip();
    if (player) player.currentTime = time;
    return player;
  };

  // Seconds of the clip as a share of the lanes, which may show only its beginning.
  const follow = () => {
    const player = clip(), length = Number(lanes()?.dataset.length);
    if (!player || !length) return;
    root.style.setProperty("--at", Math.min(player.currentTime / length, 1));
    if (!player.paused) requestAnimationFrame(follow);
  };
  for (const name of ["loadedmetadata", "play", "seeking", "timeupdate"]) {
    // Events of media do not bubble, but are seen on their way down.
    document.addEventListener(name, (e) => { if (e.target === clip()) follow(); }, true);
  }

  // A report is as dark as the page, not as the system.
  document.addEventListener("load", (e) => {
    if (!e.target.matches?.(".recording iframe")) return;
    const inside = e.target.contentDocument, dark = document.body.classList.contains("dark");
    inside.documentElement.style.colorScheme = dark ? "dark" : "light";
    for (const { cssRules } of inside.styleSheets) {
      for (const rule of cssRules) {
        const scheme = rule.media?.mediaText.includes("prefers-color-scheme");
        if (scheme) rule.media.mediaText = dark ? "all" : "not all";
      }
    }
  }, true);

  document.addEventListener("click", (e) => {
    const button = e.target.closest("[data-seek]");
    if (button) {
      seek(button, Number(button.dataset.seek))?.scrollIntoView({ block: "nearest" });
      return;
    }
    const lane = e.target.closest(".lanes.seek svg");
    if (lane) {
      const box = lane.getBoundingClientRect();
      seek(lane, (e.clientX - box.left) / box.width * Number(lanes().dataset.length));
    }
  });
})();

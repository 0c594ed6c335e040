"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const length = Number(document.body.dataset.length);
  const media = find("media"), play = find("play"), place = find("place"), told = find("clock");
  const wide = find("wide"), lanes = find("lanes"), head = find("playhead");
  const list = find("transcript");
  const rows = Array.from(list.children, (row) => ({
    row, start: Number(row.dataset.start), end: Number(row.dataset.end),
  }));
  const marks = Array.from(document.querySelectorAll(".marked [data-seek]"),
    (button) => Number(button.dataset.seek)).sort((a, b) => a - b);
  let now = 0;

  const clock = (time) => {
    const seconds = Math.floor(time), two = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(seconds / 3600), minutes = Math.floor(seconds / 60) % 60;
    return (hours ? `${hours}:${two(minutes)}` : minutes) + ":" + two(seconds % 60);
  };

  const show = (follow) => {
    const share = length > 0 ? now / length : 0;
    head.style.left = `${100 * share}%`;
    place.value = now;
    place.setAttribute("aria-valuetext", clock(now));
    told.textContent = clock(now);
    let first = null;
    for (const { row, start, end } of rows) {
      const current = start <= now && now < end;
      row.classList.toggle("now", current);
      if (current && first === null && row.offsetParent !== null) first = row;
    }
    if (!follow) return;
    if (first !== null) list.scrollTop = first.offsetTop - list.clientHeight / 3;
    const x = share * wide.clientWidth;
    if (x < lanes.scrollLeft || x > lanes.scrollLeft + lanes.clientWidth) {
      lanes.scrollLeft = x - lanes.clientWidth / 4;
    }
  };

  const seek = (time) => {
    now = Math.min(Math.max(time, 0), length);
    if (media.readyState > 0) media.currentTime = now;
    show(true);
  };

  const step = () => {
    if (media.paused) return;
    now = Math.min(media.currentTime, length);
    show(true);
    requestAnimationFrame(step);
  };

  const toggle = () => {
    if (play.disabled) return;
    if (media.paused) media.play().catch(lost); else media.pause();
  };

  const lost = () => {
    if (media.error === null && media.readyState > 0) return;
    play.disabled = true;
    media.hidden = true;
    find("silent").hidden = false;
  };

  const jump = (forward) => {
    const other = forward ? marks.find((time) => time > now + 0.05)
      : marks.filter((time) => time < now - 0.05).pop();
    if (other !== undefined) seek(other);
  };

  media.addEventListener("error", lost);
  if (media.error !== null) lost();
  media.addEventListener("loadedmetadata", () => { media.currentTime = now; });
  media.addEventListener("play", () => { play.textContent = "Pause"; step(); });
  media.addEventListener("pause", () => { play.textContent = "Play"; });
  play.addEventListener("click", toggle);
  find("next").addEventListener("click", () => jump(true));
  find("before").addEventListener("click", () => jump(false));
  place.addEventListener("input", () => seek(Number(place.value)));
  find("speed").addEventListener("change", (e) => { media.playbackRate = Number(e.target.value); });
  find("zoom").addEventListener("change", (e) => {
    wide.style.width = `${100 * Number(e.target.value)}%`;
    lanes.scrollLeft = (now / length) * wide.clientWidth - lanes.clientWidth / 2;
    show(false);
  });
  const listeners = find("listeners");
  listeners.addEventListener("change", () => list.classList.toggle("all", listeners.checked));
  list.classList.toggle("all", listeners.checked);
  wide.addEventListener("click", (e) => {
    const box = wide.getBoundingClientRect();
    seek(((e.clientX - box.left) / box.width) * length);
  });
  document.addEventListener("click", (e) => {
    const button = e.target.closest("[data-seek]");
    if (button !== null) seek(Number(button.dataset.seek));
  });
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input, select")) return;
    const onButton = e.target.closest("button, summary") !== null;
    if (e.key === " " && !onButton) toggle();
    else if (e.key === "ArrowLeft") seek(now - 5);
    else if (e.key === "ArrowRight") seek(now + 5);
    else if (e.key === "n") jump(true);
    else if (e.key === "p") jump(false);
    else return;
    e.preventDefault();
  });
  show(false);
})();

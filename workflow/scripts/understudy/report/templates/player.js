"use strict";
const SPEEDS = [1, 0.5, 0.25, 0.1], VIEWS = ["grid", "wipe", "one"], KEPT = 5;

/* Several films in step. Panes are cut out of films; those of the first film come out of one decoder, so they cannot part.
   Of several films the last few frames are kept, and all panes show the newest frame that every film has reached. */
class Player {
  constructor(root) {
    this.root = root;
    this.data = JSON.parse(root.querySelector("script").textContent);
    this.rate = this.data.rate[0] / this.data.rate[1];
    this.frames = this.data.frames;
    this.films = new Map();
    this.shown = new Map();
    this.kept = new Map();
    this.painted = {};
    this.frame = 0;
    this.view = "grid";
    this.edge = 0.5;
    this.playing = false;
    this.stage = root.querySelector(".stage");
    this.stage.querySelector("video").remove();
    this.box = root.appendChild(Object.assign(document.createElement("div"), {className: "films"}));
    this.master = this.film(this.data.films[0]);
    this.fill();
    this.wire();
    this.lay();
    this.seek(0);
  }

  film(url) {
    if (this.films.has(url)) return this.films.get(url);
    const video = document.createElement("video");
    Object.assign(video, {preload: "auto", playsInline: true, muted: this.films.size > 0, tabIndex: -1});
    video.setAttribute("aria-hidden", "true");
    this.films.set(url, video);
    const shown = (_, facts) => { this.show(url, video, facts.mediaTime); video.requestVideoFrameCallback(shown); };
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(shown);
    else video.addEventListener("timeupdate", () => this.show(url, video, video.currentTime));
    video.addEventListener("seeked", () => this.paint());
    video.addEventListener("loadeddata", () => this.paint());
    video.addEventListener("ended", () => { if (video === this.master && this.playing) this.again(); });
    video.src = url;
    this.box.append(video);
    return video;
  }

  source(id) { return this.data.sources.find((one) => one.id === id); }

  /* The films that the panes need now, the first one always. */
  active() { return [...new Set([this.data.films[0], ...this.panes.map((pane) => this.source(pane.id).film)])]; }

  fill() {
    for (const select of this.root.querySelectorAll("select[data-side]")) {
      const run = select.dataset.side === "run";
      const listed = run ? [{id: "", label: "none"}, ...this.data.sources.filter((one) => one.run)] : this.data.sources;
      for (const one of listed) select.append(new Option(one.label, one.id));
      if (!run) select.value = select.dataset.side === "a" ? "result" : (this.source("truth") ? "truth" : "driving");
      select.addEventListener("change", () => { this.touch(); this.lay(); this.seek(this.frame); });
    }
  }

  chosen(side) { const found = this.root.querySelector(`select[data-side=${side}]`); return found ? found.value : ""; }

  lay() {
    const grid = this.view === "grid", wipe = this.view === "wipe";
    const ids = grid ? [...this.data.grid, this.chosen("run")].filter(Boolean) : [this.chosen("a")];
    this.stage.replaceChildren();
    this.stage.className = "stage" + (grid ? "" : " single") + (wipe ? " wiping" : "") + (grid && ids.length % 2 ? " odd" : "");
    this.stage.style.setProperty("--panes", ids.length);
    this.panes = ids.map((id) => {
      const one = this.source(id), figure = document.createElement("figure"), canvas = document.createElement("canvas");
      const base = this.source("result").box;
      const own = grid && one.box && Math.abs(one.box[2] * base[3] / (one.box[3] * base[2]) - 1) > 0.05;
      [canvas.width, canvas.height] = (own ? one.box : base).slice(2);
      const label = wipe ? `A ${one.label} | B ${this.source(this.chosen("b")).label}` : one.label;
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", label);
      const words = document.createElement("figcaption");
      words.textContent = label;
      figure.append(canvas, words);
      this.stage.append(figure);
      return {id, canvas, pen: canvas.getContext("2d")};
    });
    if (wipe) {
      this.panes.push({...this.panes[0], id: this.chosen("b"), over: true});
      const drag = (event) => {
        if (!event.buttons) return;
        const place = this.panes[0].canvas.getBoundingClientRect();
        this.setEdge((event.clientX - place.left) / place.width);
      };
      this.panes[0].canvas.addEventListener("pointerdown", drag);
      this.panes[0].canvas.addEventListener("pointermove", drag);
    }
    this.root.querySelector("[data-side-name]").textContent = wipe ? "A" : "Film";
    for (const button of this.root.querySelectorAll("[data-view]"))
      button.setAttribute("aria-pressed", String(button.dataset.view === this.view));
    for (const label of this.root.querySelectorAll("[data-for]")) label.hidden = !label.dataset.for.split(" ").includes(this.view);
    for (const url of this.active()) this.film(url);
    for (const [url, video] of this.films) if (!this.active().includes(url)) video.pause();
    this.paint();
  }

  /* Keep a copy of the frame that a film shows, in place of its oldest one. */
  keep(url, video, frame) {
    if (!this.kept.has(url)) this.kept.set(url, []);
    const kept = this.kept.get(url);
    const copy = kept.length < KEPT ? {canvas: document.createElement("canvas")} : kept.shift();
    if (copy.canvas.width !== video.videoWidth) [copy.canvas.width, copy.canvas.height] = [video.videoWidth, video.videoHeight];
    copy.canvas.getContext("2d").drawImage(video, 0, 0);
    copy.frame = frame;
    kept.push(copy);
  }

  /* What each film shows now: while several play, the frame that all have reached; else what it has. */
  pictures() {
    const urls = this.active(), together = this.playing && urls.length > 1;
    const common = together ? Math.min(...urls.map((url) => this.shown.get(url) ?? -1)) : -1;
    return Object.fromEntries(urls.map((url) => {
      const video = this.films.get(url);
      const copy = together && (this.kept.get(url) || []).find((one) => one.frame === common);
      return [url, copy ? {picture: copy.canvas, frame: common} : {picture: video, frame: this.shown.get(url)}];
    }));
  }

  paint() {
    if (!this.panes) return;
    const pictures = this.pictures();
    this.painted = Object.fromEntries(Object.entries(pictures).map(([url, one]) => [url, one.frame]));
    for (const {id, canvas, pen, over} of this.panes) {
      const one = this.source(id), video = this.films.get(one.film), {picture} = pictures[one.film];
      if (!video || video.readyState < 2) continue;
      const [x, y, width, height] = one.box || [0, 0, video.videoWidth, video.videoHeight];
      const scale = Math.min(canvas.width / width, canvas.height / height);
      const across = width * scale, down = height * scale;
      pen.save();
      const cut = Math.round(this.edge * canvas.width);
      if (over) { pen.beginPath(); pen.rect(cut, 0, canvas.width, canvas.height); pen.clip(); }
      pen.fillStyle = "#131312";
      pen.fillRect(0, 0, canvas.width, canvas.height);
      pen.drawImage(picture, x, y, width, height, (canvas.width - across) / 2, (canvas.height - down) / 2, across, down);
      pen.restore();
      if (over) { pen.fillStyle = "#ffffff"; pen.fillRect(cut - 1, 0, 2, canvas.height); }
    }
  }

  show(url, video, seconds) {
    this.shown.set(url, Math.round(seconds * this.rate));
    if (this.playing && this.active().length > 1) this.keep(url, video, this.shown.get(url));
    if (video === this.master && this.playing) {  // at rest the frame is the one asked for, whatever comes late
      this.tell(this.shown.get(url));
      this.align();
    }
    this.paint();
  }

  /* Films besides the first run a little faster or slower until they are in step; one far off jumps. */
  align() {
    for (const url of this.active().slice(1)) {
      const video = this.films.get(url), ahead = (video.currentTime - this.master.currentTime) * this.rate / this.speed;
      if (video.paused || video.seeking) continue;
      if (Math.abs(ahead * this.speed) > 3) video.currentTime = this.master.currentTime;
      else video.playbackRate = this.speed * (1 - Math.max(-0.25, Math.min(0.25, ahead * 0.15)));
    }
  }

  get speed() { return Number(this.root.querySelector("[data-speed]").value); }

  tell(frame) {
    this.frame = Math.max(0, Math.min(this.frames - 1, frame));
    this.root.querySelector("[data-seek]").value = this.frame;
    this.root.querySelector(".where").textContent =
      `frame ${this.frame + 1} of ${this.frames} · ${(this.frame / this.rate).toFixed(2)} s`;
    const article = this.root.closest("article");
    for (const chart of article.querySelectorAll(".chart[data-frames]")) {
      let head = chart.querySelector(".head");
      if (!head) {
        head = chart.querySelector(".plot").appendChild(Object.assign(document.createElement("div"), {className: "head"}));
        chart.querySelector(".plot").addEventListener("click", (event) => {
          const place = chart.querySelector(".plot").getBoundingClientRect();
          this.touch();
          this.pause();
          this.seek(Math.round((event.clientX - place.left) / place.width * (this.frames - 1)));
        });
      }
      head.style.left = `${100 * this.frame / Math.max(1, Number(chart.dataset.frames) - 1)}%`;
    }
  }

  seek(frame) {
    this.tell(frame);
    for (const url of this.active()) {
      const video = this.films.get(url), time = (this.frame + 0.5) / this.rate;
      if (Math.abs(video.currentTime - time) > 1e-4) video.currentTime = time;
    }
    this.paint();
  }

  async play() {
    this.playing = true;
    this.button();
    if (this.frame >= this.frames - 1) this.seek(0);
    const videos = this.active().map((url) => this.films.get(url));
    const ready = (video) => video.readyState >= 3 && !video.seeking ? true : new Promise((done) => {
      for (const name of ["canplay", "seeked"]) video.addEventListener(name, () => video.seeking || done(), {once: true});
      setTimeout(done, 3000);
    });
    await Promise.all(videos.map(ready));
    for (const kept of this.kept.values()) kept.length = 0;
    if (!this.playing) return;
    for (const video of videos) video.playbackRate = this.speed;
    await Promise.all(videos.map((video) => video.play().catch(() => { this.playing = false; })));
    this.button();
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    for (const video of this.films.values()) video.pause();
    this.button();
    this.seek(this.shown.get(this.data.films[0]) ?? this.frame);
  }

  again() {
    for (const video of this.films.values()) video.pause();
    this.seek(0);
    this.play();
  }

  button() {
    const button = this.root.querySelector("[data-act=play]");
    button.textContent = this.playing ? "❚❚" : "▶";
    button.setAttribute("aria-label", this.playing ? "Pause" : "Play");
  }

  setEdge(share) {
    this.edge = Math.max(0, Math.min(1, share));
    this.root.querySelector("[data-edge]").value = 1000 * this.edge;
    this.paint();
  }

  setSpeed() { for (const url of this.active()) this.films.get(url).playbackRate = this.speed; }

  setView(view) { this.view = view; this.lay(); this.seek(this.frame); if (this.playing) this.play(); }

  touch() { Player.current = this; }

  act(name) {
    this.touch();
    const jump = (count) => { this.pause(); this.seek(this.frame + count); };
    const worst = (way) => {
      const frames = [...this.root.querySelectorAll("[data-frame]")].map((one) => Number(one.dataset.frame)).sort((a, b) => a - b);
      if (!frames.length) return;
      const on = way > 0 ? frames.find((one) => one > this.frame) ?? frames[0] : frames.findLast((one) => one < this.frame) ?? frames.at(-1);
      this.pause();
      this.seek(on);
    };
    const acts = {
      play: () => this.playing ? this.pause() : this.play(),
      back: () => jump(-1), on: () => jump(1),
      second_back: () => jump(-Math.round(this.rate)), second_on: () => jump(Math.round(this.rate)),
      first: () => jump(-this.frames), last: () => jump(this.frames),
      worst_on: () => worst(1), worst_back: () => worst(-1),
      view: () => this.setView(VIEWS[(VIEWS.indexOf(this.view) + 1) % VIEWS.length]),
      edge_back: () => this.setEdge(this.edge - 0.02), edge_on: () => this.setEdge(this.edge + 0.02),
      slower: () => {
        const select = this.root.querySelector("[data-speed]");
        select.selectedIndex = (select.selectedIndex + 1) % SPEEDS.length;
        this.setSpeed();
      },
      sound: () => {
        const button = this.root.querySelector("[data-act=sound]");
        if (!button) return;
        this.master.muted = !this.master.muted;
        button.textContent = this.master.muted ? "Sound off" : "Sound on";
        button.setAttribute("aria-pressed", String(!this.master.muted));
      },
    };
    acts[name]();
  }

  wire() {
    const on = (query, event, act) => { for (const one of this.root.querySelectorAll(query)) one.addEventListener(event, () => act(one)); };
    const released = (event) => { if (event.detail > 0 || event.type === "change") event.target.blur(); };  // so that keys act on the film
    for (const one of this.root.querySelectorAll("button")) one.addEventListener("click", released);
    for (const one of this.root.querySelectorAll("select, input")) one.addEventListener("change", released);
    on("[data-act]", "click", (one) => this.act(one.dataset.act));
    on("[data-view]", "click", (one) => { this.touch(); this.setView(one.dataset.view); });
    on("[data-frame]", "click", (one) => { this.touch(); this.pause(); this.seek(Number(one.dataset.frame)); });
    on("[data-seek]", "input", (one) => { this.touch(); this.pause(); this.seek(Number(one.value)); });
    on("[data-edge]", "input", (one) => { this.touch(); this.setEdge(one.value / 1000); });
    on("[data-speed]", "change", () => { this.touch(); this.setSpeed(); });
    this.root.addEventListener("pointerdown", () => this.touch());
  }
}

const KEYS = {
  " ": "play", ",": "back", ".": "on", ArrowLeft: "second_back", ArrowRight: "second_on", Home: "first", End: "last",
  s: "slower", v: "view", "[": "edge_back", "]": "edge_on", n: "worst_on", p: "worst_back", m: "sound",
};
/* The first film is made ready at once, each other when it comes near the screen. */
const players = [];
const near = new IntersectionObserver((seen) => {
  for (const one of seen.filter((each) => each.isIntersecting)) {
    near.unobserve(one.target);
    players.push(new Player(one.target));
  }
}, {rootMargin: "600px"});
document.querySelectorAll(".player").forEach((root, number) => number ? near.observe(root) : players.push(new Player(root)));
window.players = players;
Player.current = players[0];
document.addEventListener("keydown", (event) => {
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act || !Player.current || event.ctrlKey || event.altKey || event.metaKey) return;
  const inside = event.target.closest("input, select, summary, button, a, .scroll");
  if (inside && (inside.matches("select, .scroll") || event.key === " " || (inside.matches("input") && event.key.length > 1))) return;
  event.preventDefault();
  Player.current.act(act);
});

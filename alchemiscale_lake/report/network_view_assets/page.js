// Draws what the page carries; asks nobody for anything. Every word from the lake reaches the page as text.
(() => {
  const { element, shape, known, number, pair, variable, makeScale } = Basics;
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const drawing = at("drawing"), world = at("world");
  const RADIUS = 0.17;
  const DASHES = { complete: "", running: "9 5", waiting: "2 5", error: "1 4 7 4", idle: "1 7", declared: "14 4" };
  const MEANING = {
    complete: "complete", running: "running", waiting: "waiting", error: "error", idle: "not started",
    declared: "declared, not computed",
  };
  // a link that was declared is complete without a calculation
  const statusOf = (e) => (e.declared ? "declared" : e.status);
  const WIDTHS = { least: 1.4, most: 6 };

  let asked = false, roomy = 0, kind, mode = data.colour, selected = null, nodes = [], edges = [], scale = null;
  const view = { x: 0, y: 0, k: 1 };

  // --- colours -----------------------------------------------------------------------------------
  const nodeColour = (n) => (mode === "status" ? variable(n.status) : scale.colour(scale.node(n)));
  const edgeColour = (e) => {
    if (mode === "status") return variable(e.status);
    return (scale.edge && scale.colour(scale.edge(e))) || variable("plain-edge");
  };
  const edgeWidth = (e) => {
    // an edge twice as certain counts four times as much: thick edges carry the network
    if (!known(e.uncertainty)) return WIDTHS.least;
    const best = edges.best, part = best > 0 ? Math.sqrt(best / Math.max(e.uncertainty, best)) : 1;
    return WIDTHS.least + (WIDTHS.most - WIDTHS.least) * part;
  };

  // --- drawing -----------------------------------------------------------------------------------
  const path = (e) => {
    const a = nodes[e.i], b = nodes[e.j];
    if (a === b) return `M ${a.x} ${a.y} a 0.3 0.3 0 1 1 0.01 0.01`;
    if (!e.bend) return `M ${a.x} ${a.y} L ${b.x} ${b.y}`;
    const mx = (a.x + b.x) / 2 - (b.y - a.y) * e.bend, my = (a.y + b.y) / 2 + (b.x - a.x) * e.bend;
    return `M ${a.x} ${a.y} Q ${mx} ${my} ${b.x} ${b.y}`;
  };
  const placeEdge = (e) => {
    const [line, hit, mark] = e.group.children, a = nodes[e.i], b = nodes[e.j];
    for (const one of [line, hit]) one.setAttribute("d", path(e));
    if (mark) { mark.setAttribute("x", (a.x + b.x) / 2); mark.setAttribute("y", (a.y + b.y) / 2); }
  };
  const placeNode = (n) => n.group.setAttribute("transform", `translate(${n.x} ${n.y})`);

  const build = () => {
    nodes = kind.nodes; edges = kind.edges;
    const sds = edges.map((e) => e.uncertainty).filter((v) => known(v) && v > 0).sort((a, b) => a - b);
    edges.best = sds.length ? sds[Math.floor(sds.length / 20)] : 0;
    edges.worst = sds.length ? sds[sds.length - 1] : 0;
    const seen = new Map();
    for (const e of edges) {
      const key = Math.min(e.i, e.j) + " " + Math.max(e.i, e.j), before = seen.get(key) || 0;
      e.bend = before * 0.15 * (e.i < e.j ? 1 : -1);
      seen.set(key, before + 1);
      e.group = shape("g", { class: "link", "data-edge": nodes[e.i].name + " -> " + nodes[e.j].name });
      e.group.append(shape("path", { class: "edge" }), shape("path", { class: "hit" }));
      if (e.findings.length) {
        const mark = shape("text", { class: "mark", dy: "0.35em" });
        mark.textContent = "!";
        e.group.append(mark);
      }
      e.group.thing = e;
    }
    nodes.forEach((n) => { n.edges = []; n.card = null; });
    for (const e of edges) { nodes[e.i].edges.push(e); if (e.i !== e.j) nodes[e.j].edges.push(e); }
    for (const n of nodes) {
      n.group = shape("g", { class: "node", "data-ligand": n.name, "aria-label": n.name });
      // beyond this many a reader who tabs would never come to the end
      if (nodes.length <= 150) n.group.setAttribute("tabindex", "0");
      const label = shape("text", { class: "name", y: RADIUS, dy: "1.15em" });
      label.textContent = n.name;
      n.group.append(shape("circle", { r: RADIUS }), label);
      n.group.thing = n;
      placeNode(n);
    }
    edges.forEach(placeEdge);
    roomy = Cards.threshold(nodes);
    at("edges").replaceChildren(...edges.map((e) => e.group));
    at("nodes").replaceChildren(...nodes.map((n) => n.group));
    paint();
    select(null);
    fit();
  };

  const paint = () => {
    scale = makeScale(mode, nodes, edges);
    for (const n of nodes) {
      const colour = nodeColour(n), circle = n.group.firstChild;
      circle.setAttribute("class", colour ? "" : "empty");
      circle.style.fill = colour || "var(--paper)";
      if (n.card) n.card.firstChild.style.stroke = colour || "var(--soft)";
      n.group.dataset.status = n.status;
    }
    for (const e of edges) {
      const line = e.group.firstChild;
      line.style.stroke = edgeColour(e);
      line.style.strokeWidth = edgeWidth(e) + "px";
      line.style.strokeDasharray = DASHES[statusOf(e)];
      e.group.dataset.status = e.status;
    }
    drawLegend();
  };

  // --- legend ------------------------------------------------------------------------------------
  const dash = (status, width, colour) => {
    const box = shape("svg", { width: 34, height: 10 });
    const line = shape("line", { x1: 2, x2: 32, y1: 5, y2: 5 });
    line.style.stroke = colour; line.style.strokeWidth = width + "px"; line.style.strokeDasharray = DASHES[status];
    box.append(line);
    return box;
  };
  const dot = (colour) => {
    const box = shape("svg", { width: 12, height: 12 }), circle = shape("circle", { cx: 6, cy: 6, r: 5 });
    circle.style.fill = colour;
    box.append(circle);
    return box;
  };
  const row = (...children) => element("div", { class: "row" }, ...children);

  const drawLegend = () => {
    const legend = at("legend"), parts = [];
    const colour = mode === "status";
    if (!colour) {
      parts.push(element("p", {}, scale.title));
      if (scale.empty) parts.push(row("none yet"));
      else {
        const bar = element("div", { class: "bar" });
        bar.style.background = `linear-gradient(90deg, ${scale.stops.join(", ")})`;
        const middle = scale.around ? element("span", {}, "0") : null;
        parts.push(bar, element("div", { class: "ends" }, element("span", {}, number(scale.low)), middle, element("span", {}, number(scale.high))));
      }
      if (scale.says) parts.push(element("div", { class: "ends" }, scale.says));
    } else parts.push(element("p", {}, "Status"));
    const states = element("div", { class: colour ? "" : "widths" });
    for (const status of Object.keys(MEANING)) {
      const n = edges.filter((e) => statusOf(e) === status).length;
      if (!n && !nodes.some((node) => node.status === status)) continue;
      const paintOf = variable(colour ? (status === "declared" ? "complete" : status) : "plain-edge");
      states.append(row(colour ? dot(paintOf) : null, dash(status, 3, paintOf), MEANING[status], element("b", {}, n + (n === 1 ? " edge" : " edges"))));
    }
    parts.push(states);
    if (edges.best > 0) {
      const widths = element("div", { class: "widths" });
      widths.append(row(dash("complete", WIDTHS.most, variable("plain-edge")), "edge ± " + number(edges.best) + " kcal/mol"));
      if (edges.worst > 1.5 * edges.best) widths.append(row(dash("complete", edgeWidth({ uncertainty: edges.worst }), variable("plain-edge")), "edge ± " + number(edges.worst) + " kcal/mol"));
      parts.push(widths);
    }
    const odd = edges.filter((e) => e.findings.length).length;
    if (odd) parts.push(row(element("span", { class: "mark" }, "!"), "flagged", element("b", {}, odd + (odd === 1 ? " edge" : " edges"))));
    legend.replaceChildren(...parts);
  };

  // --- details -----------------------------------------------------------------------------------
  const facts = (rows) => {
    const body = element("tbody");
    for (const [name, value] of rows) if (value !== null && value !== "") body.append(element("tr", {}, element("th", {}, name), element("td", { class: "number" }, value)));
    return element("table", {}, body);
  };
  const chip = (colour) => {
    const made = element("span", { class: "chip" });
    made.style.background = colour || "var(--unknown)";
    return made;
  };
  const known2d = (n) => (known(n.structure) ? data.structures[n.structure] : null);
  const enlarge = (made) => {
    const button = element("button", { type: "button", class: "enlarge", title: "Enlarge" }, made());
    button.addEventListener("click", () => { at("large").replaceChildren(made()); at("large").showModal(); });
    return button;
  };
  const structureOf = (n) => (known2d(n) ? enlarge(() => Molecule.alone(known2d(n), n.name)) : element("p", { class: "nameless" }, "no structure"));
  const pairOf = (e) => {
    const ends = [nodes[e.i], nodes[e.j]];
    if (!ends.every(known2d)) return element("p", { class: "nameless" }, "no structures");
    return enlarge(() => {
      const { svgs, used } = Molecule.pair(...ends.map(known2d), e.mapping, ends.map((n) => n.name));
      const figures = svgs.map((svg, k) => element("figure", {}, svg, element("figcaption", {}, ends[k].name)));
      const key = element("p", { class: "key" });
      if (used.has("alone")) key.append(element("span", { class: "alone" }), "only in this ligand");
      if (used.has("changed")) key.append(element("span", { class: "changed" }), "other element");
      const told = e.atoms ? `${e.atoms[0]} atoms mapped, ${e.atoms[1]} only in ${ends[0].name}, ${e.atoms[2]} only in ${ends[1].name}` : "no atom mapping is stored";
      key.append(element("div", {}, told));
      return element("div", { class: "pair" }, ...figures, key);
    });
  };
  const clickable = (row, thing) => {
    row.classList.add("go");
    row.addEventListener("click", () => { select(thing); reveal(thing); });
    return row;
  };

  const ligandDetails = (n) => {
    const around = element("tbody");
    for (const e of n.edges) {
      const other = nodes[e.i] === n ? nodes[e.j] : nodes[e.i];
      const arrow = nodes[e.i] === n ? "→ " : "← ";
      around.append(clickable(element("tr", {}, element("td", {}, chip(variable(e.status)), arrow + other.name), element("td", { class: "number" }, known(e.value) ? pair(e.value, e.uncertainty) : MEANING[e.status])), e));
    }
    const scaleSays = n.absolute ? "estimate" : "estimate (mean zero)";
    return [
      element("h2", {}, n.name), structureOf(n),
      facts([
        [scaleSays, pair(n.value, n.uncertainty)],
        ["experiment", known(n.experiment) ? pair(n.experiment, n.experiment_uncertainty) : "none"],
        ["estimate − experiment", number(n.residual)],
        ["status", MEANING[n.status]],
      ]),
      element("h3", {}, `${n.edges.length} ${n.edges.length === 1 ? "edge" : "edges"}`), element("table", {}, around),
      ...n.notes.map((note) => element("p", {}, note)),
    ];
  };
  const tasks = (leg) => {
    const counted = [["n_running", "running"], ["n_waiting", "waiting"], ["n_complete", "complete"], ["n_error", "error"]];
    return counted.filter(([name]) => leg[name]).map(([name, word]) => `${leg[name]} ${word}`).join(", ") || "no Tasks";
  };
  const edgeDetails = (e) => {
    const a = nodes[e.i], b = nodes[e.j], parts = [
      element("h2", {}, `${a.name} → ${b.name}`), pairOf(e),
      facts([
        ["ΔΔG of the edge", pair(e.value, e.uncertainty)],
        ["of the network", known(e.value) && known(e.residual) ? number(e.value - e.residual) : ""],
        ["residual", number(e.residual)],
        ["experiment", known(e.experiment) ? number(e.experiment) : "none"],
        ["status", MEANING[statusOf(e)]],
      ]),
    ];
    parts.push(...e.findings.map((says) => element("p", { class: "finding" }, says)));
    for (const leg of e.legs) {
      parts.push(element("h3", {}, leg.phase === "other" ? "leg" : leg.phase), facts([
        [`${leg.from} → ${leg.to}`, leg.state === "error" || leg.state === "no estimate" ? leg.state : pair(leg.value, leg.uncertainty)],
        ["results", `${leg.n_results}` + (leg.n_failed ? `, ${leg.n_failed} failed` : "")],
        ["Tasks", tasks(leg)],
      ]), leg.name ? element("p", {}, leg.name) : null, leg.key ? element("p", {}, leg.key) : null, leg.note ? element("p", {}, leg.note) : null);
    }
    if (e.note) parts.push(element("h3", {}, "notes"), element("p", {}, e.note));
    return parts;
  };
  const agreement = () => {
    const points = nodes.filter((n) => known(n.value) && known(n.experiment)).map((n) => ({ name: n.name, x: n.experiment, y: n.value, thing: n }));
    if (!kind.performance || points.length < 2) return [];
    const told = ["RMSE", "MUE"].map((name) => [name, kind.performance[name]]).filter(([, found]) => found);
    const rows = told.map(([name, [value, low, high]]) => [name + " (kcal/mol)", number(value) + (known(low) && known(high) ? ` (95 %: ${number(low)} to ${number(high)})` : "")]);
    return [facts([...rows, ["ligands with experiment", String(points.length)]]), Scatter.draw(points, nodeColour, (n) => { select(n); reveal(n); })];
  };
  const overview = () => {
    const order = (n) => (known(n.value) ? n.value : Infinity);
    const sorted = [...nodes].sort((a, b) => order(a) - order(b) || a.name.localeCompare(b.name));
    const measured = nodes.some((n) => known(n.experiment));
    const body = element("tbody", {}, element("tr", {}, element("th", {}, "ligand"), element("th", { class: "number" }, "estimate"), measured ? element("th", { class: "number" }, "experiment") : null));
    for (const n of sorted) {
      body.append(clickable(element("tr", {}, element("td", {}, chip(nodeColour(n)), n.name),
        element("td", { class: "number" }, known(n.value) ? pair(n.value, n.uncertainty) : MEANING[n.status] === "complete" ? "none yet" : MEANING[n.status]),
        measured ? element("td", { class: "number" }, number(n.experiment)) : null), n));
    }
    const findings = kind.findings.map((finding) => {
      const said = element("p", { class: "finding" }, finding.description);
      return finding.edges.length ? clickable(said, edges[finding.edges[0]]) : said;
    });
    return [
      element("h2", {}, `${nodes.length} ligands, ${edges.length} edges`), ...agreement(),
      element("p", {}, "kcal/mol, lowest first. Hover over a ligand or an edge for details; click to keep them."), ...data.notes.map((note) => element("p", {}, note)), element("table", {}, body),
      findings.length ? element("h3", {}, "findings") : null, ...findings,
    ];
  };

  let shown;
  const show = (thing, again = true) => {
    if (!again && thing === shown) return;
    shown = thing;
    const parts = thing === null ? overview() : thing.edges ? ligandDetails(thing) : edgeDetails(thing);
    at("details").replaceChildren(...parts.filter((part) => part !== null));
  };
  const select = (thing) => {
    for (const lit of world.querySelectorAll(".lit")) lit.classList.remove("lit");
    selected = thing;
    if (thing !== null) {
      thing.group.classList.add("lit");
      const ends = thing.edges ? thing.edges.flatMap((e) => [nodes[e.i], nodes[e.j]]) : [nodes[thing.i], nodes[thing.j]];
      ends.forEach((n) => n.group.classList.add("lit"));
      if (!thing.edges) thing.group.parentNode.append(thing.group);
    }
    show(thing);
  };

  // --- moving about ------------------------------------------------------------------------------
  const move = () => {
    world.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.k})`);
    world.style.setProperty("--zoom", view.k);
    world.classList.toggle("named", view.k >= 42);
    world.classList.toggle("far", view.k < 18);
    if (!asked) { asked = true; requestAnimationFrame(showCards); }
  };
  const showCards = () => {
    asked = false;
    Cards.update(nodes, view, roomy, drawing.getBoundingClientRect(), world, known2d, nodeColour);
  };
  const fit = () => {
    const box = drawing.getBoundingClientRect(), xs = nodes.map((n) => n.x), ys = nodes.map((n) => n.y);
    const low = (values) => values.reduce((a, b) => Math.min(a, b)), high = (values) => values.reduce((a, b) => Math.max(a, b));
    const [x0, x1, y0, y1] = [low(xs) - 0.6, high(xs) + 0.6, low(ys) - 0.6, high(ys) + 0.6];
    view.k = Math.min(box.width / (x1 - x0), box.height / (y1 - y0), 210) || 1;
    view.x = box.width / 2 - (view.k * (x0 + x1)) / 2;
    view.y = box.height / 2 - (view.k * (y0 + y1)) / 2;
    move();
  };
  const zoom = (factor, x, y) => {
    const k = Math.min(Math.max(view.k * factor, 2), 600), part = k / view.k;
    view.x = x - (x - view.x) * part; view.y = y - (y - view.y) * part; view.k = k;
    move();
  };
  const reveal = (thing) => {
    const box = drawing.getBoundingClientRect();
    const [x, y] = thing.edges ? [thing.x, thing.y] : [(nodes[thing.i].x + nodes[thing.j].x) / 2, (nodes[thing.i].y + nodes[thing.j].y) / 2];
    view.k = Math.max(view.k, 60);
    view.x = box.width / 2 - view.k * x; view.y = box.height / 2 - view.k * y;
    move();
  };
  const thingAt = (event) => { const group = event.target.closest(".node, .link"); return group ? group.thing : null; };

  let held = null;
  drawing.addEventListener("pointerdown", (event) => {
    const thing = thingAt(event);
    held = { thing: thing && thing.edges ? thing : null, clicked: thing, x: event.clientX, y: event.clientY, far: false };
    drawing.setPointerCapture(event.pointerId);
  });
  drawing.addEventListener("pointermove", (event) => {
    if (!held) { if (selected === null) show(thingAt(event), false); return; }
    const dx = event.clientX - held.x, dy = event.clientY - held.y;
    if (!held.far && Math.hypot(dx, dy) < 4) return;
    held.far = true; held.x = event.clientX; held.y = event.clientY;
    drawing.classList.add("moving");
    if (held.thing) {
      held.thing.x += dx / view.k; held.thing.y += dy / view.k;
      placeNode(held.thing); held.thing.edges.forEach(placeEdge);
    } else { view.x += dx; view.y += dy; move(); }
  });
  const letGo = (event) => {
    if (held && !held.far && event.type === "pointerup") select(held.clicked);
    held = null;
    drawing.classList.remove("moving");
  };
  drawing.addEventListener("pointerup", letGo);
  drawing.addEventListener("pointercancel", letGo);
  drawing.addEventListener("pointerleave", () => { if (!held && selected === null) show(null, false); });
  drawing.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = drawing.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });
  const zoomMiddle = (factor) => { const box = drawing.getBoundingClientRect(); zoom(factor, box.width / 2, box.height / 2); };
  drawing.addEventListener("focusin", (event) => { const thing = thingAt(event); if (thing && !held) select(thing); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { at("search").value = ""; find(); select(null); }
  });

  // --- controls ----------------------------------------------------------------------------------
  const find = () => {
    const text = at("search").value.trim().toLowerCase();
    const found = text ? nodes.filter((n) => n.name.toLowerCase().includes(text)) : nodes;
    const kept = new Set(found);
    for (const n of nodes) n.group.classList.toggle("faded", !kept.has(n));
    for (const e of edges) e.group.classList.toggle("faded", Boolean(text) && !(kept.has(nodes[e.i]) || kept.has(nodes[e.j])));
    at("search").classList.toggle("missed", Boolean(text) && !found.length);
    return text ? found : [];
  };
  at("search").addEventListener("input", () => { const found = find(); if (found.length === 1) { select(found[0]); reveal(found[0]); } });
  at("search").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    const found = find(), exact = found.find((n) => n.name.toLowerCase() === at("search").value.trim().toLowerCase());
    if (found.length) { select(exact || found[0]); reveal(exact || found[0]); }
  });
  at("colour").value = mode;
  at("colour").addEventListener("change", () => { mode = at("colour").value; paint(); if (selected === null) show(null); });
  at("fit").addEventListener("click", fit);
  at("closer").addEventListener("click", () => zoomMiddle(1.4));
  at("farther").addEventListener("click", () => zoomMiddle(1 / 1.4));
  at("large").addEventListener("click", () => at("large").close());
  at("theme").addEventListener("click", () => {
    const root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = root.dataset.theme || (dark ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
  });
  data.kinds.forEach((one, k) => at("kind").append(element("option", { value: k }, one.kind)));
  at("kind-label").hidden = data.kinds.length < 2;
  at("kind").addEventListener("change", () => { kind = data.kinds[at("kind").value]; build(); find(); });
  at("name").textContent = data.name;
  at("about").textContent = [data.scope, data.network, data.as_of ? "estimates of " + data.as_of : "no estimates yet"].filter(Boolean).join(" · ");
  kind = data.kinds[0];
  build();
  let width = drawing.clientWidth;
  new ResizeObserver(() => { if (drawing.clientWidth !== width) { width = drawing.clientWidth; fit(); } }).observe(drawing);
})();

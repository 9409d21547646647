// Estimate against experiment: x = y dotted, bands of 0.5 and 1 kcal/mol, the worst points named.
const Scatter = (() => {
  const SVG = "http://www.w3.org/2000/svg", SIDE = 300, LEFT = 34, BOTTOM = 34, TOP = 6, MOST_NAMED = 3;
  const shape = (tag, attributes = {}, text = null) => {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== null) made.textContent = text;
    return made;
  };
  const step = (range) => [0.5, 1, 2, 5, 10, 20, 50].find((size) => range / size <= 6) || 100;
  const places = { right: [8, 4, "start"], left: [-8, 4, "end"], up: [0, -9, "middle"], down: [0, 17, "middle"] };

  // name the points farthest from x = y, where a name covers neither another nor a point
  const name = (drawn, points) => {
    const taken = points.map((p) => [p.x - 4, p.y - 4, p.x + 4, p.y + 4]);
    const worst = [...points].sort((a, b) => Math.abs(b.off) - Math.abs(a.off)).slice(0, MOST_NAMED);
    for (const p of worst) {
      const width = 6.2 * p.name.length + 2;
      for (const [dx, dy, anchor] of Object.values(places)) {
        const x0 = p.x + dx - (anchor === "end" ? width : anchor === "middle" ? width / 2 : 0);
        const own = [x0, p.y + dy - 10, x0 + width, p.y + dy + 3];
        const inside = own[0] > LEFT && own[2] < SIDE && own[1] > TOP && own[3] < SIDE - BOTTOM;
        if (!inside || taken.some((t) => own[0] < t[2] && own[2] > t[0] && own[1] < t[3] && own[3] > t[1])) continue;
        drawn.append(shape("text", { class: "named", x: p.x + dx, y: p.y + dy, "text-anchor": anchor }, p.name));
        taken.push(own);
        break;
      }
    }
  };

  // points: name, x (experiment), y (estimate), thing; colour and choose are functions of thing
  const draw = (given, colour, choose) => {
    const values = given.flatMap((p) => [p.x, p.y]), low = Math.min(...values) - 0.7, high = Math.max(...values) + 0.7;
    const across = (v) => LEFT + ((v - low) / (high - low)) * (SIDE - LEFT - 6);
    const up = (v) => SIDE - BOTTOM - ((v - low) / (high - low)) * (SIDE - BOTTOM - TOP);
    const drawn = shape("svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, class: "scatter", role: "img", "aria-label": "estimate against experiment" });
    // an svg of its own cuts off what goes beyond the frame
    const frame = shape("svg", { x: LEFT, y: TOP, width: SIDE - LEFT - 6, height: SIDE - BOTTOM - TOP });
    for (const width of [1, 0.5]) {
      const corners = [[low, low - width], [high, high - width], [high, high + width], [low, low + width]];
      frame.append(shape("polygon", { class: "band", points: corners.map(([x, y]) => `${across(x) - LEFT},${up(y) - TOP}`).join(" ") }));
    }
    drawn.append(frame);
    drawn.append(shape("path", { class: "same", d: `M${across(low)} ${up(low)}L${across(high)} ${up(high)}` }));
    drawn.append(shape("path", { class: "axes", d: `M${LEFT} ${TOP}V${SIDE - BOTTOM}H${SIDE - 6}` }));
    const every = step(high - low);
    for (let v = Math.ceil(low / every) * every; v <= high; v += every) {
      const text = String(Math.round(v * 10) / 10).replace("-", "−");
      drawn.append(shape("path", { class: "axes", d: `M${across(v)} ${SIDE - BOTTOM}v3M${LEFT} ${up(v)}h-3` }));
      drawn.append(shape("text", { class: "tick", x: across(v), y: SIDE - BOTTOM + 13, "text-anchor": "middle" }, text));
      drawn.append(shape("text", { class: "tick", x: LEFT - 5, y: up(v) + 3, "text-anchor": "end" }, text));
    }
    const middle = (LEFT + SIDE) / 2, half = (SIDE - BOTTOM) / 2;
    drawn.append(shape("text", { class: "tick", x: middle, y: SIDE - 5, "text-anchor": "middle" }, "experiment (kcal/mol)"));
    drawn.append(shape("text", { class: "tick", x: 10, y: half, "text-anchor": "middle", transform: `rotate(-90 10 ${half})` }, "estimate (kcal/mol)"));
    const points = given.map((p) => ({ ...p, x: across(p.x), y: up(p.y), off: p.y - p.x }));
    for (const p of points) {
      const dot = shape("circle", { class: "point", cx: p.x, cy: p.y, r: 4, "data-ligand": p.name });
      dot.style.fill = colour(p.thing) || "var(--unknown)";
      dot.append(shape("title", {}, `${p.name}: ${p.off < 0 ? "−" : "+"}${Math.abs(p.off).toFixed(2)} kcal/mol from experiment`));
      dot.addEventListener("click", () => choose(p.thing));
      drawn.append(dot);
    }
    name(drawn, points);
    return drawn;
  };
  return { draw };
})();

// Structures of the ligands in sight, once there is room for them.
const Cards = (() => {
  const { shape } = Basics;
  // pixels, but for part (of an edge)
  const WIDTH = 220, HEIGHT = 150, PART = 0.62, LEAST = 84, MOST = 190, AT_ONCE = 120, LATEST = 300;

  const draw = (structure, colour) => {
    const made = shape("g", { class: "card" }), [x, y, width, height] = Molecule.box(Molecule.places(structure));
    const k = Math.min(WIDTH / width, HEIGHT / height, 0.5), molecule = Molecule.draw(structure);
    molecule.setAttribute("transform", `scale(${k}) translate(${-x - width / 2} ${-y - height / 2})`);
    const rim = shape("rect", { x: -WIDTH / 2, y: -HEIGHT / 2, width: WIDTH, height: HEIGHT, rx: 10 });
    rim.style.stroke = colour;
    made.append(rim, molecule);
    return made;
  };
  // pixels per edge from which most cards and names do not cover their neighbour's
  const threshold = (nodes) => {
    const apart = (n, m) => Math.max(Math.abs(n.x - m.x), 1.1 * Math.abs(n.y - m.y)) / LEAST;
    const nearest = nodes.map((n) => nodes.reduce((least, m) => (m === n ? least : Math.min(least, apart(n, m))), Infinity));
    const near = nearest.filter(Number.isFinite).sort((a, b) => a - b);
    return near.length ? Math.min(1 / near[Math.floor(near.length / 6)], LATEST) : LEAST;
  };
  // show what is in sight, remove what is not; of very many only some
  const update = (nodes, view, from, box, world, structureOf, colourOf) => {
    world.style.setProperty("--card", Math.min(Math.max(PART * view.k, LEAST), MOST) / WIDTH / view.k);
    let left = view.k >= from ? AT_ONCE : 0;
    for (const n of nodes) {
      const x = view.x + view.k * n.x, y = view.y + view.k * n.y, structure = left > 0 ? structureOf(n) : null;
      const seen = structure && x > -MOST && y > -MOST && x < box.width + MOST && y < box.height + MOST;
      if (seen) left -= 1;
      if (seen && !n.card) { n.card = draw(structure, colourOf(n) || "var(--soft)"); n.group.insertBefore(n.card, n.group.children[1]); }
      else if (!seen && n.card) { n.card.remove(); n.card = null; }
      n.group.classList.toggle("carded", Boolean(seen));
    }
  };
  return { threshold, update };
})();

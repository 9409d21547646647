// Structures: lines for bonds, letters for atoms that are not plain carbon. Colours are the style's.
const Molecule = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  // a bond is 100 long
  const SIZE = 46, GAP = 15, LETTER = 33, MARGIN = 46;
  const SINGLE = 1, DOUBLE = 2, TRIPLE = 3, WEDGE = 4, HASH = 5, WAVY = 6, LEFT = 7, RIGHT = 8;
  const FLIPPED = { [WEDGE]: HASH, [HASH]: WEDGE, [LEFT]: RIGHT, [RIGHT]: LEFT };
  const SUB = "₀₁₂₃₄₅₆₇₈₉", SUPER = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  const digits = (n, set) => String(n).replace(/\d/g, (d) => set[d]);

  const shape = (tag, attributes = {}) => {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const places = (structure) => {
    const found = [];
    for (let k = 0; k < structure.xy.length; k += 2) found.push([structure.xy[k], structure.xy[k + 1]]);
    return found;
  };
  const letters = (structure) => new Map(structure.atoms.map(([atom, ...label]) => [atom, label]));
  const bondsOf = (structure) => {
    const found = [];
    for (let k = 0; k < structure.bonds.length; k += 3) found.push(structure.bonds.slice(k, k + 3));
    return found;
  };

  // --- letters -----------------------------------------------------------------------------------
  const SIDES = { right: [1, 0], left: [-1, 0], down: [0, 1], up: [0, -1] };
  const freeSide = (at, neighbours) => {
    const nearest = ([x, y]) => neighbours.reduce((most, [nx, ny]) => Math.max(most, ((nx - at[0]) * x + (ny - at[1]) * y) / (Math.hypot(nx - at[0], ny - at[1]) || 1)), -1);
    const level = ["right", "left"].find((side) => nearest(SIDES[side]) < 0.6);
    return level || (nearest(SIDES.up) < nearest(SIDES.down) ? "up" : "down");
  };
  const charged = (charge) => (charge ? (Math.abs(charge) > 1 ? digits(Math.abs(charge), SUPER) : "") + (charge > 0 ? "⁺" : "⁻") : "");
  const letter = (drawn, at, [symbol, hydrogens, charge], neighbours) => {
    const element = symbol.replace(/^\d+/, ""), isotope = symbol.slice(0, symbol.length - element.length);
    const group = shape("g", { class: "letter " + element });
    const write = (text, x, y, anchor) => {
      const one = shape("text", { x, y, dy: "0.36em", "text-anchor": anchor, "font-size": SIZE });
      one.textContent = text;
      group.append(one);
    };
    const half = SIZE * 0.36 * element.length, side = hydrogens ? freeSide(at, neighbours) : "right";
    const hydro = hydrogens ? "H" + (hydrogens > 1 ? digits(hydrogens, SUB) : "") : "";
    write(element, at[0], at[1], "middle");
    if (isotope) write(digits(isotope, SUPER), at[0] - half, at[1], "end");
    if (side === "right") { if (hydro || charge) write(hydro + charged(charge), at[0] + half, at[1], "start"); }
    else {
      if (side === "left") write(hydro, at[0] - half, at[1], "end");
      else write(hydro, at[0], at[1] + (side === "down" ? 0.86 : -0.86) * SIZE, "middle");
      if (charge) write(charged(charge), at[0] + half, at[1], "start");
    }
    drawn.append(group);
  };

  // --- bonds -------------------------------------------------------------------------------------
  const line = ([x0, y0], [x1, y1]) => `M${x0.toFixed(1)} ${y0.toFixed(1)}L${x1.toFixed(1)} ${y1.toFixed(1)}`;
  const bondPath = (a, b, kind, cutA, cutB) => {
    const length = Math.hypot(b[0] - a[0], b[1] - a[1]) || 1, ux = (b[0] - a[0]) / length, uy = (b[1] - a[1]) / length;
    const point = (along, across) => [a[0] + ux * along - uy * across, a[1] + uy * along + ux * across];
    const from = cutA, to = length - cutB, beside = (across, short = 0) => line(point(from + short, across), point(to - short, across));
    if (kind === DOUBLE) return ["lines", beside(GAP / 2) + beside(-GAP / 2)];
    // y points down on paper, so that what was left is at the other side of it
    if (kind === LEFT || kind === RIGHT) return ["lines", beside(0) + beside(kind === LEFT ? -GAP : GAP, 11)];
    if (kind === TRIPLE) return ["lines", beside(0) + beside(GAP * 0.8) + beside(-GAP * 0.8)];
    if (kind === WEDGE) {
      const [tip, l, r] = [point(from, 0), point(to, 11), point(to, -11)];
      return ["wedges", `M${tip[0]} ${tip[1]}L${l[0]} ${l[1]}L${r[0]} ${r[1]}Z`];
    }
    if (kind === HASH) {
      const steps = [0.1, 0.27, 0.44, 0.61, 0.78, 0.95].map((part) => [from + (to - from) * part, 11 * part]);
      return ["lines", steps.map(([along, w]) => line(point(along, w), point(along, -w))).join("")];
    }
    if (kind === WAVY) {
      const steps = [1, 2, 3, 4, 5, 6].map((k) => point(from + ((to - from) * k) / 6, 0).map((v) => v.toFixed(1)).join(" "));
      const bends = [1, 2, 3, 4, 5, 6].map((k) => point(from + ((to - from) * (k - 0.5)) / 6, k % 2 ? 16 : -16).map((v) => v.toFixed(1)).join(" "));
      return ["lines", `M${point(from, 0).join(" ")}` + steps.map((end, k) => `Q${bends[k]} ${end}`).join("")];
    }
    return ["lines", beside(0)];
  };

  // draw a structure; `marks` gives atoms a class, `at` other places
  const draw = (structure, { marks = new Map(), at = places(structure), mirrored = false } = {}) => {
    const drawn = shape("g", { class: "molecule" }), named = letters(structure), around = at.map(() => []), bonds = bondsOf(structure);
    const paths = { lines: "", wedges: "" };
    for (const [a, b] of bonds) { around[a].push(at[b]); around[b].push(at[a]); }
    for (const [a, b] of bonds) {
      if (!marks.get(a) || marks.get(a) !== marks.get(b)) continue;
      drawn.append(shape("path", { class: "halo " + marks.get(a), d: line(at[a], at[b]) }));
    }
    for (const [atom, name] of marks) drawn.append(shape("circle", { class: "halo " + name, cx: at[atom][0], cy: at[atom][1], r: 30 }));
    for (const [a, b, kind] of bonds) {
      const [where, d] = bondPath(at[a], at[b], (mirrored && FLIPPED[kind]) || kind, named.has(a) ? LETTER : 0, named.has(b) ? LETTER : 0);
      paths[where] += d;
    }
    for (const [name, d] of Object.entries(paths)) if (d) drawn.append(shape("path", { class: name, d }));
    for (const [atom, label] of named) letter(drawn, at[atom], label, around[atom]);
    return drawn;
  };
  const box = (...sets) => {
    const xs = sets.flat().map(([x]) => x), ys = sets.flat().map(([, y]) => y);
    const [x0, y0] = [Math.min(...xs) - MARGIN, Math.min(...ys) - MARGIN];
    return [x0, y0, Math.max(...xs) + MARGIN - x0, Math.max(...ys) + MARGIN - y0];
  };
  const paper = (drawn, view, label) => {
    const svg = shape("svg", { viewBox: view.map((v) => v.toFixed(0)).join(" "), class: "structure", role: "img", "aria-label": label });
    svg.append(drawn);
    return svg;
  };

  // --- two of them -------------------------------------------------------------------------------
  // turn, and mirror if need be, the second so that shared atoms lie as in the first
  const aligned = (first, second, pairs) => {
    if (pairs.length < 2) return { at: second, mirrored: false };
    const mean = (points) => [0, 1].map((axis) => points.reduce((sum, p) => sum + p[axis], 0) / points.length);
    const there = mean(pairs.map(([a]) => first[a])), here = mean(pairs.map(([, b]) => second[b]));
    const sums = (sign) => {
      let c = 0, s = 0;
      for (const [a, b] of pairs) {
        const ax = first[a][0] - there[0], ay = first[a][1] - there[1], bx = sign * (second[b][0] - here[0]), by = second[b][1] - here[1];
        c += ax * bx + ay * by; s += ay * bx - ax * by;
      }
      return [c, s];
    };
    const plain = sums(1), flipped = sums(-1), mirrored = Math.hypot(...flipped) > 1.02 * Math.hypot(...plain);
    const [c, s] = mirrored ? flipped : plain, size = Math.hypot(c, s) || 1, sign = mirrored ? -1 : 1;
    const at = second.map(([x, y]) => {
      const bx = sign * (x - here[0]), by = y - here[1];
      return [there[0] + (c * bx - s * by) / size, there[1] + (s * bx + c * by) / size];
    });
    return { at, mirrored };
  };
  // atoms without a partner, and those whose partner is another element (-1: a hydrogen that is not drawn)
  const marksOf = (structure, other, own, pairs) => {
    const symbol = (one, atom) => (letters(one).get(atom) || ["C"])[0];
    const partner = new Map(pairs.map((p) => [p[own], p[1 - own]])), marks = new Map();
    for (let atom = 0; atom < structure.xy.length / 2; atom++) {
      if (!partner.has(atom)) marks.set(atom, "alone");
      else if (partner.get(atom) < 0 || symbol(structure, atom) !== symbol(other, partner.get(atom))) marks.set(atom, "changed");
    }
    return marks;
  };
  const pair = (first, second, mapping, names) => {
    const pairs = [];
    for (let k = 0; mapping && k < mapping.length; k += 2) pairs.push([mapping[k], mapping[k + 1]]);
    const at = places(first), other = aligned(at, places(second), pairs.filter(([a, b]) => a >= 0 && b >= 0)), view = box(at, other.at);
    const marks = [[first, second, 0], [second, first, 1]].map(([one, two, own]) => (mapping ? marksOf(one, two, own, pairs) : new Map()));
    const svgs = [paper(draw(first, { marks: marks[0], at }), view, "structure of " + names[0]), paper(draw(second, { marks: marks[1], ...other }), view, "structure of " + names[1])];
    const used = new Set(marks.flatMap((one) => [...one.values()]));
    return { svgs, used };
  };
  const alone = (structure, name) => paper(draw(structure), box(places(structure)), "structure of " + name);
  return { alone, pair, draw, box, places };
})();

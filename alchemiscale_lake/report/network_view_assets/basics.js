"use strict";
// What every part of the page uses: elements, numbers as people read them, colours of quantities.
const Basics = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  // viridis, and a blue to orange through grey: both are told apart without red and green
  const SEQUENTIAL = ["#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"];
  const DIVERGING = ["#1b5fa8", "#5b9bd0", "#a9c8e2", "#d5d5d5", "#f2bf85", "#e08a2e", "#a85200"];
  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  };
  const shape = (tag, attributes = {}) => {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const known = (value) => value !== null && value !== undefined;
  const number = (value) => (known(value) ? value.toFixed(2).replace(/^-0\.00$/, "0.00").replace("-", "−") : "");
  const pair = (value, error) =>
    known(value) ? number(value) + (known(error) ? " ± " + (error < 0.005 && error > 0 ? "<0.01" : number(error)) : "") : "none yet";
  const variable = (name) => `var(--${name})`;


  // --- colours -----------------------------------------------------------------------------------
  const quantities = {
    estimate: { title: "Estimate (kcal/mol)", node: (n) => n.value },
    uncertainty: { title: "Uncertainty (kcal/mol)", node: (n) => n.uncertainty, edge: (e) => e.uncertainty },
    residual: {
      title: "Residual (kcal/mol)", node: (n) => n.residual, edge: (e) => e.residual, around: true,
      says: "ligands: estimate minus experiment; edges: edge minus network",
    },
    experiment: { title: "Experiment (kcal/mol)", node: (n) => n.experiment },
  };

  const mix = (stops, part) => {
    const place = Math.min(Math.max(part, 0), 1) * (stops.length - 1), low = Math.min(Math.floor(place), stops.length - 2);
    const [a, b] = [stops[low], stops[low + 1]].map((hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16)));
    const channels = a.map((value, k) => Math.round(value + (b[k] - value) * (place - low)));
    return "#" + channels.map((value) => value.toString(16).padStart(2, "0")).join("");
  };

  const makeScale = (mode, nodes, edges) => {
    const quantity = quantities[mode];
    if (!quantity) return null;
    const values = nodes.map((n) => quantity.node(n)).concat(quantity.edge ? edges.map((e) => quantity.edge(e)) : []).filter(known);
    if (!values.length) return { ...quantity, empty: true, colour: () => null };
    let low = values.reduce((a, b) => Math.min(a, b)), high = values.reduce((a, b) => Math.max(a, b));
    if (quantity.around) { high = Math.max(Math.abs(low), Math.abs(high), 0.01); low = -high; }
    if (mode === "uncertainty") low = 0;
    const stops = quantity.around ? DIVERGING : SEQUENTIAL;
    return { ...quantity, low, high, stops, colour: (v) => (known(v) ? mix(stops, high > low ? (v - low) / (high - low) : 0.5) : null) };
  };

  return { element, shape, known, number, pair, variable, makeScale };
})();

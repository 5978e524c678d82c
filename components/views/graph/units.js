// What is drawn as one box: single operations, or a whole line or module folded up. Pure, tested with `node --test`.

export const MOST = 300; // boxes drawn at once

/** The group a node folds into: a turn of its line or its module (level 1), the line whatever the turn (level 2); "" for none. */
export function groupOf(node, level) {
  if (level === 2 && /^\d+:\d+$/.test(node.group)) return node.group.split(":")[0] + ":";
  return node.group;
}

/** Groups of at least two nodes: name → indices in order. */
export function groups(nodes, level) {
  const found = new Map();
  nodes.forEach((node, i) => {
    const name = groupOf(node, level);
    if (!name) return;
    if (!found.has(name)) found.set(name, []);
    found.get(name).push(i);
  });
  for (const [name, members] of found) if (members.length < 2) found.delete(name);
  return found;
}

/** The level at which everything folded fits: 1, or 2 when loops ran so often that even their lines are too many. */
export function levelFor(nodes) {
  const folded = nodes.length - [...groups(nodes, 1).values()].reduce((s, m) => s + m.length - 1, 0);
  return folded > MOST ? 2 : 1;
}

/**
 * The boxes to draw, when the groups in `folded` are folded: [{group, members}], each member index in one of them,
 * and the edges between boxes [{from, to, tracked, of: [edge numbers]}].
 */
export function units(nodes, edges, folded, level) {
  const all = groups(nodes, level);
  const boxes = [];
  const boxOf = new Int32Array(nodes.length).fill(-1);
  nodes.forEach((node, i) => {
    if (boxOf[i] >= 0) return;
    const name = groupOf(node, level);
    const members = folded.has(name) && all.has(name) ? all.get(name) : [i];
    members.forEach((m) => (boxOf[m] = boxes.length));
    boxes.push({ group: members.length > 1 ? name : "", members });
  });
  const between = new Map();
  edges.forEach(([from, to, , slot], e) => {
    const [a, b] = [boxOf[from], boxOf[to]];
    if (a === b) return;
    const key = `${a}>${b}`;
    if (!between.has(key)) between.set(key, { from: a, to: b, tracked: false, of: [] });
    const edge = between.get(key);
    edge.of.push(e);
    edge.tracked ||= slot >= 0;
  });
  return { boxes, boxOf, edges: [...between.values()] };
}

/** The member of a folded box whose value leaves it last; its value and gradient stand for the box. */
export function outlet(box, edges) {
  const inside = new Set(box.members);
  const leaving = edges.filter(([from, to]) => inside.has(from) && !inside.has(to)).map(([from]) => from);
  return leaving.length ? Math.max(...leaving) : box.members[box.members.length - 1];
}

/** Per node: the step that runs it (or -1), and the steps that send it a gradient, in order. */
export function schedule(nodes, steps) {
  const runs = new Int32Array(nodes.length).fill(-1);
  const arrivals = nodes.map(() => []);
  steps.forEach((step, k) => {
    if (step.vertex >= 0) runs[step.vertex] = k;
    for (const out of step.outgoing) if (out.grad !== null && out.target >= 0) arrivals[out.target].push(k);
  });
  return { runs, arrivals };
}

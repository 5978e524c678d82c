// Laws of the graph view's pure functions. Runs in Node (tests/test_views_graph.py) and in the browser (tests/browser/test_autograd.py).

let failures;

function equal(found, wanted, what) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) failures.push(`${what}: ${a} is not ${b}`);
}

function holds(truth, what) {
  if (!truth) failures.push(what);
}

/** What is broken, as sentences; `load(path)` imports a module of components/views. */
export async function broken(load) {
  failures = [];
  const { acyclic, crossings, layout, ranks } = await load("graph/layout.js");
  const u = await load("graph/units.js");
  const size = { width: 100, height: 40, gapX: 20, gapY: 10 };

  equal(acyclic(3, [[0, 1], [1, 2], [2, 0]]), [[0, 1], [1, 2], [0, 2]], "a cycle is opened at its last edge");
  equal(acyclic(1, [[0, 0]]), [null], "a loop onto itself has no direction");
  equal(Array.from(ranks(4, [[0, 1], [1, 2], [3, 2]])), [0, 1, 2, 1], "a source stands right before its first use");
  equal(crossings([[0, 1], [2, 3]], [[3], [2], [], []]), 1, "two crossed edges");
  equal(crossings([[0, 1], [2, 3]], [[2], [3], [], []]), 0, "two parallel edges");

  const chain = layout(3, [[0, 1], [1, 2]], size);
  equal(Array.from(chain.x), [50, 170, 290], "a chain runs to the right");
  equal(new Set(chain.y).size, 1, "a chain is straight");
  equal([chain.width, chain.height], [340, 40], "a chain's size");

  let seed = 7;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  for (const count of [1, 2, 30, 300]) {
    const edges = [];
    for (let b = 1; b < count; b++) for (let k = 0; k < 2; k++) edges.push([Math.floor(random() * b), b]);
    const start = Date.now();
    const made = layout(count, edges, size);
    holds(Date.now() - start < 3000, `${count} boxes are laid out in time`);
    for (const [a, b] of edges) holds(made.x[a] < made.x[b], `edge ${a} → ${b} of ${count} runs to the right`);
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < i; j++) {
        const apart = Math.abs(made.x[i] - made.x[j]) >= 100 || Math.abs(made.y[i] - made.y[j]) >= 40;
        holds(apart, `boxes ${i} and ${j} of ${count} do not overlap`);
      }
      holds(made.y[i] >= 19.9 && made.y[i] <= made.height - 19.9, `box ${i} of ${count} is inside`);
    }
    made.paths.forEach((path, e) => {
      holds(Math.abs(path[0][0] - made.x[edges[e][0]] - 50) < 1e-6, "an edge starts at the right side");
      holds(Math.abs(path[path.length - 1][0] - made.x[edges[e][1]] + 50) < 1e-6, "an edge ends at the left side");
    });
  }
  const cycle = layout(3, [[0, 1], [1, 2], [2, 0]], size);
  holds(cycle.paths.length === 3 && cycle.x[0] < cycle.x[2], "a cycle is laid out too");

  const node = (group) => ({ group });
  const nodes = [node(""), node("3:1"), node("3:1"), node("3:2"), node("3:2"), node("4:1"), node("m:layer1")];
  const edges = [[0, 1, 0, 0], [1, 2, 0, 0], [2, 3, 0, 0], [3, 4, 0, 0], [4, 5, 0, 0], [0, 5, 0, -1]];
  equal([...u.groups(nodes, 1)], [["3:1", [1, 2]], ["3:2", [3, 4]]], "a group has at least two nodes");
  equal([...u.groups(nodes, 2)], [["3:", [1, 2, 3, 4]]], "level 2 folds the turns of a loop");
  const open = u.units(nodes, edges, new Set(), 1);
  equal(open.boxes.length, 7, "nothing folded: one box per node");
  const half = u.units(nodes, edges, new Set(["3:1"]), 1);
  equal(half.boxes.map((b) => b.members), [[0], [1, 2], [3], [4], [5], [6]], "one line folded");
  equal(half.edges.map((e) => [e.from, e.to, e.tracked]), [[0, 1, true], [1, 2, true], [2, 3, true], [3, 4, true], [0, 4, false]], "edges inside a box vanish");
  equal(u.outlet(half.boxes[1], edges), 2, "the box shows what leaves it");
  const all = u.units(nodes, edges, new Set(u.groups(nodes, 2).keys()), 2);
  equal(all.boxes.length, 4, "everything folded");
  equal(u.levelFor(Array.from({ length: 1000 }, (_, i) => node(`2:${i >> 1}`))), 2, "a loop of 500 turns folds into its line");
  equal(u.levelFor(nodes), 1, "a short loop keeps its turns");

  const steps = [{ vertex: 5, outgoing: [{ target: 4, grad: 1 }] }, { vertex: 4, outgoing: [{ target: 3, grad: 1 }, { target: 0, grad: null }] }];
  const plan = u.schedule(nodes, steps);
  equal(Array.from(plan.runs), [-1, -1, -1, -1, 1, 0, -1], "when each node runs");
  equal(plan.arrivals.map((a) => a.length), [0, 0, 0, 1, 1, 0, 0], "a missing gradient does not arrive");
  return failures;
}

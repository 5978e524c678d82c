// A line of Python in pieces: words of the language, comments and texts, and everything else.

const WORDS = new Set(
  ("and as assert async await break class continue def del elif else except finally for from global if import in is " +
    "lambda not or pass raise return try while with yield None True False").split(" "),
);
const PIECE = /#.*|[a-z]?"(?:\\.|[^"\\])*"|[a-z]?'(?:\\.|[^'\\])*'|[A-Za-z_][A-Za-z_0-9]*|[^A-Za-z_"'#]+|./g;

/** [kind, text] of each piece, kind "" | "key" | "quiet"; the texts together are the line. */
export function pieces(line) {
  const found = [];
  for (const [text] of line.matchAll(PIECE)) {
    const kind = WORDS.has(text) ? "key" : text[0] === "#" || text.endsWith('"""') || /^[a-z]?"""/.test(line.trim()) ? "quiet" : "";
    const last = found.at(-1);
    if (last && last[0] === kind) last[1] += text;
    else found.push([kind, text]);
  }
  return found;
}

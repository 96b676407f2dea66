// @ts-check
/** Where two hearings of the same speech differ, word by word. Texts in, pieces out; nothing is shown here. */

/** @typedef {{text: string, differs: boolean}} Piece */

const LIMIT_WORDS = 400; // beyond, the whole text counts as different: no line of speech is so long

/**
 * The pieces of a text, in order, each with its spaces, and whether the other text lacks it there.
 *
 * @param {string} text
 * @param {string} other
 * @returns {Piece[]} joined, they are the text
 */
export function findDifference(text, other) {
  const [ours, theirs] = [text, other].map((one) => one.match(/\s*\S+\s*/gu) ?? []);
  if (ours === undefined || theirs === undefined || Math.max(ours.length, theirs.length) > LIMIT_WORDS) {
    return [{ text, differs: true }];
  }
  const common = measureCommon(ours.map(plain), theirs.map(plain));
  /** @type {Piece[]} */
  const pieces = [];
  let place = 0;
  for (const [index, word] of ours.entries()) {
    const [here, skipped] = [row(common, index), row(common, index + 1)];
    while (place < theirs.length && here[place] === here[place + 1]) place += 1; // the other's own words
    const differs = place >= theirs.length || here[place] === skipped[place];
    if (!differs) place += 1;
    const last = pieces.at(-1);
    if (last?.differs === differs) last.text += word;
    else pieces.push({ text: word, differs });
  }
  return pieces;
}

/** @param {string} word @returns {string} the word alone: case and punctuation are the speech model's */
function plain(word) {
  const bare = word.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
  return bare || word.trim();
}

/**
 * @param {readonly string[]} ours @param {readonly string[]} theirs
 * @returns {number[][]} how many words the two have in common, in order, from each pair of places on
 */
function measureCommon(ours, theirs) {
  const common = Array.from({ length: ours.length + 1 }, () => /** @type {number[]} */ (Array(theirs.length + 1).fill(0)));
  for (let one = ours.length - 1; one >= 0; one -= 1) {
    for (let other = theirs.length - 1; other >= 0; other -= 1) {
      const [here, below] = [row(common, one), row(common, one + 1)];
      const same = ours[one] === theirs[other];
      here[other] = same ? (below[other + 1] ?? 0) + 1 : Math.max(below[other] ?? 0, here[other + 1] ?? 0);
    }
  }
  return common;
}

/** @param {number[][]} rows @param {number} index @returns {number[]} */
function row(rows, index) {
  return /** @type {number[]} */ (rows[index]);
}

/** English articles before the names of emoji: "a red apple", "an eggplant", "grapes". */

/** Names without an article that no rule below recognises: substances, activities, notices. */
const bare = new Set([
  "badminton", "bowling", "camping", "field hockey", "horse racing", "ice hockey", "lacrosse", "ping pong", "performing arts", "tennis",
  "bacon", "bread", "broccoli", "butter", "candy", "cooked rice", "cooking", "curry rice", "custard", "dango", "fish cake with swirl",
  "garlic", "ginger root", "ice", "leafy green", "mate", "oden", "popcorn", "poultry leg", "sake", "salt", "shaved ice",
  "spaghetti", "sushi",
  "building construction", "collision", "construction", "dashing away", "dizzy", "fog", "foggy", "landslide", "mount fuji", "rain",
  "sunrise", "sunset",
  "baggage claim", "copyright", "customs", "high voltage", "infinity", "information", "left luggage", "litter in bin sign", "luggage",
  "passport control", "registered",
  "dna", "flower playing cards", "jeans", "money", "soap", "thread", "wood", "yarn",
]);

/** First words that stand without an article. */
const bareFirst = new Set([
  "two", "double", "people", "clinking", "keycap", "input", "sunrise", "cityscape", "night", "no",
]);

const preposition = / (?:with|in|on|of|at|without|behind|over|and|from|showing|facing|for|being) /;

/** A name with "a" or "an" where English wants one. */
export function withArticle(name: string): string {
  const first = name.split(" ")[0].toLowerCase();
  const head = name.split(preposition)[0].split(" ").at(-1)!.toLowerCase();
  const plural = head.endsWith("s") && !/(ss|us|is)$/.test(head) && head !== "lens";
  const proper = !/^\p{Ll}/u.test(name);
  if (bare.has(name.toLowerCase()) || plural || proper || bareFirst.has(first)) return name;
  return `${/^([aeio]|u(?!ni|se))/.test(first) ? "an" : "a"} ${name}`;
}

/** A loss curve as an SVG picture. */

/** One line or set of dots of the curve. */
export interface CurvePoint {
  /** Optimizer steps over all stages. */
  readonly step: number;
  readonly loss: number;
}

export interface Curve {
  readonly title: string;
  readonly training: readonly CurvePoint[];
  /** Losses of held-out samples. */
  readonly heldOut: readonly CurvePoint[];
  /** Steps before each stage, with its name. */
  readonly stages: readonly { readonly step: number; readonly name: string }[];
}

const WIDTH = 720;
const HEIGHT = 360;
const MARGIN = { left: 56, right: 24, top: 36, bottom: 44 };
/** Most points that a line is drawn with; neighbours are averaged beyond. */
const POINTS = 600;

/** The curve: losses of the steps thin, their running mean (over a fiftieth of the run) thick, held-out losses as dots. Lines break between stages. */
export function drawCurve({ title, training, heldOut, stages }: Curve): string {
  const all = [...training, ...heldOut];
  const lastStep = all.reduce((most, { step }) => Math.max(most, step), 1);
  const top = niceCeiling(all.reduce((most, { loss }) => Math.max(most, loss), 0));
  const x = (step: number) => round(MARGIN.left + (step / lastStep) * (WIDTH - MARGIN.left - MARGIN.right));
  const y = (loss: number) => round(HEIGHT - MARGIN.bottom - (loss / top) * (HEIGHT - MARGIN.top - MARGIN.bottom));
  const borders = [-Infinity, ...stages.slice(1).map(({ step }) => step), Infinity];
  const parts = borders.slice(1).map((end, i) => training.filter(({ step }) => step > borders[i]! && step <= end)).filter(({ length }) => length > 0);
  const lines = (curve: (part: readonly CurvePoint[]) => readonly CurvePoint[], style: string) => parts.map((part) => {
    const points = thinned(curve(part), training.length).map(({ step, loss }) => `${x(step)},${y(loss)}`);
    return `<polyline points="${points.join(" ")}" ${style}/>`;
  });

  const rows = [0, 0.25, 0.5, 0.75, 1].map((share) => share * top).map((loss) =>
    `<path class="grid" d="M${MARGIN.left} ${y(loss)}H${WIDTH - MARGIN.right}"/><text x="${MARGIN.left - 8}" y="${y(loss) + 4}" text-anchor="end">${Number(loss.toPrecision(3))}</text>`);
  const columns = [0, 0.25, 0.5, 0.75, 1].map((share) => Math.round(share * lastStep)).map((step) =>
    `<text x="${x(step)}" y="${HEIGHT - MARGIN.bottom + 18}" text-anchor="middle">${step}</text>`);
  const shelves = shelve(stages.map(({ step, name }) => ({ from: x(step), to: x(step) + 8 + 7 * name.length })));
  const marks = stages.map(({ step, name }, i) =>
    `<path class="stage" d="M${x(step)} ${MARGIN.top}V${HEIGHT - MARGIN.bottom}"/><text x="${x(step) + 4}" y="${MARGIN.top + 12 + 15 * shelves[i]!}">${escaped(name)}</text>`);
  const dots = heldOut.map(({ step, loss }) => `<circle cx="${x(step)}" cy="${y(loss)}" r="3.5"/>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#333">
<style>.grid{stroke:#ddd}.stage{stroke:#999;stroke-dasharray:4 3}polyline{fill:none}circle{fill:#d1495b}</style>
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
<text x="${MARGIN.left}" y="20" font-size="14">${escaped(title)}</text>
${[...rows, ...columns, ...marks].join("\n")}
<text x="${WIDTH / 2}" y="${HEIGHT - 8}" text-anchor="middle">optimizer steps; line: training loss and its running mean, dots: held-out loss</text>
${lines((part) => part, 'stroke="#9ecae1"').join("\n")}
${lines((part) => smoothed(part, training.length), 'stroke="#2166ac" stroke-width="2"').join("\n")}
${dots.join("\n")}
</svg>
`;
}

/** Exponential running mean over about a fiftieth of `all` points; the first ones weigh no more than those after them. */
function smoothed(points: readonly CurvePoint[], all: number): CurvePoint[] {
  const share = 1 / Math.max(1, all / 50);
  let [sum, weight] = [0, 0];
  return points.map(({ step, loss }) => {
    sum += share * (loss - sum);
    weight += share * (1 - weight);
    return { step, loss: sum / weight };
  });
}

function thinned(points: readonly CurvePoint[], all: number): CurvePoint[] {
  const size = Math.max(1, Math.ceil(all / POINTS));
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const group = points.slice(i * size, (i + 1) * size);
    return { step: group.at(-1)!.step, loss: group.reduce((sum, { loss }) => sum + loss, 0) / group.length };
  });
}

/** Shelves for labels from left to right, so that none lies over another: each on the highest one that is free. */
function shelve(labels: readonly { readonly from: number; readonly to: number }[]): number[] {
  const ends: number[] = [];
  return labels.map(({ from, to }) => {
    const free = ends.findIndex((end) => end <= from);
    const shelf = free < 0 ? ends.length : free;
    ends[shelf] = to;
    return shelf;
  });
}

/** The smallest of 1, 2, 5, 10, ... times a power of ten that is not below. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value || 1));
  return power * ([1, 2, 5].find((factor) => factor * power >= value) ?? 10);
}

const round = (value: number): number => Math.round(value * 10) / 10;

function escaped(words: string): string {
  return words.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}

import type { Call, Graph, Node } from "./graph.ts";
import { isTensor, type Tensor } from "./tensor.ts";

/** Storage offsets are multiples of this many bytes: the largest `minStorageBufferOffsetAlignment` WebGPU allows. */
const ALIGNMENT = 256;

/** Where a value lies. */
export interface Place {
  readonly arena: number;
  readonly offset: number;
  readonly bytes: number;
}

/** The live part of a graph and where its values go. */
export interface Plan {
  readonly nodes: readonly Node[];
  readonly calls: readonly Call[];
  readonly places: ReadonlyMap<Tensor, Place>;
  /** Bytes of every arena. */
  readonly arenas: readonly number[];
}

/**
 * Drops what no output needs and gives every computed value a range of an arena for as long as it lives.
 *
 * WebGPU forbids that a dispatch reads and writes one buffer, even at disjoint ranges. So a value is never placed in an
 * arena that holds an input of the call that writes it; two or three arenas result.
 *
 * @param arenaLimit largest size of an arena in bytes (the adapter's `maxBufferSize`)
 */
export function plan(graph: Graph, outputs: Iterable<Tensor>, arenaLimit: number): Plan {
  const kept = new Set(outputs);
  const nodes = liveNodes(graph, kept);
  const calls = nodes.flatMap((node) => node.calls);

  const lastUse = new Map<Tensor, number>();
  calls.forEach((call, i) => {
    for (const operand of [...Object.values(call.read), ...Object.values(call.write)]) {
      if (isTensor(operand)) lastUse.set(operand, kept.has(operand) ? calls.length : i);
    }
  });

  const places = new Map<Tensor, Place>();
  const arenas: Arena[] = [];
  calls.forEach((call, i) => {
    const read = Object.values(call.read).filter(isTensor);
    const forbidden = new Set(read.map((tensor) => places.get(tensor)?.arena));
    for (const tensor of Object.values(call.write).filter(isTensor)) {
      if (places.has(tensor)) continue;
      places.set(tensor, place(arenas, tensor.size * 4, forbidden, arenaLimit));
    }
    for (const tensor of new Set([...read, ...Object.values(call.write).filter(isTensor)])) {
      const spot = places.get(tensor);
      if (spot && lastUse.get(tensor) === i) arenas[spot.arena]!.release(spot.offset, spot.bytes);
    }
  });
  return { nodes, calls, places, arenas: arenas.map(({ size }) => size) };
}

/** Nodes that an output or a write to resident data depends on, in trace order. */
function liveNodes(graph: Graph, outputs: ReadonlySet<Tensor>): Node[] {
  const needed = new Set(outputs);
  const live: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    const writesResident = node.calls.some((call) => Object.values(call.write).some((operand) => !isTensor(operand)));
    if (!writesResident && !node.outputs.some((output) => needed.has(output))) continue;
    live.push(node);
    for (const call of node.calls) for (const operand of Object.values(call.read)) if (isTensor(operand)) needed.add(operand);
  }
  return live.toReversed();
}

function place(arenas: Arena[], bytes: number, forbidden: ReadonlySet<number | undefined>, limit: number): Place {
  const padded = Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);
  const allowed = arenas.map((arena, index) => ({ arena, index })).filter(({ index }) => !forbidden.has(index));
  const fitting = allowed
    .map(({ arena, index }) => ({ index, growth: arena.growthFor(padded) }))
    .filter(({ index, growth }) => arenas[index]!.size + growth <= limit)
    .sort((a, b) => a.growth - b.growth)[0];
  const index = fitting?.index ?? arenas.push(new Arena()) - 1;
  return { arena: index, offset: arenas[index]!.take(padded), bytes: padded };
}

interface Gap {
  offset: number;
  bytes: number;
}

/** Hands out ranges of bytes: the smallest gap that fits, else new space at the end. */
class Arena {
  size = 0;
  /** Free ranges in ascending order, never adjacent. */
  #gaps: Gap[] = [];

  /** How much larger the arena would become. */
  growthFor(bytes: number): number {
    if (this.#gaps.some((gap) => gap.bytes >= bytes)) return 0;
    const last = this.#gaps.at(-1);
    return bytes - (last && last.offset + last.bytes === this.size ? last.bytes : 0);
  }

  take(bytes: number): number {
    const growth = this.growthFor(bytes);
    if (growth > 0) {
      this.release(this.size, growth);
      this.size += growth;
    }
    const gap = this.#gaps.filter((gap) => gap.bytes >= bytes).sort((a, b) => a.bytes - b.bytes)[0]!;
    const { offset } = gap;
    gap.offset += bytes;
    gap.bytes -= bytes;
    if (gap.bytes === 0) this.#gaps.splice(this.#gaps.indexOf(gap), 1);
    return offset;
  }

  release(offset: number, bytes: number): void {
    const next = this.#gaps.findIndex((gap) => gap.offset > offset);
    const at = next < 0 ? this.#gaps.length : next;
    this.#gaps.splice(at, 0, { offset, bytes });
    const merged: Gap[] = [];
    for (const gap of this.#gaps) {
      const previous = merged.at(-1);
      if (previous && previous.offset + previous.bytes === gap.offset) previous.bytes += gap.bytes;
      else merged.push(gap);
    }
    this.#gaps = merged;
  }
}

import type { Call, Graph, Node } from "./graph.ts";
import { isTensor, type Operand, type Tensor } from "./tensor.ts";

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
 * WebGPU forbids that a dispatch reads and writes one buffer, even at disjoint ranges. So two values of which a call reads
 * one and writes the other never share an arena; two or three arenas result.
 *
 * @param arenaLimit largest size of an arena in bytes (the adapter's `maxBufferSize`)
 */
export function plan(graph: Graph, outputs: Iterable<Tensor>, arenaLimit: number): Plan {
  const kept = new Set([...outputs].map(({ root }) => root));
  const nodes = liveNodes(graph, kept);
  const calls = nodes.flatMap((node) => node.calls);

  const lastUse = new Map<Tensor, number>();
  const apart = new Map<Tensor, Set<Tensor>>();
  calls.forEach((call, i) => {
    const [read, written] = [roots(call.read), roots(call.write)];
    for (const tensor of [...read, ...written]) lastUse.set(tensor, kept.has(tensor) ? calls.length : i);
    for (const [one, others] of [...read.map((r) => [r, written] as const), ...written.map((w) => [w, read] as const)]) {
      const set = apart.get(one) ?? new Set();
      apart.set(one, set);
      for (const other of others) set.add(other);
    }
  });

  const places = new Map<Tensor, Place>();
  const arenas: Arena[] = [];
  calls.forEach((call, i) => {
    for (const tensor of roots(call.write)) {
      if (places.has(tensor)) continue;
      const forbidden = new Set([...apart.get(tensor)!].map((other) => places.get(other)?.arena));
      places.set(tensor, place(arenas, tensor.size * 4, forbidden, arenaLimit));
    }
    for (const tensor of new Set([...roots(call.read), ...roots(call.write)])) {
      const spot = places.get(tensor);
      if (spot && lastUse.get(tensor) === i) arenas[spot.arena]!.release(spot.offset, spot.bytes);
    }
  });
  return { nodes, calls, places, arenas: arenas.map(({ size }) => size) };
}

/** The values among some operands, views resolved. */
function roots(operands: Readonly<Record<string, Operand>>): Tensor[] {
  return Object.values(operands).flatMap((operand) => (isTensor(operand) ? [operand.root] : []));
}

/** Nodes that an output or a write to resident data depends on, in trace order. */
function liveNodes(graph: Graph, outputs: ReadonlySet<Tensor>): Node[] {
  const needed = new Set(outputs);
  const live: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    const writesResident = node.calls.some((call) => Object.values(call.write).some((operand) => !isTensor(operand)));
    if (!writesResident && !node.outputs.some((output) => needed.has(output.root))) continue;
    live.push(node);
    for (const call of node.calls) for (const tensor of roots(call.read)) needed.add(tensor);
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

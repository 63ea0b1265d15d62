import type { Program } from "./program.ts";

/** A program with what its users know about it. */
interface Entry {
  readonly program: Pick<Program, "bytes" | "dispose">;
}

/** Compiled programs by what they were compiled for: those used last are kept, the others disposed of. */
export class ProgramCache<T extends Entry> {
  readonly #kept = new Map<string, Promise<T>>();

  constructor(
    /** Programs that are kept at most. */
    private readonly limit = 16,
  ) {}

  /** The program of this key, compiled if it is not kept. What `compile` throws is not kept either. */
  get(key: string, compile: () => Promise<T>): Promise<T> {
    const entry = this.#kept.get(key) ?? this.#add(key, compile());
    // A map keeps the order in which keys came: this one is the youngest now.
    this.#kept.delete(key);
    this.#kept.set(key, entry);
    if (this.#kept.size > this.limit) {
      const [oldest, old] = this.#kept.entries().next().value!;
      this.#kept.delete(oldest);
      void disposeOf([old]);
    }
    return entry;
  }

  /** Bytes of the buffers of all kept programs, without the arenas that they have in common. */
  async bytes(): Promise<number> {
    const entries = await Promise.all(this.#kept.values());
    return entries.reduce((sum, { program }) => sum + program.bytes, 0);
  }

  /** Frees all programs. Those that are asked for later are compiled anew. */
  async clear(): Promise<void> {
    const entries = [...this.#kept.values()];
    this.#kept.clear();
    await disposeOf(entries);
  }

  #add(key: string, entry: Promise<T>): Promise<T> {
    entry.catch(() => {
      if (this.#kept.get(key) === entry) this.#kept.delete(key);
    });
    return entry;
  }
}

async function disposeOf(entries: readonly Promise<Entry>[]): Promise<void> {
  for (const result of await Promise.allSettled(entries)) if (result.status === "fulfilled") result.value.program.dispose();
}

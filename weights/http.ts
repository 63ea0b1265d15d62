import { reason, WeightError } from "./error.ts";
import { blobSource, newRange, tooShort } from "./source.ts";
import type { ByteSource } from "./source.ts";

/** A server that ignores ranges is accepted for files up to this many bytes: they are read whole. */
const wholeFileBytes = 64 * 2 ** 20;

// Compressed answers would make sizes and ranges those of the compressed bytes. Browsers set this header by themselves.
const plain = { "accept-encoding": "identity" };

/**
 * A file behind HTTP as a source: each read is one `Range` request (RFC 9110, section 14).
 *
 * The first request asks for one byte, and the answer tells the size. A server that ignores `Range` will do for a file
 * of up to 64 MiB, which is then kept in memory.
 *
 * @throws WeightError naming address and status if the file cannot be had; `signal.reason` if aborted.
 */
export async function httpSource(url: string | URL, signal?: AbortSignal): Promise<ByteSource> {
  const address = new URL(url);
  const name = nameOf(address);
  const response = await request(address, { headers: { ...plain, range: "bytes=0-0" }, signal });
  if (isMissing(response)) {
    await discard(response);
    throw new WeightError(`there is no file ${name} (status ${response.status})`, { file: name, got: response.status });
  }
  if (response.status === 200) {
    // Content-Length, where there is one, spares reading 64 MiB in vain.
    if (Number(response.headers.get("content-length") ?? 0) > wholeFileBytes) {
      await discard(response);
      throw ignoresRange(name);
    }
    const bytes = await readBody(response, name, wholeFileBytes, () => ignoresRange(name), signal);
    return blobSource(new Blob([bytes]), name);
  }
  await discard(response);
  if (response.status !== 206 && response.status !== 416) throw badStatus(name, response.status);
  // Across origins Content-Range is visible only if the server exposes it; the Content-Length of HEAD always is.
  const size = totalSize(response) ?? (await headSize(address, name, signal));
  return new HttpSource(address, name, size);
}

class HttpSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #url: URL;
  #closed = false;

  constructor(url: URL, name: string, size: number) {
    this.#url = url;
    this.name = name;
    this.size = size;
  }

  async read(start: number, end: number, signal?: AbortSignal): Promise<Uint8Array> {
    const { name, size } = this;
    if (this.#closed) throw new WeightError(`${name} is closed, so it cannot be read`, { file: name });
    signal?.throwIfAborted();
    const bytes = newRange(name, size, start, end);
    if (start === end) return bytes;

    const response = await request(this.#url, { headers: { ...plain, range: `bytes=${start}-${end - 1}` }, signal });
    const problem = this.#problemWith(response, start);
    if (problem !== undefined) {
      await discard(response);
      throw problem;
    }
    let done = 0;
    for await (const chunk of chunksOf(response, name, signal)) {
      if (chunk.length > bytes.length - done) {
        throw new WeightError(`${name}: expected ${bytes.length} bytes for a range, got more`, { file: name });
      }
      bytes.set(chunk, done);
      done += chunk.length;
    }
    if (done < bytes.length) throw tooShort(name, bytes.length, done);
    return bytes;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #problemWith(response: Response, start: number): WeightError | undefined {
    const { name, size } = this;
    if (response.status === 200) return ignoresRange(name);
    if (response.status !== 206) return badStatus(name, response.status);
    const range = response.headers.get("content-range");
    const total = totalSize(response) ?? size;
    if (total !== size) {
      return new WeightError(`${name} changed while it was read: expected ${size} bytes, got ${total}; load it again`, {
        file: name,
        expected: size,
        got: total,
      });
    }
    if (range !== null && !range.startsWith(`bytes ${start}-`)) {
      return new WeightError(`${name}: asked for bytes from ${start}, got "${range}"`, {
        file: name,
        expected: start,
        got: range,
      });
    }
    return undefined;
  }
}

/**
 * All bytes of a file behind HTTP, at most `limit`; undefined if the server says that there is no such file.
 *
 * A page of HTML counts as "no such file": servers of single-page applications answer every unknown path with one.
 */
export async function httpBytes(url: URL, limit: number, signal?: AbortSignal): Promise<Uint8Array | undefined> {
  const name = nameOf(url);
  const response = await request(url, { signal });
  if (isMissing(response)) {
    await discard(response);
    return undefined;
  }
  if (!response.ok) {
    await discard(response);
    throw badStatus(name, response.status);
  }
  const tooLong = (): WeightError =>
    new WeightError(`${name}: expected at most ${limit} bytes, got more`, { file: name, expected: limit });
  return readBody(response, name, limit, tooLong, signal);
}

/** Whether the server has the file; 403 counts as "no", since some stores answer so for files that are not there. */
export async function httpExists(url: URL, signal?: AbortSignal): Promise<boolean> {
  let response = await request(url, { method: "HEAD", signal });
  if (response.status === 405 || response.status === 501) {
    response = await request(url, { headers: { ...plain, range: "bytes=0-0" }, signal });
    await discard(response);
  }
  if (response.status === 403 || isMissing(response)) return false;
  if (response.ok || response.status === 416) return true;
  throw badStatus(nameOf(url), response.status);
}

/** Address without the query, which may hold a signature or a token, and without credentials. */
function nameOf(url: URL): string {
  return url.origin + url.pathname;
}

function isMissing(response: Response): boolean {
  const isPage = response.ok && (response.headers.get("content-type") ?? "").startsWith("text/html");
  return response.status === 404 || response.status === 410 || isPage;
}

async function request(url: URL, init: RequestInit): Promise<Response> {
  init.signal?.throwIfAborted();
  try {
    return await fetch(url, init);
  } catch (error) {
    init.signal?.throwIfAborted();
    const name = nameOf(url);
    throw new WeightError(`cannot reach ${name}: ${reason(error)}`, { file: name }, { cause: error });
  }
}

/** N of `Content-Range: bytes 0-0/N` or `bytes * /N`. */
function totalSize(response: Response): number | undefined {
  const match = /^bytes (?:\d+-\d+|\*)\/(\d+)$/.exec(response.headers.get("content-range") ?? "");
  return match === null ? undefined : Number(match[1]);
}

async function headSize(url: URL, name: string, signal?: AbortSignal): Promise<number> {
  const response = await request(url, { method: "HEAD", headers: plain, signal });
  if (!response.ok) throw badStatus(name, response.status);
  const length = response.headers.get("content-length");
  if (length !== null && /^\d+$/.test(length)) return Number(length);
  throw new WeightError(`${name}: the server does not tell the size of the file (Content-Range or Content-Length)`, {
    file: name,
  });
}

async function readBody(
  response: Response,
  name: string,
  limit: number,
  tooLong: () => WeightError,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunksOf(response, name, signal)) {
    size += chunk.length;
    if (size > limit) throw tooLong();
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** The body as it comes. Leaving the loop early cancels the transfer. */
async function* chunksOf(response: Response, name: string, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  try {
    while (true) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        signal?.throwIfAborted();
        throw new WeightError(`cannot read ${name}: ${reason(error)}`, { file: name }, { cause: error });
      });
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** Frees the connection of an answer whose body nobody reads. */
async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {});
}

function badStatus(name: string, status: number): WeightError {
  return new WeightError(`cannot read ${name}: the server answered with status ${status}`, { file: name, got: status });
}

function ignoresRange(name: string): WeightError {
  const limit = `${wholeFileBytes / 2 ** 20} MiB`;
  return new WeightError(
    `${name}: the server ignores Range requests, which files above ${limit} need; use another server or a local copy`,
    { file: name, expected: 206, got: 200 },
  );
}

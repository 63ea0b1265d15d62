import { createServer } from "node:http";
import type { RequestListener, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { WeightError } from "./error.ts";
import { httpBytes, httpExists, httpSource } from "./http.ts";

const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i % 256);
let server: Server | undefined;

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
});

async function serve(listener: RequestListener): Promise<URL> {
  const started = (server = createServer(listener));
  await new Promise<void>((resolve) => started.listen(0, "127.0.0.1", resolve));
  return new URL(`http://127.0.0.1:${(started.address() as AddressInfo).port}/model.safetensors?token=secret`);
}

/** A server as it should be, and what it was asked for. */
function ranged(asked: string[] = [], change: { hideRange?: boolean; total?: () => number } = {}): RequestListener {
  return (request, response) => {
    asked.push(`${request.method} ${request.headers.range ?? "whole"}`);
    const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    const total = change.total?.() ?? bytes.length;
    if (match === null) {
      response.writeHead(200, { "content-length": bytes.length }).end(request.method === "HEAD" ? undefined : bytes);
      return;
    }
    const [start, end] = [Number(match[1]), Math.min(Number(match[2]) + 1, bytes.length)];
    const range = { "content-range": `bytes ${start}-${end - 1}/${total}` };
    response.writeHead(206, change.hideRange ? {} : range).end(bytes.subarray(start, end));
  };
}

describe("httpSource", () => {
  it("reads exactly the ranges asked for", async () => {
    const asked: string[] = [];
    const url = await serve(ranged(asked));
    const source = await httpSource(url);
    expect(source.size).toBe(1000);
    expect(source.name).toBe(`${url.origin}/model.safetensors`);
    expect(await source.read(250, 260)).toEqual(bytes.slice(250, 260));
    expect(await source.read(5, 5)).toEqual(new Uint8Array(0));
    expect(asked).toEqual(["GET bytes=0-0", "GET bytes=250-259"]);
    await source.close();
    await expect(source.read(0, 1)).rejects.toThrow(/is closed/);
  });

  it("asks HEAD for the size where Content-Range is hidden", async () => {
    const asked: string[] = [];
    const source = await httpSource(await serve(ranged(asked, { hideRange: true })));
    expect(source.size).toBe(1000);
    expect(await source.read(990, 1000)).toEqual(bytes.slice(990));
    expect(asked).toEqual(["GET bytes=0-0", "HEAD whole", "GET bytes=990-999"]);
  });

  it("reads a small file whole if the server ignores ranges", async () => {
    let requests = 0;
    const url = await serve((_, response) => {
      requests++;
      response.end(bytes);
    });
    const source = await httpSource(url);
    expect(await source.read(10, 20)).toEqual(bytes.slice(10, 20));
    expect([source.size, requests]).toEqual([1000, 1]);
  });

  it("refuses a large file if the server ignores ranges, with and without Content-Length", async () => {
    const url = await serve((request, response) => {
      if (request.url!.includes("told")) response.setHeader("content-length", 2 ** 33);
      const megabyte = new Uint8Array(2 ** 20);
      const pour = (): void => {
        while (response.writable && response.write(megabyte));
        response.once("drain", pour);
      };
      pour();
    });
    const message = /the server ignores Range requests, which files above 64 MiB need/;
    await expect(httpSource(new URL("/told", url))).rejects.toThrow(message);
    await expect(httpSource(new URL("/untold", url))).rejects.toThrow(message);
  });

  it("knows an empty file", async () => {
    const url = await serve((_, response) => response.writeHead(416, { "content-range": "bytes */0" }).end());
    const source = await httpSource(url);
    expect([source.size, await source.read(0, 0)]).toEqual([0, new Uint8Array(0)]);
  });

  it.each([401, 403, 500, 503])("names address and status %i, but no token", async (status) => {
    const url = await serve((_, response) => response.writeHead(status).end());
    const error = (await httpSource(url).catch((thrown: unknown) => thrown)) as WeightError;
    expect(error).toBeInstanceOf(WeightError);
    const name = `${url.origin}/model.safetensors`;
    expect(error.message).toBe(`cannot read ${name}: the server answered with status ${status}`);
    expect(error.file).toBe(name);
    expect(error.got).toBe(status);
  });

  it.each([404, 410])("says that there is no file for status %i", async (status) => {
    const url = await serve((_, response) => response.writeHead(status).end());
    await expect(httpSource(url)).rejects.toThrow(/^there is no file http:.*model.safetensors \(status \d+\)$/);
  });

  it("says so when nobody answers", async () => {
    const url = await serve(() => {});
    await new Promise((resolve) => server!.close(resolve));
    server = undefined;
    await expect(httpSource(url)).rejects.toThrow(/^cannot reach http:.*ECONNREFUSED/);
  });

  it("notices that the file changed", async () => {
    let total = 1000;
    const source = await httpSource(await serve(ranged([], { total: () => total })));
    total = 1001;
    await expect(source.read(0, 10)).rejects.toThrow(/changed while it was read: expected 1000 bytes, got 1001/);
  });

  it.each<[string, RegExp, RequestListener]>([
    ["too short", /ended early: expected 10 bytes, got 5/, (_, response) =>
      response.writeHead(206).end(bytes.slice(0, 5))],
    ["too long", /expected 10 bytes for a range, got more/, (_, response) => response.writeHead(206).end(bytes)],
    ["from elsewhere", /asked for bytes from 20, got "bytes 0-9\/1000"/, (_, response) =>
      response.writeHead(206, { "content-range": "bytes 0-9/1000" }).end(bytes.slice(0, 10))],
    ["whole", /ignores Range/, (_, response) => response.end(bytes)],
    ["an error", /status 500/, (_, response) => response.writeHead(500).end()],
    ["cut off", /^cannot read http/, (_, response) => {
      response.writeHead(206, { "content-length": 10 }).write(bytes.slice(0, 3));
      setTimeout(() => response.destroy(), 20);
    }],
  ])("refuses an answer that is %s", async (_, message, answer) => {
    let first = true;
    const url = await serve((request, response) => {
      if (first) ranged()(request, response);
      else answer(request, response);
      first = false;
    });
    const source = await httpSource(url);
    const error = await source.read(20, 30).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(WeightError);
    expect((error as WeightError).message).toMatch(message);
  });

  it("is aborted before, while waiting, and while receiving", async () => {
    await expect(httpSource("http://127.0.0.1:1/x", AbortSignal.abort())).rejects.toMatchObject({ name: "AbortError" });

    const waiting = new AbortController();
    const silent = await serve(() => waiting.abort());
    await expect(httpSource(silent, waiting.signal)).rejects.toMatchObject({ name: "AbortError" });
    server!.closeAllConnections();
    await new Promise((resolve) => server!.close(resolve));

    const receiving = new AbortController();
    const url = await serve((request, response) => {
      if (request.headers.range === "bytes=0-0") return ranged()(request, response);
      response.writeHead(206).write(bytes.slice(0, 3));
      setTimeout(() => receiving.abort(), 20);
    });
    const source = await httpSource(url);
    await expect(source.read(0, 10, receiving.signal)).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("httpExists and httpBytes", () => {
  const site: RequestListener = (request, response) => {
    const path = new URL(request.url!, "http://x").pathname;
    if (path === "/config.json") response.setHeader("content-type", "application/json").end('{"a":1}');
    else if (path === "/app") response.setHeader("content-type", "text/html; charset=utf-8").end("<!doctype html>");
    else if (path === "/no-head") response.writeHead(request.method === "HEAD" ? 405 : 200).end("yes");
    else response.writeHead(Number(path.slice(1))).end();
  };

  it.each([
    ["/config.json", true],
    ["/app", false],
    ["/no-head", true],
    ["/403", false],
    ["/404", false],
    ["/410", false],
  ])("exists %s: %s", async (path, expected) => {
    expect(await httpExists(new URL(path, await serve(site)))).toBe(expected);
  });

  it("passes other answers on as errors", async () => {
    const url = await serve(site);
    await expect(httpExists(new URL("/500", url))).rejects.toThrow(/500: the server answered with status 500/);
    await expect(httpBytes(new URL("/403", url), 100)).rejects.toThrow(/status 403/);
  });

  it("reads whole files up to a limit", async () => {
    const url = await serve(site);
    expect(new TextDecoder().decode(await httpBytes(new URL("/config.json", url), 7))).toBe('{"a":1}');
    expect(await httpBytes(new URL("/404", url), 7)).toBeUndefined();
    expect(await httpBytes(new URL("/app", url), 100)).toBeUndefined();
    await expect(httpBytes(new URL("/config.json", url), 6)).rejects.toThrow(/expected at most 6 bytes, got more/);
  });
});

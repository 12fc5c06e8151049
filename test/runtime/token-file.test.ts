import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fromFile } from "../../src/runtime/token-file.js";
import { FakeClock } from "../support/fake-clock.js";

let folder: string;
let clock: FakeClock;
const path = (name: string) => join(folder, name);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "token-file-"));
  clock = new FakeClock();
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/**
 * Reads the file; whenever the reader waits, `meanwhile` happens and the wait passes. A timer of the
 * fake clock is there only while the reader waits: real reading takes no time of it.
 */
async function read(file: string, meanwhile: () => unknown = () => {}, signal?: AbortSignal) {
  let isSettled = false;
  const context = { signal: signal ?? new AbortController().signal, attempt: 1 };
  const reading = fromFile(
    file,
    clock,
  )(context).finally(() => {
    isSettled = true;
  });
  reading.catch(() => {});
  while (!isSettled) {
    await nextTurn();
    if (clock.pending === 0) continue;
    await meanwhile();
    if (!signal?.aborted) await clock.advance(100);
  }
  return reading;
}

describe("a token file", () => {
  test("is read as it is, without a pause", async () => {
    writeFileSync(path("token"), "a.b.c\r\n");
    await expect(read(path("token"))).resolves.toBe("a.b.c\r\n");
    expect(clock.scheduled).toEqual([]);
  });

  test("is read again with every call", async () => {
    const source = fromFile(path("token"), clock);
    const context = { signal: new AbortController().signal, attempt: 1 };
    for (const text of ["first", "second and longer", "3rd"]) {
      writeFileSync(path("token"), text);
      await expect(source(context)).resolves.toBe(text);
    }
  });

  test("that appears within half a second is read", async () => {
    const waiting = read(path("token"), () => {
      if (clock.scheduled.length === 3) writeFileSync(path("token"), "there");
    });
    await expect(waiting).resolves.toBe("there");
    expect(clock.monotonic()).toBe(300);
  });

  test("that is empty or blank for a moment is read again", async () => {
    writeFileSync(path("token"), "\n");
    await expect(read(path("token"), () => writeFileSync(path("token"), "full"))).resolves.toBe(
      "full",
    );
  });

  test("that does not exist causes an error after half a second", async () => {
    await expect(read(path("token"))).rejects.toMatchObject({ code: "ENOENT" });
    expect(clock.monotonic()).toBe(500);
  });

  test("that stays empty causes an error after half a second", async () => {
    writeFileSync(path("token"), "");
    await expect(read(path("token"))).rejects.toThrow("the file is empty");
    expect(clock.monotonic()).toBe(500);
  });

  test("is not read again after the signal aborts", async () => {
    const controller = new AbortController();
    const reading = read(path("token"), () => controller.abort("closed"), controller.signal);
    await expect(reading).rejects.toBe("closed");
    expect(clock.monotonic()).toBe(0);
  });

  test.each([
    ["a directory", "EISDIR", () => mkdirSync(path("token"))],
    ["a link to itself", "ELOOP", () => symlinkSync("token", path("token"))],
  ])("that is %s causes an error immediately", async (_, code, make) => {
    make();
    await expect(read(path("token"))).rejects.toMatchObject({ code });
    expect(clock.scheduled).toEqual([]);
  });

  test("in a directory that is a file causes an error immediately", async () => {
    writeFileSync(path("file"), "x");
    await expect(read(path("file/token"))).rejects.toMatchObject({ code: "ENOTDIR" });
  });

  test("that is far too long is cut, even in the middle of a character", async () => {
    writeFileSync(path("token"), `x${"é".repeat(100_000)}`);
    expect((await read(path("token"))).length).toBeGreaterThan(20_000);
  });

  test("that is not UTF-8 (UTF-16 of PowerShell, binary) causes an error immediately", async () => {
    for (const bytes of [Buffer.from("\uFEFFeyJ", "utf16le"), Buffer.from([0x80, 0x00])]) {
      writeFileSync(path("token"), bytes);
      await expect(read(path("token"))).rejects.toThrow("the file is not UTF-8 text");
    }
    expect(clock.scheduled).toEqual([]);
  });

  test("of 20 MB is not read to its end", async () => {
    writeFileSync(path("token"), Buffer.alloc(20_000_000, "x"));
    const text = await read(path("token"));
    expect(text.length).toBeGreaterThan(20_000);
    expect(text.length).toBeLessThan(100_000);
  });
});

describe("a token file that the kubelet rotates", () => {
  const rotate = (generation: number) => {
    mkdirSync(path(`..${generation}`));
    writeFileSync(path(`..${generation}/token`), `token-${generation}`);
    symlinkSync(`..${generation}`, path("..data_tmp"));
    renameSync(path("..data_tmp"), path("..data"));
    rmSync(path(`..${generation - 1}`), { recursive: true, force: true });
  };

  test("returns the new token after every rotation", async () => {
    symlinkSync("..data/token", path("token"));
    for (let generation = 1; generation <= 5; generation += 1) {
      rotate(generation);
      await expect(read(path("token"))).resolves.toBe(`token-${generation}`);
    }
  });

  test("returns one whole token during a rotation", async () => {
    symlinkSync("..data/token", path("token"));
    rotate(1);
    let generation = 1;
    for (let round = 0; round < 50; round += 1) {
      const reading = read(path("token"));
      generation += 1;
      rotate(generation);
      expect(await reading).toMatch(/^token-\d+$/);
    }
  });
});

describe("a named pipe for a token file", () => {
  const makePipe = () => execFileSync("mkfifo", [path("token")]);

  test("without a writer causes an error after half a second, and blocks no thread", async () => {
    makePipe();
    // More than Node's pool has threads.
    const readings = Array.from({ length: 8 }, () => read(path("token")));
    await Promise.all(
      readings.map((reading) => expect(reading).rejects.toThrow("the file is empty")),
    );
  });

  test("is read to its end when it is written in pieces", async () => {
    makePipe();
    const keptOpen = await open(path("token"), "r+");
    const writer = await open(path("token"), "w");
    let piece = 0;
    const reading = read(path("token"), async () => {
      piece += 1;
      if (piece <= 3) await writer.write(`piece-${piece}.`);
      if (piece !== 3) return;
      await writer.close();
      await keptOpen.close();
    });
    await expect(reading).resolves.toBe("piece-1.piece-2.piece-3.");
  });

  test("whose writer writes nothing is read until the signal aborts", async () => {
    makePipe();
    const silent = await open(path("token"), "r+");
    const controller = new AbortController();
    const endAfterAWhile = () => clock.monotonic() > 5_000 && controller.abort("time is up");
    await expect(read(path("token"), endAfterAWhile, controller.signal)).rejects.toBe("time is up");
    await silent.close();
  });
});

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
  test("is read as it is, without a wait", async () => {
    writeFileSync(path("token"), "a.b.c\r\n");
    await expect(read(path("token"))).resolves.toBe("a.b.c\r\n");
    expect(clock.scheduled).toEqual([]);
  });

  test("is read anew every time", async () => {
    const source = fromFile(path("token"), clock);
    const context = { signal: new AbortController().signal, attempt: 1 };
    for (const text of ["first", "second and longer", "3rd"]) {
      writeFileSync(path("token"), text);
      await expect(source(context)).resolves.toBe(text);
    }
  });

  test("that appears while it is waited for is read", async () => {
    const waiting = read(path("token"), () => {
      if (clock.scheduled.length === 3) writeFileSync(path("token"), "there");
    });
    await expect(waiting).resolves.toBe("there");
    expect(clock.monotonic()).toBe(300);
  });

  test("that is empty or blank for a moment is waited for", async () => {
    writeFileSync(path("token"), "\n");
    await expect(read(path("token"), () => writeFileSync(path("token"), "full"))).resolves.toBe(
      "full",
    );
  });

  test("that stays away is told after half a second", async () => {
    await expect(read(path("token"))).rejects.toMatchObject({ code: "ENOENT" });
    expect(clock.monotonic()).toBe(500);
  });

  test("that stays empty is told after half a second", async () => {
    writeFileSync(path("token"), "");
    await expect(read(path("token"))).rejects.toThrow("the file is empty");
    expect(clock.monotonic()).toBe(500);
  });

  test("is not waited for by a caller who is gone", async () => {
    const controller = new AbortController();
    const reading = read(path("token"), () => controller.abort("gone"), controller.signal);
    await expect(reading).rejects.toBe("gone");
    expect(clock.monotonic()).toBe(0);
  });

  test.each([
    ["a folder", "EISDIR", () => mkdirSync(path("token"))],
    ["a link to itself", "ELOOP", () => symlinkSync("token", path("token"))],
  ])("that is %s is told at once", async (_, code, make) => {
    make();
    await expect(read(path("token"))).rejects.toMatchObject({ code });
    expect(clock.scheduled).toEqual([]);
  });

  test("in a folder that is a file is told at once", async () => {
    writeFileSync(path("file"), "x");
    await expect(read(path("file/token"))).rejects.toMatchObject({ code: "ENOTDIR" });
  });

  test("that is far too long is cut, in the middle of a letter too", async () => {
    writeFileSync(path("token"), `x${"é".repeat(100_000)}`);
    expect((await read(path("token"))).length).toBeGreaterThan(20_000);
  });

  test("that is no UTF-8 is told at once: UTF-16 of PowerShell, binary", async () => {
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

  test("gives the new token after every turn", async () => {
    symlinkSync("..data/token", path("token"));
    for (let generation = 1; generation <= 5; generation += 1) {
      rotate(generation);
      await expect(read(path("token"))).resolves.toBe(`token-${generation}`);
    }
  });

  test("gives one whole token while it turns", async () => {
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

  test("that nobody writes to is told after half a second, and blocks no thread", async () => {
    makePipe();
    // More than Node's pool has threads.
    const readings = Array.from({ length: 8 }, () => read(path("token")));
    await Promise.all(
      readings.map((reading) => expect(reading).rejects.toThrow("the file is empty")),
    );
  });

  test("gives what comes through it, in pieces", async () => {
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

  test("whose writer says nothing is left when the caller's time is up", async () => {
    makePipe();
    const silent = await open(path("token"), "r+");
    const controller = new AbortController();
    const endAfterAWhile = () => clock.monotonic() > 5_000 && controller.abort("time is up");
    await expect(read(path("token"), endAfterAWhile, controller.signal)).rejects.toBe("time is up");
    await silent.close();
  });
});

import { randomBytes } from "node:crypto";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StoreLease } from "../../src/model/credential-store.js";
import { thisProcess } from "../../src/stores/file-lease.js";
import { fileStore } from "../../src/stores/index.js";
import { defaultDirectory } from "../../src/stores/store-directory.js";
import { someCredentials } from "../support/stored-credentials.js";

const LEASE_MS = 60_000;
const isRoot = process.getuid?.() === 0;

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "file-store-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const newKey = () => randomBytes(32).toString("base64url");
const newDirectory = () => join(folder, newKey(), "store");

async function published(directory: string) {
  const store = fileStore({ directory });
  const key = newKey();
  const lease = await store.claim(key, LEASE_MS);
  if (lease === undefined) throw new Error("the lease is held");
  const value = someCredentials(key);
  await store.publish(value, lease, 900_000);
  await store.release(lease);
  return { store, key, value, file: join(directory, `${key}.credentials.json`) };
}

describe("the directory", () => {
  test("and its files are created for their owner only", async () => {
    const directory = newDirectory();
    await published(directory);
    const names = await readdir(directory);
    expect((await lstat(directory)).mode & 0o777).toBe(0o700);
    expect(names).toHaveLength(2);
    for (const name of names) expect((await lstat(join(directory, name))).mode & 0o777).toBe(0o600);
  });

  test.each([0o750, 0o705, 0o777])("is refused when it is open to others (%o)", async (mode) => {
    const directory = newDirectory();
    const { store, key } = await published(directory);
    await chmod(directory, mode);
    await expect(store.read(key)).rejects.toThrow(/open to other users; run: chmod go-rwx/);
    await expect(store.claim(key, LEASE_MS)).rejects.toThrow(/open to other users/);
  });

  test("is refused when it is a symbolic link", async () => {
    const directory = newDirectory();
    const { key } = await published(directory);
    const link = join(folder, newKey());
    await symlink(directory, link);
    await expect(fileStore({ directory: link }).read(key)).rejects.toThrow(/not a directory/);
    await expect(fileStore({ directory: link }).claim(key, LEASE_MS)).rejects.toThrow();
  });

  test("is refused when it is a file", async () => {
    const directory = join(folder, newKey());
    await writeFile(directory, "");
    await expect(fileStore({ directory }).claim(newKey(), LEASE_MS)).rejects.toThrow();
  });

  test.runIf(isRoot)("is refused when it belongs to another user", async () => {
    const directory = newDirectory();
    const { store, key } = await published(directory);
    const { chown } = await import("node:fs/promises");
    await chown(directory, 65_534, 65_534);
    await expect(store.read(key)).rejects.toThrow(/belongs to another user \(65534, not 0\)/);
  });

  test.each<[string, NodeJS.Platform, Record<string, string>, string]>([
    ["the login session's", "linux", { XDG_RUNTIME_DIR: "/run/u", XDG_CACHE_HOME: "/c" }, "/run/u"],
    ["the cache that is set", "linux", { XDG_CACHE_HOME: "/c", XDG_RUNTIME_DIR: "" }, "/c"],
    ["the cache of Linux", "linux", {}, join(homedir(), ".cache")],
    ["the cache of macOS", "darwin", {}, join(homedir(), "Library", "Caches")],
    ["local data of Windows", "win32", { LOCALAPPDATA: "/local" }, "/local"],
  ])("is %s by default", (_, platform, env, parent) => {
    expect(defaultDirectory(env, platform)).toBe(join(parent, "resilient-sts"));
  });
});

describe("a file", () => {
  test("that is a symbolic link is refused", async () => {
    const { store, key, file } = await published(newDirectory());
    const target = join(folder, newKey());
    await writeFile(target, await readFile(file), { mode: 0o600 });
    await rm(file);
    await symlink(target, file);
    await expect(store.read(key)).rejects.toThrow();
  });

  test("that others can read is refused", async () => {
    const { store, key, file } = await published(newDirectory());
    await chmod(file, 0o644);
    await expect(store.read(key)).rejects.toThrow(/open to other users/);
  });

  test("that is a directory is refused", async () => {
    const { store, key, file } = await published(newDirectory());
    await rm(file);
    await mkdir(file, { mode: 0o700 });
    await expect(store.read(key)).rejects.toThrow();
  });

  test("of another key, or cut at any position, is removed and reported", async () => {
    const directory = newDirectory();
    const { store, key, file } = await published(directory);
    const text = await readFile(file, "utf8");
    const other = newKey();
    await writeFile(join(directory, `${other}.credentials.json`), text, { mode: 0o600 });
    expect(await store.read(other)).toMatchObject({
      problem: expect.stringMatching(/another key/),
    });
    for (let length = 0; length < text.length; length += 7) {
      await writeFile(file, text.slice(0, length), { mode: 0o600 });
      const { credentials, problem } = await store.read(key);
      expect([credentials, typeof problem]).toEqual([undefined, "string"]);
      await expect(lstat(file)).rejects.toThrow(/ENOENT/);
    }
  });

  test("with any JSON in it never causes a wrong value or an unexpected error", async () => {
    const { store, key, file } = await published(newDirectory());
    const whole = JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>;
    const member = fc.constantFrom(...Object.keys(whole.value as object), "fence", "until");
    await fc.assert(
      fc.asyncProperty(member, fc.jsonValue(), async (name, value) => {
        const top = name === "fence" || name === "until";
        const inner = { ...(whole.value as object), ...(top ? {} : { [name]: value }) };
        const record = { ...whole, ...(top ? { [name]: value } : {}), value: inner };
        await writeFile(file, JSON.stringify(record), { mode: 0o600 });
        const { credentials } = await store.read(key);
        if (credentials !== undefined) expect(credentials.key).toBe(key);
      }),
      { numRuns: 200 },
    );
  });

  test("that a killed process left unfinished is removed after an hour", async () => {
    const directory = newDirectory();
    const { key } = await published(directory);
    const left = [`${key}.credentials.json.0a.tmp`, `${newKey()}.lease.0b.tmp`];
    const recent = `${key}.lease.0c.tmp`;
    for (const name of [...left, recent, "notes.tmp"]) await writeFile(join(directory, name), "");
    const past = new Date(Date.now() - 3_700_000);
    for (const name of [...left, "notes.tmp"]) await utimes(join(directory, name), past, past);
    await published(directory);
    const names = await readdir(directory);
    expect(names).toEqual(expect.arrayContaining([recent, "notes.tmp"]));
    for (const name of left) expect(names).not.toContain(name);
  });
});

describe("a lease", () => {
  const leaseFile = (directory: string, key: string) => join(directory, `${key}.lease`);

  async function heldBy(changes: object, until = Date.now() + LEASE_MS) {
    const directory = newDirectory();
    const store = fileStore({ directory });
    const key = newKey();
    const record = { owner: "other", fence: 7, until, process: { ...thisProcess(), ...changes } };
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(leaseFile(directory, key), JSON.stringify(record), { mode: 0o600 });
    return { store, directory, key };
  }

  test.each([
    ["a process that is gone", { pid: 4_194_305 }],
    ["a process whose pid is another's by now", { startedAt: "1" }],
    ["a process of an earlier boot", { bootId: "00000000-0000-0000-0000-000000000000" }],
  ])("of %s can be claimed immediately, with a higher fence", async (_, changes) => {
    const { store, key } = await heldBy(changes);
    expect((await store.read(key)).isLeased).toBe(false);
    expect((await store.claim(key, LEASE_MS))?.fence).toBeGreaterThan(7);
  });

  /** Starts claims by many processes, each a little later than the one before. */
  function claims(directory: string, key: string) {
    return Array.from({ length: 20 }, async (_, index) => {
      for (let steps = 0; steps < index; steps += 1) await setImmediate();
      return await fileStore({ directory }).claim(key, LEASE_MS);
    });
  }

  async function countClaimed(claiming: readonly Promise<StoreLease | undefined>[]) {
    return (await Promise.all(claiming)).filter((lease) => lease !== undefined).length;
  }

  /** A lease that has expired, and its holder, which doesn't know that yet. */
  async function expiredLease() {
    const directory = newDirectory();
    const holder = fileStore({ directory });
    const lease = (await holder.claim(newKey(), 0)) as StoreLease;
    return { directory, holder, lease, key: lease.key };
  }

  // On a busy machine, a process that is too slow stops its claim: then no process has the lease.
  test("that expired is claimed by one process at most, however many try", async () => {
    for (let round = 0; round < 20; round += 1) {
      const { directory, key } = await expiredLease();
      expect(await countClaimed(claims(directory, key))).toBeLessThanOrEqual(1);
    }
  });

  test("that expired is not both extended by its holder and claimed by another process", async () => {
    for (let round = 0; round < 20; round += 1) {
      const { directory, holder, lease, key } = await expiredLease();
      const claiming = claims(directory, key);
      for (let steps = 0; steps < round; steps += 1) await setImmediate();
      const isExtended = await holder.extend(lease, LEASE_MS);
      expect((await countClaimed(claiming)) + Number(isExtended)).toBeLessThanOrEqual(1);
    }
  });

  test("that expired or was released can't be extended, although no process has claimed it", async () => {
    const { holder, lease } = await expiredLease();
    expect(await holder.extend(lease, LEASE_MS)).toBe(false);
    const released = (await holder.claim(newKey(), LEASE_MS)) as StoreLease;
    await holder.release(released);
    expect(await holder.extend(released, LEASE_MS)).toBe(false);
    expect((await holder.read(released.key)).isLeased).toBe(false);
  });

  test("stays held when the holder of the previous one releases that one late", async () => {
    for (let round = 0; round < 20; round += 1) {
      const { directory, holder, lease, key } = await expiredLease();
      const claiming = claims(directory, key);
      for (let steps = 0; steps < round; steps += 1) await setImmediate();
      await holder.release(lease);
      const count = await countClaimed(claiming);
      expect(count).toBeLessThanOrEqual(1);
      expect((await holder.read(key)).isLeased).toBe(count === 1);
    }
  });

  test("is claimed by one process at most when a process was killed in the middle of a claim", async () => {
    const past = new Date(Date.now() - 2_100);
    for (let round = 0; round < 20; round += 1) {
      const { directory, lease, key } = await expiredLease();
      const lock = join(directory, `${key}.${lease.fence}.1.lock`);
      await writeFile(lock, "", { mode: 0o600 });
      await utimes(lock, past, past);
      expect(await countClaimed(claims(directory, key))).toBeLessThanOrEqual(1);
    }
  });

  test("can be claimed two seconds after a process was killed in the middle of a claim", async () => {
    const { store, directory, key } = await heldBy({ pid: 4_194_305 });
    const lock = join(directory, `${key}.7.1.lock`);
    await writeFile(lock, "", { mode: 0o600 });
    expect(await store.claim(key, LEASE_MS)).toBeUndefined();
    const past = new Date(Date.now() - 2_100);
    await utimes(lock, past, past);
    expect(await store.claim(key, LEASE_MS)).toBeDefined();
    expect(await readdir(directory)).toEqual([`${key}.7.1.lock`, `${key}.lease`]);
  });

  test("of a process in another container is held, although this one has no process of that pid", async () => {
    const { store, key } = await heldBy({ pid: 4_194_305, pidNamespace: "pid:[1]" });
    expect(await store.claim(key, LEASE_MS)).toBeUndefined();
  });

  test("that ends too far in the future, because the clock was set back, can be claimed", async () => {
    const { store, key } = await heldBy({}, Date.now() + 3_600_000);
    expect(await store.claim(key, LEASE_MS)).toBeDefined();
  });

  test("that is being written is held for two seconds", async () => {
    const directory = newDirectory();
    const { store, key } = await published(directory);
    await writeFile(leaseFile(directory, key), "", { mode: 0o600 });
    expect(await store.claim(key, LEASE_MS)).toBeUndefined();
    const past = new Date(Date.now() - 2_100);
    await utimes(leaseFile(directory, key), past, past);
    expect(await store.claim(key, LEASE_MS)).toBeDefined();
  });

  test.each([0, -1, 1.5, "1", null])(
    "of the pid %j counts as one that is being written",
    async (pid) => {
      const { store, key } = await heldBy({ pid });
      expect((await store.read(key)).isLeased).toBe(true);
    },
  );
});

describe("fileStore() refuses", () => {
  test.each([{ directory: "relative" }, { directory: "" }, { directory: 5 }, null])(
    "%j",
    (init) => {
      expect(() => fileStore(init as never)).toThrow(TypeError);
    },
  );
});

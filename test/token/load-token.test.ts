import { describe, expect, test } from "vitest";
import { AttemptError, type Failure } from "../../src/model/failure.js";
import { type TokenSource, TokenSourceError } from "../../src/model/token-source.js";
import { loadToken } from "../../src/token/load-token.js";
import { FakeClock } from "../support/fake-clock.js";
import { HOSTILE } from "../support/hostile-values.js";
import { makeToken, SIGNATURE } from "../support/make-token.js";

const never = () => new Promise<never>(() => {});

function setUp(name = "the token source mint()") {
  const clock = new FakeClock();
  const controller = new AbortController();
  const { signal } = controller;
  const options = { name, timeoutMs: 1_000, clock, signal, attempt: 3 };
  const load = (source: TokenSource) => loadToken(source, options);
  return { clock, controller, load, options };
}

/** The failure of a source: no token. */
async function failureOf(source: TokenSource, name?: string): Promise<Failure> {
  const { clock, load } = setUp(name);
  const error = await clock.run(load(source).catch((thrown: unknown) => thrown));
  if (!(error instanceof AttemptError)) throw new Error(`expected a failure, got ${error}`);
  expect(error.failure.kind).toBe("token");
  expect(error.failure.findings?.map(({ id, severity }) => [id, severity])).toEqual([
    ["token-unreadable", "fatal"],
  ]);
  expect(clock.pending).toBe(0);
  return error.failure;
}

const everything = ({ cause, ...failure }: Failure) =>
  JSON.stringify([failure, cause?.name, cause?.message, cause?.stack]);

/** A source as untyped code may write it. */
const source = (code: () => unknown) => code as TokenSource;

describe("a token source", () => {
  test("returns its token, and gets the attempt and a signal that is not aborted", async () => {
    const { load, clock } = setUp();
    const token = await load(async ({ attempt, signal }) => `${attempt}-${signal.aborted}`);
    expect(token).toBe("3-false");
    expect(clock.pending).toBe(0);
  });

  test.each([
    ["a line end", "token\n"],
    ["a Windows line end", "token\r\n"],
    ["several", "\n\ntoken\n\n"],
    ["blanks and tabs", " \ttoken \t"],
    ["a byte order mark", "\uFEFFtoken"],
    ["a byte order mark and a line end", "\uFEFF token\r\n"],
    ["a no-break space", "\u00a0token\u00a0"],
  ])("may return %s around the token", async (_, text) => {
    await expect(setUp().load(async () => text)).resolves.toBe("token");
  });

  test("may return the token without a promise", async () => {
    await expect(setUp().load(source(() => "token"))).resolves.toBe("token");
  });

  test("that returns an empty token fails", async () => {
    for (const text of ["", " ", "\n", "\uFEFF", "\r\n\t"]) {
      const { message } = await failureOf(async () => text);
      expect(message).toBe("the token source mint() returned an empty token");
    }
  });

  test.each<[string, unknown]>([
    ["undefined", undefined],
    ["null", null],
    ["number", 5],
    ["object", { value: "secret-in-an-object" }],
    ["an array", ["secret-in-an-object"]],
    ["function", () => "secret-in-an-object"],
    ["object", Buffer.from("secret-in-an-object")],
  ])(
    "that returns %s fails with the type in its message, and without the value",
    async (type, value) => {
      const failure = await failureOf(source(async () => value));
      expect(failure.message).toBe(`the token source mint() returned ${type} instead of a string`);
      expect(everything(failure)).not.toContain("secret-in-an-object");
    },
  );

  test("that never settles and ignores its signal is abandoned in time", async () => {
    const { clock, load } = setUp();
    const failing = load(never).catch((error: AttemptError) => error.failure.message);
    await clock.advance(999);
    expect(clock.pending).toBe(1);
    await clock.advance(1);
    await expect(failing).resolves.toBe("the token source mint() returned no token within 1000 ms");
  });

  test("is reported as cut short when the retry budget ends before its own limit", async () => {
    const { clock, options } = setUp();
    const cut = async (remainingMs: number) => {
      const loading = loadToken(never, { ...options, remainingMs });
      const error = await clock.run(loading.catch((thrown: AttemptError) => thrown));
      return [(error as AttemptError).failure.cutShort, clock.monotonic()];
    };
    expect(await cut(400)).toEqual([true, 400]);
    expect(await cut(1_000)).toEqual([false, 1_400]);
    expect(await cut(60_000)).toEqual([false, 2_400]);
  });

  test("that settles too late changes nothing, whether it succeeds or fails", async () => {
    const { clock, load } = setUp();
    let fail: (error: Error) => void = () => {};
    const late = source(
      () =>
        new Promise((_, reject) => {
          fail = reject;
        }),
    );
    await clock.run(load(late).catch(() => {}));
    fail(new Error("late"));
    await clock.flush();
  });

  test("gets the abort of its signal when its limit is reached", async () => {
    const { clock, load } = setUp();
    let received: AbortSignal | undefined;
    const failing = load(({ signal }) => {
      received = signal;
      return never();
    }).catch(() => {});
    await clock.run(failing);
    expect(received?.aborted).toBe(true);
  });

  test("ends with the reason of the abort, not with a failure", async () => {
    const { controller, load } = setUp();
    const work = load(never);
    controller.abort("closed");
    await expect(work).rejects.toBe("closed");
  });

  test("that throws because of the abort ends with the abort's reason", async () => {
    const { controller, load } = setUp();
    const work = load(async () => {
      controller.abort("closed");
      throw new Error("aborted, it seems");
    });
    await expect(work).rejects.toBe("closed");
  });

  test.each(HOSTILE)("may throw or reject with %s", async (_, make) => {
    const thrown = source(() => {
      throw make();
    });
    expect((await failureOf(thrown)).message).toMatch(/^the token source mint\(\) failed: /);
    expect((await failureOf(async () => Promise.reject(make()))).cause).toBeInstanceOf(Error);
  });

  test("keeps the system code of its error", async () => {
    const error = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    const failure = await failureOf(async () => Promise.reject(error));
    expect(failure).toMatchObject({ code: "ECONNREFUSED", cause: { code: "ECONNREFUSED" } });
  });
});

const CHECK_THE_SOURCE =
  "Workload: make sure that the file or source can return a token: check its path, mount and permissions, and the service that issues it.";

describe("the finding about a failed source", () => {
  test("states the failure, names the source, and says what to check", async () => {
    const { message, findings } = await failureOf(async () => "", "the token file /a");
    expect(findings).toEqual([
      {
        ...{ id: "token-unreadable", severity: "fatal", title: "There is no token to send." },
        ...{ detail: message, remedy: CHECK_THE_SOURCE, evidence: { source: "the token file /a" } },
      },
    ]);
  });
});

describe("a TokenSourceError", () => {
  const hint = "Workload: set MY_TOKEN.";
  const error = new TokenSourceError("busy", { retryable: true, retryAfterMs: 3_000, hint });

  test.each([
    ["thrown", error],
    ["as the cause of another error", new Error("no token", { cause: error })],
  ])("%s decides whether and when to retry, and what to do", async (_, thrown) => {
    expect(await failureOf(() => Promise.reject(thrown))).toMatchObject({
      ...{ retryable: true, retryAfterMs: 3_000 },
      findings: [{ remedy: hint }],
    });
  });

  test("can be permanent, and can allow a retry immediately", async () => {
    const permanent = new TokenSourceError("refused", { retryable: false, retryAfterMs: 0, hint });
    const failure = await failureOf(() => Promise.reject(permanent));
    expect(failure).toMatchObject({ retryable: false, retryAfterMs: 0 });
  });

  test.each<[string, object]>([
    ["a negative pause", { retryAfterMs: -1 }],
    ["a pause that is not a number", { retryAfterMs: "3000" }],
    ["no number", { retryAfterMs: Number.NaN }],
    ["an empty hint", { hint: "" }],
    ["a hint that is not a string", { hint: { text: "x" } }],
  ])("of another copy of this package may have %s, which is ignored", async (_, fields) => {
    const foreign = { name: "TokenSourceError", retryable: true, ...fields };
    const thrown = Object.assign(new Error("busy"), foreign);
    const { retryable, retryAfterMs, findings } = await failureOf(() => Promise.reject(thrown));
    expect([retryable, retryAfterMs]).toEqual([true, undefined]);
    expect(findings?.[0]?.remedy).toBe(CHECK_THE_SOURCE);
  });

  test("can't request a pause that a timer can't have", async () => {
    for (const retryAfterMs of [1e15, Number.POSITIVE_INFINITY]) {
      const endless = new TokenSourceError("busy", { retryable: true, retryAfterMs, hint });
      const failure = await failureOf(() => Promise.reject(endless));
      expect(failure.retryAfterMs).toBe(2_147_483_647);
    }
  });

  test("does not show a token in its hint", async () => {
    const leaking = new TokenSourceError("x", { retryable: true, hint: `Use ${makeToken()}` });
    const failure = await failureOf(() => Promise.reject(leaking));
    expect(everything(failure)).not.toContain(SIGNATURE);
  });

  test("is not any error that has a hint", async () => {
    const other = Object.assign(new Error("x"), { retryable: true, retryAfterMs: 5, hint });
    const failure = await failureOf(() => Promise.reject(other));
    expect(failure).not.toHaveProperty("retryable");
    expect(failure.findings?.[0]?.remedy).toBe(CHECK_THE_SOURCE);
  });
});

describe("no message about a failed source contains a token", () => {
  const token = makeToken();

  test.each([
    ["its message", new Error(`bad token ${token}`)],
    [
      "a header in its message",
      new Error("GET /token: authorization: Bearer c2VjcmV0LXNlY3JldA=="),
    ],
    ["its name", Object.assign(new Error("x"), { name: token })],
    ["its code", Object.assign(new Error("x"), { code: token })],
    ["its cause", new Error("outer", { cause: new Error(`inner ${token}`) })],
    ["its text", token],
  ])("from %s", async (_, thrown) => {
    const shown = everything(await failureOf(async () => Promise.reject(thrown)));
    for (const secret of [...token.split("."), SIGNATURE, "c2VjcmV0LXNlY3JldA"]) {
      expect(shown).not.toContain(secret);
    }
  });

  test("not even a token that was passed as the path", async () => {
    const shown = everything(await failureOf(async () => "", `the token file ${token}`));
    for (const part of token.split(".")) expect(shown).not.toContain(part);
  });

  test("and every message is one line of bounded length", async () => {
    const failure = await failureOf(async () =>
      Promise.reject(new Error(`a\n\u001b[2J${"b".repeat(9_999)}`)),
    );
    expect(failure.message).not.toMatch(/\p{Cc}/u);
    expect(failure.message.length).toBeLessThanOrEqual(501);
  });
});

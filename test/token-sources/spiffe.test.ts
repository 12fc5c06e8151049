import { join } from "node:path";
import { Server, ServerCredentials, type ServiceDefinition, status } from "@grpc/grpc-js";
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { decodeJwtSvids, encodeJwtSvidRequest, spiffe } from "../../src/token-sources/spiffe.js";
import { makeToken } from "../support/make-token.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { abortSoon, callSource, failureOf } from "./call-source.js";

const TOKEN = makeToken();
const OTHER = makeToken({ sub: "spiffe://example.org/other" });

interface Svid {
  readonly id: string;
  readonly svid: string;
  readonly hint?: string;
}

/** `JWTSVIDResponse` as protobuf writes it. */
function response(svids: readonly Svid[]): Buffer {
  const field = (number: number, value: string | Buffer) => {
    const bytes = Buffer.from(value);
    const length: number[] = [];
    for (let rest = bytes.length; ; rest >>>= 7) {
      length.push(rest > 127 ? (rest & 127) | 128 : rest);
      if (rest <= 127) break;
    }
    return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), bytes]);
  };
  return Buffer.concat(
    svids.map(({ id, svid, hint = "" }) =>
      field(1, Buffer.concat([field(1, id), field(2, svid), field(3, hint)])),
    ),
  );
}

const SERVICE: ServiceDefinition = {
  FetchJWTSVID: {
    path: "/SpiffeWorkloadAPI/FetchJWTSVID",
    requestStream: false,
    responseStream: false,
    requestSerialize: (bytes: Buffer) => bytes,
    requestDeserialize: (bytes: Buffer) => bytes,
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => bytes,
  },
};

type Handler = (
  call: { readonly request: Buffer; readonly header: unknown },
  reply: (error: { code: number; details: string } | null, bytes?: Buffer) => void,
) => void;

/** A Workload API on a unix socket or a loopback port. */
async function startWorkloadApi(handler: Handler, isTcp = false) {
  const folder = temporaryFolder();
  const path = join(folder.path, "agent.sock");
  const server = new Server();
  server.addService(SERVICE, {
    FetchJWTSVID: (
      call: { request: Buffer; metadata: { get(name: string): unknown[] } },
      reply: Parameters<Handler>[1],
    ) =>
      handler({ request: call.request, header: call.metadata.get("workload.spiffe.io")[0] }, reply),
  });
  const address = isTcp ? "127.0.0.1:0" : `unix:${path}`;
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    env: { SPIFFE_ENDPOINT_SOCKET: isTcp ? `tcp://127.0.0.1:${port}` : `unix://${path}` },
    [Symbol.dispose]() {
      server.forceShutdown();
      folder[Symbol.dispose]();
    },
  };
}

const both: Handler = (_, reply) =>
  reply(
    null,
    response([
      { id: "spiffe://example.org/checkout", svid: TOKEN, hint: "internal" },
      { id: "spiffe://example.org/other", svid: OTHER, hint: "external" },
    ]),
  );

describe("spiffe", () => {
  test.each([false, true])(
    "returns the first JWT-SVID of the Workload API (tcp: %s)",
    async (isTcp) => {
      using api = await startWorkloadApi(both, isTcp);
      const source = spiffe({ env: api.env });
      await expect(callSource(source)).resolves.toBe(TOKEN);
      expect([source.name, source.renewable]).toEqual(["spiffe", true]);
    },
  );

  test("sends the security header, the audience and the id as the specification requires", async () => {
    const seen: unknown[] = [];
    using api = await startWorkloadApi(({ request, header }, reply) => {
      seen.push(header, request.toString("latin1"));
      reply(null, response([{ id: "spiffe://a/b", svid: TOKEN }]));
    });
    await callSource(spiffe({ spiffeId: "spiffe://a/b", env: api.env }));
    expect(seen).toEqual(["true", "\n\x11sts.amazonaws.com\x12\fspiffe://a/b"]);
  });

  test.each([
    [{ spiffeId: "spiffe://example.org/other" }],
    [{ hint: "external" }],
    [{ spiffeId: "spiffe://example.org/other", hint: "external" }],
  ])("chooses one of several identities by %j", async (choice) => {
    using api = await startWorkloadApi(both);
    await expect(callSource(spiffe({ ...choice, env: api.env }))).resolves.toBe(OTHER);
  });

  test("fails as retryable while the identity is not registered", async () => {
    using api = await startWorkloadApi(both);
    const error = await failureOf(spiffe({ hint: "none", env: api.env }));
    expect(error).toMatchObject({ retryable: true });
    expect(error.message).toContain("no JWT-SVID for the hint none, only 2 of other identities");
    using empty = await startWorkloadApi((_, reply) => reply(null, Buffer.alloc(0)));
    expect(await failureOf(spiffe({ env: empty.env }))).toMatchObject({ retryable: true });
  });

  test.each([
    ["UNAVAILABLE", status.UNAVAILABLE, true],
    ["PERMISSION_DENIED", status.PERMISSION_DENIED, true],
    ["RESOURCE_EXHAUSTED", status.RESOURCE_EXHAUSTED, true],
    ["INTERNAL", status.INTERNAL, true],
    ["INVALID_ARGUMENT", status.INVALID_ARGUMENT, false],
    ["UNIMPLEMENTED", status.UNIMPLEMENTED, false],
  ])("reports whether the gRPC status %s is retryable", async (_, code, retryable) => {
    using api = await startWorkloadApi((__, reply) =>
      reply({ code, details: `no identity issued ${TOKEN}` }),
    );
    const error = await failureOf(spiffe({ env: api.env }));
    expect(error.retryable).toBe(retryable);
    expect(error.message).toContain(`gRPC status ${code}: no identity issued [redacted]`);
  });

  test.each([
    ["a missing socket", "unix:///nonexistent/agent.sock"],
    ["a closed port", "tcp://127.0.0.1:1"],
  ])("reports %s as retryable", async (_, socket) => {
    const error = await failureOf(spiffe({ socket }));
    expect(error).toMatchObject({ retryable: true });
    expect(error.hint).toContain("SPIFFE agent runs on this node");
  });

  test.each(["", "http://127.0.0.1", "unix:relative", "tcp://localhost:1", "/run/agent.sock"])(
    "reports the address %j as permanent",
    async (address) => {
      const error = await failureOf(spiffe({ env: { SPIFFE_ENDPOINT_SOCKET: address } }));
      expect(error).toMatchObject({ code: "ERR_SOURCE_NOT_CONFIGURED", retryable: false });
    },
  );

  test("ends a hanging call at the limit, or with the caller's signal", async () => {
    using api = await startWorkloadApi(() => {});
    const error = await failureOf(spiffe({ timeoutMs: 100, env: api.env }));
    expect(error.message).toBe("no token within 100 ms");
    const { signal, reason } = abortSoon();
    await expect(callSource(spiffe({ env: api.env }), signal)).rejects.toBe(reason);
  });

  test("refuses a response of more than 64 KiB, and one that is not the message", async () => {
    using large = await startWorkloadApi((_, reply) =>
      reply(null, response([{ id: "a", svid: "a".repeat(70_000) }])),
    );
    expect(await failureOf(spiffe({ env: large.env }))).toMatchObject({ retryable: true });
    using garbage = await startWorkloadApi((_, reply) => reply(null, Buffer.from("<html>")));
    expect(await failureOf(spiffe({ env: garbage.env }))).toMatchObject({ retryable: true });
  });
});

describe("without @grpc/grpc-js", () => {
  afterEach(() => {
    vi.doUnmock("@grpc/grpc-js");
  });

  test("spiffe names the package to install", async () => {
    vi.doMock("@grpc/grpc-js", () => {
      throw Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
    });
    const error = await failureOf(spiffe({ socket: "unix:///run/agent.sock" }));
    expect(error).toMatchObject({
      ...{ code: "ERR_SOURCE_NOT_CONFIGURED", retryable: false },
      message: "spiffe() needs the package @grpc/grpc-js, and it can't be loaded",
      hint: "Workload: npm install @grpc/grpc-js.",
    });
  });
});

describe("the messages of the Workload API", () => {
  test("survive a round trip with any text", () => {
    const text = fc.string({ unit: "binary", maxLength: 300 });
    fc.assert(
      fc.property(fc.array(fc.record({ id: text, svid: text, hint: text })), (svids) => {
        expect(decodeJwtSvids(response(svids))).toEqual(
          svids.map(({ id, svid, hint }) => ({ spiffeId: id, svid, hint })),
        );
      }),
    );
  });

  test("have the bytes that Protocol Buffers specifies", () => {
    const long = "a".repeat(300);
    expect(encodeJwtSvidRequest(long, undefined).toString("latin1")).toBe(`\n\xac\x02${long}`);
  });

  test("may have fields of a later version, which are skipped", () => {
    const svid = response([{ id: "a", svid: "b" }]);
    const later = Buffer.from([0x20, 0x96, 0x01, 0x29, ...Array(8).fill(1), 0x35, 1, 2, 3, 4]);
    expect(decodeJwtSvids(Buffer.concat([later, svid, later]))).toHaveLength(1);
  });

  test("are a RangeError for any other bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeJwtSvids(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import { expect, test } from "vitest";
import { startLocalIdp } from "../../src/testing/index.js";
import { makeTlsIdentity } from "../support/tls-identity.js";

test("a local server numbers TLS connections in the order of arrival, whichever handshake ends first", async () => {
  const identity = makeTlsIdentity();
  await using idp = await startLocalIdp({ tls: identity });
  const sockets = [];
  for (const total of [1, 2]) {
    const socket = connectTcp(idp.port, "127.0.0.1");
    sockets.push(socket);
    await expect.poll(() => idp.connections.total, { interval: 1 }).toBe(total);
  }
  for (const socket of sockets.toReversed()) {
    const secure = connectTls({ socket, ca: identity.cert, servername: "localhost" });
    secure.write("GET /jwks HTTP/1.1\r\nhost: localhost\r\n\r\n");
    await once(secure, "data");
    secure.destroy();
  }
  expect(idp.requests.map(({ connection }) => connection)).toEqual([2, 1]);
});

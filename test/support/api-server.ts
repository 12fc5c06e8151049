import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { LocalIdp } from "../../src/testing/index.js";

/**
 * An issuer with the keys of an IdP that is as strict about media types as the API server of
 * Kubernetes (go-restful): the JWKS is `application/jwk-set+json` only, and a client that does not accept
 * that gets 406.
 */
export async function startApiServer(idp: LocalIdp) {
  const server = createServer((request, response) => {
    const isJwks = request.url === "/openid/v1/jwks";
    const type = isJwks ? "application/jwk-set+json" : "application/json";
    const accepted = (request.headers.accept ?? type).split(/\s*,\s*/);
    if (!accepted.includes(type)) {
      response.writeHead(406).end();
      return;
    }
    const { port } = server.address() as AddressInfo;
    const issuer = `http://127.0.0.1:${port}`;
    const discovery = { ...JSON.parse(idp.discoveryText), issuer };
    const body = { ...discovery, jwks_uri: `${issuer}/openid/v1/jwks` };
    response.writeHead(200, { "content-type": type });
    response.end(isJwks ? idp.jwksText : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    issuer: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}

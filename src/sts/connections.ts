import { type AgentOptions, type ClientRequest, Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { NetConnectOpts, Socket } from "node:net";
import type { STSClientConfig } from "@aws-sdk/client-sts";

type Connect = (options: NetConnectOpts, callback?: () => void) => unknown;

/**
 * Kept-alive connections that never keep the process alive, not even in the middle of a call: a
 * caller that waits for credentials holds the process, and a refresh behind the scenes must not.
 */
export function quietConnections(
  maxSockets: number,
): NonNullable<STSClientConfig["requestHandler"]> {
  const options: AgentOptions = { keepAlive: true, maxSockets };
  return {
    httpAgent: quiet(new HttpAgent(options)),
    httpsAgent: quiet(new HttpsAgent(options)),
    // It warns of calls that wait for a socket, which ours never do; by default 3 s after each call.
    socketAcquisitionWarningTimeout: 0,
  };
}

function quiet<A extends HttpAgent>(agent: A): A {
  const { createConnection } = agent as unknown as { createConnection: Connect };
  const connectQuietly: Connect = (options, callback) => {
    const socket = createConnection.call(agent, options, callback);
    (socket as { unref?: () => void } | undefined)?.unref?.();
    return socket;
  };
  return Object.assign(agent, {
    createConnection: connectQuietly,
    // Node asks whether it is truthy. The SDK asks for `true`, and starts a timer of 3 s then, which
    // keeps the process alive: to set on the socket what the agent has set already.
    keepAlive: 1,
    reuseSocket(socket: Socket, request: ClientRequest) {
      // By default a socket that is used again counts again.
      HttpAgent.prototype.reuseSocket.call(agent, socket, request);
      socket.unref();
    },
  });
}

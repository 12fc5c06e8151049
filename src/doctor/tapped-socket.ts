import type { Socket } from "node:net";
import { Duplex } from "node:stream";

/** A connection whose incoming bytes are kept, up to what a handshake has. */
export function tapped(connection: Socket): {
  readonly socket: Duplex;
  readonly received: Buffer[];
} {
  const received: Buffer[] = [];
  let length = 0;
  const socket = new Duplex({
    read() {
      connection.resume();
    },
    write(chunk: Buffer, _encoding, done) {
      connection.write(chunk, (error) => done(error));
    },
    final(done) {
      connection.end(done);
    },
    destroy(error, done) {
      connection.destroy();
      done(error);
    },
  });
  connection.on("data", (chunk: Buffer) => {
    if (length < MAX_KEPT_BYTES) received.push(chunk);
    length += chunk.length;
    if (!socket.push(chunk)) connection.pause();
  });
  connection.on("end", () => socket.push(null));
  connection.on("error", (error) => socket.destroy(error));
  return { socket, received };
}

/** Chains of more than this are no chains. */
const MAX_KEPT_BYTES = 128 * 1024;

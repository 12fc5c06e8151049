import { generateKeyPair, type KeyPairKeyObjectResult } from "node:crypto";
import { promisify } from "node:util";

/*
 * OpenSSL computes for about 100 ms to make an RSA key pair, and the local IdPs of all tests need about
 * a thousand: a fifth of the whole run. So each worker makes the first ones, then uses them again in turn.
 * No test needs more than these to differ.
 */

const MAX_KEY_PAIRS = 8;

type Generate = (type: string, options: object) => Promise<KeyPairKeyObjectResult>;

// Vitest runs this before each file, and a worker runs many.
if (!(promisify.custom in generateKeyPair)) {
  const generate = promisify(generateKeyPair) as Generate;
  const pairs: Promise<KeyPairKeyObjectResult>[] = [];
  let requests = 0;

  const generateOrReuse: Generate = (type, options) => {
    if (type !== "rsa") return generate(type, options);
    const at = requests++ % MAX_KEY_PAIRS;
    pairs[at] ??= generate(type, options);
    return pairs[at];
  };
  Object.assign(generateKeyPair, { [promisify.custom]: generateOrReuse });
}

import type { StoredSample, StoreInspection } from "../model/credential-store.js";
import { keyIdOf, type RingKey, unseal } from "./sealing.js";
import { countSample, MAX_SAMPLE } from "./stored-value.js";

// Without a write: a sample of what is stored, from a part of what this Redis has. In a cluster, a
// value of another slot can't be read, and is left out.
const INSPECT = `
local sample, cursor, pages = {}, "0", 0
repeat
  local page = redis.call("SCAN", cursor, "MATCH", ARGV[1], "COUNT", 1000)
  cursor, pages = page[1], pages + 1
  for _, name in ipairs(page[2]) do
    local value = redis.pcall("HGET", name, "value")
    if type(value) == "string" and #sample < 2 * tonumber(ARGV[2]) then
      sample[#sample + 1] = name
      sample[#sample + 1] = value
    end
  end
until cursor == "0" or pages == 10
return { redis.call("TIME"), sample }`;

/** Describes the store of a namespace: Redis's clock, the keys, and whether they open what is stored. */
export async function inspectRedis(
  namespace: string,
  ring: readonly RingKey[],
  run: (script: string, args: readonly (string | number)[]) => Promise<unknown>,
): Promise<StoreInspection> {
  const before = Date.now();
  const answer = await run(INSPECT, [`${namespace}:{*}:credentials`, MAX_SAMPLE]);
  const now = (before + Date.now()) / 2;
  const [time, found] = Array.isArray(answer) ? answer : [];
  const [seconds, microseconds] = texts(time);
  const fields = texts(found);
  const values = fields.flatMap((name, index) =>
    index % 2 === 0 ? [sampled(fields[index + 1] ?? "", ring, name)] : [],
  );
  return {
    place: namespace,
    clockSkewMs: Number(seconds) * 1000 + Number(microseconds) / 1000 - now,
    keyIds: ring.map(({ id }) => id),
    sample: countSample(await Promise.all(values)),
  };
}

/** A client may be configured to return bulk strings as bytes. */
function texts(fields: unknown): string[] {
  return Array.isArray(fields) ? fields.map(String) : [];
}

async function sampled(
  jwe: string,
  ring: readonly RingKey[],
  name: string,
): Promise<Omit<StoredSample, "count">> {
  const keyId = await keyIdOf(jwe);
  if (keyId === undefined) return { problem: "it is not a value of this library" };
  const ringKey = ring.find(({ id }) => id === keyId);
  if (ringKey === undefined) return { keyId, problem: `the key ${keyId} is not among the keys` };
  const unsealed = await unseal(jwe, ringKey, name);
  return "problem" in unsealed ? { keyId, problem: unsealed.problem } : { keyId };
}

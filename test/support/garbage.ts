import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** Whether the condition holds of what is left after a few collections. */
export async function holdsAfterCollection(condition: () => boolean): Promise<boolean> {
  for (let round = 0; round < 20 && !condition(); round += 1) {
    // What a WeakRef has given is kept until the turn ends.
    await nextTurn();
    collectGarbage();
  }
  return condition();
}

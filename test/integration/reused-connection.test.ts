import { expect, test } from "vitest";
import { startWorld } from "../support/world.js";

test("a connection that is used repeatedly collects no listeners", async () => {
  await using world = await startWorld();
  await using provider = world.provide();
  const warnings: string[] = [];
  const onWarning = ({ name }: Error) => warnings.push(name);
  process.on("warning", onWarning);
  for (let call = 0; call < 15; call += 1) await provider({ forceRefresh: true });
  // Node emits warnings on the next tick.
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", onWarning);
  expect(world.sts.connections.total).toBe(1);
  expect(warnings).not.toContain("MaxListenersExceededWarning");
});

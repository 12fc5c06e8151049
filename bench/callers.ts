import { type GetCredentials, memoizedByClient, type Place, startPlace } from "./in-process.js";
import { figure, type PartResult } from "./report.js";
import { timed } from "./sampling.js";

const CALLERS = 1_000;
const CLIENTS = 20;

/** A thousand callers call one provider with an empty cache at the same moment. */
export async function callersPart(): Promise<PartResult> {
  const rows: string[][] = [];
  const measure = async (name: string, make: (place: Place) => GetCredentials[]) => {
    await using place = await startPlace();
    // Load the SDK before any contender runs.
    await place.stock()();
    place.sts.resetRequests();
    const before = place.sts.connections.total;
    const providers = make(place);
    const ms = await timed(() =>
      Promise.all(
        Array.from({ length: CALLERS }, (_, caller) =>
          (providers[caller % providers.length] as GetCredentials)(),
        ),
      ),
    );
    const connections = place.sts.connections.total - before;
    rows.push([name, figure(place.calls()), figure(connections), figure(ms, "ms")]);
  };
  const clients = (make: () => GetCredentials) => Array.from({ length: CLIENTS }, make);

  await measure("ours", (place) => [place.ours()]);
  await measure(`ours, in ${CLIENTS} SDK clients`, (place) => {
    // Because of `memoized`, the clients add no memo of their own.
    const shared = place.ours();
    return clients(() => shared);
  });
  await measure("stock", (place) => [place.stock()]);
  await measure("stock + p-retry", (place) => [place.stockWithRetry()]);
  await measure("stock, memoised by an SDK client", (place) => [memoizedByClient(place.stock())]);
  await measure(`stock, in ${CLIENTS} SDK clients`, (place) => {
    const shared = place.stock();
    return clients(() => memoizedByClient(shared));
  });
  rows.push(["floor", "1", "1", "–"]);
  return {
    tables: [
      {
        title: `${figure(CALLERS)} callers at the same moment, with an empty cache`,
        columns: ["", "STS calls", "connections", "all served after"],
        rows,
      },
    ],
  };
}

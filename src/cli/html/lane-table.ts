/** Pictures on an axis of time, each of which is a table with the same content in words. */
import { type Markup, markup } from "./markup.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What people count in, in milliseconds. */
const STEPS: readonly number[] = [
  ...[0.1, 0.2, 0.5, 1, 2, 5, 10, 30].map((each) => each * SECOND),
  ...[1, 2, 5, 10, 20, 30].map((each) => each * MINUTE),
  ...[1, 2, 3, 6, 12].map((each) => each * HOUR),
  ...[1, 2, 5, 10, 30, 60, 180, 365, 730].map((each) => each * DAY),
];

/** The narrowest screen has room for these. */
const MAX_TICKS = 6;

/** From a time to a place in the picture, as a share of its width: it fits every screen. */
export class TimeScale {
  constructor(
    readonly fromMs: number,
    readonly toMs: number,
  ) {}

  /** The place of a time, at the edge when it lies outside. */
  x(ms: number): string {
    return `${(this.#share(ms) * 100).toFixed(3)}%`;
  }

  /** The width of a span, as far as it is inside. */
  width(fromMs: number, toMs: number): string {
    return `${(Math.max(0, this.#share(toMs) - this.#share(fromMs)) * 100).toFixed(3)}%`;
  }

  holds(ms: number): boolean {
    return ms >= this.fromMs && ms <= this.toMs;
  }

  /** Round distances from zero, few enough to be read. */
  ticks(): number[] {
    const { fromMs, toMs } = this;
    const rough = (toMs - fromMs) / MAX_TICKS;
    const step = STEPS.find((each) => each >= rough) ?? Math.ceil(rough / DAY) * DAY;
    const first = Math.ceil(fromMs / step);
    const last = Math.floor(toMs / step);
    return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
  }

  #share(ms: number): number {
    return Math.min(1, Math.max(0, (ms - this.fromMs) / (this.toMs - this.fromMs)));
  }
}

/** What is drawn on an axis of time, with its words. */
export interface Lane {
  readonly head: string | Markup;
  /** The inside of an SVG, 24 pixels high. */
  readonly drawing: readonly Markup[];
  /** All that the drawing tells. */
  readonly words: string | Markup;
  /** A figure at the end of the line. */
  readonly figure?: Markup;
}

export interface LaneHeads {
  readonly caption: string;
  readonly head: string;
  readonly axis: string;
  /** Left out when no lane has a figure. */
  readonly figure?: string;
  readonly tick: (ms: number) => string;
}

export interface LegendEntry {
  readonly tone: string;
  readonly title: string;
  readonly isLine?: boolean;
}

/**
 * A picture on one axis of time that is its own text equivalent: a table with a drawing in each
 * line, and beside it the same in words.
 */
export function laneTable(heads: LaneHeads, scale: TimeScale, lanes: readonly Lane[]): Markup {
  const { caption, head, axis, figure, tick } = heads;
  const lines = lanes.map(
    (
      lane,
    ) => markup`<tr role="row"><th scope="row" role="rowheader">${lane.head}</th><td class="lane" role="cell"><svg aria-hidden="true" focusable="false">${lane.drawing}</svg><p class="words">${lane.words}</p></td>${
      lane.figure === undefined ? [] : markup`<td class="figure" role="cell">${lane.figure}</td>`
    }</tr>
`,
  );
  const last =
    figure === undefined
      ? []
      : markup`<th scope="col" role="columnheader" class="figure">${figure}</th>`;
  return markup`<table class="lanes" role="table"><caption>${caption}</caption>
<thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">${head}</th><th scope="col" role="columnheader" class="axis">${axis}${axisTicks(scale, tick)}</th>${last}</tr></thead>
<tbody role="rowgroup">
${lines}</tbody></table>`;
}

/** What the colours mean, for those in use. */
export function legend(entries: readonly LegendEntry[]): Markup {
  const items = entries.map(({ tone, title, isLine = false }) => {
    const place = isLine ? markup`x="6" width="2"` : markup`x="1" width="12"`;
    return markup`<li><svg aria-hidden="true" focusable="false" viewBox="0 0 14 14"><rect class="${tone}" ${place} y="1" height="12"/></svg>${title}</li>`;
  });
  return markup`<ul class="legend">${items}</ul>`;
}

function axisTicks(scale: TimeScale, tick: (ms: number) => string): Markup {
  const span = scale.toMs - scale.fromMs;
  const marks = scale.ticks().map((ms) => {
    const share = (ms - scale.fromMs) / span;
    const anchor = share < 0.05 ? "start" : share > 0.95 ? "end" : "middle";
    return markup`<text x="${scale.x(ms)}" y="16" text-anchor="${anchor}">${tick(ms)}</text>`;
  });
  return markup`<svg aria-hidden="true" focusable="false">${marks}</svg>`;
}

import type { Progress } from "../../doctor/diagnosis.js";
import { formatDuration } from "../duration.js";
import { clip } from "../layout.js";
import type { Paint } from "../paint.js";
import type { Terminal } from "../surroundings.js";

const FRAMES = [..."⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"];
const FRAME_MS = 100;
const CLEAR = "\r\u001b[2K";

/** One line on a terminal that says what is being waited for; nothing at all on anything else. */
export class ProgressLine implements Disposable {
  readonly #terminal: Terminal;
  readonly #paint: Paint;
  readonly #running = new Map<string, number>();
  readonly #startedAt = performance.now();
  readonly #timer: NodeJS.Timeout | undefined;
  #frame = 0;

  constructor(terminal: Terminal, paint: Paint) {
    this.#terminal = terminal;
    this.#paint = paint;
    if (terminal.isTTY) this.#timer = setInterval(() => this.#draw(), FRAME_MS).unref();
  }

  /** Takes note of a step. */
  readonly see = ({ label, state }: Progress): void => {
    const before = this.#running.get(label) ?? 0;
    const now = before + (state === "started" ? 1 : -1);
    if (now > 0) this.#running.set(label, now);
    else this.#running.delete(label);
  };

  #draw(): void {
    this.#frame = (this.#frame + 1) % FRAMES.length;
    const elapsed = formatDuration(performance.now() - this.#startedAt);
    const what = [...this.#running.keys()].join(", ") || "looking";
    const room = Math.max(20, (this.#terminal.columns ?? 80) - elapsed.length - 5);
    const frame = this.#paint("cyan", FRAMES[this.#frame] ?? "");
    this.#terminal.write(`${CLEAR}${frame} ${clip(what, room)} ${this.#paint("dim", elapsed)}`);
  }

  [Symbol.dispose](): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#terminal.write(CLEAR);
  }
}

/**
 * What the tests read from a page. Each function is sent to the browser as text and runs there, so it
 * can use nothing of this module but types.
 */
interface PageElement {
  readonly tagName: string;
  readonly textContent: string | null;
  readonly parentElement: PageElement | null;
  getAttributeNames(): string[];
  getBoundingClientRect(): {
    readonly left: number;
    readonly right: number;
    readonly width: number;
    readonly height: number;
  };
  querySelectorAll(selector: string): Iterable<PageElement>;
  closest(selector: string): PageElement | null;
}

interface PageStyle {
  readonly color: string;
  readonly fill: string;
  readonly stroke: string;
  readonly backgroundColor: string;
  readonly clipPath: string;
  readonly transitionDuration: string;
}

declare const document: PageElement & {
  readonly body: PageElement;
  readonly documentElement: { readonly scrollWidth: number; readonly clientWidth: number };
  readonly activeElement: PageElement | null;
  getAnimations(): unknown[];
  createTreeWalker(root: unknown, what: number): { nextNode(): PageElement | null };
};
declare function getComputedStyle(element: PageElement): PageStyle;

/** Text below 4.5 : 1, and shapes below 3 : 1, against what is under them (WCAG 1.4.3, 1.4.11). */
export function lowContrast(): string[] {
  const TEXT_NODES = 4;
  const channels = (color: string) => (color.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = (color: string) => {
    const [r = 0, g = 0, b = 0] = channels(color).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a: string, b: string) => {
    const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };
  const isClear = (color: string) => color === "none" || channels(color)[3] === 0;
  const ground = (element: PageElement | null): string => {
    if (element === null) return "rgb(255, 255, 255)";
    const { backgroundColor } = getComputedStyle(element);
    return isClear(backgroundColor) ? ground(element.parentElement) : backgroundColor;
  };
  const found: string[] = [];
  const walker = document.createTreeWalker(document, TEXT_NODES);
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const element = node.parentElement;
    const text = node.textContent?.trim() ?? "";
    if (element === null || text === "" || element.getBoundingClientRect().width === 0) continue;
    const { color, fill } = getComputedStyle(element);
    const value = ratio(element.tagName === "text" ? fill : color, ground(element));
    if (value < 4.5) found.push(`${value.toFixed(2)} ${element.tagName}: ${text.slice(0, 40)}`);
  }
  for (const shape of document.querySelectorAll("rect, line:not(.gap), path")) {
    const { fill, stroke } = getComputedStyle(shape);
    const colors = [fill, stroke].filter((color) => !isClear(color));
    const value = Math.max(...colors.map((color) => ratio(color, ground(shape))));
    if (value < 3) found.push(`${value.toFixed(2)} ${shape.tagName} ${fill} ${stroke}`);
  }
  return found;
}

/** What is wider than the screen, so that the page would scroll sideways. */
export function stickingOut(): string[] {
  const { scrollWidth, clientWidth } = document.documentElement;
  const wide = [...document.querySelectorAll("body *")].filter((element) => {
    const { left, right } = element.getBoundingClientRect();
    return right > clientWidth + 0.5 || left < -0.5;
  });
  return [
    ...(scrollWidth > clientWidth ? [`the page: ${scrollWidth} > ${clientWidth}`] : []),
    ...wide.map(({ tagName, textContent }) => `${tagName}: ${textContent?.slice(0, 40)}`),
  ];
}

/** The names of the elements and attributes in the page. */
export function vocabulary(): { readonly tags: string[]; readonly attributes: string[] } {
  const all = [...document.querySelectorAll("*")];
  return {
    tags: [...new Set(all.map(({ tagName }) => tagName.toLowerCase()))].sort(),
    attributes: [...new Set(all.flatMap((element) => element.getAttributeNames()))].sort(),
  };
}

/** The levels of the headings, in their order. */
export function headingLevels(): number[] {
  return [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map(({ tagName }) =>
    Number(tagName.slice(1)),
  );
}

/** Animations, and elements with a transition. */
export function movements(): string[] {
  const slow = [...document.querySelectorAll("*")].filter(
    (element) => getComputedStyle(element).transitionDuration !== "0s",
  );
  return [...document.getAnimations().map(String), ...slow.map(({ tagName }) => tagName)];
}

/** The color of the page itself. */
export function background(): string {
  return getComputedStyle(document.body).backgroundColor;
}

/** The element that has the keyboard focus. */
export function focused(): string {
  return document.activeElement?.tagName ?? "nowhere";
}

import { BarChart, type BarSeriesOption, LineChart, type LineSeriesOption } from "echarts/charts";
import {
  GridComponent,
  type GridComponentOption,
  LegendComponent,
  type LegendComponentOption,
  MarkAreaComponent,
  type MarkAreaComponentOption,
  MarkLineComponent,
  type MarkLineComponentOption,
  TitleComponent,
  type TitleComponentOption,
} from "echarts/components";
import { type ComposeOption, init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

use([
  BarChart,
  GridComponent,
  LegendComponent,
  LineChart,
  MarkAreaComponent,
  MarkLineComponent,
  SVGRenderer,
  TitleComponent,
]);

type ChartOption = ComposeOption<
  | BarSeriesOption
  | GridComponentOption
  | LegendComponentOption
  | LineSeriesOption
  | MarkAreaComponentOption
  | MarkLineComponentOption
  | TitleComponentOption
>;

/** A line or bar chart's frame, in the words of its reader. */
interface Frame {
  readonly title: string;
  readonly xName: string;
  readonly yName: string;
  /** @default false */
  readonly logarithmic?: boolean;
}

export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

const SIZE = { width: 880, height: 460 };
/** The palette of Okabe and Ito, which color-blind readers can distinguish. Ours is the first. */
const COLOURS = ["#0072b2", "#d55e00", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#555555"];

export function lineChart(
  frame: Frame,
  lines: readonly Line[],
  marked?: { readonly name: string; readonly from: number; readonly to: number },
): string {
  return render(frame.title, {
    ...frameOption(frame),
    xAxis: { type: "value", min: "dataMin", max: "dataMax", ...axisName(frame.xName) },
    series: lines.map(({ name, points }, index) => ({
      type: "line" as const,
      name,
      data: points.map(([x, y]) => [x, y]),
      showSymbol: false,
      lineStyle: { width: index === 0 ? 3.5 : 2 },
      ...(index === 0 &&
        marked && {
          markArea: {
            itemStyle: { color: "rgba(120, 120, 120, 0.15)" },
            label: { color: "#555555" },
            data: [[{ name: marked.name, xAxis: marked.from }, { xAxis: marked.to }]],
          },
        }),
    })),
  });
}

export interface Bars {
  readonly name: string;
  readonly values: readonly number[];
}

export function barChart(
  frame: Frame,
  categories: readonly string[],
  bars: readonly Bars[],
  line?: { readonly name: string; readonly at: number },
): string {
  return render(frame.title, {
    ...frameOption(frame),
    xAxis: {
      type: "category",
      data: [...categories],
      axisLabel: { interval: 0 },
      ...axisName(frame.xName),
    },
    series: bars.map(({ name, values }, index) => ({
      type: "bar" as const,
      name,
      data: [...values],
      label: {
        show: true,
        position: "top" as const,
        formatter: ({ value }) =>
          Number(value).toLocaleString("en-US", { maximumFractionDigits: 1 }),
      },
      ...(index === 0 &&
        line && {
          markLine: {
            symbol: "none",
            label: { formatter: line.name, position: "insideEndTop" as const },
            lineStyle: { color: "#555555" },
            data: [{ yAxis: line.at }],
          },
        }),
    })),
  });
}

function axisName(name: string) {
  return { name, nameLocation: "middle" as const, nameGap: 28 };
}

function frameOption({ title, yName, logarithmic = false }: Frame): ChartOption {
  return {
    animation: false,
    backgroundColor: "#ffffff",
    color: COLOURS,
    title: { text: title, left: "center", textStyle: { fontSize: 15 } },
    legend: { bottom: 4, itemGap: 30 },
    grid: { left: 76, right: 28, top: 48, bottom: 84 },
    yAxis: {
      type: logarithmic ? "log" : "value",
      ...axisName(yName),
      nameGap: 54,
      axisLabel: { formatter: (value: number) => value.toLocaleString("en-US") },
    },
  };
}

function render(title: string, option: ChartOption): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, ...SIZE });
  chart.setOption(option);
  const svg = chart.renderToSVGString();
  chart.dispose();
  // Styles and classes are for hovering; a picture in a README has a name instead.
  const plain = svg
    .replace(/<style[\s\S]*?<\/style>\n?/g, "")
    .replace(/ class="[^"]*"/g, "")
    // Ids count the charts of the process, and the file would change with the order of the parts.
    .replace(/\bzr\d+-/g, "zr-");
  return `${plain.replace(/^<svg [^>]*>/, `$&<title>${title}</title>`)}\n`;
}

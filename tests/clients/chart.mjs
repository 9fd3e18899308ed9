// The recipe of the README for ECharts, drawn without a browser: a series of the API is a dataset as it is.
//
//     node chart.mjs http://127.0.0.1:8080

import * as echarts from "echarts"

const base = process.argv[2]
const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: 800, height: 300 })
// Drawn at once and not little by little.
const still = { animation: false }

const { items } = await (await fetch(`${base}/v1/indicators/online_filing_rate/series?last=30d`)).json()
chart.setOption(still)
chart.setOption({ dataset: { source: items }, xAxis: { type: "time" }, yAxis: {}, series: [{ type: "line", encode: { x: "bucket", y: "value" } }] })

const values = items.filter((item) => item.value !== null)
const told = chart.getModel().getSeriesByIndex(0).getData()
const drawn = values.filter((item) => told.get(told.mapDimension("y"), items.indexOf(item)) === item.value)
// The longest path is the line: it goes through every point.
const paths = [...chart.renderToSVGString().matchAll(/ d="([^"]+)"/g)].map(([, path]) => path.match(/[ML]/g).length)
const points = Math.max(...paths)
chart.dispose()
if (values.length < 10 || drawn.length !== values.length || points < values.length) {
  throw new Error(`${drawn.length} of ${values.length} values and a line of ${points} points were drawn`)
}
console.log(`a line through ${points} days`)

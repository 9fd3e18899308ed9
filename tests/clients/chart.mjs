// The recipe of the README for ECharts, drawn without a browser: a series of the API is a dataset as it is.
//
//     node chart.mjs http://127.0.0.1:8080

import * as echarts from "echarts"

const base = process.argv[2]
const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: 800, height: 300 })

const { items } = await (await fetch(`${base}/v1/indicators/online_filing_rate/series?last=30d`)).json()
chart.setOption({ dataset: { source: items }, xAxis: { type: "time" }, yAxis: {}, series: [{ type: "line", encode: { x: "bucket", y: "value" } }] })

const values = items.filter((item) => item.value !== null)
const told = chart.getModel().getSeriesByIndex(0).getData()
const drawn = values.filter((item, at) => told.get("y", items.indexOf(item)) === item.value)
const line = chart.renderToSVGString().match(/<path d="M[^"]*" fill="none" stroke="#5[0-9a-f]+"/g) ?? []
if (values.length < 10 || drawn.length !== values.length || line.length !== 1) {
  throw new Error(`${drawn.length} of ${values.length} values and ${line.length} lines were drawn`)
}
console.log(`a line of ${drawn.length} days`)

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

// Its recipe for a map: communes as squares of one size, coloured by a breakdown.
const communes = await (await fetch(`${base}/v1/geo/communes.geojson?geometry=tile`)).json()
const rows = (await (await fetch(`${base}/v1/indicators/online_filing_rate/breakdown?by=commune`)).json()).items
echarts.registerMap("communes", communes)
const map = echarts.init(null, null, { renderer: "svg", ssr: true, width: 800, height: 600 })
map.setOption(still)
map.setOption({ visualMap: { max: 1 }, series: [{ type: "map", map: "communes", nameProperty: "code", data: rows.map(({ key, value }) => ({ name: key, value })) }] })
const known = new Set(communes.features.map((feature) => feature.properties.code))
const placed = rows.filter((row) => known.has(row.key) && row.value !== null)
// Fills by how many squares have them: those with a value are not grey but on the scale.
const fills = new Map()
for (const [, fill] of map.renderToSVGString().matchAll(/<path [^>]*fill="([^"]+)"/g)) fills.set(fill, (fills.get(fill) ?? 0) + 1)
const squares = [...fills.values()].reduce((sum, count) => sum + count, 0)
map.dispose()
if (known.size !== 130 || placed.length < 100 || squares < known.size || fills.size < 10) {
  throw new Error(`${placed.length} of ${known.size} communes have a value, ${squares} squares in ${fills.size} colours were drawn`)
}
console.log(`a map of ${known.size} communes, ${placed.length} of them with a value`)

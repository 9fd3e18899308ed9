// A client in TypeScript whose types are made from the gateway's own reference: it compiles only if the
// reference says what a reading is, and it fails if the reading is another one.
//   node reading.mjs http://127.0.0.1:8080
import type { components, paths } from "./api.js";

type Value =
  paths["/v1/indicators/{id}/value"]["get"]["responses"]["200"]["content"]["application/json"];
type Board = paths["/v1/boards/{id}"]["get"]["responses"]["200"]["content"]["application/json"];
type Problem = components["schemas"]["Problem"];

const base = process.argv[2];

async function read<T>(path: string): Promise<T> {
  const answer = await fetch(`${base}${path}`);
  if (!answer.ok) {
    const problem = (await answer.json()) as Problem;
    throw new Error(`${path}: ${problem.status} ${problem.title}`);
  }
  return (await answer.json()) as T;
}

// A month that is over: on a Sunday nothing is filed.
const month = new Date(Date.now() - 31 * 86_400_000).toISOString().slice(0, 7);
const value = await read<Value>(`/v1/indicators/online_filing_rate/value?period=${month}`);
if (value.indicator !== "online_filing_rate" || typeof value.value !== "number") {
  throw new Error(`not a reading: ${JSON.stringify(value)}`);
}
const board = await read<Board>("/v1/boards/operations");
if (board.items.length === 0 || board.items.some((item) => item.result.status !== 200)) {
  throw new Error(`not a board: ${JSON.stringify(board.items.map((item) => item.result.status))}`);
}
console.log(`${value.indicator} of ${value.period.id}: ${value.value}; ${board.items.length} tiles`);

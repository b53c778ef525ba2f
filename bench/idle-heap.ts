// What an idle session keeps on the heap of the side that accepted it, biggest first, for docs/performance.md:
// `node --conditions=@myelin/source bench/idle-heap.ts [KIND] [SESSIONS] [LINES]`. The difference of two snapshots,
// before and after the sessions; what the bench itself keeps for each is in it (SessionLink and its functions).

import { FarProcess } from './peers/far-process.ts'
import { kindOf } from './peers/kinds.ts'

/** Code and tables that the first sessions bring. */
const sessionsBefore = 50

const [, , kindName = 'XKhfs', sessionsText = '500', linesText = '60'] = process.argv
const sessions = Number(sessionsText)

const kind = kindOf(kindName, undefined)
await using far = await FarProcess.start(kindName as 'XKhfs')
const links = []
for (let i = 0; i < sessionsBefore; i += 1) links.push(await kind.dial(far.address))
await far.accepted(links.length)
await far.census()
const before = await far.census()
for (let i = 0; i < sessions; i += 1) links.push(await kind.dial(far.address))
await far.accepted(links.length)
const after = await far.census()
for (const part of ['owners', 'kinds'] as const) {
  const rows = Object.entries(after[part]).map(([name, [count, bytes]]) => {
    const [countBefore, bytesBefore] = before[part][name] ?? [0, 0]
    return {
      name,
      count: (count - countBefore) / sessions,
      bytes: (bytes - bytesBefore) / sessions,
    }
  })
  rows.sort((a, b) => b.bytes - a.bytes)
  const sum = rows.reduce((total, { bytes }) => total + bytes, 0)
  console.log(`${sum.toFixed(0)} bytes of heap for each of ${sessions} ${kindName}, by ${part}`)
  for (const { name, count, bytes } of rows.slice(0, Number(linesText)))
    console.log(`${bytes.toFixed(1).padStart(9)} ${count.toFixed(2).padStart(8)}  ${name}`)
}
for (const link of links) link.destroy()

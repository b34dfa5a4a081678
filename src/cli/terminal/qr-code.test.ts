/** Debian’s zbar reads what the terminal shows. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readScreen } from '../../../test/support/qr-screen.ts'
import { qrCode, qrLines } from './qr-code.ts'

const text = (length: number): string =>
  Array.from({ length }, (_, i) => String.fromCharCode(33 + ((i * 7) % 90))).join('')

describe('the QR code', () => {
  // As many bytes as fit, by the tables of the standard.
  for (const [version, most] of [
    [1, 17],
    [2, 32],
    [6, 134],
    [7, 154],
    [9, 230],
    [10, 271],
    [13, 425],
    [14, 458],
    [21, 929],
  ] as const)
    it(`version ${version} is read`, async () => {
      const code = await qrCode(text(most))
      assert.equal(code?.length, version * 4 + 17)
      assert.equal((await qrCode(text(most + 1)))?.length, version * 4 + 21)
      assert.equal(readScreen(qrLines(code ?? [])), text(most))
    })

  it('is read on a terminal with dark text on light, too', async () => {
    const code = await qrCode('ghostport')
    assert.ok(code !== undefined)
    assert.equal(readScreen(qrLines(code, true), false), 'ghostport')
  })

  it('has room for 2953 characters', async () => {
    assert.equal((await qrCode(text(2953)))?.length, 177)
    assert.equal(await qrCode(text(2954)), undefined)
  })
})

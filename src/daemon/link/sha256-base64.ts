/** A reader that several messages use. */
import { decodeBase64 } from '../../bytes/base64.ts'
import { mapped, text } from '../../json-reader.ts'

/** Base64 (unpadded) of 32 bytes. */
export const sha256Base64 = mapped(text({ max: 43 }), (digest) =>
  decodeBase64(digest)?.length === 32 ? digest : undefined,
)

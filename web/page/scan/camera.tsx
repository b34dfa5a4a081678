/** The camera, until it sees a code. Nothing is recorded, and it goes off with this view. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { Notice } from '../../shared/notice.tsx'
import { codeIn } from './picture.ts'

const LOOK_MILLISECONDS = 150

export function Camera({ onCode }: { readonly onCode: (text: string) => void }): JSX.Element {
  const video = useRef<HTMLVideoElement>(null)
  const refused = useSignal<string | undefined>(undefined)
  useEffect(() => {
    let stream: MediaStream | undefined
    let timer: ReturnType<typeof setTimeout> | undefined
    let ended = false
    const look = async () => {
      const element = video.current
      if (ended || element === null) return
      const code = await codeIn(element, { width: element.videoWidth, height: element.videoHeight })
      if (ended) return
      if (code === undefined) timer = setTimeout(look, LOOK_MILLISECONDS)
      else onCode(code)
    }
    const begin = async () => {
      try {
        if (navigator.mediaDevices === undefined) throw new DOMException('none', 'NotFoundError')
        stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' }, audio: false })
        if (ended || video.current === null) return stop()
        video.current.srcObject = stream
        await video.current.play()
        void look()
      } catch (error) {
        refused.value =
          error instanceof DOMException && error.name === 'NotAllowedError'
            ? 'The browser did not allow the camera. Allow it in the settings of this page, or use a picture.'
            : 'There is no camera that this page can use. Use a picture of the code, or paste the line.'
      }
    }
    const stop = () => {
      for (const track of stream?.getTracks() ?? []) track.stop()
    }
    void begin()
    return () => {
      ended = true
      clearTimeout(timer)
      stop()
    }
  }, [])
  if (refused.value !== undefined) return <Notice kind="warn" title={refused.value} />
  return (
    <div class="stack">
      <video ref={video} class="viewfinder" muted playsInline aria-label="What the camera sees" />
      <p class="soft">Hold the code in front of the camera. The pictures stay on this device.</p>
    </div>
  )
}

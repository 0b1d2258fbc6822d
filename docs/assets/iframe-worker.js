// The search runs in a worker, and browsers start none for a page that is opened from a disk: there its script runs in a
// frame that is not shown. The theme looks for "iframe-worker" in this file's name and leaves its own, from the network, out.
if (location.protocol === "file:")
  Object.assign(window, { Worker: class extends EventTarget {
    constructor(url) {
      super()
      /** @type {any} with a window and a document, once it is in the page */
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      this.scope = frame.contentWindow
      this.scope.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }))
      this.ready = new Promise((resolve, reject) => {
        const script = frame.contentDocument.createElement("script")
        Object.assign(script, { src: url, onload: resolve, onerror: reject })
        frame.contentDocument.body.append(script)
      })
    }

    postMessage(data) {
      this.ready.then(() => this.scope.dispatchEvent(new MessageEvent("message", { data })))
    }
  } })

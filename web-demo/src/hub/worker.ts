/** The hub as a worker that all tabs of a subject share. */
import { Hub } from "./hub";
import type { ToHub } from "./protocol";

declare const self: SharedWorkerGlobalScope;

interface SharedWorkerGlobalScope extends EventTarget {
  onconnect: ((event: MessageEvent) => void) | null;
}

const hub = new Hub();
self.addEventListener("online", () => hub.hurry());
self.onconnect = (event) => {
  const port = event.ports[0];
  if (!port) return;
  port.onmessage = (message: MessageEvent<ToHub>) => hub.hear(tab, message.data);
  const tab = { post: port.postMessage.bind(port) };
};

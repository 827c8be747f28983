/** A tab's way to the hub: the shared worker, or one of its own where browsers have none (Chrome on Android). */
import workerUrl from "./worker?sharedworker&url";
import type { ToHub } from "./protocol";

/** A port to the hub of this subject. */
export async function connect(subject: string): Promise<MessagePort> {
  if ("SharedWorker" in globalThis) {
    // A worker is shared by all that give its address the same name.
    return new SharedWorker(workerUrl, { type: "module", name: `guichet ${subject}` }).port;
  }
  const { Hub } = await import("./hub");
  const hub = new Hub();
  const { port1, port2 } = new MessageChannel();
  const tab = { post: port2.postMessage.bind(port2) };
  port2.onmessage = (message: MessageEvent<ToHub>) => hub.hear(tab, message.data);
  return port1;
}

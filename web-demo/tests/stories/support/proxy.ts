/** A proxy that puts the service below a path of its own, and buffers nothing. */
import { createServer, request, type Server } from "node:http";

export interface Proxy {
  url: string;
  close(): Promise<void>;
}

/** Serves what `target` serves below `/school/guichet/`. */
export function below(target: string): Promise<Proxy> {
  const prefix = "/school/guichet";
  const server: Server = createServer((incoming, outgoing) => {
    const path = incoming.url ?? "/";
    if (!path.startsWith(`${prefix}/`)) {
      outgoing.writeHead(404).end();
      return;
    }
    const way = new URL(path.slice(prefix.length), target);
    const onward = request(way, { method: incoming.method, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on("error", () => outgoing.destroy());
    outgoing.on("close", () => onward.destroy());
    incoming.pipe(onward);
  });
  return new Promise((done) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address ? address.port : 0;
      done({
        url: `http://127.0.0.1:${port}${prefix}/`,
        close: () =>
          new Promise((closed) => {
            server.closeAllConnections();
            server.close(() => closed());
          }),
      });
    });
  });
}

/** The true service as a process of its own, on a data folder and a port of its own. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../../../..");
const PROGRAM = join(ROOT, "target/debug/guichet");
const START_MS = 120_000;
const STOP_MS = 60_000;

function wanted(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: make test sets up what the tests need`);
  return value;
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.on("error", fail);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => done(typeof address === "object" && address ? address.port : 0));
    });
  });
}

/** Looks until something is so; the error says what was seen last. */
export async function until<T>(what: string, look: () => Promise<T>, ready: (seen: T) => boolean, ms = 120_000): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const seen = await look();
    if (ready(seen)) return seen;
    if (Date.now() > end) throw new Error(`waited ${ms} ms for ${what}; last seen: ${JSON.stringify(seen)}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

export class Service {
  private child: ChildProcess | null = null;

  private constructor(
    private readonly folder: string,
    private readonly port: number,
    private readonly slots: number,
    private readonly settings: Record<string, string>,
  ) {}

  /** A service that is ready; `file` is what its settings' file holds beside them. */
  static async start(slots = 2, settings: Record<string, string> = {}, file = ""): Promise<Service> {
    const service = new Service(mkdtempSync(join(tmpdir(), "guichet-page-")), await freePort(), slots, settings);
    writeFileSync(join(service.folder, "guichet.toml"), file);
    await service.restart();
    return service;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  private environment(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      GUICHET_DATA_DIR: join(this.folder, "data"),
      GUICHET_LISTEN: `127.0.0.1:${this.port}`,
      GUICHET_DOCKER_HOSTS: wanted("GUICHET_TEST_DOCKER_HOST"),
      GUICHET_EXECUTION__AGENT_PATH: wanted("GUICHET_EXECUTION__AGENT_PATH"),
      GUICHET_EXECUTION__RUNTIMES_DIR: process.env.GUICHET_EXECUTION__RUNTIMES_DIR ?? join(ROOT, "runtimes"),
      GUICHET_EXECUTION__SLOTS: String(this.slots),
      ...this.settings,
    };
  }

  private get log(): string {
    return readFileSync(join(this.folder, "log"), "utf8").slice(-8000);
  }

  /** Starts it on the same data folder and port, and waits until it is ready. */
  async restart(): Promise<void> {
    const log = openSync(join(this.folder, "log"), "a");
    const child = spawn(PROGRAM, ["serve", "--config", join(this.folder, "guichet.toml")], { cwd: ROOT, env: this.environment(), stdio: ["ignore", log, log] });
    closeSync(log);
    this.child = child;
    const ready = async () => {
      if (child.exitCode !== null) throw new Error(`the service ended with ${child.exitCode}\n${this.log}`);
      return (await fetch(`${this.url}readyz`).catch(() => null))?.status ?? 0;
    };
    await until("the service to be ready", ready, (status) => status === 200, START_MS);
  }

  /** SIGKILL: everything else stays as it is at that moment. */
  async kill(): Promise<void> {
    await this.end("SIGKILL");
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this;
    if (!child || child.exitCode !== null) return;
    const gone = new Promise((done) => child.once("exit", done));
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await gone;
    clearTimeout(timer);
    this.child = null;
  }

  /** Makes all tokens worthless: the key is made anew at the next start. */
  forgetKey(): void {
    rmSync(join(this.folder, "data", "key"));
  }

  /** Another address of the engine, as that of another host. */
  otherAddress(name: string): string {
    const engine = wanted("GUICHET_TEST_DOCKER_HOST");
    if (!engine.startsWith("unix://")) throw new Error(`another address can be made for an engine at a socket, not for ${engine}`);
    const path = join(this.folder, `${name}.sock`);
    symlinkSync(engine.slice("unix://".length), path);
    return `unix://${path}`;
  }

  private docker(...command: string[]): string {
    return execFileSync("docker", ["-H", wanted("GUICHET_TEST_DOCKER_HOST"), ...command], { encoding: "utf8" });
  }

  private get label(): string {
    const command = [join(this.folder, "data/guichet.sqlite"), "SELECT id FROM installation"];
    return `label=guichet.installation=${execFileSync("sqlite3", command, { encoding: "utf8" }).trim()}`;
  }

  /** Kills the container in which a program runs, behind the back of the service; answers its id. */
  async killBusyContainer(): Promise<string> {
    const busy = async () => {
      const ids = this.docker("ps", "-q", "--filter", this.label).split("\n").filter((id) => id !== "");
      return ids.find((id) => this.docker("top", id, "-eo", "pid,args").includes("main.py")) ?? "";
    };
    const id = await until("a container that runs a program", busy, (found) => found !== "");
    this.docker("kill", id);
    return id;
  }

  /** Stops it; nothing of it may be left. */
  async stop(): Promise<void> {
    const { label } = this;
    await this.end("SIGTERM");
    const left = this.docker("ps", "-aq", "--filter", label);
    const { log } = this;
    rmSync(this.folder, { recursive: true, force: true });
    if (left !== "") throw new Error(`the service left containers: ${left}\n${log}`);
  }

  token(sub: string, role = "student", ttl = "1h"): string {
    const command = ["token", "--sub", sub, "--role", role, "--ttl", ttl];
    return execFileSync(PROGRAM, command, { cwd: ROOT, env: this.environment(), encoding: "utf8" }).trim();
  }

  private async call(token: string, method: string, path: string, body?: unknown): Promise<Response> {
    const request: RequestInit = { method, headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" } };
    if (body !== undefined) request.body = JSON.stringify(body);
    const answer = await fetch(this.url + path, request);
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  }

  /** A link that signs in, made as a platform does. */
  async signInLink(request: { sub: string; role: string; path?: string; session_ttl_s?: number }): Promise<string> {
    const answer = await this.call(this.token("platform", "backend"), "POST", "v1/sign-in-links", request);
    return ((await answer.json()) as { url: string }).url;
  }

  async putExercise(id: string, exercise: object): Promise<void> {
    await this.call(this.token("tina", "teacher"), "PUT", `v1/exercises/${id}`, exercise);
  }

  /** Adds a Docker host, as another operator would. */
  async addHost(name: string, url: string): Promise<void> {
    await this.call(this.token("root", "admin"), "POST", "v1/hosts", { name, url });
  }

  async setHostMode(name: string, mode: string): Promise<void> {
    await this.call(this.token("root", "admin"), "PATCH", `v1/hosts/${name}`, { mode });
  }

  /** The exercise as it is stored, with its entity tag. */
  async exercise(id: string): Promise<{ body: Record<string, unknown>; tag: string }> {
    const answer = await this.call(this.token("tina", "teacher"), "GET", `v1/exercises/${id}`);
    return { body: (await answer.json()) as Record<string, unknown>, tag: answer.headers.get("etag") ?? "" };
  }

  /** Submits as another student would, without the page; answers the id. */
  async submit(sub: string, exercise: string, program: string): Promise<string> {
    const body = { exercise_id: exercise, runtime: "python", files: [{ path: "main.py", content: program }] };
    const answer = await this.call(this.token(sub), "POST", "v1/submissions", body);
    return ((await answer.json()) as { id: string }).id;
  }

  async state(sub: string, id: string): Promise<string> {
    return ((await (await this.call(this.token(sub), "GET", `v1/submissions/${id}`)).json()) as { state: string }).state;
  }

  /** A figure of /metrics. */
  async metric(name: string): Promise<number> {
    const text = await (await this.call(this.token("root", "admin"), "GET", "metrics")).text();
    return Number(text.split("\n").find((line) => line.startsWith(`${name} `))?.split(" ")[1] ?? Number.NaN);
  }
}

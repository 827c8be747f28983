import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliCompress, constants, gzip } from "node:zlib";
import { promisify } from "node:util";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Packs each asset beside itself: the program serves the bytes as they lie here. */
function packed(folder: string): Plugin {
  return {
    name: "packed",
    apply: "build",
    async closeBundle() {
      const assets = join(folder, "assets");
      await Promise.all(
        (await readdir(assets)).map(async (name) => {
          const bytes = await readFile(join(assets, name));
          const best = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
          await writeFile(join(assets, `${name}.br`), await promisify(brotliCompress)(bytes, best));
          await writeFile(join(assets, `${name}.gz`), await promisify(gzip)(bytes, { level: 9 }));
        }),
      );
    },
  };
}

const outDir = "dist/page";

export default defineConfig({
  // The page does not know what is before its path: it asks its `base` (src/http/page.rs).
  base: "./",
  build: {
    outDir,
    emptyOutDir: true,
    target: "es2022",
    // What is below /assets/ has a name of its own content; nothing is put into the document.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    license: { fileName: "assets/licenses.md" },
    rolldownOptions: {
      output: {
        // What a language of the editor needs can be told from the rest, which counts as the first load.
        chunkFileNames: ({ moduleIds }) =>
          moduleIds.some((id) => /@codemirror\/lang-|@lezer\/lr\//.test(id)) ? "assets/language-[hash].js" : "assets/[name]-[hash].js",
      },
    },
  },
  worker: { format: "es" },
  plugins: [packed(outDir)],
  test: {
    projects: [
      { extends: true, test: { name: "logic", include: ["tests/logic/*.test.ts"] } },
      {
        extends: true,
        test: {
          name: "stories",
          include: ["tests/stories/*.test.ts"],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});

import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/**
 * Writes a `.gz` and a `.br` beside each text asset, so that the server never compresses on request. A sibling that is
 * not smaller than the file is left out: the server then sends the file itself.
 */
function precompress(): Plugin {
  return {
    name: "precompress",
    apply: "build",
    enforce: "post",
    generateBundle: {
      // After everybody who still changes the files, as what fills in the names of lazy ones.
      order: "post",
      handler(_options, bundle) {
        for (const [name, output] of Object.entries(bundle)) {
          if (!/\.(js|css|html|svg|json|txt)$/.test(name)) continue;
          const body = Buffer.from(output.type === "chunk" ? output.code : output.source);
          const gzip = gzipSync(body, { level: 9 });
          const brotli = brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
          if (gzip.length < body.length)
            this.emitFile({ type: "asset", fileName: `${name}.gz`, source: gzip });
          if (brotli.length < body.length)
            this.emitFile({ type: "asset", fileName: `${name}.br`, source: brotli });
        }
      },
    },
  };
}

export default defineConfig({
  plugins: [precompress()],
  build: {
    target: "es2022",
    outDir: process.env.MIRRORWATCH_WEB_OUT ?? "dist",
    emptyOutDir: true,
    // The policy of the page allows neither inline scripts nor data: scripts and styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Views come as chunks of their own; what they look like is one small file.
    cssCodeSplit: false,
    reportCompressedSize: true,
  },
  server: {
    proxy: {
      "/api": { target: process.env.MIRRORWATCH_API ?? "http://127.0.0.1:7390", ws: true },
    },
  },
  test: { environment: "happy-dom", include: ["src/**/*.test.{ts,tsx}"] },
});

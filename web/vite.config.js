import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { defineConfig } from 'vite'

const WORTH_BYTES_MIN = 1024
const TEXT = /\.(html|css|js|svg)$/

/** `dist` stays in place with its .gitignore, since cargo watches it; what an earlier build left in it goes. */
const emptied = {
  name: 'emptied',
  apply: 'build',
  buildStart () {
    for (const name of readdirSync('dist')) {
      if (name !== '.gitignore') rmSync(join('dist', name), { recursive: true })
    }
  }
}

/** Compresses once, as well as can be, what the server would otherwise have to compress each time. */
const compressed = {
  name: 'compressed',
  apply: 'build',
  closeBundle () {
    for (const name of readdirSync('dist', { recursive: true })) {
      const path = join('dist', name)
      if (!TEXT.test(name)) continue
      const content = readFileSync(path)
      if (content.length < WORTH_BYTES_MIN) continue
      writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }))
      writeFileSync(`${path}.br`, brotliCompressSync(content))
    }
  }
}

// `npm run dev` shows the page as it is being written, in front of a server that already runs.
const server = process.env.SYNCLINE_URL ?? 'http://127.0.0.1:8080'

export default defineConfig({
  build: {
    target: 'es2022',
    emptyOutDir: false,
    // The server allows nothing but files of its own: no data URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false }
  },
  plugins: [emptied, compressed],
  server: {
    proxy: {
      '/rooms': server,
      '/hocuspocus': { target: server, ws: true }
    }
  }
})

import { defineConfig } from 'vite'

const pages = ['index.html', 'tiptap/index.html', 'codemirror/index.html', 'quill/index.html', 'plain-text/index.html']

export default defineConfig({
  base: './',
  build: { rolldownOptions: { input: pages }, chunkSizeWarningLimit: 1000 }
})

/** Loaded into the process of each test file: at SIGUSR2 it reports what keeps the process running. */
process.on('SIGUSR2', () => {
  process.stderr.write(`still open: ${process.getActiveResourcesInfo().join(', ')}\n`)
})

// Times and sizes as people say them.

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })
const UNITS = [['day', 86_400_000], ['hour', 3_600_000], ['minute', 60_000]]
const DAYS_TOLD = 7

export const ago = (at, now = Date.now()) => {
  const past = Math.max(0, now - at)
  if (past > DAYS_TOLD * 86_400_000) return `on ${new Date(at).toLocaleDateString('en', { day: 'numeric', month: 'long', year: 'numeric' })}`
  const unit = UNITS.find(([, ms]) => past >= ms)
  return unit ? relative.format(-Math.floor(past / unit[1]), unit[0]) : 'just now'
}

const SIZES = [['MB', 1e6], ['kB', 1e3]]

export const size = bytes => {
  const [unit, one] = SIZES.find(([, one]) => bytes >= one) ?? []
  if (!unit) return count(bytes, 'byte', 'bytes')
  const value = bytes / one
  return `${value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 1 : 0 })} ${unit}`
}

export const count = (number, one, many) => `${number.toLocaleString('en')} ${number === 1 ? one : many}`

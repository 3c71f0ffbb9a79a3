{
const { finite } = Report;
const MINUS = '\u2212', THIN = '\u202f', NONE = '\u2013';
const sign = text => text.replace(/^-/, MINUS);
const superscript = n => String(n).replace(/./g, c => c === '-' ? '\u207b' : '\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079'[c]);
const exponent = v => v === 0 ? 0 : Math.floor(Math.log10(Math.abs(v)) + 1e-12);
const times = e => `${THIN}\u00d7${THIN}10${superscript(e)}`;
const isWide = e => e >= 5 || e < -3;

// No Intl anywhere: the same data must give the same text in every locale.
Report.count = n => String(n).replace(/\B(?=(\d{3})+$)/g, THIN);

Report.num = (v, digits = 3) => {
  if (!finite(v)) return NONE;
  if (v === 0) return '0';
  const e = exponent(Number(v.toPrecision(digits)));
  if (Number.isInteger(v) && Math.abs(v) < 1e5) return sign(Math.abs(v) < 1e4 ? String(v) : Report.count(v));
  if (isWide(e)) return sign((v / 10 ** e).toFixed(digits - 1)) + times(e);
  return sign(v.toFixed(Math.max(0, digits - 1 - e)));
};

// Axis labels want no trailing zeros: 0.5, not 0.500.
Report.tick = v => {
  if (v === 0) return '0';
  const clean = Number(v.toPrecision(4)), e = exponent(clean);
  if (!isWide(e)) return Number.isInteger(clean) ? sign(Report.count(clean)) : sign(String(clean));
  const m = Number((clean / 10 ** e).toPrecision(3));
  return m === 1 ? `10${superscript(e)}` : sign(String(m)) + times(e);
};

// An interval is shown to two significant digits of its width, and its middle to the same place.
const parts = (mid, low, high) => {
  const e = exponent(Math.max(Math.abs(mid), Math.abs(low), Math.abs(high)));
  const shift = isWide(e) ? e : 0, width = (high - low) / 10 ** shift;
  const places = width > 0 ? Math.min(Math.max(0, 1 - exponent(width)), Math.max(0, 8 - (e - shift))) : Math.max(0, 3 - (e - shift));
  const show = v => sign((v / 10 ** shift).toFixed(places).replace(/^-(0\.?0*)$/, '$1'));
  return { mid: show(mid), low: show(low), high: show(high), tail: shift ? times(shift) : '' };
};
Report.interval = s => {
  if (!s || !finite(s.mid)) return NONE;
  if (!finite(s.low) || !finite(s.high)) return Report.num(s.mid, 4);
  if (s.low === s.high && Number.isInteger(s.mid)) return Report.num(s.mid, 4);
  const p = parts(s.mid, s.low, s.high);
  return `${p.mid} [${p.low}, ${p.high}]${p.tail}`;
};
Report.survivors = (n, of) => `${n} of ${of}`;
Report.none = NONE;
}

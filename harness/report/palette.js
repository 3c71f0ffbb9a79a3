{
const dark = window.matchMedia('(prefers-color-scheme: dark)');
Report.isDark = () => dark.matches && !Report.printing;

// Okabe and Ito's colours; black and yellow give way to grey and olive, which show on paper and screen alike,
// and on a dark ground each is lightened.
const LIGHT = ['#0072b2', '#d55e00', '#009e73', '#b8578f', '#c98600', '#3a9fd8', '#5a5a5a', '#857600'];
const DARK = ['#4c9be8', '#f0803c', '#2fc496', '#e39cc3', '#f2b632', '#96d6fb', '#bdbdbd', '#e9df5a'];
const DASH = ['solid', [7, 4], [2, 3], [9, 3, 2, 3]];
const SYMBOLS = ['circle', 'rect', 'triangle', 'diamond'];

const mix = (a, b, t) => '#' + [1, 3, 5].map(i =>
  Math.round(parseInt(a.slice(i, i + 2), 16) * (1 - t) + parseInt(b.slice(i, i + 2), 16) * t).toString(16).padStart(2, '0')).join('');
Report.hue = i => (Report.isDark() ? DARK : LIGHT)[i % LIGHT.length];

// With several flows the hue says which flow; its variants differ in shade, then in dashes. With one flow the hues are free for its variants.
const ranks = new Map();
Report.rank = label => {
  if (!ranks.size) {
    const seen = new Map();
    for (const v of Report.variants.values()) {
      const n = seen.get(v.flow) || 0;
      seen.set(v.flow, n + 1);
      ranks.set(v.label, n);
    }
  }
  return ranks.get(label) || 0;
};
Report.style = label => {
  const variant = Report.variants.get(label);
  if (!variant) return { colour: Report.hue(6), dash: 'solid', symbol: 'circle' };
  const r = Report.rank(label), symbol = SYMBOLS[r % SYMBOLS.length];
  if (Report.flows.length < 2) return { colour: Report.hue(r), dash: DASH[Math.floor(r / LIGHT.length) % DASH.length], symbol };
  const base = Report.flowColour(variant.flow);
  const shades = Report.isDark() ? [base, mix(base, '#ffffff', 0.55), mix(base, '#000000', 0.4)] : [base, mix(base, '#000000', 0.5), mix(base, '#ffffff', 0.45)];
  return { colour: shades[r % 3], dash: DASH[Math.floor(r / 3) % DASH.length], symbol };
};
Report.flowColour = flow => Report.hue(Math.max(0, Report.flows.indexOf(flow)));
Report.plain = i => ({ colour: Report.hue(i), dash: DASH[Math.floor(i / LIGHT.length) % DASH.length], symbol: SYMBOLS[i % SYMBOLS.length] });

const listeners = [];
Report.onTheme = f => listeners.push(f);
const announce = () => listeners.forEach(f => f());
dark.addEventListener('change', announce);
let opened = [];
window.addEventListener('beforeprint', () => {
  Report.printing = true;
  opened = [...document.querySelectorAll('details:not([open])')];
  opened.forEach(d => { d.open = true; });
  Report.drawAll();
  announce();
  Report.fitPaper();
});
window.addEventListener('afterprint', () => {
  Report.printing = false;
  opened.forEach(d => { d.open = false; });
  announce();
  Report.fitPaper();
});

// Read as resolved values since charts cannot take custom properties; paper always gets the light ones.
const INK = { light: ['#1c1f23', '#5c636b', '#d9dce0', '#ffffff'], dark: ['#e6e8eb', '#a2a9b1', '#3a4048', '#16181b'] };
Report.ink = () => {
  const [text, faint, line, ground] = INK[Report.isDark() ? 'dark' : 'light'];
  return { text, faint, line, ground };
};
}

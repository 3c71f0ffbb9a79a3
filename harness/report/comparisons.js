{
const { h, data, finite, num, select, titled } = Report;

const unit = key => { const m = Report.metric(key); return m && m.unit ? ` ${m.unit}` : ''; };
const verdict = (p, better) => {
  if (!p.pairs || !finite(p.effect)) return 'no pair is left to compare';
  if (!finite(p.low) || !finite(p.high)) return 'too few pairs for an interval';
  if (p.low > 0 || p.high < 0) {
    const up = p.effect > 0, good = better ? (better === 'higher') === up : null;
    return `${up ? 'higher' : 'lower'} with ${p.to}${good == null ? '' : good ? ', which is better' : ', which is worse'}`;
  }
  if (p.smallest === 0) return 'equal in every pair';
  return finite(p.smallest) ? `no difference seen; one of ${num(p.smallest, 2)}${unit(p.metric)} would have been` : 'no difference seen; too few pairs to say which one would have been';
};
const difference = p => {
  if (!finite(p.effect)) return Report.none;
  return Report.interval({ mid: p.effect, low: p.low, high: p.high }).replace(/^(?![\u2212\u2013]|0$)/, '+');
};

const ruler = (min, max, width) => {
  const step = [1, 2, 5, 10].map(k => k * 10 ** Math.floor(Math.log10((max - min) / 3))).find(s => (max - min) / s <= 4) || max - min;
  const ticks = [];
  for (let k = Math.ceil(min / step); k * step <= max; k++) ticks.push(Number((k * step).toPrecision(6)));
  const x = v => 6 + (width - 12) * (v - min) / (max - min);
  return Report.svg('svg', { width, height: 18, viewBox: `0 0 ${width} 18`, class: 'whisker', 'aria-hidden': 'true' }, ...ticks.flatMap(t => [
    Report.svg('path', { d: `M${x(t)} 14V18`, class: 'zero' }),
    Report.svg('text', { x: x(t), y: 11, 'text-anchor': x(t) < 20 ? 'start' : x(t) > width - 20 ? 'end' : 'middle' }, Report.tick(t))]));
};
Report.ruler = ruler;

Report.section('comparisons', 'Paired comparisons', 'Each row changes one setting and nothing else, on the same target with the same seed, and gives the mean difference over such pairs with its interval. Where the interval contains 0, no difference was seen, which is not the same as there being none.',
  () => data.paired.length, root => {
  const metrics = Report.unique(data.paired.map(p => p.metric)), axes = [...new Map(data.paired.map(p => [p.axis, p.title])).entries()];
  const state = { metric: metrics.includes('elbo_gap_nats') ? 'elbo_gap_nats' : metrics[0], axis: '' };
  const place = Report.scroller('Paired comparisons');
  const draw = () => {
    const m = Report.metric(state.metric) || { title: state.metric, unit: null, better: null };
    const rows = data.paired.filter(p => p.metric === state.metric && (!state.axis || p.axis === state.axis));
    const ends = rows.flatMap(p => [p.effect, p.low, p.high]).filter(finite);
    // One row a hundred times wider than the rest would shrink them all to a point.
    const reach = rows.map(p => Math.max(...[p.effect, p.low, p.high].filter(finite).map(Math.abs), 0)).filter(v => v > 0), usual = reach.length ? 6 * Report.quantile(reach, 0.5) : 0;
    let min = Math.max(-usual, Math.min(0, ...ends)), max = Math.min(usual, Math.max(0, ...ends));
    const beyond = ends.some(v => v < min || v > max);
    if (min === max) { min = -1; max = 1; }
    const pad = (max - min) * 0.04;
    min -= pad; max += pad;
    const grey = p => finite(p.low) && (p.low > 0 || p.high < 0) ? Report.hue(0) : Report.ink().faint;
    place.replaceChildren(h('table', Report.head(['change', `difference in ${titled(m)}`, [Report.hiddenText('picture'), ends.length ? ruler(min, max, 220) : null], 'pairs', 'lost to failures',
      `smallest visible${m.unit ? ` (${m.unit})` : ''}`, 'reading']),
    h('tbody', rows.map(p => h('tr', h('th', { scope: 'row' }, `${p.title}: ${p.from} → ${p.to}`), h('td', difference(p)),
      h('td.picture', Report.whisker({ low: p.low, mid: p.effect, high: p.high, min, max, colour: grey(p), zero: true })),
      h('td', String(p.pairs)), h('td', { class: p.lost ? 'bad' : null }, String(p.lost)), h('td', num(p.smallest, 2)), h('td.words', verdict(p, m.better)))))),
    h('p.note.inset', !rows.length ? 'This setting has no pairs for this metric.' : beyond ? 'An arrow says that the interval goes on beyond the picture.' : ''));
  };
  root.append(h('div.controls',
    select('metric', metrics.map(k => [k, Report.metric(k) ? titled(Report.metric(k)) : k]), state.metric, v => { state.metric = v; draw(); }),
    axes.length > 1 ? select('setting', [['', 'all'], ...axes], '', v => { state.axis = v; draw(); }) : null), place);
  draw();
  Report.onTheme(draw);
});
}

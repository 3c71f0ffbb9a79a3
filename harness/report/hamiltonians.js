{
const { h, data, finite, count, interval, metric, none, stat, survivors, titled, unique } = Report;

// More than a tenth apart in parameters, two rows compare sizes rather than numbers of Hamiltonians: the largest set of like size is the reference.
const unlike = rows => {
  const like = (a, b) => Math.max(a, b) <= 1.1 * Math.min(a, b);
  const sizes = rows.map(r => r.n_params).filter(finite);
  const best = sizes.map(n => sizes.filter(m => like(n, m)).length);
  const reference = sizes[best.indexOf(Math.max(...best))];
  return r => finite(r.n_params) && !like(r.n_params, reference);
};

Report.section('hamiltonians', 'Numbers of Hamiltonians', 'What several Hamiltonians buy, and what they cost: gap and training time against their number T. Hollow points differ by more than 10 % in their number of parameters from the others on the target and are not comparable with them.',
  () => data.hamiltonians.length, root => {
  const targets = unique(data.hamiltonians.map(r => data.groups[r.group].target)), rests = unique(data.hamiltonians.map(r => r.rest));
  const state = { target: targets[0], selected: Report.firstFew(rests) };
  const style = rest => Report.plain(rests.indexOf(rest));
  const rows = () => data.hamiltonians.filter(r => data.groups[r.group].target === state.target).map(r => ({ ...r, g: data.groups[r.group] }));
  const option = key => {
    const list = rows(), odd = unlike(list), byRest = new Map();
    list.filter(r => state.selected.has(r.rest)).forEach(r => {
      const s = stat(r.g, key);
      if (!s || !finite(s.mid)) return;
      if (!byRest.has(r.rest)) byRest.set(r.rest, []);
      byRest.get(r.rest).push({ ...s, x: r.hamiltonians, hollow: odd(r), r });
    });
    const title = titled(metric(key));
    const tooltip = p => Report.tipNode(`T = ${p.x}; ${p.r.rest}`, `${title}: ${interval(p)}`, `${survivors(p.n, p.r.g.planned)} cells`, `${count(p.r.n_params)} parameters${p.hollow ? ', not comparable' : ''}`);
    const ts = unique(list.map(r => r.hamiltonians));
    return Report.plot({ x: { name: 'Hamiltonians, T', ...(ts.length > 1 && Math.max(...ts) > 4 ? Report.roomy(Report.logAxis(ts, 2)) : { minInterval: 1, min: 0, max: Math.max(...ts) + 1 }) }, y: { min: v => v.min > 0 ? 0 : null },
      series: [...byRest].flatMap(([rest, points]) => Report.pointSeries({ name: rest, points, style: style(rest), tooltip })) });
  };
  const charts = [], body = h('tbody'), keys = ['elbo_gap_nats', 'train_s'].filter(Report.hasStat);
  const table = () => {
    const list = rows(), odd = unlike(list);
    body.replaceChildren(...list.sort((a, b) => rests.indexOf(a.rest) - rests.indexOf(b.rest) || a.hamiltonians - b.hamiltonians).map(r => h('tr', h('th', { scope: 'row' }, Report.swatch(style(r.rest)), ' ', r.rest || none), h('td', String(r.hamiltonians)),
      h('td', finite(r.n_params) ? count(r.n_params) : none, odd(r) ? h('small.bad', ' not comparable') : null), h('td', survivors(r.g.ok, r.g.planned)),
      keys.map(k => h('td', interval(stat(r.g, k)))), h('td', h('a', { href: `#group-${r.group}` }, 'cells')))));
  };
  const redraw = () => charts.forEach(c => c.redraw());
  root.append(h('div.controls', Report.targetSelect(targets, v => { state.target = v; table(); redraw(); })));
  Report.legend(root, { selected: state.selected, style, onchange: redraw, entries: () => rests.map(r => ({ key: r, label: r || 'no other setting varies' })) });
  const grid = h('div.panels');
  root.append(grid, Report.scroller('Numbers of Hamiltonians', h('table', Report.head(['other settings', 'T', 'parameters', 'ok', ...keys.map(k => titled(metric(k))), '']), body)));
  keys.forEach(key => {
    const title = `${titled(metric(key))} against T`;
    charts.push(Report.panel(grid, title, { height: 300, option: () => option(key), label: () => `${title}, ${state.target}` }));
  });
  table();
  Report.onTheme(table);
});
}

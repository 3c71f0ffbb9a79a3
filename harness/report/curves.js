{
const { h, data, finite, checkbox, num, quantile, select, survivors, tipNode, titled } = Report;
const CROSS = 'path://M0,0L10,10M10,0L0,10';
const AXES = [['step', 'step', 'training step'], ['wall_s', 'seconds', 'time (s)'], ['target_evals', 'target evaluations', 'target evaluations']];

const curveOf = new Map(data.curves.cells.map(c => [c.cell, c]));
const groupsWithCurves = data.groups.filter(g => g.cells.some(c => curveOf.has(c)));
const failed = g => g.cells.filter(c => data.cells[c].status !== 'ok');

const line = (curve, metric, axis, log) => curve.values[metric] ? curve.step.map((s, k) => ({ step: s, x: curve[axis] ? curve[axis][k] : null, y: curve.values[metric][k] }))
  .filter(p => finite(p.x) && finite(p.y) && (!log || p.y > 0)) : [];

const summary = lines => {
  const at = new Map();
  lines.forEach(l => l.forEach(p => at.has(p.step) ? at.get(p.step).push(p) : at.set(p.step, [p])));
  return [...at.keys()].sort((a, b) => a - b).map(step => {
    const ps = at.get(step), ys = ps.map(p => p.y), wide = ys.length >= 5;
    return { step, x: quantile(ps.map(p => p.x), 0.5), mid: quantile(ys, 0.5), low: wide ? quantile(ys, 0.25) : Math.min(...ys), high: wide ? quantile(ys, 0.75) : Math.max(...ys), n: ys.length };
  });
};

const build = (state, metric) => {
  const m = data.curves.metrics[metric], log = m.positive && state.log;
  const groups = groupsWithCurves.filter(g => g.target === state.target && state.selected.has(g.label));
  const drawn = groups.map(g => {
    const lines = g.cells.map(c => ({ cell: c, bad: data.cells[c].status !== 'ok', points: curveOf.has(c) ? line(curveOf.get(c), metric, state.axis, log) : [] })).filter(l => l.points.length);
    return { g, lines, style: Report.style(g.label), middle: summary(lines.filter(l => !l.bad).map(l => l.points)) };
  });
  const logZ = m.reference === 'log_z' ? (groupsWithCurves.find(g => g.target === state.target && finite(g.log_z)) || {}).log_z : null;
  return { m, log, drawn, logZ, range: range(drawn, logZ, log, state.fit, state.seeds) };
};

// Lines but for the absurd: those that end a thousand times as far off as the median line does.
const ordinary = drawn => {
  const ends = drawn.filter(d => d.middle.length).map(d => [d, d.middle[d.middle.length - 1].mid]), mids = ends.map(e => e[1]);
  if (mids.length < 4) return drawn;
  const centre = quantile(mids, 0.5), reach = 1000 * quantile(mids.map(m => Math.abs(m - centre)), 0.5);
  return ends.filter(e => Math.abs(e[1] - centre) <= reach).map(e => e[0]);
};

// The start of training can be so far off that the rest becomes a flat line, and so can one line of many.
const range = (all, logZ, log, fit, seeds) => {
  const drawn = fit ? ordinary(all) : all;
  const sound = drawn.flatMap(d => d.middle), middles = sound.length ? sound : drawn.flatMap(d => d.lines.flatMap(l => l.points.map(p => ({ x: p.x, low: p.y, high: p.y }))));
  const last = Math.max(...middles.map(p => p.x));
  const late = fit ? middles.filter(p => p.x >= last / 2) : [];
  const lows = (late.length ? late : middles).map(p => p.low), highs = (late.length ? late : middles).map(p => p.high);
  if (!late.length) drawn.forEach(d => d.lines.filter(l => l.bad || seeds).forEach(l => l.points.forEach(p => { lows.push(p.y); highs.push(p.y); })));
  if (finite(logZ)) { lows.push(logZ); highs.push(logZ); }
  let low = lows.reduce((a, b) => Math.min(a, b), Infinity), high = highs.reduce((a, b) => Math.max(a, b), -Infinity);
  if (!finite(low) || !finite(high)) return null;
  if (log) return Report.logAxis([low, high]);
  const pad = (high - low || Math.abs(high) || 1) * 0.06, unit = 10 ** Math.floor(Math.log10(high - low + 2 * pad)) / 4;
  const floor = low >= 0 && low - pad < 0 ? 0 : low - pad;
  return { min: Math.floor(floor / unit) * unit, max: Math.ceil((high + pad) / unit) * unit };
};

// Whether the whole range would leave what is fitted less than a fifth of the height.
const lost = (drawn, log) => {
  if (log || !drawn.some(d => d.middle.length)) return false;
  const whole = range(drawn, null, false, false), late = range(drawn, null, false, true);
  return !!whole && !!late && whole.max - whole.min > 5 * (late.max - late.min);
};

const option = (state, metric) => {
  const { m, log, drawn, logZ, range: r } = build(state, metric);
  const ink = Report.ink(), series = [], axis = AXES.find(a => a[0] === state.axis);
  const inside = y => r && finite(r.min) ? Math.min(Math.max(y, r.min), r.max) : y;
  for (const { g, lines, style, middle } of drawn) {
    if (middle.some(p => p.n > 1)) series.push(Report.band(g.label, middle, style.colour));
    for (const l of lines) {
      if (!l.bad && !state.seeds) continue;
      const tooltip = { formatter: e => tipNode(Report.cellName(data.cells[l.cell]), l.bad ? data.cells[l.cell].status : null, `${axis[1]} ${num(e.value[0], 4)}: ${m.title} ${num(e.data.y ?? e.value[1], 4)}`) };
      const name = `cell ${l.cell}`;
      series.push({ name, type: 'line', data: l.points.map(p => [p.x, p.y]), clip: true, symbol: 'circle', symbolSize: 4, showSymbol: l.points.length < 2, z: 2, cursor: 'pointer', itemStyle: { color: style.colour },
        lineStyle: { color: style.colour, width: 1, opacity: l.bad ? 1 : 0.55, type: l.bad ? [4, 3] : 'solid' }, tooltip });
      const end = l.points[l.points.length - 1];
      if (l.bad) series.push({ name, type: 'scatter', data: [{ value: [end.x, inside(end.y)], y: end.y }], symbol: CROSS, symbolSize: 11, z: 5, clip: false, itemStyle: { color: 'transparent', borderColor: style.colour, borderWidth: 2.5 }, tooltip });
    }
    if (middle.length) series.push({ name: g.label, type: 'line', z: 4, data: middle.map(p => ({ value: [p.x, p.mid], p })), symbol: style.symbol, symbolSize: middle.length > 40 ? 4 : 6, clip: true, ...Report.stroke(style),
      
      tooltip: { formatter: e => { const p = e.data.p; return tipNode(g.label, `${axis[1]} ${num(p.x, 4)}`, `median ${p.n > 1 ? Report.interval(p) : num(p.mid, 4)}`, `${survivors(p.n, g.planned)} seeds`); } } });
  }
  if (finite(logZ)) series.push({ name: 'log Z', type: 'line', data: [], silent: true, z: 3, markLine: { silent: true, symbol: 'none', animation: false, data: [{ yAxis: logZ }],
    lineStyle: { color: ink.text, type: [6, 4], width: 1.2 }, label: { position: 'insideStartTop', color: ink.text, backgroundColor: ink.ground, padding: [0, 3], fontSize: 11, formatter: `log Z = ${num(logZ, 4)}` } } });
  return Report.plot({ x: { name: axis[2], min: 0 }, y: { type: log ? 'log' : 'value', ...r, axisLabel: log ? {} : { showMinLabel: false, showMaxLabel: false } }, series });
};

const panel = (root, indices) => {
  const targets = Report.targets.filter(t => groupsWithCurves.some(g => g.target === t));
  const preferred = indices.find(i => data.curves.metrics[i].key === 'elbo_nats') ?? indices[0];
  const axes = AXES.filter(([key]) => data.curves.cells.some(c => c[key] && c[key].some(v => v > 0)));
  const state = { target: targets[0], metric: preferred, axis: (axes[0] || AXES[0])[0], seeds: false, log: true, chosen: null, fit: false, selected: new Set() };
  const metric = () => data.curves.metrics[state.metric];
  const heading = h('p.chart-title'), note = h('p.note'), failures = h('p.note.failed-seeds');
  const fitBox = checkbox('fit height', false, v => { state.chosen = v; update(); });
  const logBox = checkbox('log scale', state.log, v => { state.log = v; update(); });
  const here = () => groupsWithCurves.filter(g => g.target === state.target);
  const choose = () => { if (!here().some(g => state.selected.has(g.label))) Report.firstFew(here().map(g => g.label)).forEach(l => state.selected.add(l)); };
  choose();
  root.append(h('div.controls',
    select('target', targets.map(t => [t, t]), state.target, v => { state.target = v; choose(); legend(); update(); }),
    select('metric', indices.map(i => [i, titled(data.curves.metrics[i])]), state.metric, v => { state.metric = +v; update(); }),
    axes.length > 1 ? Report.radios('against', axes.map(a => a.slice(0, 2)), state.axis, v => { state.axis = v; update(); }) : null,
    h('div.control.checks', checkbox('single seeds', state.seeds, v => { state.seeds = v; update(); }), logBox,
      fitBox)), heading);
  const { left, right } = Report.figure(root);
  const chart = Report.chart(left, { option: () => option(state, state.metric), label: () => `${metric().title} on ${state.target} during training, ${state.selected.size} lines shown`,
    onclick: e => { const c = /^cell (\d+)$/.exec(e.seriesName); if (c) location.hash = `cell-${data.cells[+c[1]].id}`; } });
  const legend = Report.legend(right, { selected: state.selected, onchange: () => update(), entries: () => here().map(g => ({ key: g.label, label: g.label, note: survivors(g.ok, g.planned), bad: g.ok < g.planned })) });
  root.append(failures, note);
  const update = () => {
    heading.textContent = `${titled(metric())} on ${state.target}`;
    logBox.hidden = !metric().positive;
    const { drawn } = build(state, state.metric);
    state.fit = state.chosen ?? lost(drawn, metric().positive && state.log);
    fitBox.firstChild.checked = state.fit;
    const list = data.groups.filter(g => g.target === state.target && state.selected.has(g.label) && failed(g).length);
    const seed = (c, i) => [i ? ', ' : '', Report.cellLink(c, `seed ${data.cells[c].seed}`), ` ${data.cells[c].status}${curveOf.has(c) ? '' : ' without a curve'}`];
    failures.replaceChildren(...(list.length ? ['Failed or unfinished here: ', ...list.slice(0, 12).flatMap((g, i) => [i ? '; ' : '', `${g.label} (`, ...failed(g).flatMap(seed), ')']), list.length > 12 ? `; and in ${list.length - 12} more lines.` : '.'] : []));
    note.textContent = [!drawn.some(d => d.lines.length) ? 'None of the lines chosen has this metric on this target.' : '', Report.fewNote(here().length),
      state.fit ? 'The height fits the second half of training and leaves out lines that end a thousand times as far off as the others; what is beyond it leaves the picture, and crosses stop at its edge.' : ''].filter(Boolean).join(' ');
    chart.redraw();
  };
  update();
};

const indices = stability => data.curves.metrics.map((m, i) => i).filter(i => !!data.curves.metrics[i].stability === stability && data.curves.cells.some(c => c.values[i] && c.values[i].some(finite)));
Report.stabilityCurves = root => {
  const list = indices(true);
  if (!list.length || !groupsWithCurves.length) return;
  root.append(h('h3', 'Stability over training'), h('p.lead', 'Norms and errors during training; a line that climbs, or ends in a cross, shows trouble before the final figures do.'));
  panel(root, list);
};
Report.section('curves', 'Curves', 'Each line is the median over the seeds of a group that ended well, its band their range (the middle half from five seeds on); thin dashed lines ending in a cross are failed seeds. Click a legend entry to show or hide it.',
  () => groupsWithCurves.length && indices(false).length, root => panel(root, indices(false)));
}

{
const { h, data, finite, cellName, chart, plot, stat, unique } = Report;
const chainsOn = target => data.chains.filter(c => data.groups[data.cells[c.cell].group].target === target);

// The coordinate that forgets most slowly decides how long a chain has to be.
const slowest = c => c.autocorrelation.reduce((worst, a, i) => {
  const sum = a.reduce((s, v) => s + Math.abs(v || 0), 0);
  return sum > worst.sum ? { sum, i } : worst;
}, { sum: -1, i: 0 }).i;

const efficiency = target => {
  const rows = data.groups.filter(g => g.target === target && stat(g, 'ess_per_grad'));
  const max = 1.04 * rows.reduce((m, g) => { const s = stat(g, 'ess_per_grad'); return Math.max(m, s.mid, s.high ?? 0); }, 0) || 1;
  const min = Math.min(0, ...rows.map(g => stat(g, 'ess_per_grad').low ?? 0));
  return rows.length ? Report.scroller(`Effective sample size per gradient on ${target}`, h('table',
    Report.head(['flow and settings', 'ESS per gradient', [Report.hiddenText('picture'), Report.ruler(min, max, 220)], 'cells']),
    h('tbody', rows.map(g => {
      const s = stat(g, 'ess_per_grad');
      return h('tr', h('th', { scope: 'row' }, h('a', { href: `#group-${g.index}` }, g.label)), h('td', Report.interval(s)),
        h('td.picture', Report.whisker({ ...s, min, max, colour: Report.style(g.label).colour, zero: true, bar: true })), h('td', Report.survivors(s.n, g.planned)));
    })))) : null;
};

Report.section('samplers', 'Samplers', 'How far chains mix: ESS per gradient says what a gradient buys (longer bars are better), autocorrelation how fast the slowest coordinate forgets (a faster fall is better), and traces whether chains agree (they should look alike).',
  () => data.chains.length, root => {
  const targets = unique(data.chains.map(c => data.groups[data.cells[c.cell].group].target));
  const state = { target: targets[0], chain: null, selected: new Set() };
  const key = c => data.groups[data.cells[c.cell].group].label;
  const bars = h('div'), lags = h('div'), traces = h('div'), picker = h('div.controls');
  const drawLags = () => {
    const list = chainsOn(state.target);
    return plot({ x: { name: 'lag (transitions)', min: 0 }, y: {}, series: list.filter(c => state.selected.has(key(c))).map(c => {
      const i = slowest(c), style = Report.style(key(c));
      return { name: key(c), type: 'line', data: c.lag.map((l, k) => [l, c.autocorrelation[i][k]]), ...Report.stroke(style), symbol: 'circle', symbolSize: 4, showSymbol: c.lag.length < 80,
        tooltip: { formatter: e => Report.tipNode(cellName(data.cells[c.cell]), `coordinate ${c.coordinates[i] ?? i}`, `lag ${e.value[0]}: ${Report.num(e.value[1])}`) } };
    }) });
  };
  const drawTraces = () => {
    const c = state.chain;
    traces.replaceChildren();
    c.coordinates.forEach((name, k) => {
      Report.panel(traces, `${name}, ${Report.plural((c.trace[k] || []).length, 'chain')}`, { height: 150, label: () => `Trace of ${name}, ${cellName(data.cells[c.cell])}`, option: () => plot({
        x: { name: k === c.coordinates.length - 1 ? 'transition' : '', min: 'dataMin', max: 'dataMax' }, y: { splitNumber: 3 },
        series: (c.trace[k] || []).map((t, j) => ({ name: `chain ${j + 1}`, type: 'line', silent: true, data: t.map((v, n) => [c.transition[n], v]), showSymbol: false, lineStyle: { width: 0.8, color: Report.hue(j), opacity: 0.85 } })) }) });
    });
  };
  const lagFigure = Report.figure(lags);
  const autocorrelation = chart(lagFigure.left, { option: drawLags, height: 320, label: () => `Autocorrelation of the slowest coordinate against lag on ${state.target}` });
  const legend = Report.legend(lagFigure.right, { selected: state.selected, onchange: () => autocorrelation.redraw(), entries: () => unique(chainsOn(state.target).map(key)).map(k => ({ key: k, label: k })) });
  const note = h('p.note');
  lags.append(note);
  const draw = () => {
    const list = chainsOn(state.target);
    state.chain = list[0];
    if (!list.some(c => state.selected.has(key(c)))) Report.firstFew(unique(list.map(key))).forEach(k => state.selected.add(k));
    bars.replaceChildren(...[efficiency(state.target)].filter(Boolean));
    picker.replaceChildren(Report.select('traces of', list.map((c, i) => [i, cellName(data.cells[c.cell])]), 0, v => { state.chain = chainsOn(state.target)[+v]; drawTraces(); }));
    note.textContent = Report.fewNote(unique(list.map(key)).length);
    legend();
    autocorrelation.redraw();
    drawTraces();
  };
  root.append(h('div.controls', Report.targetSelect(targets, v => { state.target = v; draw(); })));
  if (Report.hasStat('ess_per_grad')) root.append(h('h3', 'ESS per gradient'), bars);
  root.append(h('h3', 'Autocorrelation'), lags, h('h3', 'Traces'), picker, traces);
  draw();
  Report.onTheme(() => bars.replaceChildren(...[efficiency(state.target)].filter(Boolean)));
});
}

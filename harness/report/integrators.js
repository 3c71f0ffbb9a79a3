{
const { h, data, finite, hasStat, logAxis, num, unique, interval, plural, survivors } = Report;

// What else must agree for points to be joined: the least that leaves one point at each place on the axis.
const KEYS = [() => '', i => i.n_steps, i => num(i.n_steps * i.step_size), i => i.step_size].map(f => i => `${i.integrator}|${i.hamiltonians}|${f(i)}`);
const keyFor = (list, x) => KEYS.find(key => new Set(list.map(i => `${key(i)}|${i[x]}`)).size === list.length) || KEYS[1];

Report.section('integrators', 'Integrators', 'Errors of each integrator against its step size, and the gap against the gradients a draw costs; lower is better throughout. A hollow point has lost cells to failures; values that are zero cannot stand on these logarithmic scales.',
  () => data.integrators.length, root => {
  const targets = unique(data.integrators.map(i => data.groups[i.group].target)), names = unique(data.integrators.map(i => i.integrator));
  const state = { target: targets[0], selected: Report.firstFew(names) }, charts = [];
  const style = name => Report.plain(names.indexOf(name));
  const here = () => data.integrators.filter(i => data.groups[i.group].target === state.target);
  const note = h('p.note');
  const redraw = () => {
    const lost = here().filter(i => !data.groups[i.group].ok).length;
    note.textContent = lost ? `${plural(lost, 'setting has', 'settings have')} no cell left on ${state.target} and cannot be drawn; see the failures.` : '';
    charts.forEach(c => c.redraw());
  };
  const order = name => data.integrators.find(i => i.integrator === name).order;
  root.append(h('div.controls', Report.targetSelect(targets, v => { state.target = v; redraw(); })));
  Report.legend(root, { selected: state.selected, style, onchange: redraw, entries: () => names.map(n => ({ key: n, label: n, note: order(n) == null ? null : `order ${order(n)}` })) });
  const grid = h('div.panels');
  root.append(grid, note);

  const panel = (key, title, x, xName) => {
    if (!hasStat(key)) return;
    const tooltip = p => Report.tipNode(`${p.i.integrator}, order ${p.i.order ?? Report.none}`, `${title}: ${interval(p)}`, `${survivors(p.n, p.g.planned)} cells`,
      `step size ${num(p.i.step_size)}, ${plural(p.i.n_steps, 'step')}, ${plural(p.i.hamiltonians, 'Hamiltonian')}`, `${num(p.i.gradients)} gradients a draw`);
    const option = () => {
      const lineOf = keyFor(here(), x), lines = new Map(), ys = [], xs = [];
      here().filter(i => state.selected.has(i.integrator)).forEach(i => {
        const g = data.groups[i.group], s = Report.stat(g, key), name = lineOf(i);
        if (!s || !(s.mid > 0)) return;
        if (!lines.has(name)) lines.set(name, []);
        lines.get(name).push({ ...s, x: i[x], hollow: g.ok < g.planned, i, g });
        xs.push(i[x]);
        ys.push(s.mid, ...(s.low > 0 && finite(s.high) ? [s.low, s.high] : []));
      });
      return Report.plot({ x: { name: xName, ...Report.roomy(logAxis(xs, 2)) }, y: logAxis(ys),
        series: [...lines].flatMap(([name, points]) => Report.pointSeries({ name, points, style: style(points[0].i.integrator), log: true, tooltip })) });
    };
    const label = `${title[0].toUpperCase()}${title.slice(1)} against ${xName}`;
    charts.push(Report.panel(grid, label, { height: 320, option, label: () => `${label}, ${state.target}` }));
  };
  panel('energy_error', 'energy error', 'step_size', 'step size');
  panel('reversibility_error', 'reversibility error', 'step_size', 'step size');
  panel('elbo_gap_nats', 'gap (nats)', 'gradients', 'gradients per draw');
  redraw();
});
}

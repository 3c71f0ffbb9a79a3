{
const { h, data, head, isOpen, plural, scroller, variants } = Report;

const map = root => {
  const columns = Report.targets;
  const square = g => {
    if (!g) return h('td.empty');
    const open = Object.keys(g.statuses).some(s => isOpen(s)), said = `${Report.survivors(g.ok, g.planned)} ok (${Report.statusText(g.statuses)})`;
    const step = g.ok === g.planned ? 4 : Math.min(3, Math.floor(4 * g.ok / g.planned));
    return h('td', { class: `share-${step}${open ? ' open' : ''}` }, h('a', { href: `#group-${g.index}`, 'aria-label': `${g.label} on ${g.target}: ${said}`, 'data-tip': said }, `${g.ok}/${g.planned}`));
  };
  const body = h('tbody');
  const fill = onlyFailures => {
    const rows = [...variants.values()].filter(v => v.groups.length && (!onlyFailures || v.groups.some(g => g.ok < g.planned)));
    body.replaceChildren(...rows.map(v => h('tr', h('th', { scope: 'row' }, v.label), columns.map(t => square(v.groups.find(g => g.target === t))))));
  };
  const clean = [...variants.values()].filter(v => v.groups.length && v.groups.every(g => g.ok === g.planned)).length, total = variants.size;
  // Hundreds of spotless rows would bury the few that matter; the sentence says how many were left out.
  const start = clean > 30 && clean < total;
  root.append(h('div.controls',
    h('ul.scale', { 'aria-label': 'Scale' }, [[4, 'all ok'], [3, '¾ or more'], [2, '½ or more'], [1, '¼ or more'], [0, 'fewer']].map(([i, t]) => h('li', h('span', { class: `box share-${i}` }), t)),
      h('li', h('span.box.open.share-0'), 'hatched: some not run yet')),
    clean && clean < total ? Report.checkbox(`only rows with failures (${plural(clean, 'row is', 'rows are')} spotless)`, start, fill) : null),
  scroller('Map of failures', h('table.map', head(['flow and settings', ...columns]), body)));
  fill(start);
};

const list = root => {
  const failed = data.cells.map((c, i) => [c, i]).filter(([c]) => c.status !== 'ok' && !isOpen(c.status));
  if (!failed.length) return;
  const most = 200;
  root.append(h('details', { open: failed.length <= 12 }, h('summary', plural(failed.length, 'failed cell')),
    scroller('Failed cells', h('table', head(['cell', 'status', 'detail']),
      h('tbody', failed.slice(0, most).map(([c, i]) => h('tr', h('th', { scope: 'row' }, Report.cellLink(i, Report.cellName(c))), h('td', Report.badge(c.status)), h('td.detail', c.detail || '')))))),
    failed.length > most ? h('p.note', `The first ${most} are listed; search the results for a status to find the others.`) : null));
};

Report.section('failures', 'Failures', `Each square says how many of the planned cells ended well; the stronger its colour, the fewer did. ${data.cells.some(c => c.status !== 'ok') ? 'Select a square to open its cells.' : 'Here every cell did.'}`, () => data.groups.length, root => { map(root); list(root); Report.stabilityCurves(root); });
}

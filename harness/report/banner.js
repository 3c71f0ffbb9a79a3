{
const { h, data, count, plural } = Report;
const ORDER = ['ok', 'diverged', 'timeout', 'oom', 'crashed', 'panicked', 'plugin-error', 'unloadable', 'skipped', 'interrupted', 'pending'];
const OPEN = new Set(['skipped', 'interrupted', 'pending']);
const MEANING = { diverged: 'numbers ran away', timeout: 'ran past its time limit', oom: 'ran out of memory', crashed: 'the process died', pending: 'not run yet' };
const colour = status => `s-${ORDER.includes(status) ? status : 'other'}`;
Report.isOpen = status => OPEN.has(status);
Report.statusOrder = (a, b) => ORDER.indexOf(a) - ORDER.indexOf(b);
Report.badge = status => h('span', { class: `status ${colour(status)}` }, status);
Report.statusText = statuses => Object.entries(statuses).sort((a, b) => Report.statusOrder(a[0], b[0])).map(([s, n]) => `${n} ${s}`).join(', ');

const completeness = () => {
  const total = Report.planned, counts = data.counts.filter(c => c.cells > 0).sort((a, b) => Report.statusOrder(a.status, b.status));
  const sum = keep => counts.filter(c => keep(c.status)).reduce((n, c) => n + c.cells, 0);
  const open = sum(Report.isOpen), failed = sum(s => s !== 'ok' && !Report.isOpen(s));
  const tone = open ? 'open' : failed ? 'failed' : total ? 'complete' : 'open';
  const text = !total ? 'No cells were planned: there is nothing to show yet.'
    : open ? `Incomplete: ${count(open)} of ${plural(total, 'planned cell')} ${open === 1 ? 'has' : 'have'} no result${failed ? ` and ${count(failed)} did not end well` : ''}; averages below leave them out.`
    : failed ? `Every planned cell has a result; ${count(failed)} of ${count(total)} did not end well, and averages below leave them out.`
    : 'Complete: every planned cell has a result.';
  const said = counts.map(c => `${count(c.cells)} ${c.status}`).join(', ');
  return h('section', { class: `banner ${tone}`, 'aria-label': 'Completeness' }, h('p', h('strong', text)),
    total ? [
      h('div.stack', { role: 'img', 'aria-label': `${count(total)} planned: ${said}` }, counts.map(c =>
        h('span', { class: colour(c.status), style: `flex-grow:${c.cells}`, 'data-tip': `${c.status}: ${count(c.cells)} of ${count(total)}` }))),
      h('ul.counts', h('li', h('b', count(total)), ' planned'), counts.map(c =>
        h('li', h('span', { class: `box ${colour(c.status)}` }), h('b', count(c.cells)), ` ${c.status}`, MEANING[c.status] ? h('small', ` ${MEANING[c.status]}`) : null))),
    ] : null);
};

const COLUMNS = ['environment', 'cpu', 'cores', 'memory', 'gpu', 'git', 'built_by', 'harness', 'protocol', 'jobs', 'threads', 'cells'];
const TITLES = { cpu: 'processor', gpu: 'GPU', git: 'commit', built_by: 'built by', jobs: 'jobs at once', threads: 'threads a job' };
const machines = () => {
  const shown = COLUMNS.filter(key => data.machines.some(m => m[key] != null));
  const value = (m, key) => m[key] == null ? Report.none : key === 'git' && m.dirty ? `${m.git}, with local changes` : String(m[key]);
  return h('details.machines', h('summary', `${plural(data.machines.length, 'environment')} the cells ran in`),
    Report.scroller('Environments', h('table', Report.head(shown.map(key => TITLES[key] || key)), h('tbody', data.machines.map(m => h('tr', shown.map(key => h('td', value(m, key)))))))));
};

const provenance = () => data.provenance.length || data.machines.length ? h('section.provenance', { 'aria-label': 'Provenance' },
  data.provenance.length ? h('ul', [...data.provenance].sort((a, b) => (b.level === 'warning') - (a.level === 'warning')).map(p =>
    h(`li.level-${p.level === 'warning' ? 'warning' : 'note'}`, h('b', p.level === 'warning' ? 'Warning: ' : 'Note: '), p.text))) : null,
  data.machines.length ? machines() : null) : null;

Report.header = () => {
  const parts = [plural(data.groups.length, 'group'), plural(Report.flows.length, 'flow'), plural(Report.targets.length, 'target')].join(', ');
  return h('header', h('h1', data.name),
    h('p.lead', 'Folder ', h('code', data.folder), `, harness ${data.harness}: ${parts}. A cell is one run of a flow on a target with one seed; a group is the cells that differ in the seed only.`),
    completeness(), provenance());
};
}
